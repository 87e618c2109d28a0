"""Worst cases are arithmetic: whatever part of the open orders fills, a limit that was kept stays kept."""

from decimal import Decimal
from itertools import product as choices

from hypothesis import given
from hypothesis import strategies as st

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.orders import OrderRequest
from vyomo_contracts.risk import RiskLimits
from vyomo_contracts.vocabulary import TradingState
from vyomo_order_router.domain.risk import (
    Approved,
    Exposure,
    Holding,
    PositionQuantity,
    Proposal,
    Standing,
    Trading,
    decide,
    fingerprint,
)

SHARE = Instrument.model_validate(
    {
        "exchange": "NSE",
        "symbol": "RELIANCE",
        "name": "Reliance",
        "kind": "EQUITY",
        "lot_size": 1,
        "tick_size": "0.05",
        "reference_price": "100",
        "band_percent": "20",
    }
)
PRICE = Decimal(100)
Wanted = list[tuple[str, int]]
wanted_orders = st.lists(st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 30)), max_size=7)
held_quantities = st.integers(-40, 40)


def request(side: str, quantity: int, **changes: object) -> OrderRequest:
    return OrderRequest.model_validate(
        {
            "symbol": "RELIANCE",
            "exchange": "NSE",
            "transaction_type": side,
            "order_type": "LIMIT",
            "quantity": quantity,
            "price": PRICE,
            "product": "MIS",
            **changes,
        }
    )


def holding(quantity: int, *, product: str = "MIS") -> Standing:
    held = Holding(exchange="NSE", symbol="RELIANCE", product=product, quantity=quantity, unit_value=PRICE)
    return Standing(holdings=(held,) if quantity else ())


def approved(
    orders: Wanted, held: int, *, limits: RiskLimits, trading: TradingState = TradingState.ACTIVE
) -> list[int]:
    """The signed quantities of those that pass, each counting for the next."""
    standing, passed = holding(held), list[int]()
    for side, quantity in orders:
        proposal = Proposal(
            request=request(side, quantity),
            instrument=SHARE,
            limits=limits,
            trading=trading,
            standing=standing,
        )
        if isinstance(decide((Trading(), PositionQuantity(), Exposure()), proposal), Approved):
            standing = standing.with_order(proposal.request, SHARE)
            passed.append(quantity if side == "BUY" else -quantity)
    return passed


def outcomes(held: int, passed: list[int]) -> set[int]:
    """Positions that may come of it, each order filled or not."""
    return {held + sum(filled) for filled in choices(*((0, quantity) for quantity in passed))}


@given(wanted_orders, held_quantities, st.integers(1, 50))
def test_position_limit_holds_whatever_fills(orders: Wanted, held: int, limit: int) -> None:
    passed = approved(orders, held, limits=RiskLimits(max_position_quantity=limit))

    assert all(abs(position) <= max(limit, abs(held)) for position in outcomes(held, passed))


@given(wanted_orders, held_quantities, st.integers(1, 50))
def test_exposure_limit_holds_whatever_fills(orders: Wanted, held: int, limit: int) -> None:
    passed = approved(orders, held, limits=RiskLimits(max_exposure=limit * PRICE))

    assert all(abs(position) <= max(limit, abs(held)) for position in outcomes(held, passed))


@given(wanted_orders, held_quantities)
def test_reducing_never_enlarges_or_turns_a_position_whatever_fills(orders: Wanted, held: int) -> None:
    passed = approved(orders, held, limits=RiskLimits(), trading=TradingState.REDUCING)

    assert all(position * held >= 0 and abs(position) <= abs(held) for position in outcomes(held, passed))


def test_position_of_another_product_cannot_be_reduced_but_counts_for_the_instrument() -> None:
    standing = holding(10, product="CNC")

    assert standing.reducible(request("SELL", 1)) == 0
    assert standing.worst_quantity(request("BUY", 1)) == 10


def test_orders_are_the_same_to_the_eye_however_their_prices_are_written() -> None:
    assert fingerprint(request("BUY", 1)) == fingerprint(request("BUY", 1, price="100.0000"))
    assert fingerprint(request("BUY", 1)) != fingerprint(request("BUY", 1, price="100.05"))
    assert fingerprint(request("BUY", 1)) != fingerprint(request("BUY", 1, product="CNC"))
