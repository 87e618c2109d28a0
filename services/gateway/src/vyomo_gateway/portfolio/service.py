"""What an account holds, valued at current prices, and its mirror in an auto-trader session."""

from vyomo_contracts.commands import Account, SyncPositions
from vyomo_contracts.identifiers import instrument_key
from vyomo_gateway.accounts.reads import ONE_ACCOUNT, account_of
from vyomo_gateway.commands import Commands
from vyomo_gateway.edge.paging import InstrumentPage, cursor_after
from vyomo_gateway.edge.problems import AccountNotFoundError, RefusedError
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.market.quotes import Quotes
from vyomo_gateway.portfolio.reads import HOLDING_PAGE, POSITION_PAGE, holding_of, position_of
from vyomo_gateway.portfolio.schemas import HoldingsAnswer, HoldingView, PositionsAnswer, PositionView
from vyomo_gateway.reading import Records, Statement
from vyomo_service_kit.database import Row


class PortfolioService:
    def __init__(self, records: Records, commands: Commands, quotes: Quotes) -> None:
        self._records = records
        self._commands = commands
        self._quotes = quotes

    async def positions(self, caller: Caller, account_id: int, page: InstrumentPage) -> PositionsAnswer:
        rows, more = await self._page(caller, POSITION_PAGE, account_id, page)
        quotes = await self._quotes.ask_if_possible(map(_key, rows))
        views = [PositionView.of(position_of(row), quotes.get(_key(row))) for row in rows]
        if not more:
            return PositionsAnswer(positions=views)
        last = views[-1]
        return PositionsAnswer(
            positions=views, next_cursor=cursor_after(last.exchange, last.symbol, last.product)
        )

    async def holdings(self, caller: Caller, account_id: int, page: InstrumentPage) -> HoldingsAnswer:
        rows, more = await self._page(caller, HOLDING_PAGE, account_id, page)
        quotes = await self._quotes.ask_if_possible(map(_key, rows))
        views = [HoldingView.of(holding_of(row), quotes.get(_key(row))) for row in rows]
        if not more:
            return HoldingsAnswer(holdings=views)
        return HoldingsAnswer(holdings=views, next_cursor=cursor_after(views[-1].exchange, views[-1].symbol))

    async def _page(
        self, caller: Caller, statement: Statement, account_id: int, page: InstrumentPage
    ) -> tuple[list[Row], bool]:
        """The page's rows, and whether there are more after them."""
        async with self._records.read(caller) as reader:
            rows = await reader.rows(
                statement,
                account_id=account_id,
                after_exchange=page.exchange,
                after_symbol=page.symbol,
                after_product=page.product,
                limit=page.limit + 1,
            )
            if not rows:
                await reader.require_account(account_id)
        return rows[: page.limit], len(rows) > page.limit

    async def margins(self, caller: Caller, account_id: int) -> Account:
        async with self._records.read(caller) as reader:
            row = await reader.row(ONE_ACCOUNT, account_id=account_id, user_id=caller.user_id)
        if row is None:
            raise AccountNotFoundError(account_id)
        return account_of(row)

    async def sync(self, caller: Caller, account_id: int, session_id: int) -> int:
        """How many positions were mirrored.

        Raises:
            RefusedError: no such account or session of the caller.
        """
        command = SyncPositions(principal=caller.principal, account_id=account_id, session_id=session_id)
        reply = await self._commands.sync_positions(command)
        if reply.problem is not None:
            raise RefusedError(reply.problem)
        return reply.synced


def _key(row: Row) -> str:
    return instrument_key(row["exchange"], row["symbol"])
