"""One test a rule: what is refused, under which code and field, and what the sentence offers instead."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.messages import Problem
from vyomo_contracts.orders import OrderRequest
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker, Exchange, InstrumentKind, OrderType, Product, Validity
from vyomo_order_router.domain.validation import unknown_instrument, validate

TODAY = date(2026, 3, 2)


def instrument(**changes: object) -> Instrument:
    """A share on NSE at 1,400 with a band of 20 percent: 1,120 to 1,680."""
    return Instrument.model_validate(
        {
            "exchange": Exchange.NSE,
            "symbol": "RELIANCE",
            "name": "Reliance Industries",
            "kind": InstrumentKind.EQUITY,
            "lot_size": 1,
            "tick_size": Decimal("0.05"),
            "reference_price": Decimal(1400),
            "band_percent": Decimal(20),
            **changes,
        }
    )


def option(**changes: object) -> Instrument:
    return instrument(
        **{
            "exchange": Exchange.NFO,
            "symbol": "NIFTY26MAR25000CE",
            "kind": InstrumentKind.OPTION,
            "expiry": TODAY + timedelta(days=20),
            "lot_size": 65,
            "reference_price": Decimal(150),
            "band_percent": Decimal(0),
            **changes,
        }
    )


def request(**changes: object) -> OrderRequest:
    return OrderRequest.model_validate(
        {
            "symbol": "RELIANCE",
            "exchange": Exchange.NSE,
            "transaction_type": "BUY",
            "order_type": OrderType.LIMIT,
            "quantity": 10,
            "price": Decimal(1400),
            "product": Product.MIS,
            **changes,
        }
    )


def checked(order: OrderRequest, listed: Instrument, broker: Broker = Broker.PAPER) -> Problem | None:
    return validate(order, listed, broker=broker, today=TODAY)


def refusal(
    order: OrderRequest, listed: Instrument, broker: Broker = Broker.PAPER
) -> tuple[ReasonCode, str, str]:
    problem = checked(order, listed, broker)
    assert problem is not None
    assert problem.field is not None
    assert problem.code.http_status == 422
    return problem.code, problem.field, problem.message


def stop(
    side: str, price: int, trigger: int | str | None, order_type: OrderType = OrderType.SL
) -> OrderRequest:
    return request(transaction_type=side, order_type=order_type, price=price, trigger_price=trigger)


@pytest.mark.parametrize(
    "order",
    [
        request(),
        request(order_type=OrderType.MARKET, price=0),
        request(order_type=OrderType.MARKET, price="250.51", trigger_price="245.03"),  # neither applies
        request(product=Product.CNC, validity=Validity.IOC),
        stop("BUY", 1400, 1390),
        stop("SELL", 1390, 1400),
        stop("BUY", 1400, 1400),
        stop("BUY", 0, 1400, OrderType.SL_M),
    ],
)
def test_order_the_exchange_would_take_passes(order: OrderRequest) -> None:
    assert checked(order, instrument()) is None


@pytest.mark.parametrize("quantity", [0, -1, -(2**31)])
def test_quantity_must_be_positive(quantity: int) -> None:
    code, field, message = refusal(request(quantity=quantity), instrument())

    assert (code, field) == (ReasonCode.QUANTITY_NOT_POSITIVE, "quantity")
    assert message == f"quantity must be at least 1; it is {quantity}"


def test_quantity_must_be_whole_lots_and_the_nearest_are_offered() -> None:
    code, field, message = refusal(request(quantity=100, product=Product.NRML), option())

    assert (code, field) == (ReasonCode.QUANTITY_NOT_LOT_MULTIPLE, "quantity")
    assert "65 or 130 would be" in message


def test_less_than_a_lot_is_offered_one_lot() -> None:
    _, _, message = refusal(request(quantity=1, product=Product.NRML), option())

    assert message.endswith("1 is not, 65 would be")


@given(st.integers(1, 1000), st.integers(1, 5000))
def test_lot_rule_takes_multiples_and_nothing_else(lot: int, quantity: int) -> None:
    problem = checked(request(quantity=quantity), instrument(lot_size=lot))

    assert (problem is None) is (quantity % lot == 0)


@pytest.mark.parametrize("order_type", [OrderType.LIMIT, OrderType.SL])
def test_price_is_required_where_it_applies(order_type: OrderType) -> None:
    code, field, _ = refusal(request(order_type=order_type, price=0, trigger_price=1400), instrument())

    assert (code, field) == (ReasonCode.PRICE_REQUIRED, "price")


def test_price_must_be_on_a_tick_and_the_nearest_are_offered() -> None:
    code, field, message = refusal(request(price="1400.03"), instrument())

    assert (code, field) == (ReasonCode.PRICE_OFF_TICK, "price")
    assert "1400 or 1400.05 would be" in message


@given(
    st.integers(112_000, 168_000),
    st.sampled_from(["0.01", "0.05", "0.10", "0.50", "1.00", "5.00"]),
)
def test_tick_rule_takes_multiples_and_offers_two_that_pass(paise: int, tick: str) -> None:
    listed = instrument(tick_size=Decimal(tick), band_percent=0)
    price = Decimal(paise) / 100

    problem = checked(request(price=price), listed)

    assert (problem is None) is (price % Decimal(tick) == 0)
    if problem is not None:
        below, above = problem.message.split("is not, ")[1].removesuffix(" would be").split(" or ")
        assert Decimal(below) < price < Decimal(above)
        assert checked(request(price=below), listed) is None
        assert checked(request(price=above), listed) is None


@pytest.mark.parametrize("price", ["1119.95", "1680.05"])
def test_price_must_be_within_the_band(price: str) -> None:
    code, field, message = refusal(request(price=price), instrument())

    assert (code, field) == (ReasonCode.PRICE_OUTSIDE_BAND, "price")
    assert "1120 to 1680" in message


@pytest.mark.parametrize("price", ["1120", "1680"])
def test_prices_at_the_band_are_within_it(price: str) -> None:
    assert checked(request(price=price), instrument()) is None


@pytest.mark.parametrize("order_type", [OrderType.SL, OrderType.SL_M])
@pytest.mark.parametrize("trigger", [None, 0])
def test_trigger_price_is_required_on_stops(order_type: OrderType, trigger: int | None) -> None:
    code, field, _ = refusal(stop("BUY", 1400, trigger, order_type), instrument())

    assert (code, field) == (ReasonCode.TRIGGER_PRICE_REQUIRED, "triggerPrice")


def test_trigger_price_must_be_on_a_tick() -> None:
    code, field, _ = refusal(stop("BUY", 1400, "1390.01"), instrument())

    assert (code, field) == (ReasonCode.TRIGGER_PRICE_OFF_TICK, "triggerPrice")


@pytest.mark.parametrize(
    ("order", "side"),
    [(stop("BUY", 1390, "1400.0000"), "at or below"), (stop("SELL", 1400, 1390), "at or above")],
)
def test_trigger_price_must_be_on_the_side_that_leaves_the_limit_fillable(
    order: OrderRequest, side: str
) -> None:
    code, field, message = refusal(order, instrument())

    assert (code, field) == (ReasonCode.TRIGGER_PRICE_WRONG_SIDE, "triggerPrice")
    assert f"must be {side} price" in message
    assert message.endswith(f"price is {order.price}")


def test_stop_market_is_not_possible_on_options() -> None:
    order = request(quantity=65, product=Product.NRML, order_type=OrderType.SL_M, trigger_price=150)

    code, field, message = refusal(order, option())

    assert (code, field) == (ReasonCode.ORDER_TYPE_NOT_ALLOWED, "orderType")
    assert "use SL" in message


@pytest.mark.parametrize("exchange", [Exchange.NFO, Exchange.BFO, Exchange.MCX])
def test_delivery_is_for_the_cash_exchanges(exchange: Exchange) -> None:
    code, field, message = refusal(request(quantity=65, product=Product.CNC), option(exchange=exchange))

    assert (code, field) == (ReasonCode.PRODUCT_NOT_ALLOWED, "product")
    assert "use MIS or NRML" in message


@pytest.mark.parametrize("exchange", [Exchange.NSE, Exchange.BSE])
def test_carrying_is_for_derivatives(exchange: Exchange) -> None:
    code, field, message = refusal(request(product=Product.NRML), instrument(exchange=exchange))

    assert (code, field) == (ReasonCode.PRODUCT_NOT_ALLOWED, "product")
    assert "use CNC or MIS" in message


def test_immediate_or_cancel_is_not_possible_on_mcx() -> None:
    listed = instrument(exchange=Exchange.MCX, kind=InstrumentKind.FUTURE)

    code, field, _ = refusal(request(product=Product.NRML, validity=Validity.IOC), listed)

    assert (code, field) == (ReasonCode.VALIDITY_NOT_ALLOWED, "validity")


@pytest.mark.parametrize(
    ("order", "listed", "code", "field"),
    [
        ({"validity": Validity.IOC}, {}, ReasonCode.VALIDITY_NOT_ALLOWED, "validity"),
        (
            {"product": Product.NRML},
            {"exchange": Exchange.MCX, "kind": InstrumentKind.FUTURE},
            ReasonCode.EXCHANGE_NOT_ALLOWED,
            "exchange",
        ),
    ],
)
def test_what_one_broker_does_not_take_others_do(
    order: dict[str, object], listed: dict[str, object], code: ReasonCode, field: str
) -> None:
    wanted = request(**order, **{"exchange": listed["exchange"]} if listed else {})

    problem = validate(wanted, instrument(**listed), broker=Broker.ANGEL, today=TODAY)

    assert problem is not None
    assert (problem.code, problem.field) == (code, field)
    assert "angel" in problem.message
    assert validate(wanted, instrument(**listed), broker=Broker.ZERODHA, today=TODAY) is None


@pytest.mark.parametrize(("days", "passes"), [(-1, False), (0, True), (1, True)])
def test_contract_can_be_ordered_until_its_last_day(*, days: int, passes: bool) -> None:
    listed = option(expiry=TODAY + timedelta(days=days))

    problem = checked(request(quantity=65, product=Product.NRML, price=150), listed)

    assert (problem is None) is passes
    assert problem is None or (problem.code, problem.field) == (ReasonCode.INSTRUMENT_EXPIRED, "symbol")


@pytest.mark.parametrize("broker", Broker)
def test_index_can_be_ordered_on_paper_only(broker: Broker) -> None:
    listed = instrument(symbol="NIFTY", kind=InstrumentKind.INDEX)

    problem = checked(request(), listed, broker)

    assert (problem is None) is (broker is Broker.PAPER)
    assert problem is None or (problem.code, problem.field) == (ReasonCode.INSTRUMENT_NOT_ORDERABLE, "symbol")


def test_unknown_symbol_is_told_from_a_symbol_of_another_exchange() -> None:
    unknown = unknown_instrument(request(), [])
    elsewhere = unknown_instrument(request(), ["BSE"])

    assert (unknown.code, unknown.field) == (ReasonCode.UNKNOWN_SYMBOL, "symbol")
    assert (elsewhere.code, elsewhere.field) == (ReasonCode.WRONG_EXCHANGE, "exchange")
    assert "it is on BSE" in elsewhere.message
