"""Whatever a client sends is an order or a refusal in Kite's words."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from vyomo_paper_exchange.doors.kite.envelope import InputError
from vyomo_paper_exchange.doors.kite.words import order_of
from vyomo_paper_exchange.doors.logins import Profile

NAMES = (
    "exchange",
    "tradingsymbol",
    "transaction_type",
    "order_type",
    "product",
    "validity",
    "quantity",
    "price",
    "trigger_price",
    "market_protection",
    "disclosed_quantity",
    "tag",
)
words = st.sampled_from(
    (
        "NSE",
        "BUY",
        "SELL",
        "MARKET",
        "LIMIT",
        "SL",
        "SL-M",
        "MIS",
        "CNC",
        "DAY",
        "IOC",
        "RELIANCE",
        "",
        "-1",
        "0",
    )
)
numbers = st.one_of(st.integers().map(str), st.floats().map(str), st.decimals().map(str))
forms = st.dictionaries(st.sampled_from(NAMES), st.one_of(words, numbers, st.text(max_size=30)))
profiles: st.SearchStrategy[Profile] = st.sampled_from(("strict_2026", "legacy"))
GOOD = {
    "exchange": "NSE",
    "tradingsymbol": "RELIANCE",
    "transaction_type": "BUY",
    "order_type": "SL",
    "product": "MIS",
    "quantity": "10",
    "price": "250.5",
    "trigger_price": "250",
    "market_protection": "-1",
}


@given(forms, profiles)
@settings(max_examples=200)
def test_any_form_is_an_order_or_a_refusal(form: dict[str, str], profile: Profile) -> None:
    for parameters in (form, GOOD | form):
        try:
            order = order_of(parameters, "regular", profile).order
        except InputError:
            continue
        assert order.quantity > 0
        assert order.price.is_finite()
        assert order.price >= 0
        assert order.trigger_price is None or order.trigger_price > 0
        assert order.order_type.takes_trigger_price == (order.trigger_price is not None)


def test_prices_are_what_was_written() -> None:
    asked = order_of(GOOD, "regular", "strict_2026")

    assert (asked.order.price, asked.order.trigger_price) == (Decimal("250.5"), Decimal(250))
    assert asked.protection is None
