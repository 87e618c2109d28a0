"""Positions and funds follow the broker, and drift is called only when it is one (architecture §12.7)."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from vyomo_broker_kit.limits import ReconcileLimits
from vyomo_broker_kit.port import PositionEntry
from vyomo_broker_kit.portfolio_sync import Difference, Key, differences
from vyomo_broker_kit.testing import Behaviour
from vyomo_broker_kit.testing.floor import Floor
from vyomo_contracts.alerts import AlertCode
from vyomo_contracts.events import FundsChanged, PositionChanged
from vyomo_contracts.vocabulary import Exchange, OrderState, Product
from vyomo_service_kit.testing import eventually

SETTLED = ReconcileLimits(burst_seconds=0.3, recheck_seconds=0.3, idle_seconds=1)
SELDOM = 60
DRIFTING = ReconcileLimits(positions_seconds=0.5, recheck_seconds=0.3, idle_seconds=1)


async def positions(floor: Floor) -> dict[str, int]:
    rows = await floor.world.rows("SELECT symbol, quantity FROM accounts.positions")
    return {row["symbol"]: row["quantity"] for row in rows}


async def test_fills_bring_one_reading_of_positions_and_funds_for_the_burst(floor: Floor) -> None:
    async with floor.working(reconcile=SETTLED):
        await eventually(lambda: floor.reads_of("positions") == 1)
        orders = [await floor.place() for _ in range(4)]
        for order in orders:
            await floor.until(order, OrderState.FILLED)

        async def are_held() -> bool:
            return await positions(floor) == {"RELIANCE": 40}

        await eventually(are_held)

    assert (
        floor.reads_of("positions") <= 5
    )  # four orders and the start; none of them reads for itself for ever
    (account,) = await floor.world.rows(
        "SELECT balance, last_synced FROM accounts.broker_accounts WHERE id = $1", floor.account
    )
    assert account["balance"] == 100000 - 40 * orders[0].price
    assert account["last_synced"] is not None
    told = [event for envelope in floor.world.heard for event in envelope.items]
    assert [each.position.quantity for each in told if isinstance(each, PositionChanged)][-1] == 40
    assert any(isinstance(each, FundsChanged) for each in told)
    assert await floor.standing_alerts() == []


async def test_what_was_carried_into_the_day_is_no_drift(floor: Floor) -> None:
    floor.broker.venue.overnight[floor.account, "TCS"] = 25
    async with floor.working(reconcile=DRIFTING):
        await eventually(lambda: floor.reads_of("positions") >= 5)

    assert await positions(floor) == {"TCS": 25}
    assert await floor.standing_alerts() == []


async def test_drift_is_called_after_consistent_odd_readings_once_and_cleared_when_it_is_gone(
    floor: Floor,
) -> None:
    floor.broker.venue.drift[floor.account, "TCS"] = 7
    async with floor.working(reconcile=DRIFTING):
        await eventually(lambda: bool(floor.heard_alerts()))
        reads_until_called = floor.reads_of("positions")
        await eventually(lambda: floor.reads_of("positions") >= reads_until_called + 3)
        standing = await floor.standing_alerts()
        floor.broker.venue.drift.clear()

        async def is_cleared() -> bool:
            return await floor.standing_alerts() == []

        await eventually(is_cleared)

    assert reads_until_called >= DRIFTING.drift_reads
    assert standing == [AlertCode.POSITION_DRIFT]
    (alert,) = floor.heard_alerts()
    assert (alert.subject, alert.account_id) == ("NSE:TCS:MIS", floor.account)


async def test_one_odd_reading_calls_nothing(floor: Floor) -> None:
    floor.broker.venue.drift[floor.account, "TCS"] = 7
    async with floor.working(reconcile=DRIFTING):
        await eventually(lambda: floor.reads_of("positions") >= 1)
        await asyncio.sleep(0.1)
        floor.broker.venue.drift.clear()
        await eventually(lambda: floor.reads_of("positions") >= 5)

    assert await floor.world.rows("SELECT * FROM ledger.alerts") == []


async def test_orders_placed_elsewhere_explain_their_positions(floor: Floor) -> None:
    async with floor.working(reconcile=ReconcileLimits(positions_seconds=0.5, recheck_seconds=0.3)):
        await eventually(lambda: floor.reads_of("positions") >= 1)
        floor.broker.place_elsewhere(floor.account, symbol="TCS", quantity=5, fills=()).fill(5)
        await eventually(lambda: floor.reads_of("positions") >= 6)

    assert await positions(floor) == {"TCS": 5}
    assert await floor.standing_alerts() == []


async def test_reading_fails_and_the_next_one_is_written(floor: Floor) -> None:
    floor.broker.failing_reads["positions"] = 1
    floor.broker.script(Behaviour())
    async with floor.working(reconcile=DRIFTING):
        await floor.until(await floor.place(), OrderState.FILLED)

        async def are_held() -> bool:
            return await positions(floor) == {"RELIANCE": 10}

        await eventually(are_held)


quantities = st.dictionaries(st.sampled_from(["TCS", "INFY", "SBIN"]), st.integers(-50, 50))


@given(opening=quantities, traded=quantities, drift=quantities)
def test_difference_is_exactly_what_nothing_explains(
    opening: dict[str, int], traded: dict[str, int], drift: dict[str, int]
) -> None:
    def key(symbol: str) -> Key:
        return (Exchange.NSE, symbol, Product.MIS)

    entries = [
        PositionEntry(
            exchange=Exchange.NSE,
            symbol=symbol,
            product=Product.MIS,
            quantity=opening.get(symbol, 0) + traded.get(symbol, 0) + drift.get(symbol, 0),
            overnight_quantity=opening.get(symbol, 0),
        )
        for symbol in opening.keys() | traded.keys() | drift.keys()
    ]
    found = differences(entries, {key(symbol): quantity for symbol, quantity in traded.items()})

    assert {each[1]: value.held - value.explained for each, value in found.items()} == {
        symbol: quantity for symbol, quantity in drift.items() if quantity
    }


def test_trades_without_any_position_at_the_broker_are_a_difference() -> None:
    key: Key = (Exchange.NSE, "TCS", Product.MIS)
    assert differences([], {key: 5}) == {key: Difference(0, 5)}
