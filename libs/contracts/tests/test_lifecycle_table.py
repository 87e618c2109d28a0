"""Every pair of states, spelled out: a second opinion on `lifecycle.TRANSITIONS`, written by hand."""

from decimal import Decimal

import pytest

from vyomo_contracts.lifecycle import TRANSITIONS, Applied, Duplicate, Illegal, OrderUpdate, Stale, apply
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.testing import NOON, sample_order
from vyomo_contracts.vocabulary import TERMINAL_STATES, WORKING_STATES, OrderState

OUTCOMES = {"A": Applied, "D": Duplicate, "S": Stale, "I": Illegal}

# What becomes of a word (column) about an order (row): A applied, D duplicate, S stale, I illegal.
TABLE = """
                  NEW DENIED SUBMITTING UNCONFIRMED ACKNOWLEDGED TRIGGER_PENDING OPEN PARTIALLY_FILLED FILLED CANCELLED REJECTED EXPIRED
NEW               D   A      A          I           A            A               A    A                A      A         A        A
DENIED            S   D      S          S           S            S               S    I                I      I         I        I
SUBMITTING        A   I      D          A           A            A               A    A                A      A         A        A
UNCONFIRMED       S   I      S          D           A            A               A    A                A      A         A        A
ACKNOWLEDGED      S   I      S          S           D            A               A    A                A      A         A        A
TRIGGER_PENDING   S   I      S          S           S            D               A    A                A      A         A        A
OPEN              S   I      S          S           S            A               D    A                A      A         A        A
PARTIALLY_FILLED  S   I      S          S           D            D               D    D                A      A         A        A
FILLED            S   I      S          S           S            S               S    S                D      I         I        I
CANCELLED         S   I      S          S           S            S               S    A                A      D         I        I
REJECTED          S   I      S          S           S            S               S    I                I      I         D        I
EXPIRED           S   I      S          S           S            S               S    A                A      I         I        D
"""


def pairs() -> list[tuple[OrderState, OrderState, str]]:
    header, *rows = [line.split() for line in TABLE.strip().splitlines()]
    return [
        (OrderState(row[0]), OrderState(word), letter)
        for row in rows
        for word, letter in zip(header, row[1:], strict=True)
    ]


def word(state: OrderState) -> OrderUpdate:
    """The bare word, with the fills that go with it and none beyond."""
    filled = {OrderState.PARTIALLY_FILLED: 5, OrderState.FILLED: 10}.get(state)
    return OrderUpdate(
        state=state, at=NOON, filled_quantity=filled, average_price=Decimal("250.50") if filled else None
    )


@pytest.mark.parametrize(("current", "told", "letter"), pairs())
def test_word_about_an_order_has_the_outcome_of_the_table(
    current: OrderState, told: OrderState, letter: str
) -> None:
    result = apply(sample_order(current), word(told))

    assert isinstance(result, OUTCOMES[letter])


def test_table_names_every_pair_of_states_once() -> None:
    named = [(current, told) for current, told, _ in pairs()]

    assert len(named) == len(set(named)) == len(OrderState) ** 2
    assert set(TRANSITIONS) == set(OrderState)


@pytest.mark.parametrize("told", sorted(OrderState))
def test_order_given_up_as_not_found_is_reopened_by_evidence_alone(told: OrderState) -> None:
    given_up = sample_order(OrderState.REJECTED, reason_code=ReasonCode.NOT_FOUND_AT_BROKER)
    evidence = (WORKING_STATES | TERMINAL_STATES) - {
        OrderState.SUBMITTING,
        OrderState.UNCONFIRMED,
        OrderState.DENIED,
        OrderState.REJECTED,
    }

    result = apply(given_up, word(told))

    assert isinstance(result, Applied) is (told in evidence)


def test_terminal_states_lead_nowhere_but_to_late_fills() -> None:
    ways_out = {state: TRANSITIONS[state] - {state} for state in TERMINAL_STATES - {OrderState.REJECTED}}

    assert ways_out == {
        OrderState.DENIED: frozenset(),
        OrderState.FILLED: frozenset(),
        OrderState.CANCELLED: {OrderState.FILLED},
        OrderState.EXPIRED: {OrderState.FILLED},
    }
