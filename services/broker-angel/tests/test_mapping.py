from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vyomo_broker_angel import mapping
from vyomo_broker_angel.naming import Named, trading_symbol
from vyomo_broker_angel.protection import protected_price
from vyomo_broker_angel.testing import CHAIN, RELIANCE, ROW
from vyomo_contracts.orders import OrderModification
from vyomo_contracts.testing import sample_order
from vyomo_contracts.vocabulary import Exchange, OrderState, OrderType, Product, TransactionType, Validity

NAMED = Named(RELIANCE, "RELIANCE-EQ", "2885")


def row(**changes: Any) -> mapping.OrderRow:
    return mapping.OrderRow.model_validate({**ROW, **changes})


PRICES = {
    # 0.5 % above the last price, and above the trigger: on the tick, away from the market.
    OrderType.MARKET: {"ordertype": "LIMIT", "price": "1407", "triggerprice": "0"},
    OrderType.LIMIT: {"ordertype": "LIMIT", "price": "1400.5", "triggerprice": "0"},
    OrderType.SL: {"ordertype": "STOPLOSS_LIMIT", "price": "1400.5", "triggerprice": "1390"},
    OrderType.SL_M: {"ordertype": "STOPLOSS_LIMIT", "price": "1397", "triggerprice": "1390"},
}
WORDS = {Product.CNC: "DELIVERY", Product.MIS: "INTRADAY", Product.NRML: "CARRYFORWARD"}


@pytest.mark.parametrize("product", Product)
@pytest.mark.parametrize("order_type", OrderType)
def test_every_order_type_and_product_in_angels_words(order_type: OrderType, product: Product) -> None:
    order = sample_order(
        order_type=order_type, product=product, price=Decimal("1400.50"), trigger_price=Decimal("1390.0000")
    )
    last_price = Decimal(1400) if mapping.needs_last_price(order) else None

    assert mapping.place_body(order, NAMED, mapping.Terms.of(order, NAMED, last_price)) == {
        "variety": "STOPLOSS" if order_type in {OrderType.SL, OrderType.SL_M} else "NORMAL",
        "tradingsymbol": "RELIANCE-EQ",
        "symboltoken": "2885",
        "exchange": "NSE",
        "transactiontype": "BUY",
        "producttype": WORDS[product],
        "duration": "DAY",
        "quantity": "10",
        "ordertag": "T1",
        **PRICES[order_type],
    }


def test_modification_says_the_whole_order_as_it_shall_be() -> None:
    order = sample_order(
        order_type=OrderType.SL, price=Decimal(1400), trigger_price=Decimal(1390), broker_order_id="7"
    )
    changes = OrderModification(quantity=5, trigger_price=Decimal(1395))

    body = mapping.modify_body(order, changes, NAMED, mapping.Terms.of(order, NAMED, None, changes))

    assert (body["orderid"], body["variety"], body["quantity"]) == ("7", "STOPLOSS", "5")
    assert (body["ordertype"], body["price"], body["triggerprice"]) == ("STOPLOSS_LIMIT", "1400", "1395")


def test_cancellation_names_the_orders_own_variety() -> None:
    stop = sample_order(order_type=OrderType.SL_M, trigger_price=Decimal(1), broker_order_id="7")

    assert mapping.cancel_body(stop) == {"variety": "STOPLOSS", "orderid": "7"}


@given(
    reference=st.decimals(min_value="0.05", max_value=100_000, places=2),
    side=st.sampled_from(TransactionType),
    instrument=st.sampled_from((RELIANCE, CHAIN)),
)
def test_protection_is_on_the_tick_inside_the_band_and_never_on_the_wrong_side(
    reference: Decimal, side: TransactionType, instrument: Any
) -> None:
    price = protected_price(instrument, side, reference)

    assert price % instrument.tick_size == 0
    lowest, highest = instrument.lower_band or instrument.tick_size, instrument.upper_band
    assert price >= lowest
    assert highest is None or price <= highest
    inside = max(reference, lowest) if highest is None else min(max(reference, lowest), highest)
    assert price >= inside if side is TransactionType.BUY else price <= inside


