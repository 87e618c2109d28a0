"""What SmartAPI's answers mean. A white list: only what is named here proves that nothing was done.

Source: SmartAPI, error codes. Failures come in two spellings, often with status 200: the application's (`status`, `errorcode`) and the
gateway's (`success`, `errorCode`). One code stands for several causes, so the words are kept beside it.
"""

from typing import Final

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from vyomo_broker_kit.http import Answer
from vyomo_broker_kit.outcomes import Accepted, NotSent, Outcome, RateLimited, Refused, Unknown

SESSION_OVER: Final = frozenset({"AG8001", "AG8002", "AG8003", "AB1010", "AB1011"})
TOO_OFTEN: Final = "AB1021"
NO_PROOF: Final = frozenset({"AB1004", "AB2000", "AB2001"})
"""'Something went wrong': the order may be there."""
UNREGISTERED: Final = "AG7002"
"""Orders came from an address that is not registered for the API key."""
HOW_TO_REGISTER: Final = "(orders must come from the address registered for the API key: docs/static-ip.md)"
REFUSALS: Final = SESSION_OVER | {
    UNREGISTERED,
    "AG8004",  # an API key that is none
    "AB1008",  # variety
    "AB1009",  # symbol
    "AB1012",  # product
    "AB1018",  # symbol details
    "AB2002",  # bracket orders are blocked
    "AB2020",  # funds
    "AB4008",  # tag too long
}
_ACCESS_RATE: Final = b"exceeding access rate"
"""Said in plain text with status 403, which else is about permissions."""


class _Placed(BaseModel):
    orderid: str = Field(min_length=1)


class _Success(BaseModel):
    status: bool
    data: _Placed


class Failure(BaseModel):
    """Either spelling."""

    succeeded: bool = Field(validation_alias=AliasChoices("status", "success"), strict=True)
    message: str = ""
    code: str = Field(validation_alias=AliasChoices("errorcode", "errorCode"))


def failure_of(answer: Answer) -> Failure | None:
    """The broker's own no in an answer; None if it is something else, such as a success or the page of a proxy."""
    try:
        failure = Failure.model_validate_json(answer.body)
    except ValidationError:
        return None
    return None if failure.succeeded else failure


def is_too_often(answer: Answer) -> bool:
    failure = failure_of(answer)
    return (
        answer.status == 429
        or (answer.status == 403 and _ACCESS_RATE in answer.body)
        or (failure is not None and failure.code == TOO_OFTEN)
    )


def outcome_of(answer: Answer | NotSent | Unknown) -> Outcome:
    """Of a call that places, modifies or cancels."""
    if not isinstance(answer, Answer):
        return answer
    if is_too_often(answer):
        return RateLimited("too many requests", answer.status)
    failure = failure_of(answer)
    if failure is None:
        return _accepted(answer)
    if answer.status >= 500 or failure.code not in REFUSALS:
        return Unknown(f"{answer.status} {failure.code}: {failure.message}", answer.status)
    if failure.code == UNREGISTERED:
        return Refused(failure.code, f"{failure.message} {HOW_TO_REGISTER}", status=answer.status)
    return Refused(
        failure.code, failure.message, ends_session=failure.code in SESSION_OVER, status=answer.status
    )


def _accepted(answer: Answer) -> Outcome:
    try:
        success = _Success.model_validate_json(answer.body)
    except ValidationError:
        return Unknown(f"an unreadable answer with status {answer.status}", answer.status)
    if answer.status != 200 or not success.status:
        return Unknown(f"an order id with status {answer.status}", answer.status)
    return Accepted(success.data.orderid, answer.status)
