from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vyomo_broker_zerodha import mapping
from vyomo_broker_zerodha.testing import ROW
from vyomo_contracts.orders import OrderModification
from vyomo_contracts.testing import sample_order
from vyomo_contracts.vocabulary import Exchange, OrderState, OrderType, Product, Validity


def entry(**changes: Any) -> Any:
    return mapping.book_entry(mapping.OrderRow.model_validate({**ROW, **changes}))


PRICES = {
    OrderType.MARKET: {"market_protection": "-1"},
    OrderType.LIMIT: {"price": "250.5"},
    OrderType.SL: {"price": "250.5", "trigger_price": "250"},
    OrderType.SL_M: {"trigger_price": "250", "market_protection": "-1"},
}


@pytest.mark.parametrize("validity", Validity)
@pytest.mark.parametrize("product", Product)
@pytest.mark.parametrize("order_type", OrderType)
def test_every_order_type_product_and_validity_in_kite_words(
    order_type: OrderType, product: Product, validity: Validity
) -> None:
    order = sample_order(
        order_type=order_type, product=product, validity=validity, trigger_price=Decimal("250.0000")
    )

    assert mapping.place_form(order) == {
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "transaction_type": "BUY",
        "order_type": order_type,
        "quantity": "10",
        "product": product,
        "validity": validity,
        "tag": "T1",
        **PRICES[order_type],
    }


@given(st.decimals(min_value=0, max_value=10**12, places=4))
def test_price_is_written_in_full_and_without_an_exponent(price: Decimal) -> None:
    text = mapping.place_form(sample_order(price=price))["price"]

    assert Decimal(text) == price
    assert "E" not in text


def test_modification_says_the_whole_order_as_it_shall_be() -> None:
    order = sample_order(order_type=OrderType.SL, trigger_price=Decimal(250))

    form = mapping.modify_form(order, OrderModification(price=Decimal("251.05")))

    assert form == {
        "quantity": "10",
        "validity": "DAY",
        "order_type": "SL",
        "price": "251.05",
        "trigger_price": "250",
    }


def test_modification_to_a_market_order_is_protected_too() -> None:
    form = mapping.modify_form(sample_order(), OrderModification(order_type=OrderType.MARKET))

    assert form == {"quantity": "10", "validity": "DAY", "order_type": "MARKET", "market_protection": "-1"}


@pytest.mark.parametrize(
    ("status", "order_type", "filled", "state"),
    [
        ("PUT ORDER REQ RECEIVED", "LIMIT", 0, OrderState.ACKNOWLEDGED),
        ("VALIDATION PENDING", "LIMIT", 0, OrderState.ACKNOWLEDGED),
        ("OPEN PENDING", "LIMIT", 0, OrderState.ACKNOWLEDGED),
        ("AMO REQ RECEIVED", "LIMIT", 0, OrderState.ACKNOWLEDGED),
        ("OPEN", "LIMIT", 0, OrderState.OPEN),
        ("OPEN", "LIMIT", 4, OrderState.PARTIALLY_FILLED),
        ("UPDATE", "LIMIT", 0, OrderState.OPEN),
        ("UPDATE", "LIMIT", 4, OrderState.PARTIALLY_FILLED),
        ("UPDATE", "LIMIT", 10, OrderState.FILLED),
        ("MODIFY PENDING", "LIMIT", 0, OrderState.OPEN),
        ("MODIFY VALIDATION PENDING", "SL", 0, OrderState.TRIGGER_PENDING),
        ("CANCEL PENDING", "LIMIT", 0, OrderState.OPEN),
        ("CANCEL PENDING", "LIMIT", 3, OrderState.PARTIALLY_FILLED),
        ("TRIGGER PENDING", "SL-M", 0, OrderState.TRIGGER_PENDING),
        ("COMPLETE", "LIMIT", 10, OrderState.FILLED),
        ("CANCELLED", "LIMIT", 0, OrderState.CANCELLED),
        ("CANCELLED", "LIMIT", 4, OrderState.CANCELLED),
        ("CANCEL", "LIMIT", 0, OrderState.CANCELLED),
        ("REJECTED", "LIMIT", 0, OrderState.REJECTED),
        ("A WORD OF TOMORROW", "LIMIT", 0, OrderState.ACKNOWLEDGED),
    ],
)
def test_states(status: str, order_type: str, filled: int, state: OrderState) -> None:
    assert entry(status=status, order_type=order_type, filled_quantity=filled).state is state


def test_row_of_the_book() -> None:
    found = entry(status="REJECTED", status_message="Insufficient funds", trigger_price=Decimal("249.9"))

    assert (found.exchange, found.symbol, found.product) == (Exchange.NSE, "RELIANCE", Product.MIS)
    assert found.placed_at == datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
    assert found.updated_at == datetime(2026, 3, 2, 6, 30, 1, tzinfo=UTC)
    assert (found.price, found.trigger_price) == (Decimal("250.5"), Decimal("249.9"))
    assert found.text == "Insufficient funds"
    assert entry().trigger_price is None


@pytest.mark.parametrize(
    ("tag", "tags", "ours"),
    [
        ("T1", ["T1", "mktp", "mktp:2.00"], "T1"),
        (None, ["mktp", "mktp:2.00", "T1"], "T1"),
        (None, ["mktp"], None),
        (None, ["autoslice", "autoslice:26030200001"], None),
        (None, None, None),
    ],
)
def test_tags_that_kite_adds_are_not_ours(tag: str | None, tags: list[str] | None, ours: str | None) -> None:
    assert entry(tag=tag, tags=tags).tag == ours


@pytest.mark.parametrize("strange", [{"exchange": "CDS"}, {"product": "MTF"}, {"order_type": "SPREAD"}])
def test_order_in_words_we_have_none_for_is_left_out(strange: dict[str, str]) -> None:
    assert entry(**strange) is None


def test_time_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not match"):
        entry(order_timestamp="yesterday")


def test_funds_are_what_orders_may_use_in_all_segments() -> None:
    equity = mapping.SegmentFunds.model_validate({"net": "900.5", "utilised": {"debits": "99.5"}})
    commodity = mapping.SegmentFunds.model_validate({"net": "100", "available": {"cash": "7"}})

    funds = mapping.funds_entry({"equity": equity, "commodity": commodity})

    assert (funds.balance, funds.used, funds.available) == (Decimal(1100), Decimal("99.5"), Decimal("1000.5"))
