"""Helpers for tests: a running router on a real bus and a real record, asked over the bus as the gateway asks it."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
from pydantic import SecretStr

from vyomo_contracts import subjects
from vyomo_contracts.commands import (
    AccountEgress,
    AccountReplies,
    AccountReply,
    CancelOrder,
    CancelOrders,
    CreateAccount,
    CreateAccounts,
    ModifyOrder,
    ModifyOrders,
    OrderReplies,
    OrderReply,
    PlaceOrder,
    PlaceOrders,
    RingDoorbell,
    SealedSecret,
    SetAccountActive,
    SetAccountEgress,
    SetAccountEgresses,
    SetAccountsActive,
)
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.messages import Principal
from vyomo_contracts.orders import Order, OrderModification, OrderRequest
from vyomo_contracts.risk_commands import (
    ExitAll,
    ExitAllBatch,
    ExitReplies,
    ExitReply,
    ReadRisk,
    ReadRiskBatch,
    RiskReplies,
    RiskReply,
    SetRiskLimits,
    SetRiskLimitsBatch,
    SwitchTrading,
    SwitchTradingBatch,
)
from vyomo_contracts.vocabulary import Broker, OrderState, TradingState
from vyomo_ledger.testing import USER, RecordWorld, record_world
from vyomo_ledger.writing import Step
from vyomo_order_router.bootstrap import order_router
from vyomo_order_router.settings import OrderRouterSettings

PARTITIONS = 4
LIMIT_SECONDS = 5.0

INSTRUMENTS = """
INSERT INTO market.instruments
    (exchange, symbol, name, kind, lot_size, tick_size, freeze_quantity, reference_price, band_percent, expiry, source)
VALUES
    ('NSE', 'RELIANCE', 'Reliance Industries', 'EQUITY', 1, 0.05, NULL, 250, 20, NULL, 'test'),
    ('BSE', 'ONLYBSE', 'Only on BSE', 'EQUITY', 1, 0.05, NULL, 100, 20, NULL, 'test'),
    ('NSE', 'NIFTY', 'Nifty 50', 'INDEX', 1, 0.05, NULL, 25000, 20, NULL, 'test'),
    ('NFO', 'NIFTYFUT', 'Nifty future', 'FUTURE', 65, 0.05, 1800, 25000, 10, '2099-01-29', 'test')
