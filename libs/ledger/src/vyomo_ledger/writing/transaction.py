"""One transaction over the record: lock, decide in Python, write everything with one statement, commit, publish.

The rule that makes it simple: a row is locked before it is decided upon, account by account and there in the order of
acceptance, so a decision is never based on an older version than the one it changes, and two writers never wait for each other
in a circle. The version check in the statement is the belt to these braces.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog

from vyomo_contracts.alerts import Alert
from vyomo_contracts.events import AlertRaised, SessionChanged
from vyomo_contracts.lifecycle import Applied, OrderUpdate, Result, apply
from vyomo_contracts.lifecycle import Illegal as IllegalUpdate
from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.portfolio import Funds, Holding, Position
from vyomo_contracts.sessions import BrokerSession
from vyomo_contracts.trail import BrokerAnswer
from vyomo_contracts.vocabulary import OrderState, PendingAction
from vyomo_ledger.orders import ORDER_COLUMNS, order_of
from vyomo_ledger.writing import claiming
from vyomo_ledger.writing.batch import Announcement, Batch
from vyomo_ledger.writing.bodies import text_of
from vyomo_ledger.writing.changes import Change
from vyomo_ledger.writing.claiming import Claimed, PendingChange
from vyomo_ledger.writing.publishing import Publication
from vyomo_ledger.writing.statements import WRITE_ORDERS, write_orders_and_portfolio
from vyomo_service_kit.database import Connection

log = structlog.get_logger()


class LostRaceError(Exception):
    """An order was changed by someone else between lock and write; impossible while everyone locks, so the transaction rolls back."""

    def __init__(self, expected: int, written: int) -> None:
        super().__init__(f"{written} of {expected} order changes met the version they were based on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One order and what was learnt of it; `fills` are the trades that came with it."""

    order: Order
    update: OrderUpdate
    fills: tuple[Fill, ...] = ()
    superseded_fills: tuple[str, ...] = ()
    """Trade ids of derived fills that `fills` replaces; they are deleted."""
    send_deadline: datetime | None = None
    answer: BrokerAnswer | None = None
    """The broker's words that caused it."""


_LOCK_ORDERS: Final = f"""
SELECT {ORDER_COLUMNS} FROM ledger.broker_orders
WHERE (account_id, order_id) IN (SELECT * FROM unnest($1::bigint[], $2::text[]))
ORDER BY account_id, id
FOR UPDATE
"""
_LOCK_FREE_ORDERS: Final = f"{_LOCK_ORDERS.rstrip()} SKIP LOCKED"
_HOLD_ACCEPTING: Final = (
    "UPDATE ledger.lanes SET next_sequence = next_sequence + 1 WHERE lane = 'ACCEPT' AND account_id = $1"
)
_DELETE_DERIVED: Final = """
DELETE FROM ledger.fills WHERE account_id = ANY($1::bigint[]) AND trade_id = ANY($2::text[]) AND basis = 'derived'
"""


