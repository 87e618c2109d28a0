"""The judge itself: a harness that cannot see a broken promise would be believed."""

import random
from typing import Any

import pytest
from vyomo_chaos.faults import CONTROL, Fault, Struck, draw
from vyomo_chaos.load import AcceptedOrder
from vyomo_chaos.recovery import figures, recovery_seconds
from vyomo_chaos.report import MUST_BE_ZERO, as_table, violations

LINKS = ("services-postgresql", "services-nats", "worker-1-postgresql", "worker-1-broker")
KEPT: dict[str, Any] = {
    **dict.fromkeys(MUST_BE_ZERO, 0),
    "orders": 900,
    "control_sent": 100,
    "control_duplicated": 9,
}


def accepted(order_id: str, sent_at: float, answered_at: float) -> AcceptedOrder:
    return AcceptedOrder(order_id, 1, sent_at, answered_at)


def killed(target: str, at: float) -> Struck:
    return Struck(Fault("kill", target), at, at)


def test_same_seed_draws_the_same_faults() -> None:
    def drawn(seed: int) -> list[Fault]:
        chance = random.Random(seed)
        return [draw(chance, LINKS, (1, 2), 60.0) for _ in range(400)]

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)
    kinds = {"kill", "pause", "stop", "wipe", "mute", "lag", "session", "partition", "deafen"}
    assert {fault.kind for fault in drawn(5)} == kinds
    partitions = [fault for fault in drawn(5) if fault.kind == "partition"]
    assert {fault.target for fault in partitions} <= set(LINKS)
    assert all(1 <= fault.seconds <= 60 for fault in partitions)
    assert len({fault.trouble for fault in partitions}) > 3


def test_run_on_a_machine_without_time_for_it_says_so() -> None:
    assert "no time" not in as_table({**KEPT, "harness_late_p99_ms": 20.0})
    assert "no time" in as_table({**KEPT, "harness_late_p99_ms": 900.0})


@pytest.mark.parametrize("promise", MUST_BE_ZERO)
def test_each_broken_promise_is_told(promise: str) -> None:
    assert violations(KEPT) == []

    assert violations({**KEPT, promise: 1}) == [f"1 {MUST_BE_ZERO[promise]}"]
    assert "BROKEN" in as_table({**KEPT, promise: 1})


def test_run_whose_control_doubles_nothing_is_a_failure_itself() -> None:
    assert violations({**KEPT, "control_duplicated": 0})
    assert violations({**KEPT, "control_sent": 400, "control_duplicated": 19})
    assert violations({**KEPT, "control_sent": 70, "control_duplicated": 2}) == []
    assert violations({**KEPT, "control_sent": 10, "control_duplicated": 0}) == []


def test_recovery_is_from_the_kill_to_the_first_order_sent_after_it() -> None:
    orders = [accepted("a", 99, 101), accepted("b", 102, 104), accepted("c", 103, 103.5)]

    found = recovery_seconds([killed("gateway", 100)], orders, {})

    assert found["service"] == [3.5]
    assert figures(found) == {
        "recovery_service_p50_s": 3.5,
        "recovery_service_p99_s": 3.5,
        "recovery_p50_s": 3.5,
        "recovery_p99_s": 3.5,
    }


def test_order_that_was_sent_before_its_client_was_told_does_not_show_a_recovery() -> None:
    orders = [accepted("early", 101, 101.1), accepted("after", 102, 102.1)]

    found = recovery_seconds([killed("worker-1", 100)], orders, {"early": 95.0, "after": 104.0})

    assert found["worker"] == [4.0]


def test_worker_has_recovered_when_an_order_reached_the_broker() -> None:
    orders = [accepted("a", 101, 101.1), accepted("b", 102, 102.1)]

    found = recovery_seconds([killed("worker-1", 100), killed(CONTROL, 100)], orders, {"b": 107.0})

    assert found["worker"] == [7.0]
    assert sum(map(len, found.values())) == 1
