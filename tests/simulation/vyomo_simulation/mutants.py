"""The code with one thing wrong. Each must be caught, or the harness would not see that mistake if somebody made it."""

from typing import Final

from vyomo_broker_kit.testing import scripted_port
from vyomo_contracts import lifecycle
from vyomo_contracts.vocabulary import OrderState

from .mutating import Edit, Mutant, Setting
from .statements import CLAIM_OF_ANY_AGE, CLAIM_WITHOUT_LANES, CLAIM_WITHOUT_SESSION, READ_ORDERS

_LEDGER: Final = "vyomo_ledger.writing"
_KIT: Final = "vyomo_broker_kit"
_ROUTER: Final = "vyomo_order_router"

MUTANTS: Final = (
    Mutant(
        "M1",
        "the client is answered before the commit",
        "I1",
        (
            Edit(
                f"{_ROUTER}.placing",
                "return [*await self._ledger.accept(orders)]",
                'return __import__("asyncio").ensure_future(self._ledger.accept(orders)) and [Accepted(new.order) for new in orders]',
            ),
        ),
    ),
    Mutant(
        "M2",
        "events are published before the commit",
        "I5: the bus told",
        (
            Edit(
                f"{_LEDGER}.ledger",
                "            publications = await transaction.flush()\n        self._publisher",
                "            publications = await transaction.flush()\n            self._publisher",
            ),
        ),
    ),
    Mutant(
        "M3",
        "the outbox row goes before the bus has stored the event",
        "I5: versions",
        (
            Edit(
                f"{_LEDGER}.publishing",
                "        try:\n            await self.store(publication)\n",
                "        self._stored.append(publication.outbox_id)\n        self._some_stored.set()\n        try:\n            await self.store(publication)\n",
            ),
        ),
    ),
    Mutant(
        "M3b",
        "the relay deletes the row before the bus has stored the event",
        "I5: versions",
        (
            Edit(
                f"{_LEDGER}.relay",
                "                    await self._publisher.store(",
                '                    await connection.execute(_DELETE, row["id"])\n                    await self._publisher.store(',
            ),
        ),
        seed=8,
    ),
    Mutant(
        "M4",
        "what is claimed is not marked as claimed",
        "I3",
        (
            Edit(
                f"{_KIT}.taking",
                "transaction.step([Step(order=order, update=update, send_deadline=deadline) for order in taken])",
                "transaction.step([])",
            ),
        ),
    ),
    Mutant(
        "M5",
        "an order that the broker's book does not show is sent again",
        "I3",
        (
            Edit(
                f"{_KIT}.resolving",
                "    if absence.is_proof(limits):\n        return OrderUpdate(\n            state=OrderState.REJECTED,",
                "    if True:\n        return OrderUpdate(\n            state=OrderState.NEW,",
            ),
            Setting(
                "vyomo_contracts.lifecycle",
                "TRANSITIONS",
                {
                    **lifecycle.TRANSITIONS,
                    OrderState.UNCONFIRMED: lifecycle.TRANSITIONS[OrderState.UNCONFIRMED] | {OrderState.NEW},
                },
            ),
        ),
    ),
    Mutant(
        "M5b",
        "an unclear answer counts as not sent",
        "I3",
        (Edit(f"{_KIT}.updates", "        case NotSent():\n", "        case NotSent() | Unknown():\n"),),
    ),
    Mutant(
        "M6",
        "absence from the broker's book is believed at once",
        "order.reopened",
        (
            Edit(
                f"{_KIT}.resolving",
                "len(since) >= limits.good_reads\n            and since[-1] >= self.deadline + limits.settle_seconds\n            and",
                "True and",
            ),
        ),
    ),
    Mutant(
        "M7",
        "a 400 that says 'timed out' counts as a refusal",
        "I2",
        (
            Setting(
                f"{_KIT}.testing.scripted_port",
                "REFUSALS",
                scripted_port.REFUSALS | {(400, "OrderException")},
            ),
        ),
    ),
    Mutant(
        "M8",
        "orders are changed without lock and version check",
        "I5",
        (
            Setting(f"{_LEDGER}.transaction", "_LOCK_ORDERS", READ_ORDERS),
            Edit(f"{_LEDGER}.transaction", "if written != len(self._changes):", "if False:"),
        ),
        seed=82,
    ),
    Mutant(
        "M9",
        "a cumulative fill counts as a new one",
        "I4",
        (
            Edit(
                f"{_KIT}.trade_fills",
                "missing = order.filled_quantity - quantity",
                "missing = order.filled_quantity",
            ),
        ),
    ),
    Mutant(
        "M9b",
        "trades of two orders have the same key",
        "I4",
        (
            Edit(
                f"{_KIT}.trade_fills",
                'return f"{trade.broker_order_id}-{trade.trade_id}"',
                "return trade.trade_id",
            ),
        ),
    ),
    Mutant(
        "M10",
        "the filled quantity follows the last word, also downwards",
        "I5",
        (
            Edit("vyomo_contracts.lifecycle", "filled = max(told, order.filled_quantity)", "filled = told"),
            Edit("vyomo_contracts.lifecycle", "if told < order.filled_quantity and (", "if False and ("),
            Edit(
                "vyomo_contracts.lifecycle",
                "grew = filled > order.filled_quantity",
                "grew = filled != order.filled_quantity",
            ),
        ),
    ),
    Mutant(
        "M11",
        "nobody looks into the record: only doorbells wake anyone",
        "I2",
        (
            Edit(
                f"{_LEDGER}.sweeper",
                "        await self._expire()\n        await self._ring_again()\n",
                "        return\n",
            ),
            Edit(f"{_KIT}.lanes", 'self.ring(row["account_id"] for row in rows)', "return"),
        ),
    ),
    Mutant(
        "M11b",
        "an outage's old orders are not ended",
        "I2",
        (Edit(f"{_LEDGER}.sweeper", "        await self._expire()\n", ""),),
    ),
    Mutant(
        "M14",
        "the claim reads the kill switch without the lock that switches wait for",
        "I6b",
        (Setting(f"{_LEDGER}.claiming", "_CLAIM_EXITS_FIRST", CLAIM_WITHOUT_LANES),),
        seed=4,
    ),
    Mutant(
        "M17",
        "the worker's own clock decides whether an order is too old",
        "I6",
        (
            Setting(f"{_LEDGER}.claiming", "_CLAIM_EXITS_FIRST", CLAIM_OF_ANY_AGE),
            Edit("vyomo_service_kit.record_clock", "if self._offset is None:", "if True:"),
            Edit(
                f"{_KIT}.taking",
                "in_flight.get(account_id, 0) >= room\n",
                "order.expires_at <= self._clock.now() or in_flight.get(account_id, 0) >= room\n",
            ),
            Edit(
                f"{_KIT}.remote",
                "round_.latest(self._clock.elapsed()) >= order.expires_at",
                "self._clock.now() >= order.expires_at",
            ),
        ),
        seed=20,
    ),
    Mutant(
        "S1",
        "a repeated request is recorded under a key of its own",
        "I1",
        (
            Edit(
                f"{_ROUTER}.placing",
                "NewOrder(order, command.idempotency_key, ",
                "NewOrder(order, command.idempotency_key + order.order_id, ",
            ),
        ),
    ),
    Mutant(
        "S2",
        "a used key answers for any other order",
        "key-",
        (Edit(f"{_LEDGER}.accept", 'same_request=row["known_hash"] == use.body_hash', "same_request=True"),),
    ),
    Mutant(
        "S3",
        "the newest order is sent first",
        "I7",
        (
            Edit(
                f"{_KIT}.taking",
                "held: set[int] = set()\n        for order in orders:",
                "held: set[int] = set()\n        for order in reversed(orders):",
            ),
        ),
    ),
    Mutant(
        "S4",
        "a cancellation whose answer was lost counts as done",
        "I2",
        (
            Edit(
                f"{_KIT}.updates",
                "case Accepted() | Unknown():\n            return None",
                "case Accepted() | Unknown():\n"
                "            return OrderUpdate(state=OrderState.CANCELLED, at=at) if change.action is PendingAction.CANCEL else None",
            ),
        ),
        seed=13,
    ),
    Mutant(
        "S5",
        "a process that slept between claim and call calls all the same",
        "I6",
        (
            Edit(
                f"{_KIT}.remote",
                "if self._wakefulness.was_away(round_.asked, self._limits.stale_claim_seconds):",
                "if False:",
            ),
            Edit(
                f"{_KIT}.remote",
                "if (round_.deadline - round_.latest(now)).total_seconds() < self._limits.total_seconds:",
                "if False:",
            ),
        ),
        seed=17,
    ),
    Mutant(
        "S6",
        "the claim does not ask whether the broker lets us in",
        "I6a",
        (Setting(f"{_LEDGER}.claiming", "_CLAIM_EXITS_FIRST", CLAIM_WITHOUT_SESSION),),
        seed=2,
    ),
    Mutant(
        "S7",
        "orders placed elsewhere are nobody's",
        "I3",
        (Edit(f"{_KIT}.book_merge", "        if not foreign:\n", "        if True:\n"),),
    ),
)
