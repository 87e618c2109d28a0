"""What may be asked about limits and switches. A person's commands concern the person's own accounts, whatever they say."""

from typing import ClassVar

from pydantic import Field

from vyomo_contracts.identifiers import IDEMPOTENCY_KEY_MAX_LENGTH
from vyomo_contracts.messages import Envelope, Principal, Problem, Reply, Strict, Tolerant
from vyomo_contracts.orders import Order
from vyomo_contracts.risk import AccountTrading, Control, RiskLimits
from vyomo_contracts.vocabulary import ControlScope, TradingState


class SwitchTrading(Strict):
    principal: Principal
    scope: ControlScope
    """`global` is all accounts of the principal, `broker` those at one broker."""
    scope_id: str = Field(default="", max_length=64)
    state: TradingState
    reason: str = Field(min_length=1, max_length=256)


class SwitchTradingBatch(Envelope):
    """The kill switch, and its release."""

    TYPE: ClassVar[str] = "risk.switch"
    items: tuple[SwitchTrading, ...] = Field(min_length=1)


class SetRiskLimits(Strict):
    principal: Principal
    account_id: int | None = None
    """None for the limits of all the principal's accounts."""
    limits: RiskLimits
    """They replace the level's limits as a whole."""


class SetRiskLimitsBatch(Envelope):
    """Replace the limits of a user or of an account."""

    TYPE: ClassVar[str] = "risk.set_limits"
    items: tuple[SetRiskLimits, ...] = Field(min_length=1)


class ReadRisk(Strict):
    principal: Principal
    account_id: int | None = None


class ReadRiskBatch(Envelope):
    """Ask for limits and states."""

    TYPE: ClassVar[str] = "risk.read"
    items: tuple[ReadRisk, ...] = Field(min_length=1)


class RiskView(Tolerant):
    limits: RiskLimits
    """As set at the level that was asked about."""
    effective: RiskLimits
    """As they apply there, with those of the levels above and the defaults."""
    accounts: tuple[AccountTrading, ...] = ()
    """The principal's accounts, or the one that was asked about."""
    controls: tuple[Control, ...] = ()
    """The switches that are not at ACTIVE and cover any of them."""


class RiskReply(Reply):
    """How things stand after the command."""

    risk: RiskView | None = None


class RiskReplies(Envelope):
    TYPE: ClassVar[str] = "risk.replies"
    items: tuple[RiskReply, ...]


class ExitAll(Strict):
    principal: Principal
    account_id: int | None = None
    """None for all the principal's accounts."""
    idempotency_key: str = Field(min_length=1, max_length=IDEMPOTENCY_KEY_MAX_LENGTH)
    """The same key never closes a position twice."""


class ExitAllBatch(Envelope):
    """Close every open position at the market."""

    TYPE: ClassVar[str] = "risk.exit_all"
    items: tuple[ExitAll, ...] = Field(min_length=1)


class Exit(Tolerant):
    """One order that closes a position or a part of it, and what became of it."""

    account_id: int
    exchange: str
    symbol: str
    product: str
    quantity: int
    order: Order | None = None
    problem: Problem | None = None


class ExitReply(Reply):
    exits: tuple[Exit, ...] = ()
    """None for what open orders close already."""


class ExitReplies(Envelope):
    TYPE: ClassVar[str] = "risk.exit_replies"
    items: tuple[ExitReply, ...]
