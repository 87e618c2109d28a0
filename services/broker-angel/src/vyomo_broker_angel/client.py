"""SmartAPI's REST interface as a broker port. Each order call is one request; the session is asked for before each.

Angel One wants its own number of an instrument and takes no market order, so a first order of an instrument is preceded by a look into its
list and a market order by one at the last price. Both are readings and may be repeated; if they fail, the order was not sent.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from vyomo_broker_angel import mapping
from vyomo_broker_angel.errors import SESSION_OVER, failure_of, is_too_often, outcome_of
from vyomo_broker_angel.naming import AngelNames, Listing, Named, Search, UnnamedInstrumentError
from vyomo_broker_angel.session import INDIA, headers_of
from vyomo_broker_kit.access import Access, Accesses
from vyomo_broker_kit.exact import exact_json
from vyomo_broker_kit.http import Answer
from vyomo_broker_kit.outcomes import NotSent, Outcome, Refused, Unknown
from vyomo_broker_kit.port import (
    BookEntry,
    FundsEntry,
    PositionEntry,
    SessionOverError,
    TradeEntry,
    UnreadableError,
)
from vyomo_broker_kit.routes import Routes
from vyomo_contracts.capabilities import CAPABILITIES
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.vocabulary import Broker, Exchange, Validity
from vyomo_service_kit.clock import Clock

PREPARE_SECONDS: Final = 1.5
"""Longest from the claim to the order call, for the readings before it. The transport's own limit is shorter by this much."""
ORDERS: Final = "/rest/secure/angelbroking/order/v1"
RMS: Final = "/rest/secure/angelbroking/user/v1/getRMS"

_Content = TypeVar("_Content")


class _LastPrice(BaseModel):
    ltp: Decimal


_ORDERS: Final = TypeAdapter(list[mapping.OrderRow] | None)
_TRADES: Final = TypeAdapter(list[mapping.TradeRow] | None)
_POSITIONS: Final = TypeAdapter(list[mapping.PositionRow] | None)
_FUNDS: Final = TypeAdapter(mapping.Funds)
_LISTINGS: Final = TypeAdapter(list[Listing] | None)
_LAST_PRICE: Final = TypeAdapter(_LastPrice)


