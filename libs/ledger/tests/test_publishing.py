from datetime import timedelta

from vyomo_contracts.alerts import Alert, AlertCode
from vyomo_contracts.events import AlertRaised, OrderChanged, SessionChanged
from vyomo_contracts.sessions import SessionState
from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.sequence import PLACE_BITS
from vyomo_ledger.testing import RecordWorld, create_account, record_world
from vyomo_ledger.writing import EventPublisher, end_session, lock_sessions, raise_alert
from vyomo_ledger.writing.leases import Lease
from vyomo_ledger.writing.publishing import LARGEST_MESSAGE, Publication
from vyomo_ledger.writing.relay import Relay
from vyomo_service_kit.database import open_database
from vyomo_service_kit.testing import eventually


async def left_behind(world: RecordWorld, orders: int) -> None:
    """Orders whose committer died between commit and publishing."""
    world.publisher.publish = lambda _: None  # type: ignore[method-assign]
    await world.ledger.accept([world.new(world.order(tag="x" * 40)) for _ in range(orders)])
    async with world.database.connection() as connection:
        await connection.execute("UPDATE ledger.outbox SET created_at = created_at - interval '1 minute'")


def relay_of(world: RecordWorld) -> Relay:
    return Relay(world.database, world.publisher, Lease(world.database, name="relay", holder="test"))


async def test_relay_publishes_what_a_dead_committer_left(world: RecordWorld) -> None:
    await left_behind(world, 3)

    published = await relay_of(world).run_once()

    assert published == 1
    await eventually(lambda: len(world.heard) == 1)
    assert len(world.heard[0].items) == 3
    assert await world.rows("SELECT 1 FROM ledger.outbox") == []


async def test_commit_too_large_for_one_message_goes_in_several(world: RecordWorld) -> None:
    await left_behind(world, 2500)

    published = await relay_of(world).run_once()

    assert published == 1
    await eventually(lambda: sum(len(envelope.items) for envelope in world.heard) == 2500)
    assert len(world.heard) > 1
    orders = {
        item.order.order_id
        for envelope in world.heard
        for item in envelope.items
        if isinstance(item, OrderChanged)
    }
    assert len(orders) == 2500


async def test_row_that_cannot_go_does_not_keep_the_others_back(world: RecordWorld) -> None:
    await left_behind(world, 1)
    hopeless = Publication(0, "paper", 0, ["x" * (3 * LARGEST_MESSAGE)])
    real_store = world.publisher.store

    async def store(publication: Publication, *, again: bool = False) -> None:
        first = publication.outbox_id == min(ids)
        await real_store(hopeless if first else publication, again=again)

    await world.ledger.accept([world.new()])
    async with world.database.connection() as connection:
        await connection.execute("UPDATE ledger.outbox SET created_at = created_at - interval '1 minute'")
    ids = [row["id"] for row in await world.rows("SELECT id FROM ledger.outbox")]
    world.publisher.store = store  # type: ignore[method-assign]

    published = await relay_of(world).run_once()

    assert len(ids) == 2
    assert published == 1
    assert await world.rows("SELECT id FROM ledger.outbox") == []
    [letter] = await world.rows("SELECT stream_sequence, why FROM ledger.dead_letters")
    assert letter == {"stream_sequence": min(ids), "why": "larger than a message may be"}


async def test_second_relay_waits_while_the_first_holds_the_lease(world: RecordWorld) -> None:
    await left_behind(world, 1)
    assert await Lease(world.database, name="relay", holder="another").hold()

    assert await relay_of(world).run_once() == 0
    assert len(await world.rows("SELECT 1 FROM ledger.outbox")) == 1


async def test_row_that_points_to_nothing_readable_does_not_keep_the_others_back(world: RecordWorld) -> None:
    async with world.database.connection() as connection:
        await connection.execute(
            "INSERT INTO ledger.outbox (broker, partition, position_keys) VALUES ('paper', 0, '{broken}')"
        )
    await left_behind(world, 1)

    assert await relay_of(world).run_once() == 1

    # It does not stand there for ever either: a person finds it among the dead letters.
    assert await world.rows("SELECT 1 FROM ledger.outbox") == []
    [letter] = await world.rows("SELECT consumer, state, payload FROM ledger.dead_letters")
    assert (letter["consumer"], letter["state"]) == ("outbox", "OPEN")
    assert b"broken" in letter["payload"]


async def test_relayed_event_is_no_resume_point_beyond_a_transaction_that_is_still_open(
    world: RecordWorld,
) -> None:
    async with world.database.transaction() as connection:
        still_open = await connection.fetchval("SELECT pg_current_xact_id()::text::bigint")
        assert isinstance(still_open, int)
        await left_behind(world, 1)

        await relay_of(world).run_once()
        await eventually(lambda: len(world.heard) == 1)

    [event] = world.heard[0].items
    assert isinstance(event, OrderChanged)
    assert event.cursor <= still_open << PLACE_BITS < event.sequence


async def test_relay_tells_of_alerts_and_sessions_whose_committer_died(
    database_url: str, nats_url: str
) -> None:
    async with (
        record_world(database_url, nats_url, role="vyomo") as world,
        open_database(database_url, role="vyomo_router", application="router") as router,
    ):
        world.publisher.publish = lambda _: None  # type: ignore[method-assign]
        account = await create_account(world.database, user_id="asha", client_id="Z1", broker=Broker.ZERODHA)
        alert = Alert(
            account_id=account,
            user_id="asha",
            broker=Broker.ZERODHA,
            code=AlertCode.POSITION_DRIFT,
            subject="NSE:RELIANCE",
            message="5 are missing",
            raised_at=world.clock.now(),
        )
        async with world.ledger.transaction() as transaction:
            await lock_sessions(transaction, [account])
            await raise_alert(transaction, alert)
            session = await end_session(transaction, account, reason="signed out", at=world.clock.now())
        async with world.database.connection() as connection:
            await connection.execute(
                "UPDATE ledger.outbox SET created_at = created_at - $1::interval", timedelta(minutes=1)
            )

        # With the router's rights, which are fewer than the worker's.
        relay = Relay(
            router,
            EventPublisher(world.bus, router, world.clock, world.identifiers, source="test"),
            Lease(router, name="relay", holder="test"),
        )
        assert await relay.run_once() == 1

        await eventually(lambda: world.heard)
        alerts = [item.alert for item in world.heard[0].items if isinstance(item, AlertRaised)]
        assert alerts[0] == alert
        assert alerts[1].code is AlertCode.SESSION_EXPIRED
        [told] = [item.session for item in world.heard[0].items if isinstance(item, SessionChanged)]
        assert told == session
        assert told.state is SessionState.EXPIRED
        assert await world.rows("SELECT 1 FROM ledger.outbox") == []
