"""From a trader's body to a command: what does not apply is dropped and named, and equal requests get equal hashes."""

import hashlib
import re
from decimal import Decimal
from typing import Final

from pydantic import ValidationError

from vyomo_contracts.identifiers import IDEMPOTENCY_KEY_MAX_LENGTH
from vyomo_contracts.money import ZERO
from vyomo_contracts.orders import OrderRequest
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderType
from vyomo_gateway.edge.encoding import decode_json
from vyomo_gateway.edge.problems import ApiError, InvalidRequestError
from vyomo_gateway.edge.validation import problems_of
from vyomo_gateway.orders.schemas import ModifyBody, OrderBody

LONGEST_WAIT_SECONDS: Final = 10
_KEY: Final = re.compile(rf"[\x21-\x7e]{{1,{IDEMPOTENCY_KEY_MAX_LENGTH}}}")
_WAIT: Final = re.compile(r"(?:^|,)\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?=[,;]|$)", re.IGNORECASE)
_SEPARATOR: Final = "\x1f"  # no field can contain it


def order_body_of(body: bytes) -> OrderBody:
    try:
        return OrderBody.model_validate(decode_json(body) if body else None)
    except ValidationError as error:
        raise InvalidRequestError(problems_of(error.errors(include_url=False, include_input=False))) from None


def order_request_of(body: OrderBody) -> tuple[OrderRequest, list[str]]:
    """The order as the router takes it, and what was ignored.

    Raises:
        InvalidRequestError: the order type needs a price that is not there, or there is nothing to trade.
    """
    if body.quantity <= 0:
        raise InvalidRequestError.one(
            ReasonCode.QUANTITY_NOT_POSITIVE, "quantity", "quantity must be greater than 0"
        )
    order_type = body.order_type
    takes_price = order_type.takes_price
    takes_trigger_price = order_type.takes_trigger_price
    if takes_price and not body.price:
        raise InvalidRequestError.one(
            ReasonCode.PRICE_REQUIRED,
            "price",
            f"price is required for {order_type} and must be greater than 0",
        )
    if takes_trigger_price and not body.trigger_price:
        raise InvalidRequestError.one(
            ReasonCode.TRIGGER_PRICE_REQUIRED,
            "triggerPrice",
            f"triggerPrice is required for {order_type} and must be greater than 0",
        )
    request = OrderRequest(
        symbol=body.symbol,
        exchange=body.exchange,
        transaction_type=body.transaction_type,
        order_type=order_type,
        quantity=body.quantity,
        price=(body.price if takes_price else None) or ZERO,
        trigger_price=body.trigger_price if takes_trigger_price else None,
        product=body.product,
        validity=body.validity,
        tag=body.tag,
        strategy_id=body.strategy_id,
        parent_order_id=body.parent_order_id,
        group_id=body.group_id,
    )
    return request, ignored_prices(order_type, body)


def ignored_prices(order_type: OrderType, body: OrderBody | ModifyBody) -> list[str]:
    """Sentences about prices that orders of this type do not have."""
    warnings: list[str] = []
    if body.price and not order_type.takes_price:
        warnings.append(f"price does not apply to {order_type} orders and was ignored")
    if body.trigger_price and not order_type.takes_trigger_price:
        warnings.append(f"triggerPrice does not apply to {order_type} orders and was ignored")
    return warnings


def body_hash(request: OrderRequest) -> str:
    """SHA-256 of what was asked for, however it was written: 250.5 and 250.50 are one request."""
    parts = (
        request.symbol,
        request.exchange,
        request.transaction_type,
        request.order_type,
        str(request.quantity),
        _plain(request.price),
        _plain(request.trigger_price),
        request.product,
        request.validity,
        request.tag or "",
        request.strategy_id or "",
        request.parent_order_id or "",
        request.group_id or "",
    )
    return hashlib.sha256(_SEPARATOR.join(parts).encode()).hexdigest()


def _plain(price: Decimal | None) -> str:
    return "" if price is None else f"{price.normalize():f}"


def checked_idempotency_key(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise ApiError(
            ReasonCode.IDEMPOTENCY_KEY_INVALID,
            f"Idempotency-Key must be 1 to {IDEMPOTENCY_KEY_MAX_LENGTH} visible ASCII characters without spaces",
            field="Idempotency-Key",
        )
    return key


def wait_seconds(prefer: str | None) -> int | None:
    """The `wait` of a `Prefer` header, at most `LONGEST_WAIT_SECONDS`; None when it asks for none."""
    match = _WAIT.search(prefer) if prefer else None
    return min(int(match[1]), LONGEST_WAIT_SECONDS) if match else None
