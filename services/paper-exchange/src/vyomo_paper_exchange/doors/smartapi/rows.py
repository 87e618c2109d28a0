"""Rows of Angel One's books. Quantities are texts and prices of orders numbers; a position is all text. Times are India's."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from vyomo_contracts.money import ZERO
from vyomo_contracts.orders import Fill
from vyomo_contracts.vocabulary import Exchange, InstrumentKind, OrderState, OrderType
from vyomo_paper_exchange.domain.times import IST
from vyomo_paper_exchange.doors.books import DayPosition, HeldShares, Money
from vyomo_paper_exchange.doors.orders import DoorOrder
from vyomo_paper_exchange.doors.smartapi.access import Caller
from vyomo_paper_exchange.doors.smartapi.calls import Found
from vyomo_paper_exchange.doors.smartapi.symbols import (
    NO_STRIKE,
    expiry_text,
    instrument_type,
    short_name,
    trading_symbol,
)
from vyomo_paper_exchange.doors.smartapi.words import (
    PRODUCTS,
    WORD_OF_PRODUCT,
    WORD_OF_TYPE,
    variety_of,
)

BOUNDLESS: Final = Decimal(1_000_000_000)
"""Shown as the money of an account whose capital is unlimited: the broker's own fields know no such thing."""
_UNIQUE_DIGITS: Final = 19
_STATUSES: Final[Mapping[OrderState, str]] = {
    OrderState.TRIGGER_PENDING: "trigger pending",
    OrderState.OPEN: "open",
    OrderState.PARTIALLY_FILLED: "open",
    OrderState.FILLED: "complete",
    OrderState.CANCELLED: "cancelled",
    OrderState.EXPIRED: "cancelled",
    OrderState.REJECTED: "rejected",
}


def time_text(at: datetime) -> str:
    return f"{at.astimezone(IST):%d-%b-%Y %H:%M:%S}"


def unique_id(order_id: str) -> str:
    """A UUID of version 8 made of the order id's digits; ids of Vyomo's own orders stay as they are."""
    if not order_id.isdigit():
        return order_id
    digits = f"{order_id:0>{_UNIQUE_DIGITS}}"
    return f"00{digits[:6]}-{digits[6:10]}-8{digits[10:13]}-8{digits[13:16]}-{digits[16:]:0>12}"


def order_id_of(unique: str) -> str | None:
    """The order id in a unique id; None for what is none."""
    digits = unique[2:8] + unique[9:13] + unique[15:18] + unique[20:23] + unique[-3:]
    if len(unique) == 36 and digits.isdigit() and digits.isascii() and unique_id(digits) == unique:
        return digits
    return unique if not unique.isdigit() else None


def status_of(order: DoorOrder) -> str:
    return _STATUSES.get(order.working.state, "open pending")


def order_row(order: DoorOrder, found: Found | None) -> dict[str, Any]:
    """`found` is None for what is no longer listed."""
    working, filing = order
    status = status_of(order)
    is_rejected = working.state is OrderState.REJECTED
    is_market = working.order_type is OrderType.MARKET
    at_exchange = "" if is_rejected else time_text(working.updated_at)
    return {
        "variety": variety_of(order),
        # As the broker does it: a market order is shown as the limit order that it became.
        "ordertype": WORD_OF_TYPE[OrderType.LIMIT if is_market else working.order_type],
        "ordertag": filing.tag or "",
        "producttype": WORD_OF_PRODUCT[working.product],
        "price": working.limit if is_market else working.price,
        "triggerprice": working.trigger_price or ZERO,
        "quantity": str(working.quantity),
        "disclosedquantity": str(filing.details.get("disclosed_quantity", 0)),
        "duration": str(working.validity),
        "squareoff": ZERO,
        "stoploss": ZERO,
        "trailingstoploss": ZERO,
        "transactiontype": str(working.transaction_type),
        "exchange": str(working.exchange),
        **_instrument(found, working.symbol),
        "cancelsize": str(working.remaining if status == "cancelled" else 0),
        "averageprice": working.average_price,
        "filledshares": str(working.filled_quantity),
        "unfilledshares": str(working.remaining),
        "orderid": filing.order_id,
        "text": working.reason or "",
        "status": status,
        "orderstatus": status,
        "updatetime": time_text(working.updated_at),
        "exchtime": at_exchange,
        "exchorderupdatetime": at_exchange,
        "fillid": "",
        "filltime": "",
        "parentorderid": "",
        "uniqueorderid": unique_id(filing.order_id),
    }


