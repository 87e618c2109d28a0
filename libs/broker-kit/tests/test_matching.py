"""Which row of the book is which order."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vyomo_broker_kit.external import external_order
from vyomo_broker_kit.matching import match_book
from vyomo_broker_kit.port import BookEntry
from vyomo_contracts.money import ZERO
from vyomo_contracts.orders import Order
from vyomo_contracts.testing import NOON, sample_order
from vyomo_contracts.vocabulary import Broker, OrderState, Origin

UNKNOWN = sample_order(OrderState.UNCONFIRMED)


def entry(broker_order_id: str, tag: str | None = UNKNOWN.broker_tag, **changes: Any) -> BookEntry:
    fields: dict[str, Any] = {
        "exchange": UNKNOWN.exchange,
        "symbol": UNKNOWN.symbol,
        "transaction_type": UNKNOWN.transaction_type,
        "order_type": UNKNOWN.order_type,
        "product": UNKNOWN.product,
        "validity": UNKNOWN.validity,
        "state": OrderState.OPEN,
        "filled_quantity": 0,
        "average_price": ZERO,
        "quantity": UNKNOWN.quantity,
        "price": UNKNOWN.price,
        "trigger_price": None,
        "text": None,
        "placed_at": NOON,
        "updated_at": NOON,
    }
    return BookEntry(broker_order_id=broker_order_id, tag=tag, **{**fields, **changes})


def test_known_id_is_believed_whatever_the_terms_are_now() -> None:
    known = UNKNOWN.model_copy(update={"broker_order_id": "B7"})
    matches = match_book([known], [entry("B7", tag=None, quantity=99)])

    assert [(order.order_id, row.broker_order_id) for order, row in matches.pairs] == [(known.order_id, "B7")]


def test_looks_alone_make_a_stranger() -> None:
    matches = match_book([UNKNOWN], [entry("B1", tag=None)])

    assert matches.absent == [UNKNOWN]
    assert [row.broker_order_id for row in matches.strangers] == ["B1"]


def test_of_two_rows_with_one_tag_the_first_placed_is_the_order_however_they_are_sorted() -> None:
    rows = [entry("B1", placed_at=NOON + timedelta(seconds=1)), entry("B2", placed_at=NOON)]
    for book in (rows, rows[::-1]):
        matches = match_book([UNKNOWN], book)

        assert [row.broker_order_id for _, row in matches.pairs] == ["B2"]
        assert [row.broker_order_id for _, row in matches.surplus] == ["B1"]


def test_second_row_is_surplus_also_when_the_id_of_the_first_is_known() -> None:
    known = UNKNOWN.model_copy(update={"broker_order_id": "B1"})
    matches = match_book([known], [entry("B1"), entry("B2")])

    assert [row.broker_order_id for _, row in matches.surplus] == ["B2"]


@given(
    st.permutations([entry("B1"), entry("B2", tag="OTHER"), entry("B3", tag=None), entry("B4", symbol="TCS")])
)
def test_every_row_and_every_order_has_exactly_one_place(book: list[BookEntry]) -> None:
    other = sample_order(OrderState.OPEN, order_id="O2", broker_tag="T9", broker_order_id="B9")
    matches = match_book([UNKNOWN, other], book)

    rows = [
        *(row.broker_order_id for _, row in matches.pairs),
        *(row.broker_order_id for row in matches.strangers),
        *(row.broker_order_id for _, row in (*matches.surplus, *matches.misfits)),
    ]
    assert sorted(rows) == ["B1", "B2", "B3", "B4"]
    assert [order.order_id for order in matches.absent] == ["O2"]
    assert [row.broker_order_id for _, row in matches.misfits] == ["B4"]


def test_adopted_order_is_the_same_whoever_adopts_it() -> None:
    def adopted(row: BookEntry, account_id: int = 3) -> Order:
        return external_order(
            row, account_id=account_id, user_id="asha", broker=Broker.ZERODHA, origin=Origin.EXTERNAL, at=NOON
        )

    assert adopted(entry("B1")) == adopted(entry("B1"))
    ids = {adopted(entry(f"B{number}"), account).order_id for number in range(50) for account in (3, 4)}
    assert len(ids) == 100
    assert all(len(adopted(entry(f"B{number}")).broker_tag) == 15 for number in range(5))
