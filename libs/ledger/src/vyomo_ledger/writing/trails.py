"""What is recorded beside a snapshot, as JSON that is joined to the event's body: no row and no round trip more.

`by` is in every event; `asked` and `decision` in an order's first, `broker_answer` in those that a broker's words caused. See
`vyomo_contracts.trail`.
"""

import orjson

from vyomo_contracts.messages import Principal
from vyomo_contracts.trail import BrokerAnswer
from vyomo_ledger.writing.bodies import text_of


def by(component: str, principal: Principal | None = None) -> str:
    """`"by":{...}`: the component alone, or the person it acted for."""
    actor = {"component": component}
    if principal is not None:
        actor |= {"user_id": principal.user_id, "key_id": principal.key_id}
        if principal.address is not None:
            actor["address"] = principal.address
        if principal.user_agent is not None:
            actor["user_agent"] = principal.user_agent
    return f'"by":{orjson.dumps(actor).decode()}'


def of_acceptance(
    component: str,
    principal: Principal | None,
    *,
    idempotency_key: str,
    body_hash: str,
    approved: bool,
    risk_version: int | None,
) -> str:
    """`"by":{...},"asked":{...},"decision":{...}`."""
    said = orjson.dumps(
        {
            "asked": {"idempotency_key": idempotency_key, "body_hash": body_hash},
            "decision": {"approved": approved, "risk_version": risk_version},
        }
    )
    return f"{by(component, principal)},{said[1:-1].decode()}"


def account_body(component: str, principal: Principal, **said: object) -> str:
    """The body of an account's event: what is so from now on, and who made it so."""
    return f"{{{by(component, principal)},{orjson.dumps({'account': said}).decode()[1:]}"


def with_answer(trail: str, answer: BrokerAnswer | None) -> str:
    return trail if answer is None else f'{trail},"broker_answer":{text_of(answer)}'


def recorded(body: str, trail: str) -> str:
    """The body as the record keeps it; what is published is the body alone."""
    return f"{body[:-1]},{trail}}}" if trail else body
