"""Plausible further instruments for load tests: invented companies with futures and option chains, the same for the same seed."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Final

from vyomo_contracts.contract_names import future_symbol, option_symbol
from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Exchange, InstrumentKind, OptionType
from vyomo_paper_exchange.domain.calendar import holidays_of
from vyomo_paper_exchange.domain.catalogue.expiries import Expiry, expiries_from
from vyomo_paper_exchange.domain.catalogue.ticks import tick_size, to_tick
from vyomo_paper_exchange.domain.market.noise import draw, stream
from vyomo_paper_exchange.domain.market.options import OptionModel, forward_price, years_to_expiry
from vyomo_paper_exchange.domain.times import day_start

GENERATED_MAX: Final = 1_000_000
_CASH_SHARE: Final = 20
"""One instrument in so many is a company, as in the exchanges' masters; the rest are contracts."""
_SERIES: Final = 3
_STRIKES_EACH_SIDE: Final = 40
_FIRST: Final = (
    "ADI",
    "BHA",
    "CHE",
    "DEV",
    "EKA",
    "GAN",
    "HIM",
    "IND",
    "JAY",
    "KAV",
    "LAK",
    "MAH",
    "NAV",
    "PRA",
    "RAJ",
    "SHR",
)
_SECOND: Final = (
    "CEM",
    "FIN",
    "GEN",
    "HLD",
    "INF",
    "LAB",
    "MET",
    "OIL",
    "PHA",
    "POW",
    "RET",
    "STL",
    "TEX",
    "TRA",
    "VEN",
    "WIR",
)
_LOTS: Final = (125, 250, 500, 750, 1_000, 1_500, 2_500)
_BANDS: Final = (Decimal(5), Decimal(10), Decimal(20))


def generated_instruments(count: int, seed: int, on: date) -> Iterator[Instrument]:
    """`count` instruments with unique symbols, none of them a built-in one: a company has a serial number in its symbol."""
    companies = max(count // _CASH_SHARE, 1)
    cash = [_company(seed, number, on) for number in range(min(companies, count))]
    yield from cash
    yield from islice(_contracts(cash, seed, on), count - len(cash))


def _company(seed: int, number: int, on: date) -> Instrument:
    bits = draw(stream(seed, "generated/company"), number)
    first, second = _FIRST[bits & 15], _SECOND[(bits >> 4) & 15]
    # Prices spread over the decades from 10 to 10,000, as listed companies' do.
    price = Decimal(10 ** (1 + (bits >> 8) % 3)) * (100 + (bits >> 16) % 900) / 100
    exchange = Exchange.BSE if (bits >> 32) & 3 == 0 else Exchange.NSE
    tick = tick_size(exchange, "EQUITY", price, on)
    return Instrument(
        exchange=exchange,
        symbol=f"{first}{second}{number:05d}",
        name=f"{first.title()} {second.title()} {number}",
        kind=InstrumentKind.EQUITY,
        lot_size=1,
        tick_size=tick,
        reference_price=to_tick(price, tick),
        band_percent=_BANDS[(bits >> 40) % len(_BANDS)],
    )


def _contracts(cash: list[Instrument], seed: int, on: date) -> Iterator[Instrument]:
    """Contracts of one company after the other: three series of futures and whole option chains."""
    listed = (each for each in cash if each.exchange is Exchange.NSE)
    series = tuple(islice(expiries_from("monthly:TUE", on, holidays_of(Exchange.NFO)), _SERIES))
    for company in listed:
        lot = _LOTS[draw(stream(seed, "generated/lot"), stream(0, company.symbol)) % len(_LOTS)]
        for expiry in series:
            yield _future(company, expiry, lot, on)
            yield from _chain(company, expiry, lot, on)


def _future(company: Instrument, expiry: Expiry, lot: int, on: date) -> Instrument:
    tick = tick_size(Exchange.NFO, "STOCK_FUTURE", company.reference_price, on)
    return company.model_copy(
        update={
            "exchange": Exchange.NFO,
            "symbol": future_symbol(company.symbol, expiry.series),
            "kind": InstrumentKind.FUTURE,
            "underlying": company.key,
            "expiry": expiry.day,
            "lot_size": lot,
            "tick_size": tick,
            "freeze_quantity": lot * 40,
            "reference_price": to_tick(forward_price(company.reference_price, on, expiry.day), tick),
            "band_percent": Decimal(10),
        }
    )


def _chain(company: Instrument, expiry: Expiry, lot: int, on: date) -> Iterator[Instrument]:
    spot = company.reference_price
    tick = tick_size(Exchange.NFO, "OPTION", spot, on)
    step = max(to_tick(spot / 100, Decimal("0.5")), Decimal("0.5"))
    forward = float(forward_price(spot, on, expiry.day))
    years = years_to_expiry(day_start(on), expiry.day)
    centre = to_tick(spot, step)
    strikes = (centre + offset * step for offset in range(-_STRIKES_EACH_SIDE, _STRIKES_EACH_SIDE + 1))
    for strike in strikes:
        if strike <= 0:
            continue
        for option_type in OptionType:
            ticks = OptionModel.listed(strike, option_type, tick, spot).ticks(forward, years)
            yield company.model_copy(
                update={
                    "exchange": Exchange.NFO,
                    "symbol": option_symbol(company.symbol, expiry.series, strike, option_type),
                    "kind": InstrumentKind.OPTION,
                    "underlying": company.key,
                    "expiry": expiry.day,
                    "strike": strike,
                    "option_type": option_type,
                    "lot_size": lot,
                    "tick_size": tick,
                    "freeze_quantity": lot * 40,
                    "reference_price": ticks * tick,
                    "band_percent": Decimal(0),
                }
            )
