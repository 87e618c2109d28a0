"""Nothing is claimed for an account before this process has read its books: orders, fills and positions as the broker has them, the
positions equal to what the day's opening and its trades make, or their drift told to a person (the router then lets it only reduce).

What happened while nobody looked (a fill, an order placed elsewhere, one of unknown outcome) is then known to the rules that claims
follow. Cancellations go all the same: they only ever take risk away.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from vyomo_service_kit.clock import Clock

LATE_SECONDS: Final = 10.0
LOOK_SECONDS: Final = 1.0
"""How often reading is asked for while something waits."""


class Books(Enum):
    ORDERS = "orders"
    POSITIONS = "positions"


class StartGate:
    """Closed for an account until each of `needs` was read well; open for the rest of the process's life.

    `look` is called when something waits for it, `opened` when it opens.
    """

    def __init__(self, clock: Clock, needs: frozenset[Books] = frozenset(Books)) -> None:
        self._clock = clock
        self._needs = needs
        self._missing: dict[int, set[Books]] = {}
        self._waiting_since: dict[int, float] = {}
        self._looked_at: dict[int, float] = {}
        self._told: set[int] = set()
        self._just_opened: set[int] = set()
        self.look: Callable[[int], None] = lambda _: None
        self.opened: Callable[[int], None] = lambda _: None

    def is_open(self, account_id: int) -> bool:
        if not self._needs:
            return True
        missing = self._missing.setdefault(account_id, set(self._needs))
        return not missing

    def has_read(self, account_id: int, books: Books) -> None:
        if self.is_open(account_id):
            return
        missing = self._missing[account_id]
        missing.discard(books)
        if not missing:
            self._waiting_since.pop(account_id, None)
            self._just_opened.add(account_id)
            self.opened(account_id)

    def waits(self, account_id: int) -> bool:
        """Something waits for the gate to open. True once, when it has waited for so long that a person should know."""
        now = self._clock.elapsed()
        since = self._waiting_since.setdefault(account_id, now)
        if now - self._looked_at.get(account_id, now - LOOK_SECONDS) >= LOOK_SECONDS:
            self._looked_at[account_id] = now
            self.look(account_id)
        if now - since < LATE_SECONDS or account_id in self._told:
            return False
        self._told.add(account_id)
        return True

    def just_opened(self, account_id: int) -> bool:
        """True once after it opened: what was told of it, by this process or one before it, is over."""
        if account_id not in self._just_opened:
            return False
        self._just_opened.remove(account_id)
        return True

    def missing(self, account_id: int) -> list[str]:
        """What could not be read yet."""
        return sorted(books.value for books in self._missing.get(account_id, self._needs))
