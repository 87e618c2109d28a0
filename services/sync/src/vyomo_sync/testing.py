"""What surrounds this service in its tests: callers, workers, and the record, all on a real bus and a real database."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import nats
from nats.aio.client import Client

from vyomo_contracts import subjects
from vyomo_contracts.commands import SyncPositions, SyncPositionsBatch, SyncReplies, SyncReply
from vyomo_contracts.events import BrokerEvents, FundsChanged, PositionChanged
from vyomo_contracts.messages import Principal
from vyomo_contracts.portfolio import Funds, Position
from vyomo_contracts.topology import SYNC_CONSUMER
from vyomo_contracts.vocabulary import Broker, Exchange, Product
from vyomo_service_kit.database import Connection
from vyomo_service_kit.testing import eventually
from vyomo_sync.settings import SyncSettings

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def position(account_id: int, quantity: int, *, version: int, **changes: object) -> Position:
    """Bought or sold once at 100."""
    side = {"buy_quantity": quantity} if quantity > 0 else {"sell_quantity": -quantity}
    value = (
        {"buy_value": Decimal(quantity * 100)} if quantity > 0 else {"sell_value": Decimal(-quantity * 100)}
    )
    fields = {
        "account_id": account_id,
        "user_id": "default_user",
        "broker": Broker.PAPER,
        "exchange": Exchange.NSE,
        "symbol": "RELIANCE",
        "product": Product.MIS,
        "quantity": quantity,
        "average_price": Decimal(100) if quantity else Decimal(0),
        "last_price": Decimal(100),
        "version": version,
        "updated_at": NOW + timedelta(seconds=version),
    }
    return Position.model_validate({**fields, **side, **value, **changes})


def sold_out(bought: Position, price: int, *, version: int) -> Position:
    """The same position after all of it was sold."""
    return bought.model_copy(
        update={
            "quantity": 0,
            "average_price": Decimal(0),
            "sell_quantity": bought.quantity,
            "sell_value": Decimal(bought.quantity * price),
            "version": version,
        }
    )


def sync_request(account_id: int, session_id: int = 7, user_id: str = "default_user") -> SyncPositions:
    return SyncPositions(
        principal=Principal(user_id=user_id, key_id="key"), account_id=account_id, session_id=session_id
    )


class Surroundings:
    """What the gateway, the workers and the router do to this service, and what it left in the database."""

    def __init__(self, client: Client, database: Connection) -> None:
        self.client = client
        self.database = database
        self._messages = 0

    async def account(self, user_id: str = "default_user", client_id: str = "DEMO") -> int:
        row = await self.database.fetchrow(
            "INSERT INTO accounts.broker_accounts (user_id, broker, client_id) VALUES ($1, 'paper', $2) RETURNING id",
            user_id,
            client_id,
        )
        assert row is not None
        return int(row["id"])

    async def record(self, *positions: Position) -> None:
        """Write the positions into the record without telling anyone."""
        for one in positions:
            columns = one.model_dump()
            names = ", ".join(columns)
            values = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
            await self.database.execute(
                f"INSERT INTO accounts.positions ({names}) VALUES ({values})"
                f" ON CONFLICT (account_id, exchange, symbol, product) DO UPDATE SET ({names}) = ROW({values})",
                *columns.values(),
            )

    async def publish(self, *positions: Position) -> None:
        """One envelope, as a worker publishes it after a commit: positions among other events."""
        self._messages += 1
        funds = FundsChanged(
            funds=Funds(
                account_id=1,
                user_id="default_user",
                broker=Broker.PAPER,
                balance=None,
                used=Decimal(0),
                available=None,
                version=1,
                updated_at=NOW,
            )
        )
        envelope = BrokerEvents(
            id=f"message-{self._messages}",
            type=BrokerEvents.TYPE,
            time=NOW,
            correlation_id="test",
            source="test",
            items=(funds, *(PositionChanged(position=one) for one in positions)),
        )
        await self.client.jetstream().publish(
            subjects.events("paper", 0),
            envelope.model_dump_json().encode(),
            headers={"content-type": "application/json"},
        )

    async def sync(self, account_id: int, session_id: int = 7, user_id: str = "default_user") -> SyncReply:
        (reply,) = await self.sync_all([(account_id, session_id, user_id)])
        return reply

    async def sync_all(self, requests: Iterable[tuple[int, int, str]]) -> tuple[SyncReply, ...]:
        batch = SyncPositionsBatch(
            id="request",
            type=SyncPositionsBatch.TYPE,
            time=NOW,
            correlation_id="test",
            source="test",
            items=tuple(sync_request(*request) for request in requests),
        )
        response = await self.client.request(
            subjects.SYNC_POSITIONS, batch.model_dump_json().encode(), timeout=5
        )
        return SyncReplies.model_validate_json(response.data).items

    async def trades(self) -> list[tuple[object, ...]]:
        """Session, round trip, side, status, open quantity, entry price, exit price, realised."""
        rows = await self.database.fetch(
            "SELECT session_id, round_trip, transaction_type, status, quantity, entry_price, exit_price, realised"
            " FROM sync.auto_trades ORDER BY session_id, account_id, exchange, symbol, product, round_trip"
        )
        return [tuple(row) for row in rows]

    async def shows(self, *rows: tuple[object, ...]) -> bool:
        return await self.trades() == list(rows)

    async def settled(self) -> None:
        """Wait until the service has acknowledged every event."""
        await eventually(self._is_settled)

    async def _is_settled(self) -> bool:
        info = await self.client.jetstream().consumer_info(SYNC_CONSUMER.stream, SYNC_CONSUMER.durable_name)
        return not info.num_pending and not info.num_ack_pending


@asynccontextmanager
async def surroundings_of(settings: SyncSettings) -> AsyncGenerator[Surroundings]:
    client = await nats.connect(settings.nats_url.get_secret_value())
    database = await asyncpg.connect(settings.postgres_url.get_secret_value())
    try:
        yield Surroundings(client, database)
    finally:
        await database.close()
        await client.close()


def trade(
    number: int, side: str, status: str, quantity: int, *, exit_price: int | None = None, realised: int = 0
) -> tuple[object, ...]:
    """A row of session 7, entered at 100."""
    left = None if exit_price is None else Decimal(exit_price)
    return (7, number, side, status, quantity, Decimal(100), left, Decimal(realised))
