from decimal import Decimal

import pytest

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.orders import OrderRequest
from vyomo_contracts.reasons import ReasonCode
from vyomo_order_router.domain.risk import Approved, Denied, FreezeQuantity, OrderValue, decide

FUTURE = Instrument.model_validate(
    {
        "exchange": "NFO",
        "symbol": "NIFTY26MARFUT",
        "name": "NIFTY March",
        "kind": "FUTURE",
        "lot_size": 65,
        "tick_size": "0.05",
        "freeze_quantity": 1800,
        "reference_price": "25000",
        "band_percent": "10",
    }
)


def request(quantity: int, **changes: object) -> OrderRequest:
    return OrderRequest.model_validate(
        {
            "symbol": "NIFTY26MARFUT",
            "exchange": "NFO",
            "transaction_type": "BUY",
            "order_type": "MARKET",
            "quantity": quantity,
            "product": "NRML",
            **changes,
        }
    )


def test_quantity_up_to_the_freeze_is_approved() -> None:
    assert FreezeQuantity().check(request(1755), FUTURE) is None


def test_quantity_above_the_freeze_is_denied_with_the_largest_that_would_pass() -> None:
    problem = FreezeQuantity().check(request(1820), FUTURE)

    assert problem is not None
    assert problem.code is ReasonCode.RISK_QUANTITY_ABOVE_FREEZE
    assert problem.detail == {"limit": 1800, "value": 1820, "largestOrder": 1755}


def test_instrument_without_a_freeze_has_no_such_limit() -> None:
    assert FreezeQuantity().check(request(10**6), FUTURE.model_copy(update={"freeze_quantity": None})) is None


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"order_type": "LIMIT", "price": "100"}, 6500),
        ({"order_type": "SL-M", "trigger_price": "200"}, 13000),
        ({"order_type": "MARKET"}, 65 * 25000),
    ],
    ids=["limit price", "trigger price", "reference price"],
)
def test_order_is_worth_its_price_or_trigger_or_the_reference(changes: dict[str, object], value: int) -> None:
    order = request(65, **changes)

    assert OrderValue(Decimal(value)).check(order, FUTURE) is None
    problem = OrderValue(Decimal(value - 1)).check(order, FUTURE)
    assert problem is not None
    assert problem.code is ReasonCode.RISK_ORDER_VALUE_ABOVE_LIMIT


def test_multiplier_counts_in_the_value() -> None:
    gold = FUTURE.model_copy(update={"multiplier": 100})

    assert OrderValue(Decimal(65 * 25000 * 100 - 1)).check(request(65), gold) is not None


def test_first_rule_that_fails_decides() -> None:
    rules = (FreezeQuantity(), OrderValue(Decimal(1)))

    denied = decide(rules, request(1820), FUTURE)

    assert isinstance(denied, Denied)
    assert denied.problem.code is ReasonCode.RISK_QUANTITY_ABOVE_FREEZE
    assert decide((), request(1820), FUTURE) == Approved(request(1820))
    assert all(code.is_risk for code in (denied.problem.code, ReasonCode.RISK_ORDER_VALUE_ABOVE_LIMIT))
