"""A hung entry never stands before a cancel or an order that reduces a position; entries expire, exits alert."""

from datetime import timedelta

from vyomo_broker_kit.limits import ReconcileLimits, SendLimits
from vyomo_broker_kit.testing import Behaviour
from vyomo_broker_kit.testing.floor import Floor
from vyomo_contracts.alerts import AlertCode
from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import OrderState, TransactionType
from vyomo_ledger.writing.leases import Lease
from vyomo_ledger.writing.sweeper import Sweeper
from vyomo_service_kit.testing import eventually

HANGS = Behaviour(delay_seconds=5)


async def hold(floor: Floor, quantity: int) -> None:
    """A position of RELIANCE in MIS, as positions are known to the record."""
    floor.broker.venue.overnight[floor.account, "RELIANCE"] = quantity
    async with floor.world.database.connection() as connection:
        await connection.execute(
            "INSERT INTO accounts.positions (account_id, user_id, broker, exchange, symbol, product, quantity, average_price, version,"
            " updated_at) VALUES ($1, 'asha', 'zerodha', 'NSE', 'RELIANCE', 'MIS', $2, 100, 1, now())",
            floor.account,
            quantity,
        )


async def entries_that_hang(floor: Floor, count: int) -> list[Order]:
    floor.broker.script(HANGS, HANGS)
    entries = [await floor.place(symbol="TCS") for _ in range(count)]
    for entry in entries[:2]:
        await floor.until(entry, OrderState.SUBMITTING)
    return entries


async def test_exit_reaches_the_broker_while_entries_hang_and_others_stand_in_line(floor: Floor) -> None:
    await hold(floor, 10)
    async with floor.working():
        entries = await entries_that_hang(floor, 30)
        began = floor.world.clock.elapsed()
        exit_order = await floor.place(transaction_type=TransactionType.SELL, quantity=10)
        await eventually(lambda: ("POST", exit_order.broker_tag) in floor.broker.calls, timeout=2)
        took = floor.world.clock.elapsed() - began
        states = [(await floor.stored(entry)).state for entry in entries]

    assert took < 2
    assert states == [OrderState.SUBMITTING] * 2 + [OrderState.NEW] * 28


async def test_short_position_is_reduced_by_buying(floor: Floor) -> None:
    await hold(floor, -10)
    async with floor.working():
        await entries_that_hang(floor, 2)
        exit_order = await floor.place(transaction_type=TransactionType.BUY, quantity=10)
        await floor.until(exit_order, OrderState.FILLED, seconds=3)


async def test_order_that_would_turn_the_position_round_is_an_entry(floor: Floor) -> None:
    await hold(floor, 10)
    async with floor.working():
        await entries_that_hang(floor, 2)
        turning = await floor.place(transaction_type=TransactionType.SELL, quantity=11)
        adding = await floor.place(transaction_type=TransactionType.BUY, quantity=5)
        exit_order = await floor.place(transaction_type=TransactionType.SELL, quantity=10)
        await floor.until(exit_order, OrderState.FILLED, seconds=3)
        states = [(await floor.stored(order)).state for order in (turning, adding)]

    assert states == [OrderState.NEW] * 2


async def test_exits_do_not_fill_the_wire_without_bound(floor: Floor) -> None:
    await hold(floor, 100)
    floor.broker.script(*[HANGS] * 10)
    async with floor.working(limits=SendLimits(in_flight_per_account=1, more_for_exits=1)):
        exits = [await floor.place(transaction_type=TransactionType.SELL) for _ in range(5)]
        for order in exits[:2]:
            await floor.until(order, OrderState.SUBMITTING)
        states = [(await floor.stored(order)).state for order in exits]

    assert states == [OrderState.SUBMITTING] * 2 + [OrderState.NEW] * 3


async def test_exit_that_expires_unsent_alerts_and_an_entry_does_not(floor: Floor) -> None:
    await hold(floor, 10)
    past = floor.world.clock.now() - timedelta(seconds=1)
    exit_order = await floor.place(transaction_type=TransactionType.SELL, expires_at=past)
    entry = await floor.place(expires_at=past)

    async def ring(broker: str, account_ids: list[int]) -> None:
        raise AssertionError

    lease = Lease(floor.world.database, name="sweeper", holder="test")
    await Sweeper(floor.world.ledger, floor.world.clock, lease, ring).run_once()

    assert [(await floor.stored(order)).state for order in (exit_order, entry)] == [OrderState.EXPIRED] * 2
    await eventually(lambda: bool(floor.heard_alerts()))
    (alert,) = floor.heard_alerts()
    assert (alert.code, alert.subject) == (AlertCode.EXIT_NOT_SENT, exit_order.order_id)


async def test_exit_that_the_broker_does_not_know_alerts(floor: Floor) -> None:
    await hold(floor, 10)
    floor.broker.script(Behaviour(placing="drop_before"))
    async with floor.working(
        limits=SendLimits(total_seconds=0.5), reconcile=ReconcileLimits(settle_seconds=2.4)
    ):
        exit_order = await floor.place(transaction_type=TransactionType.SELL)
        await floor.until(exit_order, OrderState.REJECTED)
        await eventually(lambda: bool(floor.heard_alerts()))

    assert await floor.standing_alerts() == [AlertCode.EXIT_NOT_SENT]
