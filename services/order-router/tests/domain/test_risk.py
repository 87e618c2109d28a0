from decimal import Decimal

import pytest

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.orders import OrderRequest
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.risk import RiskLimits
from vyomo_order_router.domain.risk import (
    Approved,
    Denied,
    FreezeQuantity,
    OrderValue,
    Proposal,
    decide,
)

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


def proposal(
    order: OrderRequest, *, instrument: Instrument = FUTURE, value: Decimal | int | None = None
) -> Proposal:
    limits = RiskLimits(max_order_value=None if value is None else Decimal(value))
    return Proposal(request=order, instrument=instrument, limits=limits)


def test_quantity_up_to_the_freeze_is_approved() -> None:
    assert FreezeQuantity().check(proposal(request(1755))) is None


def test_quantity_above_the_freeze_is_denied_with_the_largest_that_would_pass() -> None:
    problem = FreezeQuantity().check(proposal(request(1820)))

    assert problem is not None
    assert problem.code is ReasonCode.RISK_QUANTITY_ABOVE_FREEZE
    assert problem.detail == {"limit": 1800, "value": 1820, "largestOrder": 1755}


def test_instrument_without_a_freeze_has_no_such_limit() -> None:
    unfrozen = FUTURE.model_copy(update={"freeze_quantity": None})

    assert FreezeQuantity().check(proposal(request(10**6), instrument=unfrozen)) is None


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

    assert OrderValue().check(proposal(order, value=value)) is None
    problem = OrderValue().check(proposal(order, value=value - 1))
    assert problem is not None
    assert problem.code is ReasonCode.RISK_ORDER_VALUE_ABOVE_LIMIT


def test_multiplier_counts_in_the_value() -> None:
    gold = FUTURE.model_copy(update={"multiplier": 100})

    assert OrderValue().check(proposal(request(65), instrument=gold, value=65 * 25000 * 100 - 1)) is not None


def test_first_rule_that_fails_decides() -> None:
    rules = (FreezeQuantity(), OrderValue())

    denied = decide(rules, proposal(request(1820), value=1))

    assert isinstance(denied, Denied)
    assert denied.problem.code is ReasonCode.RISK_QUANTITY_ABOVE_FREEZE
    assert decide((), proposal(request(1820))) == Approved(request(1820))
    assert all(code.is_risk for code in (denied.problem.code, ReasonCode.RISK_ORDER_VALUE_ABOVE_LIMIT))
