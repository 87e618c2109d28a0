"""What the documentation shows of the audit trail."""

from typing import Final

from vyomo_gateway.edge.examples import Shown

AUDIT: Final[Shown] = {
    "success": True,
    "entries": [
        {
            "sequence": 4295232768,
            "recordedAt": "2026-02-12T08:05:58.804Z",
            "type": "order.filled",
            "accountId": 1,
            "orderId": "PAPER_01JKWQ5ZP5W5FZ5Q1B6X9Y3T7C",
            "exchange": "NSE",
            "symbol": "RELIANCE",
            "transactionType": "BUY",
            "quantity": 10,
            "filledQuantity": 10,
            "price": None,
            "averagePrice": 1503.6,
            "state": "FILLED",
            "reasonCode": None,
            "reason": None,
            "detail": None,
            "component": "worker-paper",
            "userId": None,
            "keyId": None,
            "address": None,
            "brokerAnswer": None,
        }
    ],
    "nextCursor": "djE6NDI5NTIzMjc2OA",
}
