"""What the documentation shows of brokers and of changes to accounts."""

from typing import Any, Final

from vyomo_gateway.edge.examples import Shown

CAPABILITIES: Final[Shown] = {
    "success": True,
    "brokers": [
        {
            "broker": "angel",
            "exchanges": ["NSE", "NFO", "BSE", "BFO"],
            "orderTypes": ["MARKET", "LIMIT", "SL", "SL-M"],
            "products": ["CNC", "MIS", "NRML"],
            "validities": ["DAY"],
            "protectedOrderTypes": ["MARKET", "SL-M"],
            "takesIndices": False,
            "signIn": "credentials",
            "orderRate": {
                "perSecond": 9,
                "perMinute": 500,
                "perHour": 1000,
                "perDay": None,
                "reservedForCancels": 2,
                "isBrokers": True,
            },
        }
    ],
}

SWITCHES: Final[dict[str, Any]] = {
    "off": {"value": {"isActive": False}},
    "on": {"value": {"isActive": True}},
}
EGRESSES: Final[dict[str, Any]] = {
    "relay": {
        "value": {
            "relay": "socks5://relay.example.net:1080",
            "relayUser": "asha",
            "relayPassword": "the relay's own password",
        }
    },
    "address": {"value": {"sourceAddress": "203.0.113.5"}},
}
