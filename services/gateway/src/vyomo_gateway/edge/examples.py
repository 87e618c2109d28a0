"""What calls look like, as the API's documentation shows them: one account's first hour."""

from typing import Any, Final

Shown = dict[str, Any]

_ACCOUNT: Final[Shown] = {
    "id": 1,
    "userId": "default_user",
    "broker": "paper",
    "clientId": "DEMO123",
    "environment": "live",
    "isActive": True,
    "session": None,
    "egress": None,
    "balance": 100000,
    "unlimited": False,
    "marginAvailable": 100000,
    "marginUsed": 0,
    "lastSynced": None,
    "createdAt": "2026-02-12T08:00:00.000Z",
}
_ACCOUNT_IN_USE: Final = _ACCOUNT | {
    "marginAvailable": 50129,
    "marginUsed": 49871,
    "lastSynced": "2026-02-12T08:05:58.811Z",
}

ACCOUNT_REQUESTS: Final[dict[str, Any]] = {
    "paper": {"value": {"broker": "paper", "clientId": "DEMO123"}},
    "paper, unlimited": {
        "value": {"broker": "paper", "clientId": "UNLIMITED", "initialCapital": "unlimited"}
    },
    "zerodha": {
        "value": {"broker": "zerodha", "clientId": "AB1234", "apiKey": "your key", "apiSecret": "your secret"}
    },
    "zerodha, sandbox": {"value": {"broker": "zerodha", "clientId": "SB0001", "environment": "sandbox"}},
    "angel": {
        "value": {
            "broker": "angel",
            "clientId": "A123456",
            "apiKey": "your key",
            "password": "your PIN",
            "totpSecret": "your TOTP secret",
        }
    },
}
LOGIN_PAGE: Final[Shown] = {
    "success": True,
    "loginUrl": "https://kite.zerodha.com/connect/login?v=3&api_key=your+key&redirect_params=state%3D...",
    "expiresAt": "2026-02-12T08:10:00.000Z",
}
LOGIN_REQUESTS: Final[dict[str, Any]] = {
    "angel, all stored": {"value": {}},
    "angel, typed": {"value": {"password": "your PIN", "totp": "123456"}},
    "zerodha, token of your own redirect": {"value": {"requestToken": "what Zerodha sent"}},
}
LOGGED_IN: Final[Shown] = {
    "success": True,
    "accountId": 2,
    "session": {"state": "ACTIVE", "validUntil": "2026-02-13T00:30:00.000Z", "reason": None},
}
LINK_REQUEST: Final[dict[str, Any]] = {"link": {"value": {"token": "what stands behind #token="}}}
SIGNED_IN: Final[Shown] = {
    "success": True,
    "userId": "default_user",
    "pageToken": "q3x...",
    "sessionId": "3f9a1c0e5b7d2468",
    "expiresAt": "2026-02-12T20:00:00.000Z",
}
SIGNED_IN_BROWSERS: Final[Shown] = {
    "success": True,
    "sessions": [
        {
            "sessionId": "3f9a1c0e5b7d2468",
            "address": "127.0.0.1",
            "userAgent": "Mozilla/5.0",
            "createdAt": "2026-02-12T08:00:00.000Z",
            "lastSeenAt": "2026-02-12T08:05:00.000Z",
            "expiresAt": "2026-02-12T20:00:00.000Z",
        }
    ],
}
ACCOUNT_OPENED: Final[Shown] = {"success": True, "account": _ACCOUNT}
ACCOUNT: Final[Shown] = {"success": True, "account": _ACCOUNT_IN_USE}
ACCOUNT_SWITCHED: Final[Shown] = {"success": True, "account": _ACCOUNT | {"isActive": False}}
ACCOUNTS: Final[Shown] = {"success": True, "accounts": [_ACCOUNT_IN_USE]}

ORDER_REQUESTS: Final[dict[str, Any]] = {
    "MARKET": {
        "value": {
            "symbol": "NIFTY",
            "exchange": "NSE",
            "transactionType": "BUY",
            "orderType": "MARKET",
            "quantity": 10,
            "product": "MIS",
            "validity": "DAY",
        }
    },
    "LIMIT": {
        "value": {
            "symbol": "RELIANCE",
            "exchange": "NSE",
            "transactionType": "BUY",
            "orderType": "LIMIT",
            "quantity": 5,
            "price": 1500.50,
            "product": "CNC",
        }
    },
    "SL": {
        "value": {
            "symbol": "NIFTY",
            "exchange": "NSE",
            "transactionType": "SELL",
            "orderType": "SL",
            "quantity": 10,
            "price": 24795,
            "triggerPrice": 24800,
            "product": "MIS",
            "tag": "stop loss",
        }
    },
}
MODIFY_REQUESTS: Final[dict[str, Any]] = {
    "price": {"value": {"price": 24800}},
    "price and quantity": {"value": {"price": 24800, "quantity": 15}},
    "at once": {"value": {"orderType": "MARKET"}},
}
CANCEL_REQUESTS: Final[dict[str, Any]] = {"with a reason": {"value": {"reason": "changed my mind"}}}

