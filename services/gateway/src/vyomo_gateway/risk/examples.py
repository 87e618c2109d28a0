"""What the risk calls look like."""

from typing import Any, Final

from vyomo_gateway.edge.examples import ORDER

_LIMITS: Final[dict[str, Any]] = {
    "maxOrderQuantity": 1800,
    "maxOrderValue": 500000,
    "maxOpenOrders": None,
    "maxPositionQuantity": None,
    "maxExposure": None,
    "priceBandPercent": 3,
    "ordersPerSecond": None,
    "duplicateWindowSeconds": 2,
    "dailyLossLimit": 10000,
    "reduceOnly": None,
}
LIMITS: Final[dict[str, Any]] = {
    "success": True,
    "limits": _LIMITS,
    "effective": _LIMITS | {"maxOpenOrders": 20, "ordersPerSecond": 10},
}
STATE: Final[dict[str, Any]] = {
    "success": True,
    "accounts": [{"accountId": 1, "broker": "paper", "state": "HALTED", "version": 4}],
    "controls": [
        {
            "scope": "account",
            "id": "1",
            "everyone": False,
            "cause": "SWITCH",
            "state": "HALTED",
            "reason": "strategy went wild",
            "actor": "8F2K1M0Q",
            "until": None,
            "changedAt": "2026-02-12T08:07:00.000Z",
        }
    ],
}
EXITS: Final[dict[str, Any]] = {
    "success": True,
    "complete": True,
    "exits": [
        {
            "accountId": 1,
            "exchange": "NSE",
            "symbol": "NIFTY",
            "product": "MIS",
            "quantity": 10,
            "order": ORDER["order"]
            | {"transactionType": "SELL", "orderType": "MARKET", "price": 0, "tag": "exit-all"},
        }
    ],
}
