"""Bases of everything that travels: frozen models and the envelope.

Commands forbid unknown fields, events ignore them (a newer publisher may add some).
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from vyomo_contracts.reasons import ReasonCode

Instant = Annotated[datetime, AwareDatetime]
"""An aware UTC time; ISO-8601 with `Z` on every wire."""


class Strict(BaseModel):
    """A frozen model that refuses unknown fields: commands, requests and parts of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Tolerant(BaseModel):
    """A frozen model that ignores unknown fields: events and replies."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Envelope(Tolerant):
    """What every message says about itself. A message is a list of items: batches are the normal case, one is a short batch."""

    TYPE: ClassVar[str]

    id: str
    """Unique message id; JetStream's `Nats-Msg-Id` where the message is stored."""
    type: str
    version: int = 1
    time: Instant
    correlation_id: str
    """The first message of the chain that led here."""
    causation_id: str | None = None
    """The message that led here directly."""
    source: str
    """The service that made it."""


class Problem(Tolerant):
    """Why something was refused: a stable code and a sentence that names the field and says what would be right."""

    code: ReasonCode
    message: str
    field: str | None = None
    detail: dict[str, Any] | None = None


class Principal(Strict):
    """On whose behalf a command runs, proven by the gateway."""

    user_id: str
    key_id: str
    """The API key or browser session that was used."""
    address: str | None = None
    """Where the request came from: the connection's other end, or what a trusted proxy says of it."""
    user_agent: str | None = None
    """What the program that asked calls itself, cut to a length."""


class Reply(Tolerant):
    """Base of an item's answer: exactly one of a result and a problem."""

    problem: Problem | None = None


class Failure(Tolerant):
    """The answer to a request that could not be read or served at all."""

    problem: Problem = Field(...)
