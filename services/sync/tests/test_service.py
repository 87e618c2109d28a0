"""The whole service on a real bus and a real database, driven as its surroundings drive it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import nats
import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from vyomo_contracts import subjects
from vyomo_contracts.commands import SyncPositions, SyncPositionsBatch, SyncReplies, SyncReply
from vyomo_contracts.events import BrokerEvents, FundsChanged, PositionChanged
from vyomo_contracts.messages import Failure, Principal
from vyomo_contracts.portfolio import Funds, Position
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.topology import SYNC_CONSUMER
from vyomo_contracts.vocabulary import Broker, Exchange, Product
from vyomo_service_kit.bus import declare_topology
from vyomo_service_kit.database import Connection
from vyomo_service_kit.testing import eventually
from vyomo_sync.bootstrap import service
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
                f"INSERT INTO accounts.positions ({names}) VALUES ({values})", *columns.values()
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
            items=tuple(
                SyncPositions(
                    principal=Principal(user_id=user_id, key_id="key"),
                    account_id=account_id,
                    session_id=session_id,
                )
                for account_id, session_id, user_id in requests
            ),
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

    async def settled(self) -> None:
        """Wait until the service has acknowledged every event."""
        await eventually(self._is_settled)

    async def _is_settled(self) -> bool:
        info = await self.client.jetstream().consumer_info(SYNC_CONSUMER.stream, SYNC_CONSUMER.durable_name)
        return not info.num_pending and not info.num_ack_pending


def trade(
    number: int, side: str, status: str, quantity: int, *, exit_price: int | None = None, realised: int = 0
) -> tuple[object, ...]:
    """A row of session 7, entered at 100."""
    left = None if exit_price is None else Decimal(exit_price)
    return (7, number, side, status, quantity, Decimal(100), left, Decimal(realised))


@pytest.fixture
def settings(nats_url: str, database_url: str) -> SyncSettings:
    return SyncSettings(nats_url=SecretStr(nats_url), postgres_url=SecretStr(database_url))


@pytest.fixture
async def surroundings(settings: SyncSettings) -> AsyncIterator[Surroundings]:
    client = await nats.connect(settings.nats_url.get_secret_value())
    database = await asyncpg.connect(settings.postgres_url.get_secret_value())
    yield Surroundings(client, database)
    await database.close()
    await client.close()


@pytest.fixture
async def running(settings: SyncSettings, surroundings: Surroundings) -> AsyncIterator[Surroundings]:
    """The service, ready, with its surroundings."""
    await declare_topology(surroundings.client.jetstream(), (SYNC_CONSUMER,))
    async with service(settings):
        yield surroundings


async def test_sync_mirrors_positions_and_repeats_without_effect(running: Surroundings) -> None:
    account = await running.account()
    await running.record(
        position(account, 10, version=3),
        position(account, -5, version=1, symbol="TCS"),
        position(account, 0, version=2, symbol="INFY"),
    )

    first, second = await running.sync(account), await running.sync(account)

    assert (first.problem, first.synced) == (None, 3)
    assert second == first
    assert await running.trades() == [trade(1, "BUY", "OPEN", 10), trade(1, "SELL", "OPEN", 5)]


async def test_foreign_account_is_not_found_and_leaves_no_session(running: Surroundings) -> None:
    account = await running.account("somebody_else")

    reply = await running.sync(account)

    assert reply.problem is not None
    assert reply.problem.code is ReasonCode.ACCOUNT_NOT_FOUND
    assert await running.database.fetchval("SELECT count(*) FROM sync.trading_sessions") == 0


async def test_session_belongs_to_whoever_named_it_first(running: Surroundings) -> None:
    mine, theirs = await running.account(), await running.account("somebody_else")

    replies = await running.sync_all([(mine, 7, "default_user"), (theirs, 7, "somebody_else")])

    assert replies[0].problem is None
    assert replies[1].problem is not None
    assert replies[1].problem.code is ReasonCode.SESSION_NOT_FOUND


async def test_unreadable_request_is_answered_at_once(running: Surroundings) -> None:
    response = await running.client.request(subjects.SYNC_POSITIONS, b'{"items": []}', timeout=2)

    assert Failure.model_validate_json(response.data).problem.code is ReasonCode.INVALID_FIELD


async def test_events_of_linked_accounts_are_followed_and_others_ignored(running: Surroundings) -> None:
    linked, other = await running.account(), await running.account(client_id="OTHER")
    await running.sync(linked)
    bought = position(linked, 10, version=1)

    await running.publish(bought, position(other, 5, version=1))
    await running.publish(sold_out(bought, 120, version=2))
    await running.settled()

    assert await running.trades() == [trade(1, "BUY", "CLOSED", 0, exit_price=120, realised=200)]


async def test_late_and_repeated_events_change_nothing(running: Surroundings) -> None:
    account = await running.account()
    await running.sync(account)
    bought = position(account, 10, version=1)
    sold = sold_out(bought, 120, version=2)

    await running.publish(bought)
    await running.publish(sold, bought)
    await running.publish(bought)
    await running.publish(sold)
    await running.settled()

    assert await running.trades() == [trade(1, "BUY", "CLOSED", 0, exit_price=120, realised=200)]


async def test_flip_closes_the_long_trade_and_opens_a_short_one(running: Surroundings) -> None:
    account = await running.account()
    await running.sync(account)
    bought = position(account, 10, version=1)
    turned = bought.model_copy(
        update={"quantity": -5, "sell_quantity": 15, "sell_value": Decimal(1500), "version": 2}
    )

    await running.publish(bought)
    await running.publish(turned)
    await running.settled()

    assert await running.trades() == [
        trade(1, "BUY", "CLOSED", 0, exit_price=100),
        trade(2, "SELL", "OPEN", 5),
    ]


async def test_position_of_another_user_never_enters_a_session(running: Surroundings) -> None:
    account = await running.account()
    await running.sync(account)

    await running.publish(position(account, 10, version=1, user_id="somebody_else"))
    await running.settled()

    assert await running.trades() == []


async def test_stop_loss_set_by_the_watcher_stays(running: Surroundings) -> None:
    account = await running.account()
    await running.sync(account)
    bought = position(account, 10, version=1)
    await running.publish(bought)
    await running.settled()
    await running.database.execute("UPDATE sync.auto_trades SET stop_loss = 90, target = 130")

    await running.publish(sold_out(bought, 120, version=2))
    await running.settled()

    row = await running.database.fetchrow("SELECT status, stop_loss, target FROM sync.auto_trades")
    assert row is not None
    assert tuple(row) == ("CLOSED", Decimal(90), Decimal(130))


async def test_wiped_and_declared_anew_stream_is_followed_again(running: Surroundings) -> None:
    account = await running.account()
    await running.sync(account)
    stored = running.client.jetstream()
    await running.publish(position(account, 10, version=1))
    await running.settled()

    await stored.delete_stream(SYNC_CONSUMER.stream)
    await declare_topology(stored, (SYNC_CONSUMER,))
    await running.publish(position(account, 20, version=2))
    await running.settled()

    assert await running.trades() == [trade(1, "BUY", "OPEN", 20)]


async def test_events_published_while_the_service_was_down_are_followed_at_its_start(
    settings: SyncSettings, surroundings: Surroundings
) -> None:
    await declare_topology(surroundings.client.jetstream(), (SYNC_CONSUMER,))
    account = await surroundings.account()
    async with service(settings):
        await surroundings.sync(account)

    await surroundings.publish(position(account, 10, version=1))
    async with service(settings):
        await surroundings.settled()

    assert await surroundings.trades() == [trade(1, "BUY", "OPEN", 10)]


async def test_start_waits_for_the_stream(settings: SyncSettings, surroundings: Surroundings) -> None:
    async def declare_late() -> None:
        await asyncio.sleep(0.3)
        await declare_topology(surroundings.client.jetstream(), (SYNC_CONSUMER,))

    account = await surroundings.account()
    declaring = asyncio.create_task(declare_late())
    async with service(settings):
        reply = await surroundings.sync(account)
    await declaring

    assert reply.problem is None


async def test_gateway_sees_the_trades_of_its_user_only(running: Surroundings) -> None:
    account = await running.account()
    await running.record(position(account, 10, version=1))
    await running.sync(account)

    await running.database.execute("SET ROLE vyomo_gateway")
    counts = []
    for user_id in ("default_user", "somebody_else"):
        await running.database.execute("SELECT set_config('vyomo.user_id', $1, false)", user_id)
        counts.append(await running.database.fetchval("SELECT count(*) FROM sync.auto_trades"))

    assert counts == [1, 0]
