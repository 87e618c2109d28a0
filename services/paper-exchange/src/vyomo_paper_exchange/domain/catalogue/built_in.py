"""The built-in catalogue of one day: cash instruments from rows, contracts from rows and the expiry rules."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Final

from vyomo_contracts.contract_names import future_symbol, option_symbol
from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Exchange, InstrumentKind, OptionType
from vyomo_paper_exchange.domain.calendar import holidays_of
from vyomo_paper_exchange.domain.catalogue.expiries import Expiry, expiries_from
from vyomo_paper_exchange.domain.catalogue.ticks import TickRule, tick_size, to_tick
from vyomo_paper_exchange.domain.market.options import OptionModel, forward_price, years_to_expiry
from vyomo_paper_exchange.domain.tables import Row, in_force, rows_of
from vyomo_paper_exchange.domain.times import day_start

FUTURE_SERIES: Final = 2
"""Near and next month."""
STRIKES_EACH_SIDE: Final = 20


@dataclass(frozen=True, slots=True)
class ListedInstrument:
    """An instrument and where its rules come from."""

    instrument: Instrument
    source: str


def built_in_catalogue(on: date) -> tuple[ListedInstrument, ...]:
    """Everything listed on `on`: about 80 cash instruments, their index and commodity futures and three option chains."""
    underlyings = tuple(_cash(row, on) for row in in_force(rows_of("underlyings"), on))
    by_key = {listed.instrument.key: listed.instrument for listed in underlyings}
    contracts = (
        listed for row in in_force(rows_of("contracts"), on) for listed in _contracts(row, by_key, on)
    )
    return (*underlyings, *contracts)


def largest_order(instrument: Instrument) -> int | None:
    """The largest legal order quantity: the freeze quantity is rarely a multiple of the lot (market.md §2.3)."""
    if instrument.freeze_quantity is None:
        return None
    return instrument.freeze_quantity // instrument.lot_size * instrument.lot_size


def _cash(row: Row, on: date) -> ListedInstrument:
    exchange, kind, reference = (
        Exchange(row["exchange"]),
        InstrumentKind(row["kind"]),
        Decimal(row["reference_price"]),
    )
    rule: TickRule = "INDEX" if kind is InstrumentKind.INDEX else "EQUITY"
    tick = tick_size(exchange, rule, reference, on)
    instrument = Instrument(
        exchange=exchange,
        symbol=row["symbol"],
        name=row["name"],
        kind=kind,
        lot_size=int(row["lot_size"]),
        tick_size=tick,
        reference_price=to_tick(reference, tick),
        band_percent=Decimal(row["band_percent"]),
    )
    return ListedInstrument(instrument=instrument, source=row["source"])


def _contracts(row: Row, underlyings: Mapping[str, Instrument], on: date) -> Iterator[ListedInstrument]:
    exchange = Exchange(row["exchange"])
    spot = (
        underlyings[row["underlying"]].reference_price
        if row["underlying"]
        else Decimal(row["reference_price"])
    )
    expiries = expiries_from(row["expiry_rule"], on, holidays_of(exchange))
    if row["kind"] == InstrumentKind.FUTURE:
        instruments: Iterable[Instrument] = (
            _future(row, spot, expiry, on) for expiry in islice(expiries, FUTURE_SERIES)
        )
    else:
        instruments = _chain(row, spot, next(expiries), on)
    for instrument in instruments:
        yield ListedInstrument(instrument=instrument, source=row["source"])


def _future(row: Row, spot: Decimal, expiry: Expiry, on: date) -> Instrument:
    exchange = Exchange(row["exchange"])
    rule: TickRule = "COMMODITY_FUTURE" if exchange is Exchange.MCX else "INDEX_FUTURE"
    tick = tick_size(exchange, rule, spot, on)
    return _contract(
        row,
        kind=InstrumentKind.FUTURE,
        symbol=future_symbol(row["name"], expiry.series),
        expiry=expiry,
        tick=tick,
        reference=to_tick(forward_price(spot, on, expiry.day), tick),
    )


def _chain(row: Row, spot: Decimal, expiry: Expiry, on: date) -> Iterator[Instrument]:
    exchange, step = Exchange(row["exchange"]), Decimal(row["strike_step"])
    tick = tick_size(exchange, "OPTION", spot, on)
    centre = to_tick(spot, step)
    forward = float(forward_price(spot, on, expiry.day))
    years = years_to_expiry(day_start(on), expiry.day)
    for offset in range(-STRIKES_EACH_SIDE, STRIKES_EACH_SIDE + 1):
        strike = centre + offset * step
        for option_type in OptionType:
            ticks = OptionModel.listed(strike, option_type, tick, spot).ticks(forward, years)
            yield _contract(
                row,
                kind=InstrumentKind.OPTION,
                symbol=option_symbol(row["name"], expiry.series, strike, option_type),
                expiry=expiry,
                tick=tick,
                reference=ticks * tick,
                strike=strike,
                option_type=option_type,
            )


def _contract(
    row: Row,
    *,
    kind: InstrumentKind,
    symbol: str,
    expiry: Expiry,
    tick: Decimal,
    reference: Decimal,
    strike: Decimal | None = None,
    option_type: OptionType | None = None,
) -> Instrument:
    return Instrument(
        exchange=Exchange(row["exchange"]),
        symbol=symbol,
        name=row["name"],
        kind=kind,
        underlying=row["underlying"] or None,
        expiry=expiry.day,
        strike=strike,
        option_type=option_type,
        lot_size=int(row["lot_size"]),
        tick_size=tick,
        freeze_quantity=int(row["freeze_quantity"]),
        multiplier=int(row["multiplier"]),
        reference_price=reference,
        band_percent=Decimal(row["band_percent"]),
    )
