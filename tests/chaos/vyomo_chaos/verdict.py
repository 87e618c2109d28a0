"""The verdict of a run: when everything has ended, what it is held against, and every figure by its flat name."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import asyncpg
from vyomo_bench.statistics import percentile

from . import canaries, evidence
from .checks import Record, count_of
from .echoes import Echoes
from .faults import WORKER, WORKERS, Chaos, Struck
from .load import Clients
from .recovery import figures, recovery_seconds
from .repeating import Repeaters
from .switching import Switcher, claims_after_kill
from .world import SETTLE_SECONDS, World, connect_patiently

Value = str | int | float
Results = dict[str, Value]

LIVENESS_SECONDS: Final = SETTLE_SECONDS + 30.0
"""Everything must have ended this long after the last fault."""
_EXAMPLES: Final = 12

_AT_BROKER: Final = """
SELECT order_id, extract(epoch FROM min(recorded_at))::float8 AS at FROM ledger.order_events
WHERE account_id = ANY($1::bigint[]) AND type NOT IN ('order.accepted', 'order.submitting', 'order.unconfirmed')
GROUP BY order_id
"""
_WAITED_FROZEN: Final = """
SELECT count(*) FROM ledger.broker_orders o
JOIN unnest($2::float8[], $3::float8[]) AS still (began, ended)
    ON o.created_at < to_timestamp(still.began) AND o.expires_at < to_timestamp(still.ended)
WHERE o.account_id = ANY($1::bigint[]) AND o.state = 'EXPIRED'
"""


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Everybody who was there."""

    clients: Clients
    switcher: Switcher
    repeaters: Repeaters
    echoes: Echoes
    chaos: Chaos


async def verdict(world: World, witnesses: Witnesses) -> Results:
    quiet_at = time.monotonic()
    connection = await connect_patiently(world.postgres_url)
    try:
        record = Record(connection)
        await _until_everything_ended(record, world, witnesses.clients, quiet_at + LIVENESS_SECONDS)
        drained = time.monotonic() - quiet_at
        return {
            "settle_s": SETTLE_SECONDS,
            **await _judged(connection, record, world, witnesses),
            "drained_s": round(drained, 1),
            **await _measured(connection, world, witnesses),
        }
    finally:
        await connection.close()


async def _until_everything_ended(record: Record, world: World, clients: Clients, limit: float) -> None:
    accounts = world.accounts.promised
    while time.monotonic() < limit:
        waiting = await record.resting(accounts)
        if waiting:
            await clients.cancel_all(waiting)
        elif not await record.unfinished(accounts) and not await record.outbox():
            return
        await asyncio.sleep(0.25)


async def _judged(
    connection: asyncpg.Connection, record: Record, world: World, witnesses: Witnesses
) -> Results:
    """What must be 0, and how much it says."""
    told, repeaters = witnesses.clients.told, witnesses.repeaters
    told.accepted += repeaters.orders
    told.keys_broken += repeaters.broken
    told.keys_repeated += repeaters.answered
    truth = await world.broker.truth()
    judged = asdict(await record.judge(world.accounts.promised, told, truth))
    control = await record.judge(world.accounts.control, told, truth)
    halts, late_claims = await claims_after_kill(connection, world.accounts.real)
    places, leaks = await canaries.found(connection, world.folder, world.canaries)
    examples = [*judged.pop("examples"), *late_claims, *leaks]
    refusals = ", ".join(f"{code} {count}" for code, count in sorted(told.refused.items()))
    return {
        **judged,
        "claims_after_kill": len(late_claims),
        "secrets_found": len(leaks),
        "secrets_searched_places": places,
        "kill_switches": halts,
        "keys_repeated_among_faults": repeaters.among_faults,
        "keys_with_other_body": repeaters.other_bodies,
        "control_orders": control.orders,
        "control_sent": control.sent,
        "control_lost": control.lost,
        "control_duplicated": control.duplicated,
        "control_stuck": control.stuck,
        "control_wrongly_ended": control.wrongly_ended,
        "refusals": refusals,
        "examples": "; ".join(examples[:_EXAMPLES]),
    }


async def _measured(connection: asyncpg.Connection, world: World, witnesses: Witnesses) -> Results:
    accounts, told, echoes = world.accounts, witnesses.clients.told, witnesses.echoes
    struck = [*witnesses.chaos.struck, *world.strikes.struck()]
    at_broker = {
        row["order_id"]: row["at"] for row in await connection.fetch(_AT_BROKER, list(accounts.real))
    }
    promised = set(accounts.promised)
    mine = [order for order in told.accepted if order.account_id in promised]
    freezes = [each for each in struck if each.fault.kind == "freeze"]
    stood_still = [each.began_at for each in freezes], [each.ended_at for each in freezes]
    frozen = await count_of(connection, _WAITED_FROZEN, accounts.promised, *stood_still)
    hits = await evidence.hits_of_windows(
        connection,
        real=accounts.real,
        promised=accounts.promised,
        struck=struck,
        hits=world.strikes.hits,
        worker_logs=world.worker_logs,
    )
    hits |= {"F3": told.commits_unknown, "F8": echoes.doorbells, "F15": echoes.events}
    hits["F11"] = await Record(connection).ambiguous(accounts.promised)
    return {
        **counted(struck),
        "failpoint_strikes": len(world.strikes.hits),
        "frozen_s": round(sum(each.ended_at - each.began_at for each in freezes), 1),
        "frozen_orders_expired": frozen,
        **figures(recovery_seconds(struck, mine, at_broker)),
        **percentiles("stop", "s", witnesses.chaos.stop_seconds, digits=2),
        **percentiles("kill_switch", "ms", witnesses.switcher.calm_ms, digits=1),
        **percentiles("kill_switch_among_faults", "ms", witnesses.switcher.stormy_ms, digits=1),
        **{f"{window.lower()}_hits": hits[window] for window in evidence.WINDOWS if window in hits},
    }


def counted(struck: Sequence[Struck]) -> Results:
    def count(kind: str, *targets: str) -> int:
        return sum(
            each.fault.kind == kind and (not targets or each.fault.target in targets) for each in struck
        )

    return {
        "faults": len(struck),
        "kills": count("kill"),
        "kills_worker": count("kill", *WORKERS, WORKER),
        "kills_nats": count("kill", "nats"),
        "kills_postgresql": count("kill", "postgresql"),
        "pauses": count("pause"),
        "stops": count("stop"),
        "wipes": count("wipe"),
        "partitions": count("partition"),
        "lost_answers": count("deafen"),
        "freezes": count("freeze"),
        "sessions_ended": count("session"),
        "broker_faults": count("mute") + count("lag"),
    }


def percentiles(name: str, unit: str, values: Sequence[float], *, digits: int) -> Mapping[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    return {f"{name}_p{percent}_{unit}": round(percentile(ordered, percent), digits) for percent in (50, 99)}
