"""The only code that writes orders. The order-router and the workers use it; readers must not import it."""

from vyomo_ledger.writing.accept import (
    Acceptance,
    Accepted,
    AccountClosed,
    AccountMissing,
    KeyUse,
    NewOrder,
    Outdated,
    Replayed,
    Terms,
    TooFast,
)
from vyomo_ledger.writing.claiming import Claimed, PendingChange
from vyomo_ledger.writing.controls import Controls, NoSuchAccountError, Switch
from vyomo_ledger.writing.halting import Halting
from vyomo_ledger.writing.ledger import Ledger
from vyomo_ledger.writing.publishing import EventPublisher
from vyomo_ledger.writing.statements import FEW_ACCOUNTS, FIRST_FREE_PARAMETER
from vyomo_ledger.writing.transaction import LedgerTransaction, LostRaceError, Step

__all__ = [
    "FEW_ACCOUNTS",
    "FIRST_FREE_PARAMETER",
    "Acceptance",
    "Accepted",
    "AccountClosed",
    "AccountMissing",
    "Claimed",
    "Controls",
    "EventPublisher",
    "Halting",
    "KeyUse",
    "Ledger",
    "LedgerTransaction",
    "LostRaceError",
    "NewOrder",
    "NoSuchAccountError",
    "Outdated",
    "PendingChange",
    "Replayed",
    "Step",
    "Switch",
    "Terms",
    "TooFast",
]
