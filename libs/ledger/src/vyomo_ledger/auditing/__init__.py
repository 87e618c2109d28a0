"""The chain of seals over the record's events: made by the order-router, verified hourly and by `./vyomo audit verify`."""

from vyomo_ledger.auditing.anchors import AnchorFile, AnchorsUnreadableError
from vyomo_ledger.auditing.chain import Anchor, Finding, FindingKind, Link
from vyomo_ledger.auditing.verifying import Verification, verify

__all__ = [
    "Anchor",
    "AnchorFile",
    "AnchorsUnreadableError",
    "Finding",
    "FindingKind",
    "Link",
    "Verification",
    "verify",
]