_ORDER: Final[Shown] = {
    "orderId": "PAPER_06F2M7Q8Z5X3K9V1T4B6N0R2YA",
    "accountId": 1,
    "broker": "paper",
    "symbol": "NIFTY",
    "exchange": "NSE",
    "transactionType": "BUY",
    "orderType": "MARKET",
    "quantity": 10,
    "price": 0,
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
_FILLED: Final = _ORDER | {
    "status": "COMPLETE",
    "state": "FILLED",
    "filledQuantity": 10,
    "averagePrice": 24935.5,
    "version": 2,
    "brokerOrderId": _ORDER["orderId"],
    "updatedAt": "2026-02-12T08:05:58.811Z",
}
_RESTING: Final = _ORDER | {
    "orderId": "PAPER_06F2M7R1C8D4W6S0H2J9P3V5QE",
    "orderType": "LIMIT",
    "price": 24750,
    "state": "OPEN",
    "version": 3,
    "brokerOrderId": "PAPER_06F2M7R1C8D4W6S0H2J9P3V5QE",
    "updatedAt": "2026-02-12T08:09:12.377Z",
}
_TRADE: Final[Shown] = {
    "tradeId": f"{_ORDER['orderId']}-1",
    "orderId": _ORDER["orderId"],
    "accountId": 1,
    "symbol": "NIFTY",
    "exchange": "NSE",
    "product": "MIS",
    "transactionType": "BUY",
    "quantity": 10,
    "price": 24935.5,
    "tradeTime": "2026-02-12T08:05:58.811Z",
}
_EVENTS: Final[list[Shown]] = [
    {
        "kind": "order",
        "sequence": 52428801,
        "type": "order.accepted",
        "recordedAt": _ORDER["orderTime"],
        "order": _ORDER,
        "trades": [],
        "by": {
            "component": "order-router",
            "userId": "default_user",
            "keyId": "3fK9aZ0q",
            "address": "203.0.113.7",
            "userAgent": "my-strategy/1.4",
        },
        "asked": {"idempotencyKey": "signal-42-leg-1", "bodyHash": "9f2c" * 16},
        "decision": {"approved": True, "riskVersion": 3},
    },
    {
        "kind": "order",
        "sequence": 52494337,
        "type": "order.filled",
        "recordedAt": _TRADE["tradeTime"],
        "order": _FILLED,
        "trades": [_TRADE],
        "by": {"component": "paper-exchange"},
    },
]

ORDER_ACCEPTED: Final[Shown] = {"success": True, "order": _ORDER}
ORDER: Final[Shown] = {"success": True, "order": _FILLED}
ORDERS: Final[Shown] = {"success": True, "orders": [_FILLED], "nextCursor": "djE6NDI"}
ORDER_MODIFIED: Final[Shown] = {"success": True, "order": _RESTING | {"price": 24800, "version": 4}}
MODIFY_REQUESTED: Final[Shown] = {"success": True, "order": _RESTING | {"pendingAction": "MODIFY"}}
ORDER_HISTORY: Final[Shown] = {"success": True, "events": _EVENTS}
EVENTS: Final[Shown] = {"success": True, "events": _EVENTS, "nextCursor": 52559871}
TRADES: Final[Shown] = {"success": True, "trades": [_TRADE]}
CANCELLED: Final[Shown] = {"success": True, "message": "Order cancelled successfully"}
CANCEL_REQUESTED: Final[Shown] = {
    "success": True,
    "code": "CANCEL_UNCONFIRMED",
    "message": "Cancellation requested, NOT confirmed: the broker has not answered within 5 seconds and the order may still "
    "trade; read the order for its outcome",
    "order": _RESTING | {"pendingAction": "CANCEL"},
}
SYNCED: Final[Shown] = {"success": True, "message": "Positions synced successfully"}
POSITIONS: Final[Shown] = {
    "success": True,
    "positions": [
        {
            "accountId": 1,
            "symbol": "NIFTY",
            "exchange": "NSE",
            "product": "MIS",
            "quantity": 10,
            "averagePrice": 24935.5,
            "currentPrice": 24960.5,
            "pnl": 250,
            "pnlPercent": 0.1,
            "realised": 0,
            "unrealised": 250,
            "buyQuantity": 10,
            "buyValue": 249355,
            "sellQuantity": 0,
            "sellValue": 0,
            "overnightQuantity": 0,
            "multiplier": 1,
            "version": 1,
            "priceTime": "2026-02-12T08:06:02.100Z",
            "stale": False,
        }
    ],
}
HOLDINGS: Final[Shown] = {
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
MARGINS: Final[Shown] = {
    "success": True,
    "margins": {
        "available": 50129,
        "used": 49871,
        "balance": 100000,
        "unlimited": False,
        "version": 1,
        "updatedAt": "2026-02-12T08:05:58.811Z",
    },
}
INSTRUMENTS: Final[Shown] = {
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
QUOTES: Final[Shown] = {
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
CANDLES: Final[Shown] = {
    "success": True,
    "instrument": "NSE:RELIANCE",
    "interval": "5m",
    "candles": [
        {
            "time": "2026-02-12T08:00:00.000Z",
            "open": 1411.6,
            "high": 1413.2,
            "low": 1411.1,
            "close": 1412.5,
            "volume": 18422,
        }
    ],
}
HEALTH: Final[Shown] = {
    "success": True,
    "status": "ok",
    "checks": {"gateway": "ok", "bus": "ok", "database": "ok"},
}
UNHEALTHY: Final[Shown] = {
    "success": False,
    "status": "down",
    "checks": {"gateway": "ok", "bus": "ok", "database": "down"},
    "error": {
        "code": "RECORD_UNAVAILABLE",
        "message": "the database does not answer, so nothing is known to have been done; try again, an order with the same "
        "Idempotency-Key",
    },
}
