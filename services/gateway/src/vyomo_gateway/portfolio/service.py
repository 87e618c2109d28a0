"""What an account holds, valued at current prices, and its mirror in an auto-trader session."""

from vyomo_contracts.commands import Account, SyncPositions
from vyomo_contracts.identifiers import instrument_key
from vyomo_gateway.accounts.reads import ONE_ACCOUNT, account_of
from vyomo_gateway.commands import Commands
from vyomo_gateway.edge.problems import AccountNotFoundError, RefusedError
from vyomo_gateway.identity.authentication import Caller
from vyomo_gateway.market.quotes import Quotes
from vyomo_gateway.portfolio.reads import HOLDINGS, POSITIONS, holding_of, position_of
from vyomo_gateway.portfolio.schemas import HoldingView, PositionView
from vyomo_gateway.reading import Records


class PortfolioService:
    def __init__(self, records: Records, commands: Commands, quotes: Quotes) -> None:
        self._records = records
        self._commands = commands
        self._quotes = quotes

    async def positions(self, caller: Caller, account_id: int) -> list[PositionView]:
        async with self._records.read(caller) as reader:
            rows = await reader.rows(POSITIONS, account_id=account_id)
            if not rows:
                await reader.require_account(account_id)
        quotes = await self._quotes.ask_if_possible(_key(row["exchange"], row["symbol"]) for row in rows)
        return [
            PositionView.of(position_of(row), quotes.get(_key(row["exchange"], row["symbol"])))
            for row in rows
        ]

    async def holdings(self, caller: Caller, account_id: int) -> list[HoldingView]:
        async with self._records.read(caller) as reader:
            rows = await reader.rows(HOLDINGS, account_id=account_id)
            if not rows:
                await reader.require_account(account_id)
        quotes = await self._quotes.ask_if_possible(_key(row["exchange"], row["symbol"]) for row in rows)
        return [
            HoldingView.of(holding_of(row), quotes.get(_key(row["exchange"], row["symbol"]))) for row in rows
        ]

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


def _key(exchange: str, symbol: str) -> str:
    return instrument_key(exchange, symbol)
