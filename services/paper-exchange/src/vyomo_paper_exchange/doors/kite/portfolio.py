"""Who the account is, what it holds and what it may spend."""

from decimal import Decimal
from typing import Any

from vyomo_contracts.money import ZERO
from vyomo_contracts.vocabulary import Exchange, Product, TransactionType
from vyomo_paper_exchange.domain.conversion import Conversion
from vyomo_paper_exchange.doors.books import HeldShares
from vyomo_paper_exchange.doors.kite import parameters as read
from vyomo_paper_exchange.doors.kite import rows
from vyomo_paper_exchange.doors.kite.calls import Call
from vyomo_paper_exchange.doors.kite.envelope import InputError
from vyomo_paper_exchange.doors.kite.parameters import parameters_of
from vyomo_paper_exchange.doors.kite.words import error_of


async def profile(call: Call) -> object:
    return rows.profile_row(call.caller)


async def full_profile(call: Call) -> object:
    row = rows.profile_row(call.caller)
    return {
        **row,
        "twofa_type": "totp",
        "phone": "",
        "bank_accounts": [],
        "dp_ids": [],
        "pan": "",
        "tags": [],
        "password_timestamp": None,
        "twofa_timestamp": None,
        "meta": {"poa": "physical", "silo": "", "account_blocks": []},
    }


async def margins(call: Call) -> object:
    segments = rows.funds_rows(await call.door.venue.books.money(call.caller.account))
    segment: str | None = call.path.get("segment")
    if segment is None:
        return segments
    if segment not in segments:
        raise InputError("Invalid `segment`.")
    return segments[segment]


async def positions(call: Call) -> object:
    held = await call.door.venue.books.positions(call.caller.account)
    tokens = await call.door.tokens([(each.state.exchange, each.state.symbol) for each in held])
    day: list[dict[str, Any]] = []
    net: list[dict[str, Any]] = []
    for each in held:
        token = tokens.get(f"{each.state.exchange}:{each.state.symbol}", 0)
        for listed, is_day in ((net, False), (day, True)):
            row = rows.position_row(each, token, is_day=is_day)
            if row is not None:
                listed.append(row)
    return {"net": net, "day": day}


async def convert(call: Call) -> object:
    parameters = await parameters_of(call.request)
    position_type = read.needed(parameters, "position_type")
    if position_type not in {"day", "overnight"}:
        raise InputError("Invalid `position_type`. It should be day or overnight.")
    wanted = Conversion(
        exchange=read.word(parameters, "exchange", Exchange),
        symbol=read.needed(parameters, "tradingsymbol"),
        side=read.word(parameters, "transaction_type", TransactionType),
        quantity=read.quantity(parameters),
        old=read.word(parameters, "old_product", Product),
        new=read.word(parameters, "new_product", Product),
        is_overnight=position_type == "overnight",
    )
    refusal = await call.door.venue.desk.convert(call.caller.account, wanted)
    if refusal is not None:
        raise error_of(refusal)
    return True


async def holdings(call: Call) -> object:
    held = await call.door.venue.books.holdings(call.caller.account)
    tokens = await _tokens(call, held)
    return [rows.holding_row(each, tokens.get(f"{each.exchange}:{each.symbol}", 0)) for each in held]


async def compact_holdings(call: Call) -> object:
    held = await call.door.venue.books.holdings(call.caller.account)
    tokens = await _tokens(call, held)
    return [
        {
            "exchange": each.exchange,
            "tradingsymbol": each.symbol,
            "instrument_token": tokens.get(f"{each.exchange}:{each.symbol}", 0),
            "t1_quantity": 0,
            "quantity": each.quantity,
        }
        for each in held
    ]


async def holdings_summary(call: Call) -> object:
    held = await call.door.venue.books.holdings(call.caller.account)
    invested = sum((each.average_price * each.quantity for each in held), ZERO)
    current = sum((each.last_price * each.quantity for each in held), ZERO)
    before = sum((each.previous_close * each.quantity for each in held), ZERO)
    return {
        "total_pnl": current - invested,
        "total_pnl_percent": _percent(current - invested, invested),
        "today_pnl": current - before,
        "today_pnl_percent": _percent(current - before, before),
        "invested_amount": invested,
        "current_value": current,
    }


async def nothing(call: Call) -> object:
    """A list that is always empty here: shares are never auctioned."""
    del call
    return []


async def _tokens(call: Call, held: list[HeldShares]) -> dict[str, int]:
    return await call.door.tokens([(each.exchange, each.symbol) for each in held])


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    return round(part * 100 / whole, 4) if whole else ZERO
