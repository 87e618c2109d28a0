"""Whether a broker lets us in for an account. Session loss is a state, not an error: brokers end every session once a day."""

from vyomo_contracts.messages import Instant, Tolerant
from vyomo_contracts.vocabulary import Broker, Word


class SessionState(Word):
    NO_SESSION = "NO_SESSION"
    """Nobody has signed in yet."""
    ACTIVE = "ACTIVE"
    EXPIRING = "EXPIRING"
    """Still good, for minutes only."""
    EXPIRED = "EXPIRED"
    """Over by the clock, or because the broker said so."""

    @property
    def may_send(self) -> bool:
        return self in {SessionState.ACTIVE, SessionState.EXPIRING}


class AccountSession(Tolerant):
    """What the owner of an account is shown of its session."""

    state: SessionState = SessionState.NO_SESSION
    valid_until: Instant | None = None
    reason: str | None = None


class BrokerSession(Tolerant):
    account_id: int
    user_id: str
    broker: Broker
    state: SessionState
    valid_until: Instant | None = None
    opened_at: Instant | None = None
    """When somebody signed in."""
    reason: str | None = None
    """Why it ended, in a sentence."""
    updated_at: Instant