@pytest.mark.parametrize(
    ("status", "changes", "state"),
    [
        ("put order req received", {}, OrderState.ACKNOWLEDGED),
        ("Validation Pending", {}, OrderState.ACKNOWLEDGED),
        ("open pending", {}, OrderState.ACKNOWLEDGED),
        ("a word of tomorrow", {}, OrderState.ACKNOWLEDGED),
        ("open", {}, OrderState.OPEN),
        ("open", {"filledshares": "4"}, OrderState.PARTIALLY_FILLED),
        ("open", {"filledshares": "10"}, OrderState.FILLED),
        ("modified", {}, OrderState.OPEN),
        ("modify pending", {"ordertype": "STOPLOSS_LIMIT"}, OrderState.TRIGGER_PENDING),
        ("not cancelled", {}, OrderState.OPEN),
        ("cancel pending", {}, OrderState.OPEN),
        ("trigger pending", {"ordertype": "STOPLOSS_LIMIT"}, OrderState.TRIGGER_PENDING),
        ("complete", {"filledshares": "10"}, OrderState.FILLED),
        ("cancelled", {"filledshares": "4"}, OrderState.CANCELLED),
        ("cancelled after market order", {}, OrderState.CANCELLED),
        ("REJECTED", {}, OrderState.REJECTED),
    ],
)
def test_status_in_our_words(status: str, changes: dict[str, Any], state: OrderState) -> None:
    assert mapping.state_of(row(status=status, **changes)) is state


def test_row_of_the_book_in_our_words() -> None:
    entry = mapping.book_entry(row(filledshares="4", averageprice=Decimal("1400.25")), "RELIANCE")

    assert (entry.broker_order_id, entry.tag, entry.symbol) == ("250411000548062", "T1", "RELIANCE")
    assert (entry.product, entry.order_type, entry.validity) == (Product.MIS, OrderType.LIMIT, Validity.DAY)
    assert (entry.quantity, entry.filled_quantity) == (10, 4)
    assert (entry.price, entry.average_price, entry.trigger_price) == (
        Decimal("1400.5"),
        Decimal("1400.25"),
        None,
    )
    assert entry.updated_at == datetime(2025, 4, 11, 6, 45, 22, tzinfo=UTC)


def test_what_we_have_no_words_for_is_not_ours() -> None:
    assert not mapping.is_ours("CDS", "INTRADAY")
    assert not mapping.is_ours("MCX", "INTRADAY")
    assert not mapping.is_ours("NSE", "BO")


def test_trade_has_the_time_of_today() -> None:
    trade = mapping.TradeRow.model_validate(
        {
            "fillid": "50005750",
            "orderid": "1",
            "exchange": "NSE",
            "tradingsymbol": "RELIANCE-EQ",
            "transactiontype": "BUY",
            "fillsize": "10",
            "fillprice": "1400.05",
            "filltime": "13:27:53",
        }
    )

    entry = mapping.trade_entry(trade, "RELIANCE", date(2026, 3, 2))

    assert entry.traded_at == datetime(2026, 3, 2, 7, 57, 53, tzinfo=UTC)
    assert (entry.quantity, entry.price) == (10, Decimal("1400.05"))


def test_position_counts_what_was_carried_over_once() -> None:
    position = mapping.PositionRow.model_validate(
        {
            "exchange": "NFO",
            "tradingsymbol": "NIFTY24NOV26FUT",
            "producttype": "CARRYFORWARD",
            "netqty": "65",
            "buyqty": "65",
            "sellqty": "65",
            "cfbuyqty": "65",
            "cfsellqty": "",
            "totalbuyvalue": "3250000.00",
            "totalsellvalue": "1625000.00",
            "netprice": "25000.00",
            "ltp": None,
        }
    )

    entry = mapping.position_entry(position, "NIFTY26NOVFUT")

    assert (entry.quantity, entry.overnight_quantity) == (65, 65)
    assert (entry.buy_quantity, entry.sell_quantity) == (130, 65)
    assert entry.last_price == 0


def test_funds() -> None:
    funds = mapping.funds_entry(mapping.Funds.model_validate({"net": "9500.50", "utiliseddebits": "500"}))

    assert (funds.available, funds.used, funds.balance) == (
        Decimal("9500.50"),
        Decimal(500),
        Decimal("10000.50"),
    )


def test_names_of_shares_and_contracts() -> None:
    assert trading_symbol(RELIANCE) == "RELIANCE-EQ"
    assert trading_symbol(RELIANCE.model_copy(update={"exchange": Exchange.BSE})) == "RELIANCE"
    assert trading_symbol(CHAIN) == "NIFTY24NOV2625000CE"
