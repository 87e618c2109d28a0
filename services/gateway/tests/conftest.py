"""The gateway on a real port, with a real NATS, a real PostgreSQL and a real record; the services behind it stand in.

`edge` is that gateway; tests annotate it with the class below, imported for type checking only.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx
import pytest
import pytest_asyncio
from nats.aio.msg import Msg
from pydantic import BaseModel, SecretStr
from websockets.asyncio.client import ClientConnection, connect

from vyomo_contracts import subjects
from vyomo_contracts.commands import (
    Account,
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
    SetAccountActive,
    SetAccountEgress,
    SetAccountEgresses,
    SetAccountsActive,
    SyncPositionsBatch,
    SyncReplies,
    SyncReply,
)
from vyomo_contracts.instruments import Candle, DepthLevel, Quote
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.messages import Envelope, Problem
from vyomo_contracts.orders import Order
from vyomo_contracts.portfolio import Funds
from vyomo_contracts.queries import CandleReply, CandleRequest, QuoteReply, QuoteRequest, WatchInstruments
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker, Exchange, OrderState, PendingAction, Scope
from vyomo_gateway.bootstrap import open_gateway
from vyomo_gateway.settings import GatewaySettings
from vyomo_gateway.testing import add_keys
from vyomo_ledger.testing import OTHER_USER, USER, RecordWorld, create_account, record_world
from vyomo_ledger.writing import Accepted, AccountMissing, Ledger, NewOrder, PendingChange, Replayed, Step
from vyomo_service_kit.database import open_database
from vyomo_service_kit.serving import serve_http

Message = TypeVar("Message", bound=Envelope)


class StandIns:
    """What answers on the bus in place of router, market and sync. Orders go into the real record, without rules."""

    def __init__(self, world: RecordWorld, workers: Ledger) -> None:
        self.world = world
        self.workers = workers
        self.placed: list[PlaceOrder] = []
        self.cancelled: list[CancelOrder] = []
        self.created: list[CreateAccount] = []
        self.synced: list[tuple[int, int]] = []
        self.watched: list[WatchInstruments] = []
        self.refusal: Problem | None = None
        """When set, every command is refused so."""
        self.deny = False
        """Record orders as DENIED, as the risk rules would."""
        self.prices: dict[str, Decimal] = {}
        self.asked_candles: list[CandleRequest] = []
        self.egresses: list[SetAccountEgress] = []

    async def start(self) -> None:
        await self._serve(subjects.PLACE_ORDERS, PlaceOrders, self._place)
        await self._serve(subjects.CANCEL_ORDERS, CancelOrders, self._cancel)
        await self._serve(subjects.MODIFY_ORDERS, ModifyOrders, self._modify)
        await self._serve(subjects.CREATE_ACCOUNTS, CreateAccounts, self._create)
        await self._serve(subjects.SET_ACCOUNTS_ACTIVE, SetAccountsActive, self._set_active)
        await self._serve(subjects.SET_ACCOUNT_EGRESSES, SetAccountEgresses, self._set_egress)
        await self._serve(subjects.SYNC_POSITIONS, SyncPositionsBatch, self._sync)
        await self._serve(subjects.QUOTES, QuoteRequest, self._quote)
        await self._serve(subjects.CANDLES, CandleRequest, self._candles)

        async def note(message: Msg) -> None:
            self.watched.append(WatchInstruments.model_validate_json(message.data))

        await self.world.bus.client.subscribe(subjects.WATCH_INSTRUMENTS, cb=note)
        await self.world.bus.until_subscribed()

    async def step(self, order_id: str, state: OrderState, **changes: Any) -> Order:
        """What a worker learnt of an order, written and published."""
        async with self.workers.transaction() as transaction:
            known = await self.world.stored(order_id)
            order = (await transaction.lock([(known.account_id, order_id)]))[order_id]
            update = OrderUpdate(state=state, at=self.world.clock.now(), **changes)
            transaction.step([Step(order=order, update=update)])
            return transaction.current(order)

    async def fill(self, order_id: str, quantity: int, price: str) -> Order:
        return await self.step(
            order_id, OrderState.FILLED, filled_quantity=quantity, average_price=Decimal(price)
        )

    def reply_head(self, message: type[Envelope]) -> dict[str, Any]:
        identifier = self.world.identifiers.message_id()
        return {
            "id": identifier,
            "type": message.TYPE,
            "time": self.world.clock.now(),
            "correlation_id": identifier,
            "source": "stand-in",
        }

    async def _serve(
        self, subject: str, kind: type[Message], serve: Callable[[Message], Coroutine[Any, Any, BaseModel]]
    ) -> None:
        async def answer(message: Msg) -> None:
            reply = await serve(kind.model_validate_json(message.data))
            await message.respond(reply.model_dump_json().encode())

        await self.world.bus.client.subscribe(subject, cb=answer)

    async def _place(self, message: PlaceOrders) -> OrderReplies:
        self.placed.extend(message.items)
        if self.refusal is not None:
            replies = [OrderReply(problem=self.refusal) for _ in message.items]
        else:
            accepted = await self.world.ledger.accept([self._new(command) for command in message.items])
            replies = [self._placed(answer) for answer in accepted]
        return OrderReplies(**self.reply_head(OrderReplies), items=tuple(replies))

    def _new(self, command: PlaceOrder) -> NewOrder:
        changes = command.order.model_dump() | {"account_id": command.account_id}
        if self.deny:
            changes |= {"state": OrderState.DENIED, "reason_code": ReasonCode.RISK_QUANTITY_ABOVE_FREEZE}
        order = self.world.order(user_id=command.principal.user_id, **changes)
        return NewOrder(order, command.idempotency_key, command.body_hash, principal=command.principal)

    def _placed(self, answer: object) -> OrderReply:
        match answer:
            case Accepted(order) if order.state is OrderState.DENIED:
                assert order.reason_code is not None
                return OrderReply(order=order, problem=Problem(code=order.reason_code, message="too much"))
            case Accepted(order):
                return OrderReply(order=order)
            case Replayed(order, True):
                return OrderReply(order=order, replayed=True)
            case Replayed():
                problem = Problem(code=ReasonCode.IDEMPOTENCY_KEY_REUSED, message="another body")
            case AccountMissing():
                problem = Problem(code=ReasonCode.ACCOUNT_NOT_FOUND, message="no", field="account_id")
            case _:
                problem = Problem(code=ReasonCode.ACCOUNT_INACTIVE, message="inactive")
        return OrderReply(problem=problem)

    async def _cancel(self, message: CancelOrders) -> OrderReplies:
        self.cancelled.extend(message.items)
        replies = [await self._change(command) for command in message.items]
        return OrderReplies(**self.reply_head(OrderReplies), items=tuple(replies))

    async def _modify(self, message: ModifyOrders) -> OrderReplies:
        replies = [await self._change(command) for command in message.items]
        return OrderReplies(**self.reply_head(OrderReplies), items=tuple(replies))

    async def _change(self, command: CancelOrder | ModifyOrder) -> OrderReply:
        async with self.workers.transaction(principal=command.principal) as transaction:
            locked = await transaction.lock([(command.account_id, command.order_id)])
            order = locked.get(command.order_id)
            if order is None or order.user_id != command.principal.user_id:
                return OrderReply(problem=Problem(code=ReasonCode.ORDER_NOT_FOUND, message="no such order"))
            if order.state.is_terminal:
                problem = Problem(code=ReasonCode.ORDER_NOT_PENDING, message=f"is {order.status}")
                return OrderReply(order=order, problem=problem)
            now = self.world.clock.now()
            if isinstance(command, CancelOrder) and order.state is OrderState.NEW:
                update = OrderUpdate(state=OrderState.CANCELLED, at=now)
                transaction.step([Step(order=order, update=update)])
                return OrderReply(order=transaction.current(order))
            if isinstance(command, CancelOrder):
                change = PendingChange(order=order, action=PendingAction.CANCEL, reason=command.reason)
            else:
                change = PendingChange(order=order, action=PendingAction.MODIFY, modification=command.changes)
            return OrderReply(order=transaction.ask(change, now))

    async def _create(self, message: CreateAccounts) -> AccountReplies:
        self.created.extend(message.items)
        replies: list[AccountReply] = []
        for command in message.items:
            try:
                replies.append(AccountReply(account=await self._created(command)))
            except asyncpg.UniqueViolationError:
                problem = Problem(code=ReasonCode.ACCOUNT_EXISTS, message="exists", field="client_id")
                replies.append(AccountReply(problem=problem))
        return AccountReplies(**self.reply_head(AccountReplies), items=tuple(replies))

    async def _created(self, command: CreateAccount) -> Account:
        user_id = command.principal.user_id
        account_id = await create_account(
            self.world.database, user_id=user_id, client_id=command.client_id, broker=command.broker
        )
        return self._account(account_id, user_id, command.broker, command.client_id, command.initial_capital)

    def _account(
        self, account_id: int, user_id: str, broker: Broker, client_id: str, capital: Decimal | None
    ) -> Account:
        now = self.world.clock.now()
        funds = Funds(
            account_id=account_id,
            user_id=user_id,
            broker=broker,
            balance=capital,
            used=Decimal(0),
            available=capital,
            version=1,
            updated_at=now,
        )
        return Account(
            id=account_id,
            user_id=user_id,
            broker=broker,
            client_id=client_id,
            is_active=True,
            unlimited=capital is None,
            funds=funds,
            created_at=now,
        )

    async def _set_active(self, message: SetAccountsActive) -> AccountReplies:
        items = tuple(map(self._switched, message.items))
        return AccountReplies(**self.reply_head(AccountReplies), items=items)

    async def _set_egress(self, message: SetAccountEgresses) -> AccountReplies:
        self.egresses.extend(message.items)
        account = self._account(message.items[0].account_id, USER, Broker.ZERODHA, "AB1", None)
        reply = AccountReply(account=account.model_copy(update={"egress": message.items[0].egress}))
        return AccountReplies(**self.reply_head(AccountReplies), items=(reply,))

    def _switched(self, command: SetAccountActive) -> AccountReply:
        if not self._owns(command.principal.user_id, command.account_id):
            problem = Problem(code=ReasonCode.ACCOUNT_NOT_FOUND, message="no", field="account_id")
            return AccountReply(problem=problem)
        account = self._account(command.account_id, USER, Broker.PAPER, "A1", Decimal(100_000))
        return AccountReply(account=account.model_copy(update={"is_active": command.active}))

    def _owns(self, user_id: str, account_id: int) -> bool:
        return (user_id == OTHER_USER) == (account_id == self.world.foreign_account)

    async def _sync(self, message: SyncPositionsBatch) -> SyncReplies:
        replies: list[SyncReply] = []
        for command in message.items:
            if not self._owns(command.principal.user_id, command.account_id):
                code = ReasonCode.ACCOUNT_NOT_FOUND
                replies.append(SyncReply(problem=Problem(code=code, message="no", field="account_id")))
            else:
                self.synced.append((command.account_id, command.session_id))
                replies.append(SyncReply(synced=0))
        return SyncReplies(**self.reply_head(SyncReplies), items=tuple(replies))

    async def _quote(self, message: QuoteRequest) -> QuoteReply:
        quotes = tuple(self._quoted(key) for key in message.keys if key in self.prices)
        return QuoteReply(**self.reply_head(QuoteReply), quotes=quotes)

    async def _candles(self, message: CandleRequest) -> CandleReply:
        """One candle at the instrument's price, or the command's refusal."""
        self.asked_candles.append(message)
        head = self.reply_head(CandleReply)
        if self.refusal is not None:
            return CandleReply(**head, problem=self.refusal)
        price = self.prices.get(message.key, Decimal(100))
        candle = Candle(
            at=self.world.clock.now(),
            open_price=price,
            high_price=price + 1,
            low_price=price,
            close_price=price,
            volume=7,
        )
        return CandleReply(**head, candles=(candle,))

    def _quoted(self, key: str) -> Quote:
        exchange, _, symbol = key.partition(":")
        price = self.prices[key]
        level = DepthLevel(price=price, quantity=10, orders=1)
        return Quote(
            exchange=Exchange(exchange),
            symbol=symbol,
            last_price=price,
            previous_close=price - 1,
            open_price=price,
            high_price=price,
            low_price=price,
            volume=1000,
            bids=(level,),
            asks=(level,),
            at=self.world.clock.now(),
        )


@dataclass
class Edge:
    """A running gateway and what is behind it."""

    url: str
    postgres_url: str
    client: httpx.AsyncClient
    world: RecordWorld
    behind: StandIns
    key: str
    read_key: str
    other_key: str
    keys_dir: Path
    _sockets: list[ClientConnection] = field(default_factory=list[ClientConnection])

    @property
    def account(self) -> str:
        """Path of the caller's first account."""
        return f"/api/brokers/accounts/{self.world.account}"

    @property
    def foreign_account(self) -> str:
        return f"/api/brokers/accounts/{self.world.foreign_account}"

    def order_body(self, **changes: Any) -> dict[str, Any]:
        """The specification's order body; a change to `...` leaves the field out."""
        body: dict[str, Any] = {
            "symbol": "NIFTY",
            "exchange": "NSE",
            "transactionType": "BUY",
            "orderType": "LIMIT",
            "quantity": 10,
            "price": 250.50,
            "product": "MIS",
            "validity": "DAY",
        }
        return {name: value for name, value in (body | changes).items() if value is not ...}

    async def place(self, **changes: Any) -> dict[str, Any]:
        response = await self.client.post(f"{self.account}/orders", json=self.order_body(**changes))
        assert response.status_code == 202, response.text
        return response.json()["order"]

    async def connect(self, *, key: str | None = None, since: int | None = None) -> ClientConnection:
        url = self.url.replace("http://", "ws://") + "/ws" + ("" if since is None else f"?since={since}")
        socket = await connect(url, additional_headers={"Authorization": f"Bearer {key or self.key}"})
        self._sockets.append(socket)
        return socket

    async def close(self) -> None:
        await asyncio.gather(*(socket.close() for socket in self._sockets))


