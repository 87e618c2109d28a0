"""What calls look like: shown in the API's documentation and replayed by its tests."""

from typing import Any, Final

_ACCOUNT: Final[dict[str, Any]] = {
    "id": 1,
    "userId": "default_user",
    "broker": "paper",
    "clientId": "DEMO123",
    "isActive": True,
    "balance": 100000,
    "unlimited": False,
    "marginAvailable": 80000,
    "marginUsed": 20000,
    "lastSynced": None,
    "createdAt": "2026-02-12T08:00:00.000Z",
}
_WARNINGS: Final = ["apiSecret does not apply to paper accounts and was ignored"]

ACCOUNT: Final[dict[str, Any]] = {"success": True, "account": _ACCOUNT, "warnings": _WARNINGS}
ACCOUNT_CHANGED: Final[dict[str, Any]] = {"success": True, "account": _ACCOUNT}
ACCOUNTS: Final[dict[str, Any]] = {"success": True, "accounts": [_ACCOUNT]}

ORDER_REQUEST: Final[dict[str, Any]] = {
    "symbol": "NIFTY",
    "exchange": "NSE",
    "transactionType": "BUY",
    "orderType": "LIMIT",
    "quantity": 10,
    "price": 250.50,
    "product": "MIS",
    "validity": "DAY",
}
_ORDER: Final[dict[str, Any]] = {
    "orderId": "PAPER_06F2M7Q8Z5X3K9V1T4B6N0R2YA",
    "accountId": 1,
    "broker": "paper",
    "symbol": "NIFTY",
    "exchange": "NSE",
    "transactionType": "BUY",
    "orderType": "LIMIT",
    "quantity": 10,
    "price": 250.5,
    "triggerPrice": None,
    "product": "MIS",
    "validity": "DAY",
    "status": "PENDING",
    "state": "NEW",
    "pendingAction": None,
    "filledQuantity": 0,
    "averagePrice": 0,
    "version": 1,
    "reasonCode": None,
    "reason": None,
    "tag": None,
    "strategyId": None,
    "parentOrderId": None,
    "groupId": None,
    "brokerOrderId": None,
    "origin": "vyomo",
    "orderTime": "2026-02-12T08:05:58.804Z",
    "updatedAt": "2026-02-12T08:05:58.804Z",
}
_TRADE: Final[dict[str, Any]] = {
    "tradeId": "T1",
    "orderId": _ORDER["orderId"],
    "accountId": 1,
    "symbol": "NIFTY",
    "exchange": "NSE",
    "product": "MIS",
    "transactionType": "BUY",
    "quantity": 10,
    "price": 250.5,
    "tradeTime": "2026-02-12T08:05:58.811Z",
}
_FILLED: Final = _ORDER | {
    "status": "COMPLETE",
    "state": "FILLED",
    "filledQuantity": 10,
    "averagePrice": 250.5,
    "version": 2,
}
_EVENTS: Final[list[dict[str, Any]]] = [
    {
        "sequence": 52428801,
        "type": "order.accepted",
        "recordedAt": _ORDER["orderTime"],
        "order": _ORDER,
        "trades": [],
    },
    {
        "sequence": 52494337,
        "type": "order.filled",
        "recordedAt": _TRADE["tradeTime"],
        "order": _FILLED,
        "trades": [_TRADE],
    },
]

ORDER: Final[dict[str, Any]] = {"success": True, "order": _ORDER}
ORDERS: Final[dict[str, Any]] = {"success": True, "orders": [_FILLED], "nextCursor": "djE6NDI"}
ORDER_HISTORY: Final[dict[str, Any]] = {"success": True, "events": _EVENTS}
EVENTS: Final[dict[str, Any]] = {"success": True, "events": _EVENTS, "nextCursor": 52559871}
TRADES: Final[dict[str, Any]] = {"success": True, "trades": [_TRADE]}
CANCELLED: Final[dict[str, Any]] = {"success": True, "message": "Order cancelled successfully"}
CANCEL_REQUESTED: Final[dict[str, Any]] = {
    "success": True,
    "code": "CANCEL_UNCONFIRMED",
    "message": "Cancellation requested, NOT confirmed: the broker has not answered within 5 seconds and the order may still "
    "trade; read the order for its outcome",
    "order": _ORDER | {"state": "OPEN", "pendingAction": "CANCEL", "version": 3},
}
SYNCED: Final[dict[str, Any]] = {"success": True, "message": "Positions synced successfully"}
POSITIONS: Final[dict[str, Any]] = {
    "success": True,
    "positions": [
        {
            "accountId": 1,
            "symbol": "NIFTY",
            "exchange": "NSE",
            "product": "MIS",
            "quantity": 10,
            "averagePrice": 250.5,
            "currentPrice": 252,
            "pnl": 15,
            "pnlPercent": 0.6,
            "realised": 0,
            "unrealised": 15,
            "buyQuantity": 10,
            "buyValue": 2505,
            "sellQuantity": 0,
            "sellValue": 0,
            "overnightQuantity": 0,
            "multiplier": 1,
            "version": 3,
            "priceTime": "2026-02-12T08:06:02.100Z",
            "stale": False,
        }
    ],
}
HOLDINGS: Final[dict[str, Any]] = {
    "success": True,
    "holdings": [
        {
            "accountId": 1,
            "symbol": "RELIANCE",
            "exchange": "NSE",
            "quantity": 5,
            "averagePrice": 1400,
            "currentPrice": 1412.5,
            "pnl": 62.5,
            "pnlPercent": 0.89,
            "version": 4,
            "priceTime": "2026-02-12T08:06:02.100Z",
            "stale": False,
        }
    ],
}
MARGINS: Final[dict[str, Any]] = {
    "success": True,
    "margins": {
        "available": 99499,
        "used": 501,
        "balance": 100000,
        "unlimited": False,
        "version": 2,
        "updatedAt": "2026-02-12T08:05:58.811Z",
    },
}
INSTRUMENTS: Final[dict[str, Any]] = {
    "success": True,
    "instruments": [
        {
            "instrument": "NSE:RELIANCE",
            "exchange": "NSE",
            "symbol": "RELIANCE",
            "name": "Reliance Industries",
            "kind": "EQUITY",
            "underlying": None,
            "expiry": None,
            "strike": None,
            "optionType": None,
            "lotSize": 1,
            "tickSize": 0.1,
            "freezeQuantity": None,
            "multiplier": 1,
            "referencePrice": 1410,
            "lowerBand": 1269,
            "upperBand": 1551,
        }
    ],
}
QUOTES: Final[dict[str, Any]] = {
    "success": True,
    "quotes": [
        {
            "instrument": "NSE:RELIANCE",
            "exchange": "NSE",
            "symbol": "RELIANCE",
            "lastPrice": 1412.5,
            "change": 2.5,
            "open": 1411,
            "high": 1415.3,
            "low": 1409.8,
            "previousClose": 1410,
            "volume": 184230,
            "depth": {
                "buy": [{"price": 1412.4, "quantity": 120, "orders": 3}],
                "sell": [{"price": 1412.5, "quantity": 75, "orders": 2}],
            },
            "priceTime": "2026-02-12T08:06:02.100Z",
        }
    ],
    "missing": [],
}
HEALTH: Final[dict[str, Any]] = {
    "success": True,
    "status": "ok",
    "checks": {"gateway": "ok", "bus": "ok", "database": "ok"},
}
