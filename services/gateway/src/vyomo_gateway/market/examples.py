"""What the documentation shows of brokers' lists of instruments."""

from typing import Final

from vyomo_gateway.edge.examples import Shown

MASTERS: Final[Shown] = {
    "success": True,
    "masters": [
        {
            "broker": "zerodha",
            "loadedAt": "2026-11-27T03:01:12.402Z",
            "listed": 98412,
            "skipped": 3,
            "problem": None,
            "lookedAt": "2026-11-27T03:01:12.402Z",
        }
    ],
}
