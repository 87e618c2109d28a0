"""Rows of Kite's books. Times are India's without saying so, prices are numbers that never were floats."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from vyomo_contracts.money import ZERO
from vyomo_contracts.orders import Fill
from vyomo_contracts.vocabulary import Exchange, OrderState, OrderType
from vyomo_paper_exchange.domain.times import IST
from vyomo_paper_exchange.doors.books import DayPosition, HeldShares, Money
from vyomo_paper_exchange.doors.kite.access import Caller
from vyomo_paper_exchange.doors.orders import DoorOrder, Step, StepRow

BOUNDLESS: Final = Decimal(1_000_000_000)
"""Shown as the money of an account whose capital is unlimited: Kite's own fields know no such thing."""

STATUS_OF_STEP: Final[Mapping[Step, str]] = {
    Step.RECEIVED: "PUT ORDER REQ RECEIVED",
    Step.VALIDATING: "VALIDATION PENDING",
    Step.SENDING: "OPEN PENDING",
    Step.MODIFY_VALIDATING: "MODIFY VALIDATION PENDING",
    Step.MODIFYING: "MODIFY PENDING",
    Step.MODIFIED: "MODIFIED",
    Step.CANCELLING: "CANCEL PENDING",
    Step.TRIGGER_PENDING: "TRIGGER PENDING",
    Step.OPEN: "OPEN",
    Step.COMPLETE: "COMPLETE",
    Step.CANCELLED: "CANCELLED",
    Step.REJECTED: "REJECTED",
}
_STATUS_OF_STATE: Final[Mapping[OrderState, str]] = {
    OrderState.TRIGGER_PENDING: "TRIGGER PENDING",
    OrderState.OPEN: "OPEN",
    OrderState.PARTIALLY_FILLED: "OPEN",
    OrderState.FILLED: "COMPLETE",
    OrderState.CANCELLED: "CANCELLED",
    OrderState.EXPIRED: "CANCELLED",
    OrderState.REJECTED: "REJECTED",
}


def time_text(at: datetime) -> str:
    return f"{at.astimezone(IST):%Y-%m-%d %H:%M:%S}"


def order_row(order: DoorOrder, instrument_token: int, caller: Caller) -> dict[str, Any]:
    working, filing = order
    status = _STATUS_OF_STATE.get(working.state, "OPEN PENDING")
    tags = [*([filing.tag] if filing.tag else ()), *filing.details.get("tags", ())]
    is_rejected = working.state is OrderState.REJECTED
    is_cancelled = status == "CANCELLED"
    shows_limit = working.order_type is OrderType.MARKET and filing.details.get("profile") == "strict_2026"
    row = {
        "account_id": caller.account.client_id,
        "placed_by": caller.account.client_id,
        "order_id": filing.order_id,
        "exchange_order_id": None if is_rejected else filing.exchange_order_id,
        "parent_order_id": None,
        "status": status,
        "status_message": working.reason,
        "status_message_raw": working.reason,
        "order_timestamp": time_text(filing.placed_at),
        "exchange_update_timestamp": None if is_rejected else time_text(working.updated_at),
        "exchange_timestamp": None if is_rejected else time_text(working.updated_at),
        "variety": filing.details.get("variety", "regular"),
        "modified": filing.modifications > 0,
        "exchange": working.exchange,
        "tradingsymbol": working.symbol,
        "instrument_token": instrument_token,
        "order_type": OrderType.LIMIT if shows_limit else working.order_type,
        "transaction_type": working.transaction_type,
        "validity": working.validity,
        "validity_ttl": 0,
        "product": working.product,
        "quantity": working.quantity,
        "disclosed_quantity": filing.details.get("disclosed_quantity", 0),
        "price": working.limit if shows_limit else working.price,
        "trigger_price": working.trigger_price or ZERO,
        "auction_number": None,
        "average_price": working.average_price,
        "filled_quantity": working.filled_quantity,
        # As Kite does it: a cancelled row keeps what was pending beside what was cancelled.
        "pending_quantity": 0 if is_rejected else working.remaining,
        "cancelled_quantity": working.remaining if is_cancelled else 0,
        "market_protection": 0,
        "meta": {},
        "tag": filing.tag,
        "guid": f"{filing.exchange_order_id}X{filing.order_id}",
    }
    return row | {"tags": tags} if tags else row


