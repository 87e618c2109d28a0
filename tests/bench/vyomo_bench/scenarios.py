"""Orders under load: how fast they are accepted, how fast they are filled, how soon a listener hears of it."""

from . import floors
from .bench import Bench, Results
from .following import FollowPlan, follow
from .statistics import spread

GOAL_CLIENTS = 64


async def warm_up(bench: Bench) -> None:
    await bench.place_orders(bench.accounts, clients=16, seconds=bench.sizes.warm_up_seconds)


async def accept_alone(bench: Bench) -> Results:
    """One client, one order after the other."""
    load, _ = await bench.place_orders(
        bench.accounts, clients=1, seconds=20, limit=bench.sizes.sequential_orders
    )
    return spread("accept", load.seconds, (50, 95, 99))


async def accept_crowded(bench: Bench) -> Results:
    """Some clients at once, each waiting for its own answer only."""
    results: Results = {}
    for clients in (8, 32):
        load, _ = await bench.place_orders(
            bench.accounts, clients=clients, seconds=bench.sizes.window_seconds
        )
        results |= spread(f"accept_{clients}", load.seconds, (50, 99))
        results[f"accept_p99_ms_{clients}"] = results.pop(f"accept_{clients}_p99_ms")
        results[f"accept_p50_ms_{clients}"] = results.pop(f"accept_{clients}_p50_ms")
        results[f"accepted_per_s_{clients}"] = round(load.per_second, 1)
    return results


async def filled_beside_echo(bench: Bench) -> Results:
    """The goal: 64 clients, counted from the first POST to the last fill, between two echo windows of the same length."""
    seconds = bench.sizes.echo_seconds
    before = await floors.echo(bench.stub_port, GOAL_CLIENTS, seconds)
    load, settled_at = await bench.place_orders(
        bench.accounts, clients=GOAL_CLIENTS, seconds=bench.sizes.window_seconds * 1.5
    )
    after = await floors.echo(bench.stub_port, GOAL_CLIENTS, seconds)
    latency = spread("accept", load.seconds, (50, 95, 99))
    return {
        "echo_per_s_64": round((before.per_second + after.per_second) / 2, 1),
        "accepted_per_s_64": round(load.per_second, 1),
        "filled_per_s_64": round(len(load.order_ids) / (settled_at - load.began_at), 1),
        **{f"{key}_64": value for key, value in latency.items()},
    }


async def filled_by_many(bench: Bench) -> Results:
    load, settled_at = await bench.place_orders(
        bench.accounts, clients=256, seconds=bench.sizes.window_seconds
    )
    return {
        "filled_per_s_256": round(len(load.order_ids) / (settled_at - load.began_at), 1),
        "accept_p99_ms_256": spread("accept", load.seconds, (99,))["accept_p99_ms"],
    }


async def filled_on_one_account(bench: Bench) -> Results:
    """All clients on one account: its own lane is the limit."""
    account = [await bench.new_account("BENCH-SINGLE")]
    load, settled_at = await bench.place_orders(
        account, clients=GOAL_CLIENTS, seconds=bench.sizes.window_seconds
    )
    return {
        "filled_per_s_single_account_64": round(len(load.order_ids) / (settled_at - load.began_at), 1),
        "accept_p99_ms_single_account_64": spread("accept", load.seconds, (99,))["accept_p99_ms"],
    }


async def filled_alone(bench: Bench) -> Results:
    """From the POST until the COMPLETE event arrives on the WebSocket, one order at a time."""
    result = await follow(_follow_plan(bench, count=bench.sizes.followed_orders))
    await bench.check(bench.accounts, result.order_ids)
    return spread("filled", result.reached, (50, 95, 99))


async def heard_under_load(bench: Bench) -> Results:
    """From the time an order changed until its event arrived, at a moderate and steady rate of orders."""
    plan = _follow_plan(
        bench, count=bench.sizes.paced_orders, per_second=bench.sizes.paced_per_second, connections=8
    )
    result = await follow(plan)
    await bench.check(bench.accounts, result.order_ids)
    return spread("ws_event", result.delayed, (50, 99)) | {
        "ws_event_orders_per_s": bench.sizes.paced_per_second
    }


def _follow_plan(
    bench: Bench, *, count: int, per_second: float | None = None, connections: int = 1
) -> FollowPlan:
    target = bench.system.target
    return FollowPlan(
        host=target.host,
        port=target.port,
        key=target.key,
        requests=bench.order_requests(bench.accounts),
        count=count,
        per_second=per_second,
        connections=connections,
    )
