"""What a person must look at. Raised once until it is cleared, however often the cause is seen."""

from vyomo_contracts.messages import Instant, Tolerant
from vyomo_contracts.vocabulary import Broker, Word


class AlertCode(Word):
    ORDER_REAPPEARED = "ORDER_REAPPEARED"
    """An order given up as not found is at the broker after all, and was taken up again."""
    TAG_USED_TWICE = "TAG_USED_TWICE"
    """The broker holds two orders for one of ours; the account takes no new orders until somebody has looked."""
    TAG_MISMATCH = "TAG_MISMATCH"
    """An order at the broker carries our tag and is not what we sent."""
    ORDER_CONTRADICTED = "ORDER_CONTRADICTED"
    """The broker says something of an order that cannot be true together with what the record holds."""
    EXIT_NOT_SENT = "EXIT_NOT_SENT"
    """An order that would have reduced a position ended without reaching the broker."""
    POSITION_DRIFT = "POSITION_DRIFT"
    """The broker's position is not what was carried into the day and traded since, in reading after reading."""
    BOOKS_NOT_READ = "BOOKS_NOT_READ"
    """Orders wait because the account's books could not be read since its worker started; nothing is sent before they were."""
    BREAKER_OPEN = "BREAKER_OPEN"
    """Too many orders of the account, or of its broker, have an unknown outcome: no new exposure until they are settled."""
    SESSION_EXPIRED = "SESSION_EXPIRED"
    """The broker wants a new login; until then nothing is sent for the account."""
    DEAD_LETTER = "DEAD_LETTER"
    """A message about the account was given up after many tries or could not be read; it is kept and can be replayed."""
    AUDIT_BROKEN = "AUDIT_BROKEN"
    """The record's events are not what was sealed. Of the installation, so in the record and the log alone."""


class Alert(Tolerant):
    account_id: int
    user_id: str
    broker: Broker
    code: AlertCode
    subject: str
    """What it is about: an order id, a tag, an instrument. One alert at a time stands for a code and subject of an account."""
    message: str
    raised_at: Instant
