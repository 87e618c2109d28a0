"""For tests: an open session, a row of Kite's order book, and a server that wraps its words as Kite does."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from pydantic import SecretStr

from vyomo_broker_kit.access import Access, Tokens
from vyomo_broker_kit.port import SessionOverError
from vyomo_broker_kit.testing.parrot import Parrot
from vyomo_contracts.testing import NOON
from vyomo_contracts.vocabulary import Environment

ROW: dict[str, Any] = {
    "order_id": "2603020000000000001",
    "exchange_order_id": None,
    "status": "OPEN",
    "status_message": None,
    "exchange": "NSE",
    "tradingsymbol": "RELIANCE",
    "transaction_type": "BUY",
    "order_type": "LIMIT",
    "product": "MIS",
    "validity": "DAY",
    "quantity": 10,
    "filled_quantity": 0,
    "price": Decimal("250.5"),
    "trigger_price": 0,
    "average_price": 0,
    "tag": "T1",
    "order_timestamp": "2026-03-02 12:00:00",
    "exchange_update_timestamp": "2026-03-02 12:00:01",
    "a_column_of_tomorrow": {"x": 1},
}


class SignedIn:
    """The account's session, until a test ends it."""

    def __init__(self) -> None:
        self.is_over = False

    async def of_account(self, account_id: int) -> Access:
        if self.is_over:
            raise SessionOverError("nobody is signed in")
        return Access(
            account_id=account_id,
            environment=Environment.LIVE,
            client_id="AB1234",
            api_key=SecretStr("key"),
            tokens=Tokens(access_token=SecretStr("token"), valid_until=NOON + timedelta(hours=8)),
        )


class KiteServer(Parrot):
    def succeed(self, data: object) -> None:
        self.say(200, {"status": "success", "data": data})

    def fail(self, status: int, error_type: str, message: str) -> None:
        self.say(status, {"status": "error", "message": message, "error_type": error_type, "data": None})
