"""Who the account is, what it holds and what it may spend."""

from vyomo_contracts.vocabulary import Exchange, TransactionType
from vyomo_paper_exchange.domain.conversion import Conversion
from vyomo_paper_exchange.doors.smartapi import parameters as read
from vyomo_paper_exchange.doors.smartapi import rows
from vyomo_paper_exchange.doors.smartapi.calls import Call
from vyomo_paper_exchange.doors.smartapi.envelope import AppError
from vyomo_paper_exchange.doors.smartapi.parameters import parameters_of
from vyomo_paper_exchange.doors.smartapi.symbols import trading_symbol
from vyomo_paper_exchange.doors.smartapi.words import PRODUCTS


async def profile(call: Call) -> object:
    return rows.profile_row(call.caller)


async def funds(call: Call) -> object:
    return rows.funds_row(await call.door.venue.books.money(call.caller.account))


async def positions(call: Call) -> object:
    held = await call.door.venue.books.positions(call.caller.account)
    found = await call.door.found([(each.state.exchange, each.state.symbol) for each in held])
    return [rows.position_row(each, found.get(f"{each.state.exchange}:{each.state.symbol}")) for each in held]


async def convert(call: Call) -> object:
    parameters = await parameters_of(call.request)
    exchange = read.word(parameters, "exchange", Exchange)
    symbol = read.needed(parameters, "tradingsymbol")
    old = read.meant(parameters, "oldproducttype", PRODUCTS, "AB1012")
    new = read.meant(parameters, "newproducttype", PRODUCTS, "AB1012")
    side = read.word(parameters, "transactiontype", TransactionType)
    quantity = read.quantity(parameters)
    held = await call.door.venue.books.positions(call.caller.account)
    position = next(
        (
            each.state
            for each in held
            if each.listing is not None
            and each.state.exchange is exchange
            and each.state.product is old
            and trading_symbol(each.listing.instrument) == symbol
        ),
        None,
    )
    if position is None:
        raise AppError("AB1016", "Position not found")
    refusal = await call.door.venue.desk.convert(
        call.caller.account,
        Conversion(
            exchange=exchange,
            symbol=position.symbol,
            side=side,
            quantity=quantity,
            old=old,
            new=new,
            is_overnight=parameters.get("type", "DAY") != "DAY",
        ),
    )
    if refusal is not None:
        raise AppError("AB1017", refusal.message)
    return None


async def holdings(call: Call) -> object:
    held = await call.door.venue.books.holdings(call.caller.account)
    found = await call.door.found([(each.exchange, each.symbol) for each in held])
    return [rows.holding_row(each, found.get(f"{each.exchange}:{each.symbol}")) for each in held]


async def all_holdings(call: Call) -> object:
    held = await call.door.venue.books.holdings(call.caller.account)
    found = await call.door.found([(each.exchange, each.symbol) for each in held])
    listed = [rows.holding_row(each, found.get(f"{each.exchange}:{each.symbol}")) for each in held]
    return {"holdings": listed, "totalholding": rows.total_row(held)} if listed else None
