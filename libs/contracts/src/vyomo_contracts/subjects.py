"""Every NATS subject, spelled once.

Requests (`cmd.order`, `cmd.account`, `cmd.risk`, `qry`) are core NATS and in no stream: a stream bound to them would answer in the
server's name instead of the service.
"""

from typing import Final

ROOT: Final = "vyomo.v1"

PLACE_ORDERS: Final = f"{ROOT}.cmd.order.place"
CANCEL_ORDERS: Final = f"{ROOT}.cmd.order.cancel"
MODIFY_ORDERS: Final = f"{ROOT}.cmd.order.modify"
CREATE_ACCOUNTS: Final = f"{ROOT}.cmd.account.create"
SET_ACCOUNTS_ACTIVE: Final = f"{ROOT}.cmd.account.set_active"
SET_ACCOUNT_EGRESSES: Final = f"{ROOT}.cmd.account.set_egress"
SWITCH_TRADING: Final = f"{ROOT}.cmd.risk.switch"
SET_RISK_LIMITS: Final = f"{ROOT}.cmd.risk.set_limits"
EXIT_ALL: Final = f"{ROOT}.cmd.risk.exit_all"
READ_RISK: Final = f"{ROOT}.qry.risk.read"
SYNC_POSITIONS: Final = f"{ROOT}.cmd.account.sync"
WATCH_INSTRUMENTS: Final = f"{ROOT}.cmd.market.watch"
QUOTES: Final = f"{ROOT}.qry.market.quotes"
CANDLES: Final = f"{ROOT}.qry.market.candles"
TICKS: Final = f"{ROOT}.md.ticks"

ALL_DOORBELLS: Final = f"{ROOT}.cmd.broker.>"
ALL_EVENTS: Final = f"{ROOT}.evt.>"
ALL_DEAD_LETTERS: Final = f"{ROOT}.dlq.>"


def login_page(broker: str, partition: int) -> str:
    """Asked of the worker that serves the account: where its owner signs in with a browser."""
    return f"{ROOT}.qry.session.{broker}.{partition}.login_page"


def sign_in(broker: str, partition: int) -> str:
    """Asked of the worker that serves the account."""
    return f"{ROOT}.cmd.session.{broker}.{partition}.sign_in"


def health(service: str) -> str:
    """Answered by every running service with its name."""
    return f"{ROOT}.qry.health.{service}"


def doorbell(broker: str, partition: int) -> str:
    return f"{ROOT}.cmd.broker.{broker}.{partition}"


def events(broker: str, partition: int) -> str:
    return f"{ROOT}.evt.{broker}.{partition}"


def dead_letters(consumer: str) -> str:
    return f"{ROOT}.dlq.{consumer}"
