"""What the documentation shows of brokers."""

from typing import Final

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
