"""The venue's state, read and written inside the transaction of the record: correct whoever executed before us.

Nothing is cached between transactions. Another process may have served these accounts a moment ago; its rows are the truth.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from vyomo_contracts.orders import Fill
from vyomo_contracts.vocabulary import TransactionType
from vyomo_ledger.writing import LedgerTransaction
from vyomo_paper_exchange.adapters import statements
from vyomo_paper_exchange.adapters.rows import (
    account_of,
    document,
    holding_of,
    holding_row,
    open_orders_of,
    position_of,
    position_row,
    transposed,
    working_order_of,
    working_order_row,
)
from vyomo_paper_exchange.domain.accounts import AccountBook, GroupKey, HoldingState, VenueAccount
from vyomo_paper_exchange.domain.positions import PositionState
from vyomo_paper_exchange.domain.tables import Row, rows_of
from vyomo_paper_exchange.domain.working import WorkingOrder
from vyomo_service_kit.database import Connection


@dataclass(slots=True)
class AccountRows:
    """What is stored of one account, as far as a round needs it."""

    account: VenueAccount
    positions: list[PositionState] = field(default_factory=list[PositionState])
    holdings: list[HoldingState] = field(default_factory=list[HoldingState])
    open_orders: list[tuple[GroupKey, TransactionType, int, Decimal]] = field(
        default_factory=list[tuple[GroupKey, TransactionType, int, Decimal]]
    )
    """Remainders of working orders by group and side: quantity, and value without the multiplier."""


class VenueStore:
    async def load(
        self,
        connection: Connection,
        account_ids: Iterable[int],
        touched: Iterable[tuple[str, str]],
        today: date,
    ) -> dict[int, AccountRows]:
        """Lock the venue's side of the accounts, opening it for new ones, and read it; `touched` are (exchange, symbol) pairs."""
        wanted, pairs = sorted(set(account_ids)), sorted(set(touched))
        arguments = (wanted, [pair[0] for pair in pairs], [pair[1] for pair in pairs])
        is_opened = False
        while True:
            rows = await connection.fetch(statements.LOAD, *arguments)
            accounts = [row for row in rows if row["kind"] == "account"]
            if len(accounts) < len(wanted) and not is_opened:
                await connection.execute(statements.OPEN_ACCOUNTS, wanted, today)
                is_opened = True
            elif all(row["is_current"] for row in accounts):
                break
            # Else somebody held an account while we waited and what was read beside it is older than the account. Now it is ours.
        loaded = {row["account_id"]: AccountRows(account_of(row)) for row in accounts}
        for row in rows:
            _add(loaded[row["account_id"]], row)
        return loaded

    async def peek(self, connection: Connection, account_id: int, today: date) -> AccountRows:
        """The account as it is now, without holding it; opened if it is new.

        Raises:
            LookupError: no such account, or one that lives at a real broker.
        """
        for is_opened in (False, True):
            rows = await connection.fetch(statements.PEEK, [account_id], [], [])
            account = next((row for row in rows if row["kind"] == "account"), None)
            if account is not None:
                found = AccountRows(account_of(account))
                for row in rows:
                    _add(found, row)
                return found
            if not is_opened:
                await connection.execute(statements.OPEN_ACCOUNTS, [account_id], today)
        raise LookupError(f"account {account_id} is none of the paper exchange")

    async def orders(self, connection: Connection, order_ids: Sequence[str]) -> dict[str, WorkingOrder]:
        if not order_ids:
            return {}
        rows = await connection.fetch(statements.ORDERS, list(order_ids))
        return {row["order_id"]: working_order_of(row) for row in rows}

    async def working_orders(self, connection: Connection) -> list[WorkingOrder]:
        return [working_order_of(row) for row in await connection.fetch(statements.WORKING_ORDERS)]

    def save(
        self,
        transaction: LedgerTransaction,
        orders: Iterable[WorkingOrder],
        books: Iterable[AccountBook],
        fills: Iterable[Fill],
    ) -> None:
        """Write what a round changed, with what the transaction writes. The accounts were locked by `load`."""
        changed = list(books)
        accounts = [book.account for book in changed]
        transaction.write_along(
            statements.SAVE,
            document([working_order_row(order) for order in orders]),
            document(
                [
                    position_row(book.account.account_id, book.positions[key])
                    for book in changed
                    for key in book.changed
                ]
            ),
            document(
                [
                    holding_row(book.account.account_id, book.holdings[key])
                    for book in changed
                    for key in book.changed_holdings
                ]
            ),
            document([vars(fill) for fill in fills]),
            document([account._asdict() for account in accounts]),
        )

    async def accounts_behind(self, connection: Connection, today: date, limit: int) -> list[int]:
        """Accounts whose positions are of an earlier day."""
        return [row["account_id"] for row in await connection.fetch(statements.BEHIND_ACCOUNTS, today, limit)]

    async def margin_rates(self, connection: Connection) -> list[Row]:
        """The dated rates; built-in rows are added where absent, an operator's own rows stay."""
        rows = [
            (
                row["exposure"],
                row["name"],
                row["product"],
                row["side"],
                Decimal(row["percent"]),
                date.fromisoformat(row["effective_from"]),
                date.fromisoformat(row["effective_to"]) if row["effective_to"] else None,
                row["source"],
            )
            for row in rows_of("margin_rates")
        ]
        await connection.execute(statements.SEED_MARGIN_RATES, *transposed(rows, 8))
        return [dict(row) for row in await connection.fetch(statements.MARGIN_RATES)]


def _add(rows: AccountRows, row: Mapping[str, Any]) -> None:
    """Sort a row of `LOAD` to where it belongs."""
    kind = row["kind"]
    if kind == "position":
        rows.positions.append(position_of(row))
    elif kind == "holding":
        rows.holdings.append(holding_of(row))
    elif kind == "orders":
        rows.open_orders.append(open_orders_of(row))
