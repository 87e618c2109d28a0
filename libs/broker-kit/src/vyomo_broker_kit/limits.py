"""How a broker is sent to and reconciled with: per broker, as configuration. Fault tests settle in eight seconds instead of two minutes."""

from dataclasses import dataclass
from typing import Final

from vyomo_contracts.capabilities import OrderRate


@dataclass(frozen=True, slots=True, kw_only=True)
class SendLimits:
    in_flight_per_account: int = 2
    """Entries of one account on the wire at once. Cancels and modifications have their own way past them."""
    more_for_exits: int = 2
    """Orders that reduce a position find this much room beside entries that hang."""
    total_seconds: float = 7.0
    """Longest a call may take, all in all."""
    commit_seconds: float = 2.0
    """Longest from the claim to its call, for the claim's commit on a slow disk. The send deadline is both together: by then the call is over."""
    waiting_change_seconds: float = 60.0
    """How long a cancellation or modification waits for a broker session before it is given up."""
    stale_claim_seconds: float = 0.5
    """A process that was suspended this long between claim and call does not call: its knowledge is old."""
    rate: OrderRate | None = None
    """Calls of one account in a second; what is above it waits in its lane."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileLimits:
    settle_seconds: float = 120.0
    """How long after its send deadline an order may still appear in the book: 83 s inside a broker were reported."""
    good_reads: int = 5
    """The book must have been read this often since then before absence is believed."""
    read_gap_seconds: float = 0.5
    """Least time between two readings of one account's book. A book holds the whole day, so reading it after every order of a busy account
    costs more than the orders; the first look after a quiet moment is at once."""
    working_seconds: float = 1.0
    """How often the book is read while orders work."""
    idle_seconds: float = 30.0
    """How often it is read while none does: orders placed elsewhere."""
    positions_seconds: float = 60.0
    burst_seconds: float = 2.0
    """Positions and funds are read this long after a fill, once for a whole burst."""
    drift_reads: int = 3
    """This many consecutive readings must show the same difference before it is called drift."""
    recheck_seconds: float = 5.0
    """A difference is looked at again this soon."""


_POINTS: Final = (1, 3, 8, 15, 30, 60, 90, 120)
"""When the book is read for orders of unknown outcome, in 120ths of the settle time."""
_AFTERWARDS: Final = 5
"""And how often after that, until there were enough good readings."""


def is_read_due(age_seconds: float, last_read_age: float | None, settle_seconds: float) -> bool:
    """Whether an order whose outcome is unknown since `age_seconds` wants the book read now.

    `last_read_age` is its age when the book was last read; None if it never was.
    """
    unit = settle_seconds / 120
    last = -1.0 if last_read_age is None else last_read_age
    if any(last < point * unit <= age_seconds for point in _POINTS):
        return True
    return age_seconds > settle_seconds and age_seconds - last >= _AFTERWARDS * unit