class LedgerTransaction:
    """Made by `Ledger.transaction`. Everything is written when the block is left without an exception."""

    def __init__(self, connection: Connection, *, partitions: int, trail: str = "") -> None:
        self.connection = connection
        self._trail = trail
        self._partitions = partitions
        self._changes: dict[str, Change] = {}
        self._positions: list[Position] = []
        self._funds: list[Funds] = []
        self._holdings: list[tuple[str, str, Holding]] = []
        self._announcements: list[Announcement] = []
        self._along = ""
        self._along_parameters: tuple[str, ...] = ()

    async def claim(
        self,
        account_ids: Iterable[int],
        *,
        per_account: int,
        exits_first: bool = False,
        only_sendable: bool = False,
        except_for: Sequence[str] = (),
    ) -> Claimed:
        """Lock the accounts' claim lanes and the first `per_account` orders that wait in each, oldest first.

        With `exits_first` changes asked for and orders that reduce a position come before the others. Until the commit nobody else
        executes for these accounts. With `only_sendable`, changes of orders whose broker id is not known yet are left out, as are
        the orders of `except_for`: they must not use up the share of those that can go.
        """
        return await claiming.claim(
            self.connection,
            account_ids,
            per_account=per_account,
            exits_first=exits_first,
            only_sendable=only_sendable,
            except_for=except_for,
        )

    async def hold_accepting(self, account_id: int) -> None:
        """Until the commit no order of the account is accepted, and none that was decided upon before it is accepted after it.

        For decisions about an account as a whole. To be asked before any order is locked: lanes come first for everyone.
        """
        await self.connection.execute(_HOLD_ACCEPTING, account_id)

    async def lock(self, keys: Iterable[tuple[int, str]], *, only_free: bool = False) -> dict[str, Order]:
        """The orders (account id, order id) as they now are, locked until the commit; unknown ones are absent.

        With `only_free` those that somebody else holds are absent too, and nothing is waited for.
        """
        wanted = sorted(set(keys))
        rows = await self.connection.fetch(
            _LOCK_FREE_ORDERS if only_free else _LOCK_ORDERS,
            [key[0] for key in wanted],
            [key[1] for key in wanted],
        )
        return {order.order_id: order for order in map(order_of, rows)}

    async def sends_in_flight(self, account_ids: Iterable[int]) -> dict[int, int]:
        """Calls per account that may be on the wire: SUBMITTING with the deadline still ahead."""
        return await claiming.sends_in_flight(self.connection, account_ids)

    async def standing_claims(self, claims: Sequence[tuple[int, str, datetime]]) -> dict[str, str | None]:
        """Which of these claims (account id, order id, send deadline) of locked orders are the last ones made of them.

        By order id, with the stage of the change that is pending: PREPARED is one that was asked for since.
        """
        return await claiming.standing_claims(self.connection, claims)

    def step(self, steps: Sequence[Step]) -> list[Result]:
        """Apply what was learnt to locked orders. Only Applied results are written; Illegal ones are logged for a person."""
        return [self._step(step) for step in steps]

    def ask(self, change: PendingChange, at: datetime) -> Order:
        """Note a cancellation or modification for the worker to carry out."""
        changes: dict[str, object] = {
            "pending_action": change.action,
            "version": change.order.version + 1,
            "updated_at": at,
        }
        if change.action is PendingAction.CANCEL:
            changes |= {
                "reason_code": change.reason_code,
                "reason": change.reason or "cancelled by the user",
            }
        after = change.order.model_copy(update=changes)
        self._add(
            Change(
                before=change.order,
                after=after,
                pending_stage="PREPARED",
                pending_parameters=replace(change, asked_at=at).parameters(),
            )
        )
        return after

    def begin_action(self, order: Order, at: datetime, send_deadline: datetime) -> Order:
        """The claim of a pending action: from now on its call may be on the wire, and nobody else will make it."""
        after = order.model_copy(update={"version": order.version + 1, "updated_at": at})
        self._add(Change(before=order, after=after, pending_stage="SUBMITTING", send_deadline=send_deadline))
        return after

    def put_back(self, order: Order, at: datetime, answer: BrokerAnswer | None = None) -> None:
        """A claimed action that was proved unsent waits again."""
        if order.pending_action is not None:
            after = order.model_copy(update={"version": order.version + 1, "updated_at": at})
            self._add(Change(before=order, after=after, pending_stage="PREPARED", answer=answer))

    def refill(self, step: Step) -> None:
        """Real trades for derived fills of an order that is otherwise as it was: a new version with the same terms and state."""
        before = self.current(step.order)
        after = before.model_copy(update={"version": before.version + 1, "updated_at": step.update.at})
        self._add(
            Change(
                before=before,
                after=after,
                fills=step.fills,
                superseded_fills=step.superseded_fills,
                answer=step.answer,
            )
        )

    def announce_alert(self, alert_id: int, alert: Alert) -> None:
        """Tell of an alert that this transaction has recorded."""
        text = text_of(AlertRaised(alert=alert))
        self._announcements.append(Announcement(alert.broker, alert.account_id, text, alert_id=alert_id))

    def announce_session(self, session: BrokerSession) -> None:
        """Tell of a session as this transaction has recorded it."""
        text = text_of(SessionChanged(session=session))
        self._announcements.append(Announcement(session.broker, session.account_id, text))

    def save_positions(self, positions: Iterable[Position]) -> None:
        """Positions as they now are; a row is replaced only by a higher version."""
        self._positions.extend(positions)

    def save_funds(self, funds: Iterable[Funds]) -> None:
        self._funds.extend(funds)

    def save_holdings(self, holdings: Iterable[Holding], *, user_id: str, broker: str) -> None:
        self._holdings.extend((user_id, broker, holding) for holding in holdings)

    def write_along(self, ctes: str, *parameters: str) -> None:
        """Let the transaction's statement also write the caller's own tables: a round trip less for a lonely order.

        `ctes` is a constant text `, name AS (INSERT ...), ...` with its parameters from `FIRST_FREE_PARAMETER` on.
        """
        self._along, self._along_parameters = ctes, parameters

    def current(self, order: Order) -> Order:
        """The order as this transaction will leave it."""
        change = self._changes.get(order.order_id)
        return order if change is None else change.after

    async def flush(self) -> list[Publication]:
        """Write everything with one statement and return what to publish after the commit. Called by `Ledger`."""
        has_portfolio = bool(self._positions or self._funds or self._holdings or self._along)
        if not (self._changes or has_portfolio or self._announcements):
            return []
        superseded = [
            (change.after.account_id, trade_id)
            for change in self._changes.values()
            for trade_id in change.superseded_fills
        ]
        if superseded:
            accounts, trade_ids = zip(*superseded, strict=True)
            await self.connection.execute(_DELETE_DERIVED, list(accounts), list(trade_ids))
        batch = Batch(self._partitions, trail=self._trail)
        batch.add_orders(self._changes.values())
        batch.add_positions(self._positions)
        batch.add_holdings(self._holdings)
        batch.add_funds(self._funds)
        batch.add_announcements(self._announcements)
        if has_portfolio:
            statement = write_orders_and_portfolio(self._along)
            parameters = (*batch.order_parameters(), *batch.portfolio_parameters(), *self._along_parameters)
            rows = await self.connection.fetch(statement, *parameters)
        else:
            rows = await self.connection.fetch(WRITE_ORDERS, *batch.order_parameters())
        # Where nothing is announced there are no rows, and every order that changes is announced.
        written = rows[0]["written"] if rows else 0
        if written != len(self._changes):
            raise LostRaceError(len(self._changes), written)
        return batch.publications(rows)

    def _step(self, step: Step) -> Result:
        known = self.current(step.order)
        result = apply(known, step.update)
        if isinstance(result, IllegalUpdate):
            log.error("order.illegal_update", order_id=known.order_id, state=known.state, why=result.why)
        if isinstance(result, Applied):
            if known.state is OrderState.REJECTED:
                log.error(
                    "order.reopened", order_id=known.order_id, state=result.order.state, was=known.reason
                )
            self._add(
                Change(
                    before=known,
                    after=result.order,
                    fills=step.fills,
                    superseded_fills=step.superseded_fills,
                    send_deadline=step.send_deadline,
                    answer=step.answer,
                )
            )
        return result

    def _add(self, change: Change) -> None:
        """Two changes of one order in one transaction are one: the first `before`, the last `after`, version one up."""
        earlier = self._changes.get(change.after.order_id)
        self._changes[change.after.order_id] = change if earlier is None else earlier.followed_by(change)
