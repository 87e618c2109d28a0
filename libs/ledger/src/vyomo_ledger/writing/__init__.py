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
from vyomo_ledger.writing.adopting import Adoption
from vyomo_ledger.writing.alerts import alert_reopened, clear_alert, raise_alert, stop_accepting
from vyomo_ledger.writing.claiming import Claimed, PendingChange, PendingParameters
from vyomo_ledger.writing.controls import Controls, NoSuchAccountError, Switch
from vyomo_ledger.writing.exits import alert_unsent_exits
from vyomo_ledger.writing.halting import Halting
from vyomo_ledger.writing.ledger import Ledger
from vyomo_ledger.writing.publishing import EventPublisher
from vyomo_ledger.writing.sessions import (
    ageing_sessions,
    end_session,
    lock_sessions,
    mark_expiring,
    open_session,
)
from vyomo_ledger.writing.statements import FEW_ACCOUNTS, FIRST_FREE_PARAMETER
from vyomo_ledger.writing.transaction import LedgerTransaction, LostRaceError, Step

__all__ = [
    "FEW_ACCOUNTS",
    "FIRST_FREE_PARAMETER",
    "Acceptance",
    "Accepted",
    "AccountClosed",
    "AccountMissing",
    "Adoption",
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
    "PendingParameters",
    "Replayed",
    "Step",
    "Switch",
    "Terms",
    "TooFast",
    "ageing_sessions",
    "alert_reopened",
    "alert_unsent_exits",
    "clear_alert",
    "end_session",
    "lock_sessions",
    "mark_expiring",
    "open_session",
    "raise_alert",
    "stop_accepting",
]