def trade_row(fill: Fill, found: Found | None) -> dict[str, Any]:
    # The exchange numbers an order's trades; clients expect a number of the day.
    digits = fill.order_id[-8:] if fill.order_id.isdigit() else fill.order_id
    named = _instrument(found, fill.symbol)
    multiplier = found.listing.instrument.multiplier if found else 1
    return {
        "exchange": str(fill.exchange),
        "producttype": WORD_OF_PRODUCT[fill.product],
        "tradingsymbol": named["tradingsymbol"],
        "symboltoken": named["symboltoken"],
        "instrumenttype": named["instrumenttype"],
        "symbolgroup": _group(fill.exchange),
        "strikeprice": named["strikeprice"],
        "optiontype": named["optiontype"],
        "expirydate": named["expirydate"],
        "marketlot": named["lotsize"],
        "precision": "2",
        "multiplier": str(multiplier),
        "tradevalue": fill.price * fill.quantity * multiplier,
        "transactiontype": str(fill.transaction_type),
        "fillprice": fill.price,
        "fillsize": str(fill.quantity),
        "orderid": fill.order_id,
        "fillid": f"{digits}{fill.trade_id.rpartition('-')[2]:0>3}",
        "filltime": f"{fill.filled_at.astimezone(IST):%H:%M:%S}",
        "uniqueorderid": unique_id(fill.order_id),
    }


def position_row(position: DayPosition, found: Found | None) -> dict[str, str]:
    state, last, multiplier = position.state, position.last_price, position.state.multiplier
    carried, carried_value = state.overnight_quantity, abs(state.overnight_value)
    cf_buys, cf_sells = max(carried, 0), max(-carried, 0)
    cf_buy_value = carried_value if cf_buys else ZERO
    cf_sell_value = carried_value if cf_sells else ZERO
    buys, sells = state.buy_quantity - cf_buys, state.sell_quantity - cf_sells
    buy_value, sell_value = state.buy_value - cf_buy_value, state.sell_value - cf_sell_value
    total_buy_average = _per_unit(state.buy_value, state.buy_quantity, multiplier)
    total_sell_average = _per_unit(state.sell_value, state.sell_quantity, multiplier)
    net = state.buy_quantity - state.sell_quantity
    net_average = total_buy_average if net > 0 else total_sell_average if net < 0 else ZERO
    named = _instrument(found, state.symbol)
    return {
        "exchange": str(state.exchange),
        "symboltoken": named["symboltoken"],
        "producttype": WORD_OF_PRODUCT[state.product],
        "tradingsymbol": named["tradingsymbol"],
        "symbolname": short_name(found.listing.instrument) if found else state.symbol,
        "instrumenttype": named["instrumenttype"],
        "priceden": "1.00",
        "pricenum": "1.00",
        "genden": "1.00",
        "gennum": "1.00",
        "precision": "2",
        "multiplier": str(multiplier),
        "boardlotsize": named["lotsize"],
        "buyqty": str(buys),
        "sellqty": str(sells),
        "buyamount": _money(buy_value),
        "sellamount": _money(sell_value),
        "symbolgroup": _group(state.exchange),
        "strikeprice": str(named["strikeprice"]),
        "optiontype": named["optiontype"],
        "expirydate": named["expirydate"],
        "lotsize": named["lotsize"],
        "cfbuyqty": str(cf_buys),
        "cfsellqty": str(cf_sells),
        "cfbuyamount": _money(cf_buy_value),
        "cfsellamount": _money(cf_sell_value),
        "buyavgprice": _money(_per_unit(buy_value, buys, multiplier)),
        "sellavgprice": _money(_per_unit(sell_value, sells, multiplier)),
        "avgnetprice": _money(net_average),
        "netvalue": _money(state.sell_value - state.buy_value),
        "netqty": str(net),
        "totalbuyvalue": _money(state.buy_value),
        "totalsellvalue": _money(state.sell_value),
        "cfbuyavgprice": _money(_per_unit(cf_buy_value, cf_buys, multiplier)),
        "cfsellavgprice": _money(_per_unit(cf_sell_value, cf_sells, multiplier)),
        "totalbuyavgprice": _money(total_buy_average),
        "totalsellavgprice": _money(total_sell_average),
        "netprice": _money(net_average),
        "ltp": _money(last),
        "close": _money(position.previous_close),
        "pnl": _money(state.profit(last)),
        "realised": _money(state.realised),
        "unrealised": _money(state.unrealised(last)),
    }


