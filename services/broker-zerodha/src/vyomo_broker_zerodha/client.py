"""Kite Connect's REST interface as a broker port. Each order call is one request; the session is asked for before each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, TypeAdapter, ValidationError

from vyomo_broker_kit.access import Access, Accesses
from vyomo_broker_kit.exact import exact_json
from vyomo_broker_kit.http import Answer
from vyomo_broker_kit.outcomes import NotSent, Outcome, Unknown
from vyomo_broker_kit.port import (
    BookEntry,
    FundsEntry,
    PositionEntry,
    SessionOverError,
    TradeEntry,
    UnreadableError,
)
from vyomo_broker_kit.routes import Routes
from vyomo_broker_zerodha import mapping
from vyomo_broker_zerodha.errors import is_session_over, outcome_of
from vyomo_contracts.orders import Order, OrderModification

VERSION: Final = "3"
VARIETY: Final = "regular"

_Content = TypeVar("_Content")
_Row = TypeVar("_Row")
_Entry = TypeVar("_Entry")


class _Positions(BaseModel):
    net: list[mapping.PositionRow]


_ORDERS: Final = TypeAdapter(list[mapping.OrderRow])
_TRADES: Final = TypeAdapter(list[mapping.TradeRow])
_POSITIONS: Final = TypeAdapter(_Positions)
_FUNDS: Final = TypeAdapter(dict[str, mapping.SegmentFunds])


class KitePort:
    """A `BrokerPort`. `routes` lead to the root of each environment: Zerodha's, and a sandbox's where there is one."""

    def __init__(self, routes: Routes, accesses: Accesses) -> None:
        self._routes = routes
        self._accesses = accesses

    async def place(self, order: Order, *, urgent: bool = False) -> Outcome:
        form = mapping.place_form(order)
        return await self._change(order, "POST", f"/orders/{VARIETY}", form, urgent=urgent)

    async def modify(self, order: Order, changes: OrderModification) -> Outcome:
        return await self._change(
            order, "PUT", _path(order), mapping.modify_form(order, changes), urgent=True
        )

    async def cancel(self, order: Order) -> Outcome:
        return await self._change(order, "DELETE", _path(order), None, urgent=True)

    async def order_book(self, account_id: int) -> Sequence[BookEntry]:
        rows = await self._read(account_id, "/orders", _ORDERS)
        return [entry for entry in _entries("/orders", mapping.book_entry, rows) if entry is not None]

    async def trades(self, account_id: int) -> Sequence[TradeEntry]:
        rows = await self._read(account_id, "/trades", _TRADES)
        return _entries("/trades", mapping.trade_entry, rows)

    async def positions(self, account_id: int) -> Sequence[PositionEntry]:
        rows = (await self._read(account_id, "/portfolio/positions", _POSITIONS)).net
        return [entry for entry in map(mapping.position_entry, rows) if entry is not None]

    async def funds(self, account_id: int) -> FundsEntry:
        return mapping.funds_entry(await self._read(account_id, "/user/margins", _FUNDS))

    async def _change(
        self, order: Order, method: str, path: str, form: Mapping[str, str] | None, *, urgent: bool
    ) -> Outcome:
        try:
            access = await self._accesses.of_account(order.account_id)
        except SessionOverError:
            return NotSent("no session")
        transport = await self._routes.of_orders(access)
        if transport is None:
            return NotSent("no sandbox")
        answer = await transport.call(method, path, form=form, headers=headers_of(access), urgent=urgent)
        return outcome_of(answer)

    async def _read(self, account_id: int, path: str, content: TypeAdapter[_Content]) -> _Content:
        access = await self._accesses.of_account(account_id)
        transport = self._routes.of_readings(access)
        if transport is None:
            raise UnreadableError(f"{path}: no sandbox")
        answer = await transport.call("GET", path, headers=headers_of(access), urgent=True)
        return content_of(answer, path, content)


def content_of(answer: Answer | NotSent | Unknown, path: str, content: TypeAdapter[_Content]) -> _Content:
    """The `data` of a reading, its prices exact.

    Raises:
        SessionOverError: Kite wants a new login.
        UnreadableError: anything else but a complete and good answer.
    """
    if not isinstance(answer, Answer):
        raise UnreadableError(f"{path}: {answer.cause}")
    if is_session_over(answer):
        raise SessionOverError(path)
    if answer.status != 200:
        raise UnreadableError(f"{path}: status {answer.status}")
    try:
        body = exact_json(answer.body)
        if not isinstance(body, dict) or body.get("status") != "success":
            raise UnreadableError(f"{path}: no success")
        return content.validate_python(body.get("data"))
    except ValidationError as error:
        raise UnreadableError(f"{path}: {error.error_count()} fields are wrong") from None
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{path}: {type(error).__name__}") from None


def _entries(path: str, mapped: Callable[[_Row], _Entry], rows: Sequence[_Row]) -> list[_Entry]:
    """All or none: what a book leaves out looks as if it had not happened."""
    try:
        return [mapped(row) for row in rows]
    except ValueError:
        raise UnreadableError(f"{path}: a row with a time that is none") from None


def headers_of(access: Access) -> dict[str, str]:
    """What every call of a session says of itself."""
    token = access.tokens.access_token.get_secret_value()
    return {
        "X-Kite-Version": VERSION,
        "Authorization": f"token {access.api_key.get_secret_value()}:{token}",
    }


def _path(order: Order) -> str:
    return f"/orders/{VARIETY}/{quote(order.broker_order_id or '', safe='')}"
