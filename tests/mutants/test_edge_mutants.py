"""Mutants that only a real bus or real HTTP can show: the scenario passes on the code as it is, and fails on the mutant."""

from collections.abc import Awaitable, Callable

import pytest
from vyomo_mutants import edges
from vyomo_mutants.stage import Stage
from vyomo_simulation.mutating import Edit, Mutant, Setting, applied

from vyomo_broker_kit.testing import scripted_port

ON_THE_BUS = (
    (
        Mutant(
            "M12",
            "FastStream settles a doorbell by its own policy, and nobody stands between",
            "",
            (
                Edit("vyomo_broker_kit.doorbell", "            ack_policy=AckPolicy.MANUAL,\n", ""),
                Edit(
                    "vyomo_service_kit.bus",
                    "partial(AnsweringMiddleware, keep=self._bury, retry_delays_seconds=retry_delays_seconds),",
                    "",
                ),
            ),
        ),
        edges.doorbell_outlives_a_failure_of_its_handler,
    ),
    (
        Mutant(
            "M13",
            "a doorbell is dropped after three deliveries",
            "",
            (Edit("vyomo_service_kit.bus", "max_deliver=consumer.max_deliver", "max_deliver=3"),),
        ),
        edges.doorbell_is_not_dropped_for_having_come_too_often,
    ),
)
OVER_HTTP = (
    (
        Mutant(
            "M7",
            "a 400 that says 'timed out' counts as a refusal",
            "",
            (
                Setting(
                    "vyomo_broker_kit.testing.scripted_port",
                    "REFUSALS",
                    scripted_port.REFUSALS | {(400, "OrderException")},
                ),
            ),
        ),
        edges.timed_out_is_no_refusal,
    ),
    (
        Mutant(
            "M18",
            "a call follows where the broker redirects it",
            "",
            (Edit("vyomo_broker_kit.http", "follow_redirects=False", "follow_redirects=True"),),
        ),
        edges.call_that_is_redirected_is_made_once,
    ),
    (
        Mutant(
            "E1",
            "entries use up the calls that are kept for cancellations",
            "",
            (
                Edit(
                    "vyomo_broker_kit.rate",
                    "self._rate.of(window) if is_free else self._rate.unreserved(window)",
                    "self._rate.of(window)",
                ),
            ),
        ),
        edges.entries_leave_room_for_cancellations,
    ),
)
M11 = Mutant(
    "M11",
    "nobody rings again for what the bus forgot",
    "",
    (Edit("vyomo_ledger.writing.sweeper", "        await self._ring_again()\n", ""),),
)


@pytest.mark.parametrize(("mutant", "scenario"), ON_THE_BUS, ids=[mutant.name for mutant, _ in ON_THE_BUS])
async def test_mutant_is_caught_on_a_real_bus(
    mutant: Mutant, scenario: Callable[[str], Awaitable[None]], nats_url: str
) -> None:
    await scenario(nats_url)
    with applied(mutant), pytest.raises(AssertionError):
        await scenario(nats_url)


async def test_sweeper_is_missed_when_the_store_is_wiped(stage: Stage, nats_url: str) -> None:
    await edges.sweeper_rings_again_for_what_a_wiped_store_forgot(stage, nats_url)
    await stage.rows("UPDATE ledger.leases SET expires_at = now() RETURNING 1")
    with applied(M11), pytest.raises(AssertionError):
        await edges.sweeper_rings_again_for_what_a_wiped_store_forgot(stage, nats_url)


@pytest.mark.parametrize(("mutant", "scenario"), OVER_HTTP, ids=[mutant.name for mutant, _ in OVER_HTTP])
async def test_mutant_is_caught_at_the_broker(
    mutant: Mutant, scenario: Callable[[], Awaitable[None]]
) -> None:
    await scenario()
    with applied(mutant), pytest.raises(AssertionError):
        await scenario()