def holding_row(held: HeldShares, found: Found | None) -> dict[str, Any]:
    named = _instrument(found, held.symbol)
    profit = (held.last_price - held.average_price) * held.quantity
    return {
        "tradingsymbol": named["tradingsymbol"],
        "exchange": held.exchange,
        "isin": "",
        "t1quantity": 0,
        "realisedquantity": held.quantity,
        "quantity": held.quantity - held.sold_today,
        "authorisedquantity": 0,
        "product": "DELIVERY",
        "collateralquantity": None,
        "collateraltype": None,
        "haircut": ZERO,
        "averageprice": held.average_price,
        "ltp": held.last_price,
        "symboltoken": named["symboltoken"],
        "close": held.previous_close,
        "profitandloss": round(profit, 2),
        "pnlpercentage": percent(profit, held.average_price * held.quantity),
    }


def total_row(holdings: Sequence[HeldShares]) -> dict[str, Any]:
    invested = sum((each.average_price * each.quantity for each in holdings), ZERO)
    value = sum((each.last_price * each.quantity for each in holdings), ZERO)
    return {
        "totalholdingvalue": value,
        "totalinvvalue": invested,
        "totalprofitandloss": round(value - invested, 2),
        "totalpnlpercentage": percent(value - invested, invested),
    }


def funds_row(money: Money) -> dict[str, str]:
    net = _money(BOUNDLESS if money.available is None else money.available)
    nothing = dict.fromkeys(
        (
            "availableintradaypayin",
            "availablelimitmargin",
            "collateral",
            "utilisedspan",
            "utilisedoptionpremium",
            "utilisedholdingsales",
            "utilisedexposure",
            "utilisedturnover",
            "utilisedpayout",
        ),
        _money(ZERO),
    )
    return {
        "net": net,
        "availablecash": net,
        **nothing,
        "m2munrealized": _money(money.unrealised),
        "m2mrealized": _money(money.realised_today),
        "utiliseddebits": _money(money.used),
    }


def profile_row(caller: Caller) -> dict[str, Any]:
    client = caller.account.client_id
    return {
        "clientcode": client,
        "name": f"Sandbox {client}",
        "email": f"{client.lower()}@sandbox.invalid",
        "mobileno": "",
        "exchanges": [str(exchange) for exchange in Exchange],
        "products": list(PRODUCTS),
        "lastlogintime": "",
        "brokerid": "B2C",
    }


def percent(part: Decimal, whole: Decimal) -> Decimal:
    return round(part * 100 / whole, 2) if whole else ZERO


def _instrument(found: Found | None, symbol: str) -> dict[str, Any]:
    if found is None:
        return {
            "tradingsymbol": symbol,
            "symboltoken": "",
            "instrumenttype": "",
            "strikeprice": NO_STRIKE,
            "optiontype": "",
            "expirydate": "",
            "lotsize": "1",
        }
    instrument = found.listing.instrument
    is_on_index = found.listing.root.kind is InstrumentKind.INDEX
    return {
        "tradingsymbol": trading_symbol(instrument),
        "symboltoken": str(found.number),
        "instrumenttype": instrument_type(instrument, is_on_index=is_on_index),
        "strikeprice": NO_STRIKE if instrument.strike is None else instrument.strike,
        "optiontype": str(instrument.option_type or ""),
        "expirydate": expiry_text(instrument),
        "lotsize": str(instrument.lot_size),
    }


def _group(exchange: Exchange) -> str:
    return "EQ" if exchange is Exchange.NSE else ""


def _money(amount: Decimal) -> str:
    return f"{amount:.4f}"


def _per_unit(value: Decimal, quantity: int, multiplier: int) -> Decimal:
    return round(value / quantity / multiplier, 4) if quantity else ZERO
