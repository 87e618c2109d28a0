"""Messages nobody can take, among the real parts: kept, told, seen to, and sent again when a person says so."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import StringIO
from typing import Any

import pytest
from faststream import AckPolicy
from faststream.nats import JStream
from nats.js.api import ConsumerConfig

from vyomo_contracts import subjects
from vyomo_contracts.commands import RingDoorbell
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.topology import DOORBELLS, EVENTS, Consumer, partition_of, worker_consumer
from vyomo_contracts.vocabulary import OrderState
from vyomo_ledger.dead_letters import DeadLetterBox
from vyomo_order_router.dead_letters import command_line, run
from vyomo_order_router.testing import PARTITIONS, Caller
from vyomo_service_kit.bus import Bus, consumer_config
from vyomo_service_kit.consuming import POISON_DELIVERIES
from vyomo_service_kit.testing import eventually


def partition_of_bells(caller: Caller) -> int:
    return partition_of(caller.account, PARTITIONS)


def consumer_of(caller: Caller) -> Consumer:
    """Whom the doorbells of the caller's first account reach."""
    return worker_consumer("paper", partition_of_bells(caller))


@asynccontextmanager
async def worker(
    nats_url: str, caller: Caller, handler: Callable[[RingDoorbell], Awaitable[None]]
) -> AsyncGenerator[None]:
    """Takes doorbells as a worker does, with retries that do not last two minutes."""
    bus = Bus(nats_url, name="worker", retry_delays_seconds=(0.01,))
    bus.keep_dead_letter = DeadLetterBox(caller.world.database).keep

    async def on_doorbell(message: RingDoorbell) -> None:
        await handler(message)

    consumer = consumer_of(caller)
    bus.broker.subscriber(
        consumer.filter_subject,
        stream=JStream(DOORBELLS.name, declare=False),
        queue=consumer.durable_name,
        config=consumer_config(consumer),
        ack_policy=AckPolicy.MANUAL,
    )(on_doorbell)
    async with bus.open():
        yield


async def letters(caller: Caller) -> list[dict[str, Any]]:
    return await caller.world.rows("SELECT * FROM ledger.dead_letters ORDER BY id")


async def kept(caller: Caller, count: int = 1) -> list[dict[str, Any]]:
    """The letters, once there are so many."""

    async def are_there() -> bool:
        return len(await letters(caller)) >= count

    await eventually(are_there, timeout=30)
    return await letters(caller)


Command = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def command(database_url: str) -> Command:
    """The program's exit code and what it wrote."""

    async def called(*arguments: str) -> tuple[int, str]:
        out = StringIO()
        return await run(database_url, command_line().parse_args(arguments), out), out.getvalue()

    return called


async def test_order_whose_doorbell_fails_time_after_time_ends_and_its_owner_is_told(
    caller: Caller, nats_url: str
) -> None:
    deliveries = 0

    async def fail(_: RingDoorbell) -> None:
        nonlocal deliveries
        deliveries += 1
        raise RuntimeError("cannot")

    waiting, claimed = await caller.placed(), await caller.placed()
    await caller.bring_to(claimed, OrderState.SUBMITTING)
    async with worker(nats_url, caller, fail):
        await kept(caller)

        async def is_denied() -> bool:
            return (await caller.world.stored(waiting.order_id)).state is OrderState.DENIED

        await eventually(is_denied, timeout=10)

    letter = (await letters(caller))[0]
    assert (letter["deliveries"], letter["consumer"]) == (POISON_DELIVERIES, consumer_of(caller).durable_name)
    assert "cannot" in letter["why"]
    assert "RuntimeError" in letter["traceback"]
    stored = await caller.world.stored(waiting.order_id)
    assert stored.reason_code is ReasonCode.WORKER_FAILED
    # What was claimed may have left: only its broker's book can tell.
    assert (await caller.world.stored(claimed.order_id)).state is OrderState.SUBMITTING
    alerts = await caller.world.rows(
        "SELECT account_id, subject FROM ledger.alerts WHERE code = 'DEAD_LETTER'"
    )
    assert {"account_id": caller.account, "subject": f"dead letter {letter['id']}"} in alerts


