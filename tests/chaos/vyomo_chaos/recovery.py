"""How long after a fault the first new order came through again."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from vyomo_bench.statistics import percentile

from .faults import CONTROL, SERVICES, WORKER, WORKERS, Struck
from .load import AcceptedOrder

LIMITS_SECONDS = {"worker": 12.0, "service": 6.0, "nats": 3.0, "postgresql": 6.0}
"""Goals of reliability R6, 99th percentile."""


class _Firsts:
    """Of orders sent at or after a moment, when the first of them came through."""

    def __init__(self, orders: Iterable[tuple[float, float]]) -> None:
        ordered = sorted(orders)
        self._sent = [sent for sent, _ in ordered]
        self._earliest = [end for _, end in ordered]
        for place in range(len(ordered) - 2, -1, -1):
            self._earliest[place] = min(self._earliest[place], self._earliest[place + 1])

    def after(self, moment: float) -> float | None:
        place = bisect_left(self._sent, moment)
        return self._earliest[place] if place < len(self._sent) else None


def recovery_seconds(
    struck: Sequence[Struck], accepted: Sequence[AcceptedOrder], at_broker: Mapping[str, float]
) -> dict[str, list[float]]:
    """Seconds from each kill to the first order sent after it that was accepted, of workers: that reached the broker.

    `at_broker` is when the broker's answer to an order was recorded, by order id, in wall-clock time.
    """
    told = _Firsts((order.sent_at, order.answered_at) for order in accepted)
    # One that an earlier try had recorded, without being told, may have been at the broker before the try that was answered.
    sent = _Firsts(
        (order.sent_at, at)
        for order in accepted
        if (at := at_broker.get(order.order_id)) is not None and at >= order.sent_at
    )
    found: dict[str, list[float]] = {kind: [] for kind in LIMITS_SECONDS}
    for each in struck:
        target = each.fault.target
        if each.fault.kind not in {"kill", "wipe"} or target == CONTROL:
            continue
        is_worker = target in (*WORKERS, WORKER)
        kind = "worker" if is_worker else "service" if target in SERVICES else target
        end = (sent if is_worker else told).after(each.began_at)
        if end is not None:
            found[kind].append(end - each.began_at)
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