"""


@dataclass
class Caller:
    """What the gateway sends, and what the router made of it."""

    world: RecordWorld
    doorbells: list[tuple[str, RingDoorbell]] = field(default_factory=list[tuple[str, RingDoorbell]])

    @property
    def account(self) -> int:
        return self.world.account

    def command(
        self,
        *,
        account: int | None = None,
        user: str = USER,
        key: str | None = None,
        body: str = "a",
        late_by: float = -LIMIT_SECONDS,
        **order: Any,
    ) -> PlaceOrder:
        """A LIMIT order to buy 10 RELIANCE at 250.50, with changes."""
        request = {
            "symbol": "RELIANCE",
            "exchange": "NSE",
            "transaction_type": "BUY",
            "order_type": "LIMIT",
            "quantity": 10,
            "price": Decimal("250.50"),
            "product": "MIS",
            **order,
        }
        return PlaceOrder(
            principal=Principal(user_id=user, key_id="k"),
            account_id=self.account if account is None else account,
            idempotency_key=key or self.world.identifiers.message_id(),
            body_hash=body * 64,
            deadline=self.world.clock.now() - timedelta(seconds=late_by),
            order=OrderRequest.model_validate(request),
        )

    async def place_all(self, *commands: PlaceOrder) -> list[OrderReply]:
        message = PlaceOrders(**self._envelope(PlaceOrders.TYPE), items=commands)
        replies = await self.world.bus.request(
            subjects.PLACE_ORDERS, message, OrderReplies, timeout_seconds=LIMIT_SECONDS
        )
        assert replies.causation_id == message.id
        return list(replies.items)

    async def place(self, **order: Any) -> OrderReply:
        [reply] = await self.place_all(self.command(**order))
        return reply

    async def placed(self, **order: Any) -> Order:
        reply = await self.place(**order)
        assert reply.order is not None, reply.problem
        return reply.order

    async def cancel(self, order: Order, *, user: str = USER, reason: str | None = None) -> OrderReply:
        item = CancelOrder(
            principal=Principal(user_id=user, key_id="k"),
            account_id=order.account_id,
            order_id=order.order_id,
            reason=reason,
        )
        message = CancelOrders(**self._envelope(CancelOrders.TYPE), items=(item,))
        replies = await self.world.bus.request(
            subjects.CANCEL_ORDERS, message, OrderReplies, timeout_seconds=LIMIT_SECONDS
        )
        return replies.items[0]

    async def cancel_all(self, *asked: tuple[Order, str | None]) -> list[OrderReply]:
        """Cancellations, each with its reason, in one list."""
        items = tuple(
            CancelOrder(
                principal=Principal(user_id=order.user_id, key_id="k"),
                account_id=order.account_id,
                order_id=order.order_id,
                reason=reason,
            )
            for order, reason in asked
        )
        message = CancelOrders(**self._envelope(CancelOrders.TYPE), items=items)
        replies = await self.world.bus.request(
            subjects.CANCEL_ORDERS, message, OrderReplies, timeout_seconds=LIMIT_SECONDS
        )
        return list(replies.items)

    async def modify(self, order: Order, *, user: str = USER, **changes: Any) -> OrderReply:
        item = ModifyOrder(
            principal=Principal(user_id=user, key_id="k"),
            account_id=order.account_id,
            order_id=order.order_id,
            changes=OrderModification.model_validate(changes),
        )
        message = ModifyOrders(**self._envelope(ModifyOrders.TYPE), items=(item,))
        replies = await self.world.bus.request(
            subjects.MODIFY_ORDERS, message, OrderReplies, timeout_seconds=LIMIT_SECONDS
        )
        return replies.items[0]

    async def create_account(self, client_id: str, *, user: str = USER, **changes: Any) -> AccountReply:
        item = CreateAccount.model_validate(
            {
                "principal": {"user_id": user, "key_id": "k"},
                "broker": Broker.PAPER,
                "client_id": client_id,
                "initial_capital": Decimal(100_000),
                **changes,
            }
        )
        message = CreateAccounts(**self._envelope(CreateAccounts.TYPE), items=(item,))
        return await self._account_reply(subjects.CREATE_ACCOUNTS, message)

    async def kill(self, state: TradingState, *, user: str = USER, **changes: Any) -> RiskReply:
        """Throw a switch over all the user's accounts, or as `changes` say."""
        item = SwitchTrading.model_validate(
            {
                "principal": {"user_id": user, "key_id": "k"},
                "scope": "global",
                "state": state,
                "reason": "drill",
                **changes,
            }
        )
        message = SwitchTradingBatch(**self._envelope(SwitchTradingBatch.TYPE), items=(item,))
        return await self._risk_reply(subjects.SWITCH_TRADING, message)

    async def limit(self, account: int | None = None, *, user: str = USER, **limits: Any) -> RiskReply:
        item = SetRiskLimits.model_validate(
            {"principal": {"user_id": user, "key_id": "k"}, "account_id": account, "limits": limits}
        )
        message = SetRiskLimitsBatch(**self._envelope(SetRiskLimitsBatch.TYPE), items=(item,))
        return await self._risk_reply(subjects.SET_RISK_LIMITS, message)

    async def risk(self, account: int | None = None, *, user: str = USER) -> RiskReply:
        item = ReadRisk(principal=Principal(user_id=user, key_id="k"), account_id=account)
        message = ReadRiskBatch(**self._envelope(ReadRiskBatch.TYPE), items=(item,))
        return await self._risk_reply(subjects.READ_RISK, message)

    async def exit_all(self, key: str, account: int | None = None, *, user: str = USER) -> ExitReply:
        item = ExitAll(principal=Principal(user_id=user, key_id="k"), account_id=account, idempotency_key=key)
        message = ExitAllBatch(**self._envelope(ExitAllBatch.TYPE), items=(item,))
        replies = await self.world.bus.request(
            subjects.EXIT_ALL, message, ExitReplies, timeout_seconds=LIMIT_SECONDS
        )
        return replies.items[0]

    async def hold(self, quantity: int, *, account: int | None = None, **position: Any) -> None:
        """A position, bought or sold at 250, as a worker writes it."""
        row = {"exchange": "NSE", "symbol": "RELIANCE", "product": "MIS", "last_price": 250} | position
        await self.world.rows(
            "INSERT INTO accounts.positions (account_id, user_id, broker, exchange, symbol, product, quantity, average_price,"
            " buy_quantity, buy_value, sell_quantity, sell_value, last_price, version, updated_at)"
            " SELECT $1, $2, 'paper', $3, $4, $5, q, 250, greatest(q, 0), greatest(q, 0) * 250, greatest(-q, 0),"
            " greatest(-q, 0) * 250, $7, 1, now() FROM (SELECT $6::bigint AS q) AS held"
            " ON CONFLICT (account_id, exchange, symbol, product) DO UPDATE SET quantity = excluded.quantity",
            self.account if account is None else account,
            USER,
            row["exchange"],
            row["symbol"],
            row["product"],
            quantity,
            row["last_price"],
        )

    async def risk_events(self, user: str = USER) -> list[dict[str, Any]]:
        rows = await self.world.rows(
            "SELECT body FROM ledger.risk_events WHERE user_id = $1 ORDER BY sequence", user
        )
        return [json.loads(row["body"]) for row in rows]

    async def switch(self, account: int, *, active: bool, user: str = USER) -> AccountReply:
        item = SetAccountActive(
            principal=Principal(user_id=user, key_id="k"), account_id=account, active=active
        )
        message = SetAccountsActive(**self._envelope(SetAccountsActive.TYPE), items=(item,))
        return await self._account_reply(subjects.SET_ACCOUNTS_ACTIVE, message)

    async def set_egress(
        self, account: int, egress: AccountEgress | None, *, sealed: str | None = None
    ) -> AccountReply:
        item = SetAccountEgress(
            principal=Principal(user_id=USER, key_id="k"),
            account_id=account,
            egress=egress,
            relay_password=None if sealed is None else SealedSecret(field="relayPassword", sealed=sealed),
        )
        message = SetAccountEgresses(**self._envelope(SetAccountEgresses.TYPE), items=(item,))
        return await self._account_reply(subjects.SET_ACCOUNT_EGRESSES, message)

    async def bring_to(self, order: Order, state: OrderState, **changes: Any) -> Order:
        """What a worker does, in one step."""
        async with self.world.ledger.transaction() as transaction:
            current = (await transaction.lock([(order.account_id, order.order_id)]))[order.order_id]
            update = OrderUpdate(state=state, at=self.world.clock.now(), **changes)
            transaction.step([Step(order=current, update=update)])
            return transaction.current(current)

    async def event_types(self, order: Order) -> list[str]:
        rows = await self.world.rows(
            "SELECT type FROM ledger.order_events WHERE order_id = $1 ORDER BY version", order.order_id
        )
        return [row["type"] for row in rows]

    async def _account_reply(self, subject: str, message: Any) -> AccountReply:
        replies = await self.world.bus.request(
            subject, message, AccountReplies, timeout_seconds=LIMIT_SECONDS
        )
        return replies.items[0]

    async def _risk_reply(self, subject: str, message: Any) -> RiskReply:
        replies = await self.world.bus.request(subject, message, RiskReplies, timeout_seconds=LIMIT_SECONDS)
        return replies.items[0]

    def _envelope(self, kind: str) -> dict[str, Any]:
        message_id = self.world.identifiers.message_id()
        return {
            "id": message_id,
            "type": kind,
            "time": self.world.clock.now(),
            "correlation_id": message_id,
            "source": "test",
        }


@asynccontextmanager
async def running_router(postgres_url: str, nats_url: str, **settings: Any) -> AsyncGenerator[Caller]:
    # Tests place as fast as they can; those of the rate set their own.
    settings.setdefault("paper_orders_per_second", 10_000)
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(INSTRUMENTS)
    await connection.close()
    async with AsyncExitStack() as stack:
        # An owner's rights: the test is also the worker and the auditor.
        world = await stack.enter_async_context(
            record_world(postgres_url, nats_url, role="vyomo", partitions=PARTITIONS)
        )
        await stack.enter_async_context(
            order_router(
                OrderRouterSettings(
                    nats_url=SecretStr(nats_url),
                    postgres_url=SecretStr(postgres_url),
                    partitions=PARTITIONS,
                    **settings,
                )
            )
        )
        caller = Caller(world)

        async def hear(message: Any) -> None:
            caller.doorbells.append((message.subject, RingDoorbell.model_validate_json(message.data)))

        await world.bus.client.subscribe(subjects.ALL_DOORBELLS, cb=hear)
        await world.bus.until_subscribed()
        yield caller