class SmartPort:
    """A `BrokerPort`. `routes` lead to the root of each environment: Angel One's, and a sandbox's where there is one."""

    def __init__(
        self,
        routes: Routes,
        accesses: Accesses,
        names: AngelNames,
        clock: Clock,
    ) -> None:
        self._routes = routes
        self._accesses = accesses
        self._names = names
        self._clock = clock

    async def place(self, order: Order, *, urgent: bool = False) -> Outcome:
        return _refusal(order.validity) or await self._send(order, None, urgent=urgent)

    async def modify(self, order: Order, changes: OrderModification) -> Outcome:
        return _refusal(changes.validity) or await self._send(order, changes, urgent=True)

    async def cancel(self, order: Order) -> Outcome:
        return await self._call(order, "cancelOrder", mapping.cancel_body(order), urgent=True)

    async def order_book(self, account_id: int) -> Sequence[BookEntry]:
        path = f"{ORDERS}/getOrderBook"
        rows = await self._read(account_id, "GET", path, _ORDERS) or []
        environment = (await self._accesses.of_account(account_id)).environment
        try:
            return [
                mapping.book_entry(
                    row, await self._names.symbol_of(environment, Exchange(row.exchange), row.tradingsymbol)
                )
                for row in rows
                if mapping.is_ours(row.exchange, row.producttype, row.ordertype)
            ]
        except ValueError:
            # All or none: what a book leaves out looks as if it had not happened.
            raise UnreadableError(f"{path}: a row with a time that is none") from None

    async def trades(self, account_id: int) -> Sequence[TradeEntry]:
        rows = await self._read(account_id, "GET", f"{ORDERS}/getTradeBook", _TRADES) or []
        environment = (await self._accesses.of_account(account_id)).environment
        today = self._clock.now().astimezone(INDIA).date()
        return [
            mapping.trade_entry(
                row,
                await self._names.symbol_of(environment, Exchange(row.exchange), row.tradingsymbol),
                today,
            )
            for row in rows
            if row.exchange in mapping.EXCHANGES
        ]

    async def positions(self, account_id: int) -> Sequence[PositionEntry]:
        rows = await self._read(account_id, "GET", f"{ORDERS}/getPosition", _POSITIONS) or []
        environment = (await self._accesses.of_account(account_id)).environment
        return [
            mapping.position_entry(
                row, await self._names.symbol_of(environment, Exchange(row.exchange), row.tradingsymbol)
            )
            for row in rows
            if mapping.is_ours(row.exchange, row.producttype)
        ]

    async def funds(self, account_id: int) -> FundsEntry:
        return mapping.funds_entry(await self._read(account_id, "GET", RMS, _FUNDS))

    async def _send(self, order: Order, changes: OrderModification | None, *, urgent: bool) -> Outcome:
        """A new order, or what one shall become."""
        prepared = await self._prepared(order, changes)
        if not isinstance(prepared, tuple):
            return prepared
        named, terms = prepared
        if changes is None:
            return await self._call(
                order, "placeOrder", mapping.place_body(order, named, terms), urgent=urgent
            )
        return await self._call(
            order, "modifyOrder", mapping.modify_body(order, changes, named, terms), urgent=urgent
        )

    async def _prepared(
        self, order: Order, changes: OrderModification | None
    ) -> tuple[Named, mapping.Terms] | Refused | NotSent:
        """What the call needs to know, or why it is not made."""
        if order.exchange not in mapping.EXCHANGES:
            return Refused("EXCHANGE_NOT_OFFERED", f"orders on {order.exchange} are not sent to Angel One")
        began = self._clock.now()
        try:
            async with asyncio.timeout(PREPARE_SECONDS):
                environment = (await self._accesses.of_account(order.account_id)).environment
                named = await self._names.of(
                    environment, order.exchange, order.symbol, self._search_of(order.account_id)
                )
                last_price = None
                if mapping.needs_last_price(order, changes):
                    last_price = await self._last_price(order.account_id, named)
        except UnnamedInstrumentError as error:
            return Refused("UNKNOWN_INSTRUMENT", str(error))
        except SessionOverError:
            return NotSent("no session")
        except (UnreadableError, TimeoutError) as error:
            return NotSent(f"not prepared: {error or 'too slow'}")
        if self._clock.now() - began > timedelta(seconds=PREPARE_SECONDS):
            # The process was suspended: what it knows of this order is old.
            return NotSent("not prepared: suspended")
        return named, mapping.Terms.of(order, named, last_price, changes)

    def _search_of(self, account_id: int) -> Search:
        async def search(exchange: Exchange, name: str) -> Sequence[Listing]:
            body = {"exchange": exchange, "searchscrip": name}
            return await self._read(account_id, "POST", f"{ORDERS}/searchScrip", _LISTINGS, body) or []

        return search

    async def _last_price(self, account_id: int, named: Named) -> Decimal:
        path = f"{ORDERS}/getLtpData"
        body = {
            "exchange": named.instrument.exchange,
            "tradingsymbol": named.trading_symbol,
            "symboltoken": named.token,
        }
        last_price = (await self._read(account_id, "POST", path, _LAST_PRICE, body)).ltp
        if last_price <= 0:
            raise UnreadableError(f"{path}: no last price")
        return last_price

    async def _call(self, order: Order, act: str, body: Mapping[str, str], *, urgent: bool) -> Outcome:
        try:
            access = await self._accesses.of_account(order.account_id)
        except SessionOverError:
            return NotSent("no session")
        transport = await self._routes.of_orders(access)
        if transport is None:
            return NotSent("no sandbox")
        answer = await transport.call(
            "POST", f"{ORDERS}/{act}", json=body, headers=_headers(access), urgent=urgent
        )
        return outcome_of(answer)

    async def _read(
        self,
        account_id: int,
        method: str,
        path: str,
        content: TypeAdapter[_Content],
        body: Mapping[str, str] | None = None,
    ) -> _Content:
        access = await self._accesses.of_account(account_id)
        transport = self._routes.of_readings(access)
        if transport is None:
            raise UnreadableError(f"{path}: no sandbox")
        answer = await transport.call(method, path, json=body, headers=_headers(access), urgent=True)
        return content_of(answer, path, content)


def _refusal(validity: Validity | None) -> Refused | None:
    """The router refuses such an order before it is recorded; one that stands in the record must not be sent as another."""
    if validity in {None, *CAPABILITIES[Broker.ANGEL].validities}:
        return None
    return Refused("IOC_NOT_OFFERED", "Angel One takes no IOC order of programs since 2026; use DAY")


def content_of(answer: Answer | NotSent | Unknown, path: str, content: TypeAdapter[_Content]) -> _Content:
    """The `data` of a reading, its prices exact.

    Raises:
        SessionOverError: Angel One wants a new login.
        UnreadableError: anything else but a complete and good answer.
    """
    if not isinstance(answer, Answer):
        raise UnreadableError(f"{path}: {answer.cause}")
    if is_too_often(answer):
        raise UnreadableError(f"{path}: too many requests")
    failure = failure_of(answer)
    if failure is not None and failure.code in SESSION_OVER:
        raise SessionOverError(path)
    if failure is not None or answer.status != 200:
        raise UnreadableError(f"{path}: status {answer.status} {failure.code if failure else ''}".rstrip())
    try:
        document = exact_json(answer.body)
        if not isinstance(document, dict) or document.get("status") is not True or "data" not in document:
            raise UnreadableError(f"{path}: no success")
        return content.validate_python(document["data"])
    except ValidationError as error:
        raise UnreadableError(f"{path}: {error.error_count()} fields are wrong") from None
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{path}: {type(error).__name__}") from None


def _headers(access: Access) -> dict[str, str]:
    return headers_of(access.api_key, access.tokens.access_token)