@asynccontextmanager
async def _open_edge(postgres_url: str, nats_url: str, keys_dir: Path) -> AsyncGenerator[Edge]:
    wanted = [(USER, list(Scope)), (USER, [Scope.READ]), (OTHER_USER, list(Scope))]
    key, read_key, other_key = await add_keys(postgres_url, keys_dir, wanted)
    settings = GatewaySettings(
        nats_url=SecretStr(nats_url),
        postgres_url=SecretStr(postgres_url),
        keys_dir=keys_dir,
        request_timeout_seconds=2.0,
        sandbox_kite_url="http://127.0.0.1:3012",
    )
    async with (
        record_world(postgres_url, nats_url) as world,
        open_gateway(settings) as app,
        serve_http(app, host="127.0.0.1", port=0) as port,
        open_database(postgres_url, role="vyomo_worker", application="test-worker") as workers,
    ):
        behind = StandIns(world, Ledger(workers, world.publisher, partitions=2))
        await behind.start()
        url = f"http://127.0.0.1:{port}"
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=15) as client:
            edge = Edge(url, postgres_url, client, world, behind, key, read_key, other_key, keys_dir)
            try:
                yield edge
            finally:
                await edge.close()


@pytest_asyncio.fixture
async def edge(database_url: str, nats_url: str, tmp_path: Path) -> AsyncGenerator[Edge]:
    async with _open_edge(database_url, nats_url, tmp_path / "keys") as opened:
        yield opened


@pytest.fixture
def open_edge() -> Callable[[str, str, Path], Any]:
    """For tests that bring their own servers."""
    return _open_edge
