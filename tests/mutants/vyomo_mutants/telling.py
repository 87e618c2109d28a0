"""What publishing, the relay, the sweeper and leases must hold: nothing is told too early, and nothing that was recorded goes untold."""

from vyomo_contracts import subjects
from vyomo_contracts.topology import partition_of
from vyomo_contracts.vocabulary import OrderState, TransactionType
from vyomo_ledger.writing.leases import Lease
from vyomo_ledger.writing.relay import Relay
from vyomo_ledger.writing.sweeper import Sweeper
from vyomo_service_kit.testing import eventually

from .stage import PARTITIONS, Stage, utc

_AGED = "UPDATE ledger.outbox SET created_at = now() - interval '1 minute' RETURNING 1"
_OUTBOX = "SELECT order_ids FROM ledger.outbox ORDER BY id"


def relay_of(stage: Stage) -> Relay:
    return Relay(stage.database, stage.publisher, Lease(stage.database, name="relay", holder="a"))


async def outbox(stage: Stage) -> list[list[str]]:
    return [row["order_ids"] for row in await stage.rows(_OUTBOX)]


async def what_the_bus_did_not_take_stays_in_the_outbox(stage: Stage) -> None:
    async with stage.publisher.running():
        await stage.accepted("O1")

    assert await outbox(stage) == [["O1"]]


async def what_the_relay_could_not_publish_stays_in_the_outbox(stage: Stage) -> None:
    await stage.accepted("O1")
    await stage.rows(_AGED)

    published = await relay_of(stage).run_once()

    assert (published, await outbox(stage)) == (0, [["O1"]])


async def relay_takes_away_what_it_published_and_nothing_else(stage: Stage) -> None:
    await stage.accepted("O1")
    await stage.accepted("O2", account=1)
    await stage.rows(_AGED)
    stage.bus.takes = True
    stage.bus.refuses = {subjects.events("paper", partition_of(stage.accounts[0], PARTITIONS))}

    published = await relay_of(stage).run_once()

    assert (published, await outbox(stage)) == (1, [["O1"]])


async def relay_leaves_alone_what_its_committer_is_publishing(stage: Stage) -> None:
    """Else every event goes twice in the best of times."""
    await stage.accepted("O1")
    stage.bus.takes = True

    assert await relay_of(stage).run_once() == 0
    assert await outbox(stage) == [["O1"]]


async def relay_publishes_the_very_versions_that_were_left_behind(stage: Stage) -> None:
    order = await stage.accepted("O1")
    await stage.rows(_AGED)
    await stage.rows("UPDATE ledger.outbox SET created_at = now() RETURNING 1")
    await stage.learn(order, OrderState.SUBMITTING)
    await stage.rows(
        "UPDATE ledger.outbox SET created_at = now() - interval '1 minute' WHERE versions = '{2}' RETURNING 1"
    )
    stage.bus.takes = True

    await relay_of(stage).run_once()

    assert [each["order"]["version"] for each in stage.events()] == [2]


async def relayed_event_says_from_where_reading_on_misses_nothing(stage: Stage) -> None:
    async with stage.database.transaction() as older:
        number = await older.fetchval("SELECT pg_current_xact_id()::text::bigint << 16")
        await stage.accepted("O1")
        await stage.rows(_AGED)
        stage.bus.takes = True
        await relay_of(stage).run_once()

    [event] = stage.events()
    assert event["cursor"] <= number < event["sequence"]


async def stored_rows_are_cleared_and_no_others(stage: Stage) -> None:
    stage.bus.takes = True
    stage.bus.refuses = {subjects.events("paper", partition_of(stage.accounts[0], PARTITIONS))}
    async with stage.publisher.running():
        await stage.accepted("O1")
        await stage.accepted("O2", account=1)
        await eventually(lambda: len(stage.bus.stored_messages) == 1)

    assert await outbox(stage) == [["O1"]]


async def lease_has_one_holder_until_it_runs_out(stage: Stage) -> None:
    first = Lease(stage.database, name="relay", holder="a", seconds=60)
    second = Lease(stage.database, name="relay", holder="b", seconds=60)

    held = [await first.hold(), await second.hold(), await first.hold()]
    await stage.rows("UPDATE ledger.leases SET expires_at = now() - interval '1 s' RETURNING 1")

    assert held == [True, False, True]
    assert await second.hold()
    assert not await first.hold()


async def sweeper_ends_what_expired_unsent_and_rings_for_what_nobody_took(stage: Stage) -> None:
    await stage.accepted("O1", expires_at=utc(-1))
    await stage.accepted("O2", created_at=utc(-30), account=1)
    sent = await stage.accepted("O3", created_at=utc(-30))
    await stage.learn(sent, OrderState.SUBMITTING)
    rung: list[tuple[str, list[int]]] = []

    await sweeper_of(stage, rung).run_once()

    states = await stage.rows("SELECT state FROM ledger.broker_orders ORDER BY id")
    assert [row["state"] for row in states] == ["EXPIRED", "NEW", "SUBMITTING"]
    assert rung == [("paper", [stage.accounts[1]])]


async def order_claimed_while_the_sweeper_looked_is_the_workers(stage: Stage) -> None:
    await stage.accepted("O1", expires_at=utc(-1))
    claimed = "UPDATE ledger.broker_orders SET state = 'SUBMITTING', version = 2 WHERE order_id = $1"
    async with stage.holding(claimed, "O1"):
        await sweeper_of(stage, []).run_once()

    assert await stage.value("SELECT state FROM ledger.broker_orders") == "SUBMITTING"


async def exit_that_ends_unsent_alerts_once(stage: Stage) -> None:
    await stage.rows(
        "INSERT INTO accounts.positions (account_id, user_id, broker, exchange, symbol, product, quantity, average_price,"
        " version, updated_at) VALUES ($1, 'asha', 'paper', 'NSE', 'RELIANCE', 'MIS', 10, 250, 1, now()) RETURNING 1",
        stage.accounts[0],
    )
    await stage.accepted("O1", transaction_type=TransactionType.SELL, expires_at=utc(-1))
    await sweeper_of(stage, []).run_once()
    await stage.rows("UPDATE ledger.broker_orders SET state = 'NEW' RETURNING 1")
    await sweeper_of(stage, []).run_once()

    alerts = await stage.rows("SELECT code, subject FROM ledger.alerts WHERE cleared_at IS NULL")
    assert alerts == [{"code": "EXIT_NOT_SENT", "subject": "O1"}]


def sweeper_of(stage: Stage, rung: list[tuple[str, list[int]]]) -> Sweeper:
    async def ring(broker: str, account_ids: list[int]) -> None:
        rung.append((broker, account_ids))

    return Sweeper(stage.ledger, stage.clock, Lease(stage.database, name="sweeper", holder="a"), ring)
