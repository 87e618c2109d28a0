"""What an order at a broker costs beside its own call."""

import time

from vyomo_broker_kit.limits import ReconcileLimits
from vyomo_broker_kit.testing.floor import Floor
from vyomo_contracts.vocabulary import OrderState

ORDERS = 12


async def test_busy_accounts_book_is_read_by_time_and_not_by_order(floor: Floor) -> None:
    gap = ReconcileLimits().read_gap_seconds
    async with floor.working():
        await floor.until(await floor.place(), OrderState.FILLED)
        reads, began = floor.reads_of("orders"), time.monotonic()
        orders = [await floor.place() for _ in range(ORDERS)]
        for order in orders:
            await floor.until(order, OrderState.FILLED)
        took = time.monotonic() - began

    # One at once, then one a gap; the trades of all that filled meanwhile come with it.
    assert floor.reads_of("orders") - reads <= took / gap + 2
    assert floor.reads_of("trades") <= floor.reads_of("orders")
    assert len(floor.broker.calls) == ORDERS + 1
