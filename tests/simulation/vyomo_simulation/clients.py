"""Clients: they repeat with the same key until they are answered, click twice, change their minds, and remember every promise."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from vyomo_contracts import subjects
from vyomo_contracts.commands import CancelOrder, ModifyOrder, PlaceOrder
from vyomo_contracts.messages import Principal
from vyomo_contracts.orders import OrderModification, OrderRequest
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.risk_commands import SwitchTrading
from vyomo_contracts.vocabulary import (
    ControlScope,
    Exchange,
    OrderType,
    Product,
    TradingState,
    TransactionType,
    Validity,
)
from vyomo_service_kit.bus import BusUnavailableError

from .world import BROKER, INSTRUMENT, USER, World

ANSWER_SECONDS: Final = 2.5
MOST_REPEATS: Final = 20
_PRINCIPAL: Final = Principal(user_id=USER, key_id="key")
_REPEATABLE: Final = frozenset(
    {ReasonCode.SERVICE_UNAVAILABLE, ReasonCode.RECORD_UNAVAILABLE, ReasonCode.RATE_LIMITED}
)


@dataclass(slots=True)
class Promise:
    """A 202: this key stands for this order, for ever."""

    account_id: int
    key: str
    order_id: str


class Clients:
    def __init__(self, world: World) -> None:
        self.promises: list[Promise] = []
        self.broken: list[str] = []
        """What clients were told that contradicts what they were told before."""
        self.given_up = 0
        self.switches = 0
        self.world = world
        self._random = world.random("clients")

    async def place_one(self, number: int) -> None:
        world, random = self.world, self._random
        key = f"key-{number}"
        command = PlaceOrder(
            principal=_PRINCIPAL,
            account_id=random.choice(world.account_ids),
            idempotency_key=key,
            body_hash="a" * 64,
            deadline=world.clock.now(),
            order=self._request(),
        )
        reply = await self._insist(subjects.PLACE_ORDERS, command)
        if reply is None:
            self.given_up += 1
            return
        if reply.order is None:
            world.history.note(key, reply.problem.code if reply.problem else None)
            return
        promise = Promise(command.account_id, key, reply.order.order_id)
        world.history.note(key, promise.order_id, reply.order.state, reply.replayed)
        self.promises.append(promise)
        await self._afterwards(command, promise)

    async def _afterwards(self, command: PlaceOrder, promise: Promise) -> None:
        """Now and then: the same again, another order under the same key, a cancellation, a modification."""
        chance = self._random.random()
        await asyncio.sleep(self._random.expovariate(1))
        if chance < 0.05:
            again = await self._insist(subjects.PLACE_ORDERS, command)
            if again is not None and (again.order is None or again.order.order_id != promise.order_id):
                self.broken.append(f"{promise.key} stood for {promise.order_id}, then was answered {again}")
        elif chance < 0.08:
            other = command.model_copy(update={"body_hash": "b" * 64})
            again = await self._insist(subjects.PLACE_ORDERS, other)
            if again is not None and (
                again.problem is None or again.problem.code is not ReasonCode.IDEMPOTENCY_KEY_REUSED
            ):
                self.broken.append(f"{promise.key} was taken for another order: {again}")
        elif chance < 0.22:
            cancel = CancelOrder(
                principal=_PRINCIPAL, account_id=promise.account_id, order_id=promise.order_id
            )
            await self._insist(subjects.CANCEL_ORDERS, cancel)
        elif chance < 0.30:
            changes = OrderModification(quantity=self._random.randint(20, 60))
            modify = ModifyOrder(
                principal=_PRINCIPAL,
                account_id=promise.account_id,
                order_id=promise.order_id,
                changes=changes,
            )
            await self._insist(subjects.MODIFY_ORDERS, modify)

    async def throw_switches(self) -> None:
        """The owner halts an account, a broker's or all, and lets go again; in some worlds often, in some never. Until cancelled."""
        world, random = self.world, self.world.random("switches")
        every_seconds = random.choice((0.0, 0.2, 1.0))
        while every_seconds:
            await asyncio.sleep(random.expovariate(1 / every_seconds))
            account_id = str(random.choice(world.account_ids))
            everything = [(ControlScope.GLOBAL, ""), (ControlScope.BROKER, str(BROKER))]
            scope, scope_id = random.choice([*everything, *[(ControlScope.ACCOUNT, account_id)] * 18])
            for state in (TradingState.HALTED, TradingState.ACTIVE):
                command = SwitchTrading(
                    principal=_PRINCIPAL, scope=scope, scope_id=scope_id, state=state, reason="a bad feeling"
                )
                reply = await self._insist(subjects.SWITCH_TRADING, command)
                world.history.note("switch", scope, scope_id, state, reply is not None)
                self.switches += reply is not None
                await asyncio.sleep(random.uniform(0, 0.3))

    async def trade_elsewhere(self) -> None:
        """The owner also uses the broker's own app: places orders there, and cancels there what is open. Until cancelled."""
        world, random = self.world, self.world.random("elsewhere")
        every_seconds = random.choice((0.0, 0.3, 1.0))
        while every_seconds:
            await asyncio.sleep(random.expovariate(1 / every_seconds))
            open_ones = [each for each in world.broker.orders.values() if each.status == "OPEN"]
            if open_ones and random.random() < 0.4:
                world.broker.cancel_elsewhere(random.choice(open_ones))
                continue
            body = {
                "tag": None,
                "exchange": Exchange.NSE,
                "symbol": INSTRUMENT.symbol,
                "side": random.choice((TransactionType.BUY, TransactionType.SELL)),
                "order_type": OrderType.LIMIT,
                "product": Product.MIS,
                "validity": Validity.DAY,
                "quantity": random.randint(1, 40),
                "price": str(Decimal(random.randint(1900, 2100)) / 20),
                "trigger_price": None,
            }
            world.broker.place_elsewhere(random.choice(world.account_ids), body)

    async def _insist(self, subject: str, command: Any) -> Any:
        """Ask until there is an answer that says something."""
        for _ in range(MOST_REPEATS):
            if isinstance(command, PlaceOrder):
                deadline = self.world.clock.now() + timedelta(seconds=ANSWER_SECONDS)
                command = command.model_copy(update={"deadline": deadline})
            try:
                [reply] = await self.world.bus.ask(subject, [command], seconds=ANSWER_SECONDS)
            except BusUnavailableError:
                reply = None
            if reply is not None and not (reply.problem is not None and reply.problem.code in _REPEATABLE):
                return reply
            await asyncio.sleep(self._random.uniform(0.1, 1))
        return None

    def _request(self) -> OrderRequest:
        random = self._random
        is_market = random.random() < 0.4
        return OrderRequest(
            symbol=INSTRUMENT.symbol,
            exchange=Exchange.NSE,
            transaction_type=random.choice((TransactionType.BUY, TransactionType.SELL)),
            order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
            quantity=501 if random.random() < 0.02 else random.randint(1, 40),
            price=Decimal(0) if is_market else Decimal(random.randint(1900, 2100)) / 20,
            product=Product.MIS,
        )
