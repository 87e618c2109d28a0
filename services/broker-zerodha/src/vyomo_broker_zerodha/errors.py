"""What Kite's answers to order calls mean. A white list: only what is named here proves that nothing was done.

Source: Kite Connect v3, response structure and exceptions. Kite also refuses with words for what it does not know itself:
"Order request timed out. Please check the order book" comes with status 400, and the order appears seconds later.
"""

from typing import Final

from pydantic import BaseModel, Field, ValidationError

from vyomo_broker_kit.http import Answer
from vyomo_broker_kit.outcomes import Accepted, NotSent, Outcome, RateLimited, Refused, Unknown

TOKEN_REFUSED: Final = (403, "TokenException")
REFUSALS: Final = frozenset(
    {
        (400, "InputException"),
        (400, "MarginException"),
        (400, "HoldingException"),
        (403, "PermissionException"),
        (403, "UserException"),
        TOKEN_REFUSED,
    }
)
DOUBTS: Final = ("timed out", "timeout", "check the order book")
"""Words, in small letters, that make a refusal none."""


class _Placed(BaseModel):
    order_id: str = Field(min_length=1)


class _Success(BaseModel):
    status: str = Field(pattern="^success$")
    data: _Placed


class Failure(BaseModel):
    message: str = ""
    error_type: str


def outcome_of(answer: Answer | NotSent | Unknown) -> Outcome:
    """Of a call that places, modifies or cancels."""
    if not isinstance(answer, Answer):
        return answer
    try:
        if answer.status == 200:
            return Accepted(_Success.model_validate_json(answer.body).data.order_id, answer.status)
        if answer.status == 429:
            return RateLimited(_text_of(answer), answer.status)
        failure = Failure.model_validate_json(answer.body)
    except ValidationError:
        return Unknown(f"an unreadable answer with status {answer.status}", answer.status)
    key = (answer.status, failure.error_type)
    doubted = any(words in failure.message.lower() for words in DOUBTS)
    if key not in REFUSALS or doubted:
        return Unknown(f"{answer.status} {failure.error_type}: {failure.message}", answer.status)
    return Refused(
        failure.error_type, failure.message, ends_session=key == TOKEN_REFUSED, status=answer.status
    )


def _text_of(answer: Answer) -> str:
    """The limiter stands before everything else and need not speak JSON."""
    failure = failure_of(answer)
    return "Too many requests" if failure is None else failure.message


def failure_of(answer: Answer) -> Failure | None:
    """Kite's own error in an answer; None if it is something else, such as the page of a proxy."""
    try:
        return Failure.model_validate_json(answer.body)
    except ValidationError:
        return None


def is_session_over(answer: Answer) -> bool:
    failure = failure_of(answer)
    return failure is not None and (answer.status, failure.error_type) == TOKEN_REFUSED
