"""The path of a live order: accept, claim, a call over HTTP, its outcome, the record; the broker answers at once.

The broker is scripted and its worker the real one, both in one process beside the system (`vyomo_broker_kit.testing`), so what
is measured is everything of ours around a broker's own time.
"""

import sys
import time

from .bench import Bench, Results
from .children import running_command
from .errors import BenchError
from .following import FollowPlan, FollowResult, follow
from .statistics import spread
from .system import market_order, orders_path

# The broker has the order: the first of these that is heard ends the measurement.
_AT_THE_BROKER = ["ACKNOWLEDGED", "OPEN", "PARTIALLY_FILLED", "FILLED"]
_ACCOUNTS = 4
_START_SECONDS = 15.0
_WARM_UP = 5


async def live_shaped(bench: Bench) -> Results:
    """From the POST until the broker's acknowledgement is recorded, published and heard, one order at a time."""
    api = await bench.api()
    accounts = [await api.create_live_account(f"BENCH-LIVE-{number}") for number in range(_ACCOUNTS)]
    api.close()
    requests = await _limit_orders(bench, accounts)
    connections = bench.system.connections()
    environment = {"VYOMO_NATS_URL": connections.nats_url, "VYOMO_POSTGRES_URL": connections.postgres_url}
    command = (sys.executable, "-m", "vyomo_broker_kit.testing", "--broker", "zerodha", "--delay", "0")
    async with running_command(*command, environment=environment):
        first = await _until_served(bench, requests)
        result = await _follow(bench, requests, bench.sizes.live_orders)
        order_ids = [*first.order_ids, *result.order_ids]
        await bench.record.settled(accounts)
    await bench.record.verify_filled(accounts, order_ids)
    return spread("live_shaped", result.reached, (50, 99)) | spread("live_accept", result.accepted, (50,))


async def _limit_orders(bench: Bench, accounts: list[int]) -> list[str]:
    """The scripted broker knows no market: it fills an order at the order's own price."""
    target, symbol = bench.system.target, bench.symbols[0]
    order = {
        **market_order(symbol),
        "orderType": "LIMIT",
        "price": await bench.record.reference_price(symbol),
    }
    return [target.request("POST", orders_path(account), order).decode() for account in accounts]


async def _until_served(bench: Bench, requests: list[str]) -> FollowResult:
    """The first orders wait for the worker to start; they are not measured."""
    began = time.monotonic()
    result = await _follow(bench, requests, _WARM_UP)
    if time.monotonic() - began > _START_SECONDS:
        raise BenchError("the worker on the scripted broker took too long to start")
    return result


async def _follow(bench: Bench, requests: list[str], count: int) -> FollowResult:
    target = bench.system.target
    return await follow(
        FollowPlan(
            host=target.host,
            port=target.port,
            key=target.key,
            requests=requests,
            count=count,
            until=_AT_THE_BROKER,
        )
    )