async def test_letter_is_listed_shown_replayed_and_discarded(
    caller: Caller, nats_url: str, command: Command
) -> None:
    async def ignore(_: RingDoorbell) -> None:
        pass

    async with worker(nats_url, caller, ignore):
        subject = subjects.doorbell("paper", partition_of_bells(caller))
        await caller.world.bus.store(subject, b'{"account_ids": "all"}', message_id="m")
        [letter] = await kept(caller)
        identifier = str(letter["id"])

        [listed] = json.loads((await command("list", "--json"))[1])
        assert (listed["id"], listed["state"], listed["deliveries"]) == (letter["id"], "OPEN", 1)
        shown = json.loads((await command("show", identifier, "--json"))[1])
        assert shown["payload"] == {"account_ids": "all"}
        assert shown["why"].startswith("unreadable")

        # It is as unreadable the second time: a letter of its own, and this one is done with.
        assert await command("replay", identifier) == (0, f"dead letter {identifier} is REPLAYED\n")
        both = await kept(caller, 2)
        assert both[0]["digest"] == both[1]["digest"]

        other = str(both[1]["id"])
        assert await command("discard", other) == (0, f"dead letter {other} is DISCARDED\n")
        assert (await command("discard", other))[0] == 1
        assert (await command("show", "999"))[0] == 1
        assert await command("list") == (0, "no dead letters wait\n")


async def test_replayed_event_reaches_everybody_again(caller: Caller, command: Command) -> None:
    order = await caller.placed()
    await eventually(lambda: caller.world.heard)
    event = caller.world.heard[0]
    await caller.world.rows(
        "INSERT INTO ledger.dead_letters (consumer, stream, stream_sequence, stored_at, subject, digest, payload, why, deliveries)"
        " VALUES ('sync', $1, 1, now(), $2, '', $3, 'failed', 10)",
        EVENTS.name,
        subjects.events("paper", 0),
        event.model_dump_json().encode(),
    )
    caller.world.heard.clear()

    assert (await command("replay", "1"))[0] == 0

    def is_heard_again() -> bool:
        return [item.order for each in caller.world.heard for item in each.items if item.kind == "order"] == [
            order
        ]

    await eventually(is_heard_again)


async def test_outbox_row_that_was_set_aside_goes_back_and_is_published(
    caller: Caller, command: Command
) -> None:
    order = await caller.placed()
    await eventually(lambda: caller.world.heard)
    content = {
        "id": 7,
        "broker": "paper",
        "partition": 1,
        "order_ids": [order.order_id],
        "versions": [1],
        "created_at": caller.world.clock.now().isoformat(),
    } | {
        name: []
        for name in (
            "position_keys",
            "holding_keys",
            "account_ids",
            "risk_sequences",
            "alert_ids",
            "session_account_ids",
        )
    }
    await caller.world.rows(
        "INSERT INTO ledger.dead_letters (consumer, stream, stream_sequence, stored_at, subject, digest, payload, why, deliveries)"
        " VALUES ('outbox', 'outbox', 7, now(), 'paper.1', '', $1, 'unreadable', 1)",
        json.dumps(content).encode(),
    )
    caller.world.heard.clear()

    assert (await command("replay", "1"))[0] == 0

    await eventually(lambda: caller.world.heard, timeout=10)


async def test_message_the_bus_gave_up_by_itself_is_kept(caller: Caller) -> None:
    stored = caller.world.bus.stored
    await stored.add_consumer(
        EVENTS.name,
        config=ConsumerConfig(
            durable_name="stranger", filter_subject=subjects.ALL_EVENTS, max_deliver=1, ack_wait=0.2
        ),
    )
    await caller.placed()
    subscription = await stored.pull_subscribe_bind(durable="stranger", stream=EVENTS.name)
    [message] = await subscription.fetch(1)

    [letter] = await kept(caller)

    assert (letter["consumer"], letter["stream"], letter["payload"]) == (
        "stranger",
        EVENTS.name,
        message.data,
    )
    assert "max_deliver" in letter["why"]


async def test_letter_that_was_kept_is_not_kept_again_for_its_advisory(caller: Caller, nats_url: str) -> None:
    async def ignore(_: RingDoorbell) -> None:
        pass

    async with worker(nats_url, caller, ignore):
        await caller.world.bus.store(
            subjects.doorbell("paper", partition_of_bells(caller)), b"no json", message_id="m"
        )
        await kept(caller)
        await asyncio.sleep(0.5)

    assert len(await letters(caller)) == 1
