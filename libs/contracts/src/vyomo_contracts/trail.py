"""What the record keeps beside a snapshot: who caused the event, what was asked, what was decided, what the broker said.

It stays in the record, for its owner and for auditors; the bus carries snapshots without it.
"""

from vyomo_contracts.messages import Tolerant
from vyomo_contracts.vocabulary import Word


class Actor(Tolerant):
    """Who did it. Without a user, the component did it by itself."""

    component: str
    """The service that wrote the event, and the part of it that acted alone: `order-router/sweeper`."""
    user_id: str | None = None
    key_id: str | None = None
    address: str | None = None
    user_agent: str | None = None


class AskedOrder(Tolerant):
    """The request that an order came from."""

    idempotency_key: str
    body_hash: str
    """SHA-256 of the canonical request."""


class RiskVerdict(Tolerant):
    """What the risk checks made of a new order; why one was denied is in the order itself."""

    approved: bool
    risk_version: int | None = None
    """Of the account's limits and trading state; None where nothing depended on them."""


class AnswerKind(Word):
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    NOT_SENT = "NOT_SENT"
    """The call provably never left; `text` says what kept it."""
    RATE_LIMITED = "RATE_LIMITED"
    UNKNOWN = "UNKNOWN"
    """No answer, or none that can be trusted; `text` is the kind of failure."""
    BOOK = "BOOK"
    """A row of the broker's order book; `code` is the state it shows."""


class BrokerAnswer(Tolerant):
    """What the broker said, as far as it caused the event. Credentials are taken out of its words."""

    kind: AnswerKind
    status: int | None = None
    """Of HTTP, where there was an answer."""
    code: str | None = None
    text: str | None = None
