"""Every code with a sentence it comes with, as the documentation shows them. `None` in place of a field: there is none to name."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from vyomo_contracts.reasons import ReasonCode as Code

_ORDER: Final = "PAPER_06F2M7Q8Z5X3K9V1T4B6N0R2YA"


class Shown(NamedTuple):
    message: str
    field: str | None = None


SHOWN: Final[Mapping[Code, Shown]] = {
    Code.MALFORMED_JSON: Shown("the body is not valid JSON: Input data was truncated"),
    Code.BODY_TOO_LARGE: Shown("the body must not be larger than 16384 bytes"),
    Code.UNSUPPORTED_MEDIA_TYPE: Shown("send a JSON body with the header Content-Type: application/json"),
    Code.MISSING_FIELD: Shown("clientId is required", "clientId"),
    Code.UNKNOWN_FIELD: Shown("colour is not a field of this request", "colour"),
    Code.INVALID_FIELD: Shown("limit must be at most 500", "limit"),
    Code.IDEMPOTENCY_KEY_INVALID: Shown(
        "Idempotency-Key must be 1 to 64 visible ASCII characters without spaces", "Idempotency-Key"
    ),
    Code.IDEMPOTENCY_KEY_REUSED: Shown(
        f"this key was used for another order ({_ORDER}); use a new key for a new order", "Idempotency-Key"
    ),
    Code.NOT_FOUND: Shown("there is nothing at /api/nothing"),
    Code.METHOD_NOT_ALLOWED: Shown("PUT is not possible here; allowed: GET, POST"),
    Code.UNAUTHENTICATED: Shown("this API key is not valid: unknown, revoked or expired"),
    Code.SCOPE_MISSING: Shown("this API key lacks the scope trade; use a key that has it"),
    Code.FOREIGN_PAGE: Shown(
        "this browser session serves the dashboard's own page only: reload it; programs use an API key"
    ),
    Code.USER_MISMATCH: Shown("userId must be the user the API key belongs to, or be left out", "userId"),
    Code.ACCOUNT_NOT_FOUND: Shown("you have no account 7", "accountId"),
    Code.ACCOUNT_EXISTS: Shown("you have an account at paper with clientId DEMO123 already", "clientId"),
    Code.ACCOUNT_INACTIVE: Shown(
        'account 1 is inactive; activate it with PATCH {"isActive": true} first', "accountId"
    ),
    Code.NOT_A_PAPER_ACCOUNT: Shown(
        "account 2 is at zerodha: only paper accounts get credentials of their own for the sandbox",
        "accountId",
    ),
    Code.ACCOUNT_HAS_OPEN_ORDERS: Shown("account 1 has open orders (2); cancel them first", "accountId"),
    Code.SESSION_NOT_FOUND: Shown("you have no session 7", "sessionId"),
    Code.UNKNOWN_SYMBOL: Shown(
        "NIFTI is not known on NSE; GET /api/instruments?q=NIFTI finds similar ones", "symbol"
    ),
    Code.WRONG_EXCHANGE: Shown("RELIANCE is not listed on NFO; it is on BSE, NSE", "exchange"),
    Code.INSTRUMENT_NOT_ORDERABLE: Shown(
        "NIFTY is an index: it can be ordered on paper accounts only; order its futures or options instead",
        "symbol",
    ),
    Code.INSTRUMENT_EXPIRED: Shown("NIFTY26JANFUT expired on 2026-01-27", "symbol"),
    Code.QUANTITY_NOT_POSITIVE: Shown("quantity must be greater than 0", "quantity"),
    Code.QUANTITY_NOT_LOT_MULTIPLE: Shown(
        "quantity must be a multiple of the lot size 65; 100 is not, 65 or 130 would be", "quantity"
    ),
    Code.PRICE_REQUIRED: Shown("price is required for LIMIT and must be greater than 0", "price"),
    Code.PRICE_OFF_TICK: Shown(
        "price must be a multiple of the tick size 0.05; 250.51 is not, 250.5 or 250.55 would be", "price"
    ),
    Code.PRICE_OUTSIDE_BAND: Shown(
        "price must be within today's band of 20032 to 30048; it is 250.5", "price"
    ),
    Code.TRIGGER_PRICE_REQUIRED: Shown(
        "triggerPrice is required for SL and must be greater than 0", "triggerPrice"
    ),
    Code.TRIGGER_PRICE_OFF_TICK: Shown(
        "triggerPrice must be a multiple of the tick size 0.05; 245.01 is not, 245 or 245.05 would be",
        "triggerPrice",
    ),
    Code.TRIGGER_PRICE_WRONG_SIDE: Shown(
        "for a BUY SL order triggerPrice must be at or below price; 251 is not, price is 250.5",
        "triggerPrice",
    ),
    Code.EXCHANGE_NOT_ALLOWED: Shown(
        "MCX is not possible on angel accounts; use NSE, NFO, BSE, BFO", "exchange"
    ),
    Code.ORDER_TYPE_NOT_ALLOWED: Shown("SL-M is not possible on options; use SL with a price", "orderType"),
    Code.PRODUCT_NOT_ALLOWED: Shown("CNC is not possible on NFO; use MIS or NRML", "product"),
    Code.VALIDITY_NOT_ALLOWED: Shown("IOC is not possible on MCX; use DAY", "validity"),
    Code.RISK_QUANTITY_ABOVE_FREEZE: Shown(
        "quantity 1820 is above the exchange's freeze quantity 1800 for NIFTY26DECFUT; at most 1755 in one order, so "
        "split it",
        "quantity",
    ),
    Code.RISK_ORDER_VALUE_ABOVE_LIMIT: Shown(
        "the order is worth about 249355000.00 rupees; one order may be worth at most 100000000.00",
        "quantity",
    ),
    Code.RISK_ORDER_QUANTITY_ABOVE_LIMIT: Shown(
        "quantity 500 is above your limit of 100 an order (maxOrderQuantity)", "quantity"
    ),
    Code.RISK_PRICE_FAR_FROM_LAST: Shown(
        "price 1600 is 6.67 % from the last price 1500; your limit is 5 % (priceBandPercent)", "price"
    ),
    Code.RISK_LAST_PRICE_UNKNOWN: Shown(
        "RELIANCE has no last price now, so your price limit (priceBandPercent) cannot be checked; try again",
        "symbol",
    ),
    Code.RISK_OPEN_ORDERS_ABOVE_LIMIT: Shown(
        "the account has 20 open orders; your limit is 20 (maxOpenOrders)"
    ),
    Code.RISK_POSITION_ABOVE_LIMIT: Shown(
        "the position in RELIANCE could become 150, open orders included; your limit is 100 (maxPositionQuantity)",
        "quantity",
    ),
    Code.RISK_EXPOSURE_ABOVE_LIMIT: Shown(
        "the account's positions could become worth 525000.00 rupees, open orders included; your limit is 500000.00 "
        "(maxExposure)",
        "quantity",
    ),
    Code.RISK_DUPLICATE_ORDER: Shown(
        "an equal order was placed within the last 5 seconds (duplicateWindowSeconds); if you mean it, wait, or change "
        "something"
    ),
    Code.RISK_REDUCE_ONLY: Shown(
        "the account is set to only reduce positions (reduceOnly); a BUY of RELIANCE (MIS) could take off 0, open orders "
        "considered, not 10",
        "quantity",
    ),
    Code.TRADING_REDUCING: Shown(
        "the account may only reduce positions now; a BUY of RELIANCE (MIS) could take off 0, open orders considered, not 10",
        "quantity",
    ),
    Code.TRADING_HALTED: Shown(
        "trading is halted; GET /api/risk/state tells why, only cancellations are possible"
    ),
    Code.LIMIT_ABOVE_BROKERS: Shown(
        "zerodha takes at most 10 orders a second; no setting raises that", "ordersPerSecond"
    ),
    Code.ORDER_NOT_FOUND: Shown(f"this account has no order {_ORDER}", "orderId"),
    Code.ORDER_NOT_PENDING: Shown(
        f"{_ORDER} is COMPLETE: only a pending order can be changed or cancelled", "orderId"
    ),
    Code.ACTION_PENDING: Shown(f"a modify of {_ORDER} is still open; wait for its outcome", "orderId"),
    Code.NOTHING_TO_MODIFY: Shown(
        "name at least one of quantity, price, triggerPrice, orderType and validity"
    ),
    Code.QUANTITY_BELOW_FILLED: Shown(
        "quantity must be above the filled quantity 5; to stop here, cancel the order", "quantity"
    ),
    Code.CANCEL_UNCONFIRMED: Shown("the cancellation is recorded and the broker has not confirmed it yet"),
    Code.MARGIN_INSUFFICIENT: Shown("the order needs 49871.00 of margin; 4200.24 is available"),
    Code.HOLDINGS_INSUFFICIENT: Shown(
        "selling 10 RELIANCE for delivery needs as many units held or bought today; 0 are free"
    ),
    Code.MARKET_CLOSED: Shown("NSE is closed; it opens on Thu 26 Nov 2026 at 09:15 IST"),
    Code.NO_QUOTE: Shown("NFO:NIFTY26DECFUT is not listed at the paper exchange, so it has no price"),
    Code.TRIGGER_ALREADY_CROSSED: Shown(
        "trigger price 245 of a stop-loss BUY order must be above the last price 250.5"
    ),
    Code.IOC_REMAINDER: Shown("5 of 10 could not trade at once"),
    Code.DAY_ENDED: Shown("the day ended before the order traded in full"),
    Code.BROKER_REFUSED: Shown(f"the broker refused to cancel {_ORDER}; it is still OPEN"),
    Code.BROKER_UNREACHABLE: Shown(f"the broker could not be reached to cancel {_ORDER}; it is still OPEN"),
    Code.SIGN_IN_REFUSED: Shown(
        "zerodha refused the sign-in: TokenException: Token is invalid or has expired."
    ),
    Code.SIGN_IN_NOT_NEEDED: Shown("paper accounts need no login: orders can be placed at once"),
    Code.LOGIN_NOT_BY_BROWSER: Shown("angel accounts sign in without a browser: POST to the same path"),
    Code.LOGIN_STATE_INVALID: Shown(
        "this login is not known, was finished before, or took longer than ten minutes; begin it anew",
        "state",
    ),
    Code.CREDENTIALS_UNREADABLE: Shown("the stored credentials were sealed for another key; give them again"),
    Code.SANDBOX_NOT_RUNNING: Shown(
        "this installation has no sandbox of zerodha; start it with its doors open"
    ),
    Code.OUTCOME_UNKNOWN: Shown("the broker has not said what became of the order; it is being found out"),
    Code.NOT_FOUND_AT_BROKER: Shown("the broker does not know the order: it was not placed"),
    Code.EXPIRED_UNSENT: Shown("not sent: no broker worker took the order before its deadline"),
    Code.WORKER_FAILED: Shown(
        "the broker's worker failed on it time after time; nothing was sent (dead letter 12)"
    ),
    Code.USER_CANCELLED: Shown("the reason that was given with the cancellation"),
    Code.RATE_LIMITED: Shown(
        "the account may place 8 new orders a second (ordersPerSecond, less what is kept for cancellations); PUT "
        '/api/risk/limits?accountId=1 {"ordersPerSecond": 1000} allows more; nothing was recorded, repeat with the same '
        "Idempotency-Key"
    ),
    Code.ORDERS_WAITING: Shown(
        "57 orders of account 1 wait for the broker's worker (at most 50 may); nothing was recorded, repeat with the same "
        "Idempotency-Key"
    ),
    Code.EVENTS_BEHIND: Shown(
        "what happened to orders is told 7 seconds late, so new ones are not taken right now (cancelling goes on); nothing was "
        "recorded, repeat with the same Idempotency-Key"
    ),
    Code.NOT_DURABLE: Shown(
        "orders to real brokers are not taken while a power cut could make us forget them: PostgreSQL runs with fsync = off (should "
        "be on) (see ./vyomo doctor); paper accounts and cancelling go on"
    ),
    Code.BUS_UNAVAILABLE: Shown(
        "no answer over the message bus in time, so nothing is known to have been done; try again, an order with the "
        "same Idempotency-Key"
    ),
    Code.RECORD_UNAVAILABLE: Shown(
        "the database does not answer, so nothing is known to have been done; try again, an order with the same "
        "Idempotency-Key"
    ),
    Code.SERVICE_UNAVAILABLE: Shown(
        "the service behind this call does not answer; try again, an order with the same Idempotency-Key"
    ),
    Code.INTERNAL_ERROR: Shown(
        "an error of ours, which is logged; see what was done before you try again, and repeat an order only with the same "
        "Idempotency-Key"
    ),
}

ONLY_IN_ORDERS: Final = frozenset(
    {
        Code.IOC_REMAINDER,
        Code.DAY_ENDED,
        Code.OUTCOME_UNKNOWN,
        Code.NOT_FOUND_AT_BROKER,
        Code.EXPIRED_UNSENT,
        Code.WORKER_FAILED,
        Code.USER_CANCELLED,
    }
)
"""Stand in an order's `reasonCode` and are no answer to a call."""
