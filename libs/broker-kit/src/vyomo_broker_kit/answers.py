"""What a broker said, as the record keeps it: in its own words, without anything that looks like a credential."""

import re
from dataclasses import replace
from typing import Final, assert_never

from vyomo_broker_kit.outcomes import Accepted, NotSent, Outcome, RateLimited, Refused, Unknown
from vyomo_broker_kit.port import BookEntry
from vyomo_contracts.trail import AnswerKind, BrokerAnswer
from vyomo_service_kit.redaction import REDACTED, redact_text

LONGEST_TEXT: Final = 500
_LONG_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{32,}")
"""Sessions and keys of brokers are at least this long; their order ids and words are not."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")


def clean(text: str) -> str:
    """One line of at most `LONGEST_TEXT` characters without credentials: fit for the record and for people."""
    return _LONG_TOKEN.sub(REDACTED, redact_text(_CONTROL.sub(" ", text)))[:LONGEST_TEXT]


def cleaned(outcome: Outcome) -> Outcome:
    """The outcome with its words cleaned; what it decides on stays as it is."""
    match outcome:
        case Refused():
            return replace(outcome, code=clean(outcome.code), text=clean(outcome.text))
        case RateLimited():
            return replace(outcome, text=clean(outcome.text))
        case NotSent() | Unknown():
            return replace(outcome, cause=clean(outcome.cause))
        case Accepted():
            return outcome
        case _:
            assert_never(outcome)


def answer_of(outcome: Outcome) -> BrokerAnswer:
    match outcome:
        case Accepted():
            return BrokerAnswer(kind=AnswerKind.ACCEPTED, status=outcome.status)
        case Refused():
            return BrokerAnswer(
                kind=AnswerKind.REFUSED, status=outcome.status, code=outcome.code, text=outcome.text
            )
        case NotSent():
            return BrokerAnswer(kind=AnswerKind.NOT_SENT, text=outcome.cause)
        case RateLimited():
            return BrokerAnswer(kind=AnswerKind.RATE_LIMITED, status=outcome.status, text=outcome.text)
        case Unknown():
            return BrokerAnswer(kind=AnswerKind.UNKNOWN, status=outcome.status, text=outcome.cause)
        case _:
            assert_never(outcome)


def answer_in(entry: BookEntry) -> BrokerAnswer:
    """What a row of the order book says."""
    return BrokerAnswer(
        kind=AnswerKind.BOOK, code=entry.state, text=None if entry.text is None else clean(entry.text)
    )
