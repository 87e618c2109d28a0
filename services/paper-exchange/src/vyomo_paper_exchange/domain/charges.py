"""What one executed order costs in charges, by dated rates (market.md §6). An estimate per order: a contract note rounds taxes for a
whole day, and whether a delivery purchase was sold again on the same day is known only in the evening.
"""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.money import ZERO
from vyomo_contracts.vocabulary import InstrumentKind, Product, TransactionType
from vyomo_paper_exchange.domain.tables import Row, in_force, optional_decimal, rows_of

_GST_PERCENT: Final = 18
_PAISA: Final = Decimal("0.01")
_FINE: Final = Decimal("0.0001")

_Group = Literal["delivery", "intraday", "future", "option"]


class Charges(NamedTuple):
    """Rupees. The tax of securities or commodities is not rounded: that happens once a day, over all orders."""

    brokerage: Decimal = ZERO
    transaction_tax: Decimal = ZERO
    tax_kind: str = "stt"
    exchange_turnover: Decimal = ZERO
    sebi_turnover: Decimal = ZERO
    stamp_duty: Decimal = ZERO
    gst: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return (
            self.brokerage
            + self.transaction_tax
            + self.exchange_turnover
            + self.sebi_turnover
            + self.stamp_duty
            + self.gst
        )


def charges_of(
    instrument: Instrument, product: Product, side: TransactionType, value: Decimal, on: date
) -> Charges:
    """Of an order that traded for `value` (quantity x price x multiplier) in all, however many trades it took."""
    if value == 0:
        return Charges()
    rates = _rates(_group(instrument, product), instrument.exchange, on)
    is_buy = side is TransactionType.BUY
    percent, most = optional_decimal(rates["brokerage_percent"]), Decimal(rates["brokerage_most"])
    brokerage = most if percent is None else min(most, _rounded(value * percent / 100))
    tax_percent = Decimal(rates["tax_buy_percent" if is_buy else "tax_sell_percent"])
    turnover = _rounded(value * Decimal(rates["transaction_percent"]) / 100)
    sebi = _rounded(value * Decimal(rates["sebi_percent"]) / 100)
    return Charges(
        brokerage=brokerage,
        transaction_tax=(value * tax_percent / 100).quantize(_FINE, ROUND_HALF_UP),
        tax_kind=rates["tax_kind"],
        exchange_turnover=turnover,
        sebi_turnover=sebi,
        stamp_duty=_rounded(value * Decimal(rates["stamp_percent"]) / 100) if is_buy else ZERO,
        gst=_rounded((brokerage + turnover + sebi) * _GST_PERCENT / 100),
    )


def _group(instrument: Instrument, product: Product) -> _Group:
    if instrument.kind is InstrumentKind.OPTION:
        return "option"
    if instrument.kind is InstrumentKind.FUTURE:
        return "future"
    return "delivery" if product is Product.CNC else "intraday"


@lru_cache(maxsize=64)
def _rates(group: _Group, exchange: str, on: date) -> Row:
    rows = [
        row
        for row in in_force(rows_of("charges"), on)
        if row["group"] == group and row["exchange"] == exchange
    ]
    if not rows:
        raise LookupError(f"no charges of {group} on {exchange} on {on.isoformat()}")
    return rows[-1]


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(_PAISA, ROUND_HALF_UP)
