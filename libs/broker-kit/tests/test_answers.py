"""What a broker said is recorded with the event it caused, without what must not be kept."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vyomo_broker_kit.answers import LONGEST_TEXT, answer_of, clean, cleaned
from vyomo_broker_kit.outcomes import Accepted, NotSent, RateLimited, Refused, Unknown
from vyomo_broker_kit.testing import Behaviour
from vyomo_broker_kit.testing.floor import Floor
from vyomo_contracts.orders import Order
from vyomo_contracts.trail import AnswerKind
from vyomo_contracts.vocabulary import OrderState

TOKEN = "f3a9" * 10


async def bodies(floor: Floor, order: Order) -> list[dict[str, Any]]:
    rows = await floor.world.rows(
        "SELECT body FROM ledger.order_events WHERE order_id = $1 ORDER BY version", order.order_id
    )
    return [json.loads(row["body"]) for row in rows]


async def test_an_order_is_traced_from_its_claim_to_its_fill(floor: Floor) -> None:
    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.FILLED)

    _, submitting, acknowledged, *_, filled = await bodies(floor, order)

    assert submitting["by"] == {"component": "worker-zerodha"}
    assert "broker_answer" not in submitting
    assert acknowledged["broker_answer"] == {"kind": "ACCEPTED", "status": 200}
    assert filled["by"] == {"component": "worker-zerodha/books"}
    assert filled["broker_answer"] == {"kind": "BOOK", "code": "FILLED"}


async def test_a_refusal_is_recorded_with_status_code_and_words(floor: Floor) -> None:
    floor.broker.script(Behaviour(placing="refuse"))
    async with floor.working():
        order = await floor.place()
        await floor.until(order, OrderState.REJECTED)

    assert (await bodies(floor, order))[-1]["broker_answer"] == {
        "kind": "REFUSED",
        "status": 400,
        "code": "InputException",
        "text": "the price is out of range",
    }


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Accepted("B1", 200), AnswerKind.ACCEPTED),
        (Refused("TokenException", f"token {TOKEN} is over", status=403), AnswerKind.REFUSED),
        (NotSent(f"ConnectError {TOKEN}"), AnswerKind.NOT_SENT),
        (RateLimited(f"access_token={TOKEN}&x", 429), AnswerKind.RATE_LIMITED),
        (Unknown(f"502 at https://user:{TOKEN}@host/", 502), AnswerKind.UNKNOWN),
    ],
)
def test_no_answer_keeps_a_credential(
    outcome: Accepted | Refused | NotSent | RateLimited | Unknown, kind: AnswerKind
) -> None:
    answer = answer_of(cleaned(outcome))

    assert answer.kind is kind
    assert TOKEN not in answer.model_dump_json()


def test_a_refusal_that_ends_the_session_still_ends_it() -> None:
    cleaned_refusal = cleaned(Refused("TokenException", "x", ends_session=True, status=403))

    assert isinstance(cleaned_refusal, Refused)
    assert cleaned_refusal.ends_session


@given(st.text(max_size=2000))
def test_whatever_a_broker_says_can_be_recorded(text: str) -> None:
    said = clean(text)

    assert len(said) <= LONGEST_TEXT
    assert "\x00" not in said


def test_a_brokers_plain_words_stay_as_they_are() -> None:
    words = "RMS:Margin Exceeds, Required:49871.00, Available:4200.24 for entity account-AB1234"

    assert clean(words) == words
