"""The event stream against the record: what it lost is told again, and nothing else is."""

from datetime import timedelta

from vyomo_contracts.events import FundsChanged, OrderChanged
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Order
from vyomo_contracts.topology import EVENTS
from vyomo_contracts.vocabulary import OrderState
from vyomo_ledger.testing import RecordWorld
from vyomo_ledger.writing import Step
from vyomo_ledger.writing.leases import Lease
from vyomo_ledger.writing.relay import Relay
from vyomo_ledger.writing.stream_audit import StreamAudit
from vyomo_service_kit.testing import eventually


def audit_of(world: RecordWorld) -> StreamAudit:
    lease = Lease(world.database, name="stream-audit", holder="test")
    return StreamAudit(world.database, world.bus, lease, partitions=2)


async def told(world: RecordWorld, count: int) -> list[Order]:
    """Accepted a minute ago and told of; versions 2 of all but the first."""
    orders = [world.order() for _ in range(count)]
    await world.ledger.accept([world.new(order) for order in orders])
    async with world.ledger.transaction() as transaction:
        locked = await transaction.lock((order.account_id, order.order_id) for order in orders[1:])
        update = OrderUpdate(state=OrderState.CANCELLED, at=world.clock.now())
        transaction.step([Step(order=order, update=update) for order in locked.values()])
    await eventually(lambda: sum(len(each.items) for each in world.heard) == 2 * count - 1)

    async def is_cleared() -> bool:
        return not await world.rows("SELECT 1 FROM ledger.outbox")

    await eventually(is_cleared)
    # Nobody may change what is recorded, so the test, not the service, moves it into the past.
    await make_older(world)
    world.heard.clear()
    return orders


async def make_older(world: RecordWorld) -> None:
    async with world.database.transaction() as connection:
        await connection.execute("SET LOCAL ROLE vyomo")
        await connection.execute(
            "UPDATE ledger.order_events SET recorded_at = recorded_at - $1::interval", timedelta(minutes=1)
        )


async def relayed(world: RecordWorld) -> dict[str, int]:
    async with world.database.connection() as connection:
        await connection.execute("UPDATE ledger.outbox SET created_at = created_at - interval '1 minute'")
    await Relay(
        world.database, world.publisher, Lease(world.database, name="relay", holder="test")
    ).run_once()
    await eventually(lambda: world.heard)
    items = [item for each in world.heard for item in each.items]
    assert any(isinstance(item, FundsChanged) for item in items)
    return {item.order.order_id: item.order.version for item in items if isinstance(item, OrderChanged)}


async def test_whole_stream_needs_nothing(world: RecordWorld) -> None:
    await told(world, 3)

    assert await audit_of(world).run_once() == 0
    assert await world.rows("SELECT 1 FROM ledger.outbox") == []


async def test_order_whose_last_event_the_stream_lost_is_told_again(world: RecordWorld) -> None:
    orders = await told(world, 3)
    # The last message is the one commit that cancelled all but the first.
    last = (await world.bus.stored.stream_info(EVENTS.name)).state.last_seq
    await world.bus.stored.delete_msg(EVENTS.name, last)

    assert await audit_of(world).run_once() == 2
    # What waits in the outbox is not asked for a second time.
    assert await audit_of(world).run_once() == 0

    assert await relayed(world) == {order.order_id: 2 for order in orders[1:]}


async def test_wiped_stream_is_told_everything_of_late(world: RecordWorld) -> None:
    orders = await told(world, 3)
    await world.bus.stored.purge_stream(EVENTS.name)

    assert await audit_of(world).run_once() == 3

    assert await relayed(world) == {order.order_id: 1 if order is orders[0] else 2 for order in orders}


async def test_what_is_still_on_its_way_is_left_alone(world: RecordWorld) -> None:
    await world.ledger.accept([world.new()])
    await eventually(lambda: world.heard)
    await world.bus.stored.purge_stream(EVENTS.name)
    audit = audit_of(world)

    assert await audit.run_once() == 0

    # Unless the stream is new: what went into the old one is not on its way any more.
    audit.stream_is_new()
    assert await audit.run_once() == 1
