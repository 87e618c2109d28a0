"""How long after a fault the first new order came through again."""

from collections.abc import Mapping, Sequence

from vyomo_bench.statistics import percentile

from .faults import CONTROL, SERVICES, WORKERS, Struck
from .load import AcceptedOrder

LIMITS_SECONDS = {"worker": 12.0, "service": 6.0, "nats": 3.0, "postgresql": 6.0}
"""Goals of reliability R6, 99th percentile."""


def recovery_seconds(
    struck: Sequence[Struck], accepted: Sequence[AcceptedOrder], at_broker: Mapping[str, float]
) -> dict[str, list[float]]:
    """Seconds from each kill to the first order sent after it that was accepted, of workers: that reached the broker.

    `at_broker` is when the broker's answer to an order was recorded, by order id, in wall-clock time.
    """
    found: dict[str, list[float]] = {kind: [] for kind in LIMITS_SECONDS}
    for each in struck:
        target = each.fault.target
        if each.fault.kind not in {"kill", "wipe"} or target == CONTROL:
            continue
        after = [order for order in accepted if order.sent_at >= each.began_at]
        if target in WORKERS:
            ends = [at_broker[order.order_id] for order in after if order.order_id in at_broker]
            kind = "worker"
        else:
            ends = [order.answered_at for order in after]
            kind = "service" if target in SERVICES else target
        if ends:
            found[kind].append(min(ends) - each.began_at)
    return found


def figures(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    results: dict[str, float] = {}
    everything = [seconds for each in found.values() for seconds in each]
    for kind, seconds in {**found, "all": everything}.items():
        if seconds:
            prefix = "recovery" if kind == "all" else f"recovery_{kind}"
            results[f"{prefix}_p50_s"] = round(percentile(sorted(seconds), 50), 2)
            results[f"{prefix}_p99_s"] = round(percentile(sorted(seconds), 99), 2)
    return results
