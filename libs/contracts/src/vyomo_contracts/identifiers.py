"""Identifier types. Their makers are injected (`vyomo_service_kit.identifiers`); nothing here draws a clock or a random number."""

from typing import NewType

AccountId = NewType("AccountId", int)
OrderId = NewType("OrderId", str)
"""Ours, made at accept: `<BROKER>_` and a time-ordered unique part."""
BrokerOrderId = NewType("BrokerOrderId", str)
"""The broker's own id, once known."""
BrokerTag = NewType("BrokerTag", str)
"""Ours, sent to the broker with the order and unique for ever: at most 15 characters of A-Z and 0-9."""
UserId = NewType("UserId", str)
TradeId = NewType("TradeId", str)

BROKER_TAG_MAX_LENGTH = 15
IDEMPOTENCY_KEY_MAX_LENGTH = 64


def instrument_key(exchange: str, symbol: str) -> str:
    """`EXCHANGE:SYMBOL`, the form quotes and subscriptions use, e.g. `NSE:RELIANCE`."""
    return f"{exchange}:{symbol}"
