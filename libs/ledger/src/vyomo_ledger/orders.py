"""Reading an order row, the same way for everyone."""

from collections.abc import Mapping
from typing import Any

from vyomo_contracts.orders import Order

ORDER_COLUMNS = ", ".join(Order.model_fields)
"""The columns of `ledger.broker_orders` that make an `Order`: the contract and the table use the same names."""


def order_of(row: Mapping[str, Any]) -> Order:
    return Order.model_validate(dict(row))
