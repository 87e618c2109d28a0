"""Placing, modifying, cancelling, and the books of orders and trades."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from vyomo_contracts.orders import Fill
from vyomo_contracts.vocabulary import OrderState
from vyomo_paper_exchange.domain.catalogue.built_in import largest_order
from vyomo_paper_exchange.doors.kite import rows, words
from vyomo_paper_exchange.doors.kite.access import DOOR
from vyomo_paper_exchange.doors.kite.calls import Call
from vyomo_paper_exchange.doors.kite.envelope import InputError, OrderError
from vyomo_paper_exchange.doors.kite.parameters import parameters_of
from vyomo_paper_exchange.doors.orders import DoorOrder, NewOrder, Refused, Result

SLICES_MAX: Final = 10


async def place(call: Call) -> object:
    parameters = await parameters_of(call.request)
    variety = words.variety_of(call.path["variety"])
    asked = words.order_of(parameters, variety, call.caller.profile)
    key = f"{asked.order.exchange}:{asked.order.symbol}"
    priced = (await call.door.venue.prices.now([key])).get(key)
    order = words.protected(asked, priced)
    if parameters.get("autoslice", "").lower() == "true" and priced is not None:
        largest = largest_order(priced.listing.instrument)
        if largest is not None and order.quantity > largest:
            return await _place_slices(call, order, largest)
    refusal = await call.door.venue.desk.check(call.caller.account, order)
    if refusal is not None:
        raise words.error_of(refusal)
    placed = await call.door.venue.desk.place(call.caller.account, DOOR, order)
    return {"order_id": placed.order.filing.order_id}


async def _place_slices(call: Call, order: NewOrder, largest: int) -> object:
    """One order too large for the exchange as several that are not; each is an order of its own."""
    sizes = [largest] * (order.quantity // largest) + [order.quantity % largest] * (
        order.quantity % largest > 0
    )
    if len(sizes) > SLICES_MAX:
        raise InputError(f"The order would need {len(sizes)} slices; at most {SLICES_MAX} are possible.")
    slices = [replace(order, quantity=size) for size in sizes]
    for each in (slices[0], slices[-1]):
        refusal = await call.door.venue.desk.check(call.caller.account, each)
        if refusal is not None:
            raise words.error_of(refusal)
    parent = await call.door.venue.desk.reserve_id()
    tags = [*order.details.get("tags", ()), "autoslice", f"autoslice:{parent}"]
    tagged = [replace(each, details={**each.details, "tags": tags}) for each in slices]
    account = call.caller.account
    placed = await asyncio.gather(*(call.door.venue.desk.place(account, DOOR, each) for each in tagged))
    children = [{"order_id": each.order.filing.order_id} for each in placed]
    return {"order_id": parent, "children": children}


async def modify(call: Call) -> object:
    parameters = await parameters_of(call.request)
    words.variety_of(call.path["variety"])
    order = await _working(call, "modified")
    change = words.change_of(parameters, order, call.caller.profile)
    result = await call.door.venue.desk.modify(call.caller.account, DOOR, call.path["order_id"], change)
    return _answered(result, "modified")


async def cancel(call: Call) -> object:
    words.variety_of(call.path["variety"])
    await _working(call, "cancelled")
    result = await call.door.venue.desk.cancel(call.caller.account, DOOR, call.path["order_id"])
    return _answered(result, "cancelled")


async def book(call: Call) -> object:
    return await _rows(call, await call.door.venue.books.orders(call.caller.account))


async def history(call: Call) -> object:
    order = await _order(call)
    (row,) = await _rows(call, [order])
    return rows.history_rows(order, await call.door.venue.books.history(order), row)


async def trades(call: Call) -> object:
    return await _trades(call, await call.door.venue.books.trades(call.caller.account))


async def order_trades(call: Call) -> object:
    order = await _order(call)
    return await _trades(call, await call.door.venue.books.trades(call.caller.account, order.filing.order_id))


async def _order(call: Call) -> DoorOrder:
    order = await call.door.venue.books.order(call.caller.account, call.path["order_id"])
    if order is None:
        raise InputError("Couldn't find that `order_id`.")
    return order


async def _working(call: Call, what: str) -> DoorOrder:
    order = await _order(call)
    if not order.working.is_working:
        raise OrderError(_ended(order.working.state, what))
    return order


def _answered(result: Result, what: str) -> object:
    if isinstance(result, Refused):
        error = words.error_of(result.refusal)
        raise (
            OrderError(f"Order cannot be {what}: {error.message}") if isinstance(error, OrderError) else error
        )
    return {"order_id": result.order.filing.order_id}


def _ended(state: OrderState, what: str) -> str:
    return f"Order cannot be {what} as it is {state.status.lower()}."


async def _rows(call: Call, orders: Sequence[DoorOrder]) -> list[dict[str, Any]]:
    tokens = await call.door.tokens([(each.working.exchange, each.working.symbol) for each in orders])
    return [rows.order_row(each, tokens.get(each.working.key, 0), call.caller) for each in orders]


async def _trades(call: Call, fills: Sequence[Fill]) -> list[dict[str, Any]]:
    tokens = await call.door.tokens([(each.exchange, each.symbol) for each in fills])
    return [
        rows.trade_row(
            each,
            tokens.get(f"{each.exchange}:{each.symbol}", 0),
            f"1{each.order_id[6:]:0>15}" if each.order_id.isdigit() else each.order_id,
        )
        for each in fills
    ]
