"""Placing, modifying, cancelling, and the books of orders and trades."""

from collections.abc import Sequence
from typing import Any

from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Exchange
from vyomo_paper_exchange.doors.orders import DoorOrder, Refused, Result
from vyomo_paper_exchange.doors.smartapi import parameters as read
from vyomo_paper_exchange.doors.smartapi import rows, words
from vyomo_paper_exchange.doors.smartapi.access import DOOR
from vyomo_paper_exchange.doors.smartapi.calls import Call
from vyomo_paper_exchange.doors.smartapi.envelope import AppError, InputError
from vyomo_paper_exchange.doors.smartapi.parameters import parameters_of

_ID_MAX = 64


async def place(call: Call) -> object:
    """What the risk system or the exchange finds is an order with status rejected, seen in the book."""
    parameters = await parameters_of(call.request)
    words.known_variety(parameters)
    symbol = read.needed(parameters, "tradingsymbol")
    exchange = read.word(parameters, "exchange", Exchange)
    found = await call.door.named(exchange, read.needed(parameters, "symboltoken"), symbol)
    order = words.order_of(parameters, found.listing.instrument, call.caller.profile)
    placed = await call.door.venue.desk.place(call.caller.account, DOOR, order)
    return {"script": symbol, **_ids(placed.order)}


async def modify(call: Call) -> object:
    parameters = await parameters_of(call.request)
    words.known_variety(parameters)
    order = await _working(call, read.needed(parameters, "orderid"))
    change = words.change_of(parameters, order, call.caller.profile)
    desk = call.door.venue.desk
    return _answered(await desk.modify(call.caller.account, DOOR, order.filing.order_id, change))


async def cancel(call: Call) -> object:
    parameters = await parameters_of(call.request)
    words.known_variety(parameters)
    order = await _working(call, read.needed(parameters, "orderid"))
    return _answered(await call.door.venue.desk.cancel(call.caller.account, DOOR, order.filing.order_id))


async def book(call: Call) -> object:
    return await _rows(call, await call.door.venue.books.orders(call.caller.account))


async def details(call: Call) -> object:
    """By the unique id alone: an order id finds nothing here."""
    unique = str(call.path["uniqueorderid"])[:_ID_MAX]
    order_id = rows.order_id_of(unique) if unique.isprintable() else None
    order = None if order_id is None else await call.door.venue.books.order(call.caller.account, order_id)
    if order is None:
        raise AppError("AB1007", "Order not found")
    (row,) = await _rows(call, [order])
    return row


async def trades(call: Call) -> object:
    fills = await call.door.venue.books.trades(call.caller.account)
    found = await call.door.found([(each.exchange, each.symbol) for each in fills])
    return [rows.trade_row(each, found.get(f"{each.exchange}:{each.symbol}")) for each in fills]


async def _working(call: Call, order_id: str) -> DoorOrder:
    order = await call.door.venue.books.order(call.caller.account, order_id[:_ID_MAX])
    if order is None:
        raise AppError("AB1013", "Order not found")
    if not order.working.is_working:
        raise _ended(order.working.state.status.lower())
    return order


def _answered(result: Result) -> object:
    if not isinstance(result, Refused):
        return _ids(result.order)
    refusal = result.refusal
    match refusal.code:
        case ReasonCode.ORDER_NOT_FOUND:
            raise AppError("AB1013", "Order not found")
        case ReasonCode.MARGIN_INSUFFICIENT:
            raise AppError("AB2020", refusal.message)
        case _:
            raise InputError(refusal.message)


def _ended(status: str) -> AppError:
    return AppError("AB1007", f"Order cannot be changed as it is {status}")


def _ids(order: DoorOrder) -> dict[str, str]:
    order_id = order.filing.order_id
    return {"orderid": order_id, "uniqueorderid": rows.unique_id(order_id)}


async def _rows(call: Call, orders: Sequence[DoorOrder]) -> list[dict[str, Any]]:
    found = await call.door.found([(each.working.exchange, each.working.symbol) for each in orders])
    return [rows.order_row(each, found.get(each.working.key)) for each in orders]
