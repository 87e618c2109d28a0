"""What must be true of every run: the invariants I1-I7 of the protocol, read off record, broker, bus and clients."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

import orjson

from vyomo_broker_kit.limits import SendLimits
from vyomo_contracts.lifecycle import TRANSITIONS
from vyomo_contracts.orders import Order
from vyomo_contracts.vocabulary import OrderState, Origin

from .broker import Placed
from .clients import Clients
from .server import Row
from .world import BEGINNING, World

STALE: Final = timedelta(seconds=SendLimits().stale_claim_seconds + 0.001)
SLOWEST_CLAIM: Final = timedelta(seconds=SendLimits().commit_seconds + 0.001)
"""How old a claim may be when its call leaves; a microsecond is lost where a float becomes a time."""
_STATUS: Final = {
    OrderState.FILLED: "COMPLETE",
    OrderState.CANCELLED: "CANCELLED",
    OrderState.REJECTED: "REJECTED",
}


@dataclass
class Findings:
    lost: list[str] = field(default_factory=list[str])
    duplicated: list[str] = field(default_factory=list[str])
    stuck: list[str] = field(default_factory=list[str])
    other: list[str] = field(default_factory=list[str])

    @property
    def all(self) -> list[str]:
        return [*self.lost, *self.duplicated, *self.stuck, *self.other]


def unsettled(world: World) -> Iterator[str]:
    """I2: orders that something must still happen to."""
    for row in world.record.orders.values():
        state = OrderState(row["state"])
        if not state.is_terminal:
            at_broker = _at_broker(world, row)
            yield f"I2: {row['order_id']} is still {state}{' though the broker has it' if at_broker else ''}"
    for number in world.record.outbox:
        yield f"outbox row {number} was never published"
    for placed in world.broker.orders.values():
        if placed.tag is None and (placed.account_id, placed.number) not in world.record.by_broker_id:
            yield f"I3: {placed.number} was placed elsewhere, and nobody took it up"


def check(world: World, clients: Clients, *, in_order: bool) -> Findings:
    findings = Findings(stuck=list(unsettled(world)), other=[*clients.broken, *world.bus.contradictions])
    findings.lost.extend(_promises(world, clients))
    findings.duplicated.extend(_at_most_once(world))
    for row in world.record.orders.values():
        findings.other.extend(_replay(world, row))
        findings.other.extend(_fills(world, row))
        findings.other.extend(_agrees(row, _at_broker(world, row)))
    findings.other.extend(_on_the_bus(world))
    findings.other.extend(world.record.forbidden)
    findings.other.extend(_sends(world, in_order=in_order))
    return findings


def _promises(world: World, clients: Clients) -> Iterator[str]:
    """I1: every 202 has exactly one row."""
    for promise in clients.promises:
        row = world.record.orders.get(promise.order_id)
        if row is None or (row["account_id"], row["idempotency_key"]) != (promise.account_id, promise.key):
            yield f"I1: {promise.key} was promised as {promise.order_id}, and there is no such order"
        elif world.record.keys[promise.account_id, promise.key] != promise.order_id:
            yield f"I1: {promise.key} was promised as {promise.order_id}, and stands for another order"


def _at_most_once(world: World) -> Iterator[str]:
    """I3: at most one broker order for each of ours, none without one."""
    known = {row["broker_tag"]: row["order_id"] for row in world.record.orders.values()}
    for tag, placed in world.broker.by_tag.items():
        if len(placed) > 1:
            yield f"I3: {known.get(tag)} is {len(placed)} orders at the broker"
        if tag not in known:
            yield f"I3: the broker has {tag}, which is no order of ours"
    taken_up = [row["broker_order_id"] for row in world.record.orders.values() if not _is_ours(row)]
    for number, times in Counter(taken_up).items():
        placed = world.broker.orders.get(number)
        if times > 1 or placed is None or placed.tag is not None:
            yield f"I3: {number} was taken up {times} times, and the broker has {placed}"


def _is_ours(row: Row) -> bool:
    return row["origin"] == Origin.VYOMO


def _at_broker(world: World, row: Row) -> list[Placed]:
    """What the order is there: one at the most, or something is wrong."""
    if _is_ours(row):
        return world.broker.by_tag.get(row["broker_tag"], [])
    placed = world.broker.orders.get(row["broker_order_id"])
    return [] if placed is None else [placed]


def _agrees(row: Row, placed: list[Placed]) -> Iterator[str]:
    """What we say is over is over at the broker, in the same way."""
    state = OrderState(row["state"])
    if not state.is_terminal or len(placed) > 1:
        return
    if not placed:
        if state is OrderState.FILLED or row["filled_quantity"]:
            yield f"I3: {row['order_id']} is {state}, and the broker never had it"
        return
    [order] = placed
    if _STATUS.get(state) != order.status:
        yield f"I2: {row['order_id']} is {state}, at the broker it is {order.status}"
    if (row["filled_quantity"], row["average_price"]) != (order.filled, order.average):
        yield (
            f"I4: {row['order_id']} has {row['filled_quantity']} at {row['average_price']},"
            f" at the broker {order.filled} at {order.average}"
        )


def _fills(world: World, row: Row) -> Iterator[str]:
    """I4: the fills add up to the order."""
    fills = _fills_of(world, row["order_id"])
    quantity = sum(fill["quantity"] for fill in fills)
    value = sum((fill["quantity"] * Decimal(fill["price"]) for fill in fills), Decimal(0))
    if quantity != row["filled_quantity"]:
        yield f"I4: {row['order_id']} has {row['filled_quantity']} filled, its fills are {quantity}"
    elif abs(value - row["filled_quantity"] * row["average_price"]) > Decimal("0.01") * max(quantity, 1):
        yield f"I4: {row['order_id']} is worth {row['filled_quantity'] * row['average_price']}, its fills {value}"


def _fills_of(world: World, order_id: str) -> list[dict[str, Any]]:
    events = world.record.events.get(order_id, [])
    told = [
        fill
        for event in events
        if '"fills":[]' not in event["body"]
        for fill in orjson.loads(event["body"])["fills"]
    ]
    return [fill for fill in told if world.record.fills.get((fill["account_id"], fill["trade_id"])) == fill]


def _replay(world: World, row: Row) -> Iterator[str]:
    """I5: events 1..n without a gap, each a legal move, the last one the row."""
    events = world.record.events.get(row["order_id"], [])
    if [event["version"] for event in events] != list(range(1, row["version"] + 1)):
        yield f"I5: {row['order_id']} has version {row['version']} and events {[each['version'] for each in events]}"
        return
    snapshots = [orjson.loads(event["body"])["order"] for event in events]
    for before, after in pairwise(snapshots):
        was, became = OrderState(before["state"]), OrderState(after["state"])
        if became is not was and became not in TRANSITIONS[was]:
            yield f"I5: {row['order_id']} went from {was} to {became}"
        if after["filled_quantity"] < before["filled_quantity"]:
            yield f"I5: {row['order_id']} lost fills: {before['filled_quantity']}, then {after['filled_quantity']}"
    for placed in _at_broker(world, row):
        for said in {OrderState(each["state"]): None for each in snapshots}:
            if (
                said.is_terminal
                and said is not OrderState(row["state"])
                and _STATUS.get(said) != placed.status
            ):
                yield f"I2: {row['order_id']} was said to be {said}, at the broker it ended {placed.status}"
    if Order.model_validate(snapshots[-1]) != Order.model_validate(row):
        yield f"I5: the last event of {row['order_id']} is not its row"


def _on_the_bus(world: World) -> Iterator[str]:
    """What consumers heard was committed, and whatever was committed could be heard."""
    for order_id, versions in world.bus.stored.items():
        events = {event["version"]: event for event in world.record.events.get(order_id, [])}
        for version, told in versions.items():
            event = events.get(version)
            if event is None or _told(event["body"]) != told:
                yield f"I5: the bus told version {version} of {order_id}, which the record does not have"
    if world.bus.decisions != set(world.record.decisions) and not world.record.outbox:
        yield f"I5: of {len(world.record.decisions)} decisions the bus was told {len(world.bus.decisions)}"
    for order_id, events in world.record.events.items():
        untold = [
            event["version"] for event in events if event["version"] not in world.bus.stored.get(order_id, {})
        ]
        if untold and not world.record.outbox:
            yield f"I5: versions {untold} of {order_id} were never told"


def _told(body: str) -> dict[str, Any]:
    """What the bus says of an event: who and what stands behind it stays in the record."""
    known = orjson.loads(body)
    return {name: known[name] for name in ("order", "fills", "superseded_fills") if name in known}


def _sends(world: World, *, in_order: bool) -> Iterator[str]:
    """I6: nothing leaves after its deadline. I7: what leaves an account leaves in the order of acceptance."""
    rows = {row["broker_tag"]: row for row in world.record.orders.values()}
    tags: dict[int, dict[str, None]] = {}
    for send in world.broker.sends:
        row = rows.get(send.tag)
        if row is None:
            yield f"I1: {send.tag} was sent, and there is no such order"
            continue
        if send.claimed_at is None or send.claimed_at >= row["expires_at"]:
            yield f"I6: {row['order_id']} was claimed at {send.claimed_at}, its deadline was {row['expires_at']}"
        elif (age := (sent_at := BEGINNING + timedelta(seconds=send.at)) - send.claimed_at) > SLOWEST_CLAIM:
            yield f"I6: {row['order_id']} was sent {age.total_seconds():.1f} s after its claim"
        elif sent_at >= row["expires_at"] + STALE:
            yield f"I6: {row['order_id']} was sent at {sent_at}, its deadline was {row['expires_at']}"
        tags.setdefault(row["account_id"], {}).setdefault(send.tag)
    for account_id, sent in tags.items():
        # What was proved unsent waits its pause and goes later: others need not wait for it.
        first = [rows[tag] for tag in sent if not _came_back(world, rows[tag]["order_id"])]
        numbers = [row["sequence"] for row in first]
        if in_order and numbers != sorted(numbers):
            yield f"I7: account {account_id} sent in the order {numbers}"


def _came_back(world: World, order_id: str) -> bool:
    return any(event["type"] == "order.new" for event in world.record.events[order_id])
