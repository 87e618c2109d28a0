from http import HTTPStatus

import pytest

from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import (
    TERMINAL_STATES,
    WORKING_STATES,
    Exchange,
    OrderState,
    OrderStatus,
    OrderType,
    TransactionType,
)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (OrderState.NEW, OrderStatus.PENDING),
        (OrderState.SUBMITTING, OrderStatus.PENDING),
        (OrderState.UNCONFIRMED, OrderStatus.PENDING),
        (OrderState.ACKNOWLEDGED, OrderStatus.PENDING),
        (OrderState.TRIGGER_PENDING, OrderStatus.PENDING),
        (OrderState.OPEN, OrderStatus.PENDING),
        (OrderState.PARTIALLY_FILLED, OrderStatus.PENDING),
        (OrderState.FILLED, OrderStatus.COMPLETE),
        (OrderState.CANCELLED, OrderStatus.CANCELLED),
        (OrderState.EXPIRED, OrderStatus.CANCELLED),
        (OrderState.DENIED, OrderStatus.REJECTED),
        (OrderState.REJECTED, OrderStatus.REJECTED),
    ],
)
def test_state_has_the_word_of_the_specification(state: OrderState, status: OrderStatus) -> None:
    assert state.status is status
    assert state.is_terminal is (status is not OrderStatus.PENDING)


def test_states_are_new_or_working_or_terminal() -> None:
    assert {OrderState.NEW} | WORKING_STATES | TERMINAL_STATES == set(OrderState)
    assert not WORKING_STATES & TERMINAL_STATES


@pytest.mark.parametrize(
    ("order_type", "takes_price", "takes_trigger"),
    [
        (OrderType.MARKET, False, False),
        (OrderType.LIMIT, True, False),
        (OrderType.SL, True, True),
        (OrderType.SL_M, False, True),
    ],
)
def test_order_type_says_which_prices_it_takes(
    order_type: OrderType, *, takes_price: bool, takes_trigger: bool
) -> None:
    assert (order_type.takes_price, order_type.takes_trigger_price) == (takes_price, takes_trigger)


def test_buying_adds_and_selling_takes_away() -> None:
    assert (TransactionType.BUY.sign, TransactionType.SELL.sign) == (1, -1)


def test_cash_exchanges_are_nse_and_bse() -> None:
    assert {each for each in Exchange if each.is_cash} == {Exchange.NSE, Exchange.BSE}


@pytest.mark.parametrize("code", sorted(ReasonCode))
def test_every_reason_is_spelled_as_its_name_and_has_an_error_status(code: ReasonCode) -> None:
    assert code.value == code.name
    assert code.http_status >= HTTPStatus.BAD_REQUEST or code is ReasonCode.CANCEL_UNCONFIRMED


def test_risk_reasons_are_those_that_leave_a_denied_order() -> None:
    assert {code for code in ReasonCode if code.is_risk} == {
        ReasonCode.RISK_QUANTITY_ABOVE_FREEZE,
        ReasonCode.RISK_ORDER_VALUE_ABOVE_LIMIT,
        ReasonCode.RISK_ORDER_QUANTITY_ABOVE_LIMIT,
        ReasonCode.RISK_PRICE_FAR_FROM_LAST,
        ReasonCode.RISK_LAST_PRICE_UNKNOWN,
        ReasonCode.RISK_OPEN_ORDERS_ABOVE_LIMIT,
        ReasonCode.RISK_POSITION_ABOVE_LIMIT,
        ReasonCode.RISK_EXPOSURE_ABOVE_LIMIT,
        ReasonCode.RISK_DUPLICATE_ORDER,
        ReasonCode.RISK_REDUCE_ONLY,
        ReasonCode.TRADING_REDUCING,
        ReasonCode.TRADING_HALTED,
    }
