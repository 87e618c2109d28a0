"""Orders placed elsewhere, as orders of the account: labelled, followed, never acted upon. Pure.

Ids are made from the broker's own, so the same row is the same order whenever and by whomever it is adopted.
"""

import hashlib
from datetime import datetime
from typing import Final

from vyomo_broker_kit.answers import clean
from vyomo_broker_kit.port import BookEntry
from vyomo_contracts.identifiers import BROKER_TAG_MAX_LENGTH
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker, OrderState, Origin

_ID_CHARACTERS: Final = 25


def external_order(
    entry: BookEntry, *, account_id: int, user_id: str, broker: Broker, origin: Origin, at: datetime
) -> Order:
    """`origin` is `reconciliation` for what carries our tag and is not the order we sent."""
    digest = hashlib.sha256(f"{account_id}|{entry.broker_order_id}".encode()).hexdigest().upper()
    is_rejected = entry.state is OrderState.REJECTED
    return Order(
        # Ours begin with the time, which will not reach an X for centuries: the two kinds cannot collide.
        order_id=f"{broker.upper()}_X{digest[:_ID_CHARACTERS]}",
        account_id=account_id,
        user_id=user_id,
        broker=broker,
        symbol=entry.symbol,
        exchange=entry.exchange,
        transaction_type=entry.transaction_type,
        order_type=entry.order_type,
        quantity=entry.quantity,
        price=entry.price,
        trigger_price=entry.trigger_price,
        product=entry.product,
        validity=entry.validity,
        state=entry.state,
        filled_quantity=entry.filled_quantity,
        average_price=entry.average_price,
        version=1,
        reason_code=ReasonCode.BROKER_REFUSED if is_rejected else None,
        reason=clean(entry.text) if is_rejected and entry.text else None,
        tag=entry.tag,
        broker_tag=f"X{digest[: BROKER_TAG_MAX_LENGTH - 1]}",
        broker_order_id=entry.broker_order_id,
        origin=origin,
        created_at=entry.placed_at,
        updated_at=at,
        expires_at=entry.placed_at,
    )
