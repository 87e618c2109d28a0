"""The worked cases of market.md §6.2, one order at a time; taxes there are rounded to the rupee for the day, here they are not."""

from datetime import date
from decimal import Decimal

import pytest

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Exchange, InstrumentKind, Product, TransactionType
from vyomo_paper_exchange.domain.charges import Charges, charges_of

BUY, SELL = TransactionType.BUY, TransactionType.SELL
DAY = date(2026, 11, 19)


def instrument(exchange: Exchange, kind: InstrumentKind) -> Instrument:
    return Instrument(
        exchange=exchange,
        symbol="X",
        name="X",
        kind=kind,
        lot_size=1,
        tick_size=Decimal("0.05"),
        reference_price=Decimal(100),
        band_percent=Decimal(10),
    )


CASES = (
    (Exchange.NSE, InstrumentKind.EQUITY, Product.MIS, "400000", "440000", "200.62"),
    (Exchange.NSE, InstrumentKind.EQUITY, Product.CNC, "150000", "0", "178.12"),
    (Exchange.NSE, InstrumentKind.EQUITY, Product.CNC, "0", "160000", "165.98"),
    (Exchange.BSE, InstrumentKind.EQUITY, Product.CNC, "40000", "41000", "90.68"),
    (Exchange.NFO, InstrumentKind.FUTURE, Product.NRML, "1625000", "1631500", "969.61"),
    (Exchange.NFO, InstrumentKind.OPTION, Product.NRML, "9750", "11700", "74.06"),
    (Exchange.MCX, InstrumentKind.FUTURE, Product.NRML, "580000", "585000", "147.56"),
    (Exchange.MCX, InstrumentKind.OPTION, Product.NRML, "20000", "24000", "81.55"),
)


@pytest.mark.parametrize("case", CASES)
def test_worked_case(case: tuple[Exchange, InstrumentKind, Product, str, str, str]) -> None:
    exchange, kind, product, bought, sold, total = case
    listed = instrument(exchange, kind)

    orders = [
        charges_of(listed, product, side, Decimal(value), DAY)
        for side, value in ((BUY, bought), (SELL, sold))
    ]

    # Rounded an order at a time instead of over the day: a paisa here or there.
    assert abs(sum(each.total for each in orders) - Decimal(total)) <= Decimal("0.02")


def test_nothing_traded_costs_nothing() -> None:
    listed = instrument(Exchange.NFO, InstrumentKind.OPTION)

    assert charges_of(listed, Product.NRML, BUY, Decimal(0), DAY) == Charges()
