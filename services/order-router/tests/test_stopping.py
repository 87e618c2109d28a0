"""A router that is told to stop, under load, beside one that goes on."""

import asyncio
import time

from pydantic import SecretStr

from vyomo_order_router.bootstrap import order_router
from vyomo_order_router.settings import OrderRouterSettings
from vyomo_order_router.testing import PARTITIONS, Caller
from vyomo_service_kit.runtime import DRAIN_LIMIT_SECONDS

STOPS = 10


async def test_router_that_stops_under_load_leaves_nobody_unanswered(
    caller: Caller, database_url: str, nats_url: str
) -> None:
    settings = OrderRouterSettings(
        nats_url=SecretStr(nats_url),
        postgres_url=SecretStr(database_url),
        partitions=PARTITIONS,
        paper_orders_per_second=100_000,
        max_waiting_orders=100_000,
        limit_order_seconds=300,
    )
    placed: list[str] = []
    stopped: list[float] = []
    is_over = False

    async def place() -> None:
        while not is_over:
            # A request that is not answered raises.
            replies = await caller.place_all(*(caller.command(quantity=1) for _ in range(5)))
            placed.extend(reply.order.order_id for reply in replies if reply.order is not None)

    async def stop_again_and_again() -> None:
        nonlocal is_over
        for _ in range(STOPS):
            async with order_router(settings):
                await asyncio.sleep(0.1)
                began = time.monotonic()
            stopped.append(time.monotonic() - began)
        is_over = True

    await asyncio.gather(*(place() for _ in range(6)), stop_again_and_again())

    assert max(stopped) < DRAIN_LIMIT_SECONDS
    assert placed
    rows = await caller.world.rows("SELECT order_id FROM ledger.broker_orders")
    assert {row["order_id"] for row in rows}.issuperset(placed)