def history_rows(order: DoorOrder, steps: Sequence[StepRow], row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The order at each step, oldest first."""
    return [
        {
            **row,
            "status": STATUS_OF_STEP[step.step],
            "status_message": step.reason,
            "status_message_raw": step.reason,
            "exchange_order_id": None
            if step.step in {Step.RECEIVED, Step.VALIDATING}
            else row["exchange_order_id"],
            "order_timestamp": time_text(step.at),
            "quantity": step.quantity,
            "price": step.price if step.order_type.takes_price else row["price"],
            "trigger_price": step.trigger_price or ZERO,
            "validity": step.validity,
            "filled_quantity": step.filled_quantity,
            "pending_quantity": step.quantity - step.filled_quantity,
            "cancelled_quantity": step.quantity - step.filled_quantity if step.step is Step.CANCELLED else 0,
            "average_price": step.average_price,
            "variety": order.filing.details.get("variety", "regular"),
        }
        for step in steps
    ]


def update_row(order: DoorOrder, step: Step, row: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """As sockets and postbacks tell it: what happens to an open order is an UPDATE."""
    is_update = step is Step.OPEN and (order.working.filled_quantity > 0 or order.filing.modifications > 0)
    return {
        **row,
        "status": "UPDATE" if is_update else row["status"],
        "user_id": caller.account.client_id,
        "app_id": 0,
        "unfilled_quantity": order.working.remaining,
        "checksum": "",
    }


def trade_row(fill: Fill, instrument_token: int, exchange_order_id: str) -> dict[str, Any]:
    at = time_text(fill.filled_at)
    return {
        # The exchange numbers an order's trades; clients expect a number of the day.
        "trade_id": f"{exchange_order_id[-8:]}{fill.trade_id.rpartition('-')[2]:0>3}",
        "order_id": fill.order_id,
        "exchange_order_id": exchange_order_id,
        "exchange": fill.exchange,
        "tradingsymbol": fill.symbol,
        "instrument_token": instrument_token,
        "product": fill.product,
        "average_price": fill.price,
        "quantity": fill.quantity,
        "transaction_type": fill.transaction_type,
        "fill_timestamp": at,
        "exchange_timestamp": at,
        "order_timestamp": at[11:],
    }


def position_row(position: DayPosition, instrument_token: int, *, is_day: bool) -> dict[str, Any] | None:
    """A row of `net`, or of `day`: there only today's trades count. None for a carried position without any."""
    state, last, multiplier = position.state, position.last_price, position.state.multiplier
    carried, carried_value = state.overnight_quantity, abs(state.overnight_value)
    day_buys = state.buy_quantity - max(carried, 0)
    day_sells = state.sell_quantity - max(-carried, 0)
    day_buy_value = state.buy_value - (carried_value if carried > 0 else ZERO)
    day_sell_value = state.sell_value - (carried_value if carried < 0 else ZERO)
    if is_day and not (day_buys or day_sells):
        return None
    buys, sells = (day_buys, day_sells) if is_day else (state.buy_quantity, state.sell_quantity)
    buy_value, sell_value = (day_buy_value, day_sell_value) if is_day else (state.buy_value, state.sell_value)
    quantity = buys - sells
    settled = carried * position.previous_close * multiplier
    buy_m2m = day_buy_value + (settled if carried > 0 and not is_day else ZERO)
    sell_m2m = day_sell_value + (-settled if carried < 0 and not is_day else ZERO)
    value, worth = sell_value - buy_value, quantity * last * multiplier
    buy_price, sell_price = (
        _per_unit(buy_value, buys, multiplier),
        _per_unit(sell_value, sells, multiplier),
    )
    return {
        "tradingsymbol": state.symbol,
        "exchange": state.exchange,
        "instrument_token": instrument_token,
        "product": state.product,
        "quantity": quantity,
        "overnight_quantity": 0 if is_day else carried,
        "multiplier": multiplier,
        "average_price": buy_price if quantity > 0 else sell_price if quantity < 0 else ZERO,
        "close_price": position.previous_close if carried else ZERO,
        "last_price": last,
        "value": value,
        "pnl": value + worth,
        "m2m": sell_m2m - buy_m2m + worth,
        "unrealised": value + worth,
        "realised": ZERO,
        "buy_quantity": buys,
        "buy_price": buy_price,
        "buy_value": buy_value,
        "buy_m2m": buy_m2m,
        "sell_quantity": sells,
        "sell_price": sell_price,
        "sell_value": sell_value,
        "sell_m2m": sell_m2m,
        "day_buy_quantity": day_buys,
        "day_buy_price": _per_unit(day_buy_value, day_buys, multiplier),
        "day_buy_value": day_buy_value,
        "day_sell_quantity": day_sells,
        "day_sell_price": _per_unit(day_sell_value, day_sells, multiplier),
        "day_sell_value": day_sell_value,
    }


def holding_row(held: HeldShares, instrument_token: int) -> dict[str, Any]:
    change = held.last_price - held.previous_close
    percent = change * 100 / held.previous_close if held.previous_close else ZERO
    return {
        "tradingsymbol": held.symbol,
        "exchange": held.exchange,
        "instrument_token": instrument_token,
        "isin": "",
        "product": "CNC",
        "price": ZERO,
        "quantity": held.quantity,
        "used_quantity": held.sold_today,
        "t1_quantity": 0,
        "realised_quantity": held.quantity,
        "authorised_quantity": 0,
        "authorised_date": None,
        "authorisation": {},
        "opening_quantity": held.quantity,
        "short_quantity": 0,
        "collateral_quantity": 0,
        "collateral_type": "",
        "discrepancy": False,
        "average_price": held.average_price,
        "last_price": held.last_price,
        "close_price": held.previous_close,
        "pnl": (held.last_price - held.average_price) * held.quantity,
        "day_change": change,
        "day_change_percentage": round(percent, 4),
        "mtf": {
            "quantity": 0,
            "used_quantity": 0,
            "average_price": ZERO,
            "value": ZERO,
            "initial_margin": ZERO,
        },
    }


def funds_rows(money: Money) -> dict[str, Any]:
    """All money is in the equity segment, as it is at Zerodha since both share one ledger."""
    available = BOUNDLESS if money.available is None else money.available
    opening = BOUNDLESS if money.opening_balance is None else money.opening_balance
    return {
        "equity": _segment(available, opening, money.used, money.realised_today, money.unrealised),
        "commodity": _segment(ZERO, ZERO, ZERO, ZERO, ZERO),
    }


def _segment(
    net: Decimal, opening: Decimal, used: Decimal, realised: Decimal, unrealised: Decimal
) -> dict[str, Any]:
    return {
        "enabled": True,
        "net": net,
        "available": {
            "adhoc_margin": ZERO,
            "cash": opening,
            "opening_balance": opening,
            "live_balance": net,
            "collateral": ZERO,
            "intraday_payin": ZERO,
        },
        "utilised": {
            "debits": used,
            "exposure": ZERO,
            "m2m_realised": -realised,
            "m2m_unrealised": -unrealised,
            "option_premium": ZERO,
            "payout": ZERO,
            "span": ZERO,
            "holding_sales": ZERO,
            "turnover": ZERO,
            "liquid_collateral": ZERO,
            "stock_collateral": ZERO,
            "delivery": ZERO,
        },
    }


def profile_row(caller: Caller) -> dict[str, Any]:
    client = caller.account.client_id
    return {
        "user_id": client,
        "user_name": f"Sandbox {client}",
        "user_shortname": client,
        "email": f"{client.lower()}@sandbox.invalid",
        "user_type": "individual",
        "broker": "ZERODHA",
        "exchanges": [str(exchange) for exchange in Exchange],
        "products": ["CNC", "NRML", "MIS"],
        "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
        "avatar_url": None,
        "meta": {"demat_consent": "consent"},
    }


def _per_unit(value: Decimal, quantity: int, multiplier: int) -> Decimal:
    return round(value / quantity / multiplier, 4) if quantity else ZERO
