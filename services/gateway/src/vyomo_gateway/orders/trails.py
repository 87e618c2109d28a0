"""Who and what stands behind an event of the record, as its owner is shown it."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from vyomo_contracts.trail import Actor, AnswerKind, AskedOrder, BrokerAnswer, RiskVerdict
from vyomo_gateway.edge.encoding import View


class ActorView(View, frozen=True, kw_only=True):
    """Who did it. Without a user, the component did it by itself."""

    component: str
    """The service that recorded it, and the part of it that acted alone."""
    user_id: str | UnsetType = UNSET
    key_id: str | UnsetType = UNSET
    address: str | UnsetType = UNSET
    user_agent: str | UnsetType = UNSET

    @classmethod
    def of(cls, actor: Actor) -> "ActorView":
        return cls(
            component=actor.component,
            user_id=actor.user_id or UNSET,
            key_id=actor.key_id or UNSET,
            address=actor.address or UNSET,
            user_agent=actor.user_agent or UNSET,
        )


class AskedView(View, frozen=True, kw_only=True):
    """The request an order came from."""

    idempotency_key: str
    body_hash: str
    """SHA-256 of the canonical request."""


class DecisionView(View, frozen=True, kw_only=True):
    """What the risk checks said; why an order was denied is in its `reason`."""

    approved: bool
    risk_version: int | None
    """Of the account's limits and trading state; null where nothing depended on them."""


class BrokerAnswerView(View, frozen=True, kw_only=True):
    """The broker's words that caused the event, credentials taken out."""

    kind: AnswerKind
    status: int | None
    code: str | None
    text: str | None


def actor_in(body: Mapping[str, Any]) -> ActorView | UnsetType:
    """UNSET in events of before this was recorded."""
    return ActorView.of(Actor.model_validate(body["by"])) if "by" in body else UNSET


def asked_in(body: Mapping[str, Any]) -> AskedView | UnsetType:
    if "asked" not in body:
        return UNSET
    asked = AskedOrder.model_validate(body["asked"])
    return AskedView(idempotency_key=asked.idempotency_key, body_hash=asked.body_hash)


def decision_in(body: Mapping[str, Any]) -> DecisionView | UnsetType:
    if "decision" not in body:
        return UNSET
    verdict = RiskVerdict.model_validate(body["decision"])
    return DecisionView(approved=verdict.approved, risk_version=verdict.risk_version)


def broker_answer_in(body: Mapping[str, Any]) -> BrokerAnswerView | UnsetType:
    if "broker_answer" not in body:
        return UNSET
    answer = BrokerAnswer.model_validate(body["broker_answer"])
    return BrokerAnswerView(kind=answer.kind, status=answer.status, code=answer.code, text=answer.text)
