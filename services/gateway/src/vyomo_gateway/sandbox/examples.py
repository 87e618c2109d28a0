from typing import Any, Final

REQUESTS: Final[dict[str, Any]] = {
    "kite": {"value": {"protocol": "kite", "redirectUrl": "http://127.0.0.1:5000/callback"}},
    "smartapi, old rules": {"value": {"protocol": "smartapi", "profile": "legacy"}},
}
OPENED: Final[dict[str, Any]] = {
    "success": True,
    "sandbox": {
        "accountId": 1,
        "protocol": "kite",
        "profile": "strict_2026",
        "rootUrl": "http://127.0.0.1:3012",
        "wsUrl": "ws://127.0.0.1:3012/",
        "apiKey": "k3x9m2q7t1w5z8b4",
        "apiSecret": "told once, and kept sealed",
    },
}
