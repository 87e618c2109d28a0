from collections import Counter
from datetime import date
from decimal import Decimal
from itertools import islice

import pytest

from vyomo_contracts.contract_names import option_symbol
from vyomo_contracts.money import is_on_tick
from vyomo_contracts.vocabulary import Exchange, InstrumentKind, OptionType
from vyomo_paper_exchange.domain.calendar import holidays_of
from vyomo_paper_exchange.domain.catalogue.built_in import built_in_catalogue, largest_order
from vyomo_paper_exchange.domain.catalogue.expiries import expiries_from
from vyomo_paper_exchange.domain.catalogue.generator import generated_instruments
from vyomo_paper_exchange.domain.catalogue.ticks import tick_size
from vyomo_paper_exchange.testing import NOON, listings_on

SUNDAY = date(2026, 11, 22)
BY_KEY = {key: listing.instrument for key, listing in listings_on(SUNDAY).items()}


def expiries(rule: str, on: str, exchange: Exchange = Exchange.NFO) -> list[tuple[str, str]]:
    series = islice(expiries_from(rule, date.fromisoformat(on), holidays_of(exchange)), 3)
    return [(each.day.isoformat(), each.series) for each in series]


def test_expiry_on_a_holiday_moves_to_the_previous_trading_day() -> None:
    # Tuesday 24 November 2026 is Guru Nanak Jayanti.
    assert expiries("monthly:TUE", "2026-11-22")[0] == ("2026-11-23", "26NOV")


def test_last_weekly_of_a_month_is_named_as_the_monthly() -> None:
    assert expiries("weekly:TUE", "2026-11-17") == [
        ("2026-11-17", "26N17"),
        ("2026-11-23", "26NOV"),
        ("2026-12-01", "26D01"),
    ]


def test_weekly_of_an_early_month_has_one_digit_for_it() -> None:
    assert expiries("weekly:TUE", "2026-01-06")[0] == ("2026-01-06", "26106")


def test_contract_that_expired_early_for_a_holiday_is_gone_on_the_holiday() -> None:
    assert expiries("weekly:TUE", "2026-11-24")[0] == ("2026-12-01", "26D01")


def test_commodity_expires_in_its_listed_months() -> None:
    # 5 December 2026 is a Saturday.
    assert expiries("day:5:2/4/6/8/10/12", "2026-11-22", Exchange.MCX)[:2] == [
        ("2026-12-04", "26DEC"),
        ("2027-02-05", "27FEB"),
    ]


def test_unknown_expiry_rule_says_what_is_expected() -> None:
    with pytest.raises(ValueError, match="expected weekly:DAY"):
        expiries("yearly:MON", "2026-11-22")


def test_whole_strike_has_no_decimals_in_its_symbol() -> None:
    weekly = next(expiries_from("weekly:TUE", date(2026, 1, 6), holidays_of(Exchange.NFO)))

    assert option_symbol("NIFTY", weekly.series, Decimal("25000.00"), OptionType.CE) == "NIFTY2610625000CE"


def test_catalogue_lists_fifty_constituents_indices_futures_and_chains() -> None:
    kinds = Counter((each.exchange, each.kind) for each in BY_KEY.values())

    assert kinds[Exchange.NSE, InstrumentKind.EQUITY] == 50
    assert kinds[Exchange.BSE, InstrumentKind.EQUITY] >= 20
    assert {"NSE:NIFTY", "NSE:BANKNIFTY", "BSE:SENSEX", "NSE:RELIANCE", "NSE:M&M"} <= BY_KEY.keys()
    assert {
        "NFO:NIFTY26NOVFUT",
        "NFO:NIFTY26DECFUT",
        "BFO:SENSEX26NOVFUT",
        "MCX:GOLD26DECFUT",
    } <= BY_KEY.keys()
    assert {"NFO:NIFTY26NOV25000CE", "NFO:BANKNIFTY26NOV56300PE", "BFO:SENSEX26NOV82000CE"} <= BY_KEY.keys()
    assert kinds[Exchange.NFO, InstrumentKind.OPTION] == 2 * 41 * 2


def test_every_instrument_has_a_price_on_its_tick_and_a_source() -> None:
    for listed in built_in_catalogue(SUNDAY):
        instrument = listed.instrument
        assert instrument.reference_price > 0
        assert is_on_tick(instrument.reference_price, instrument.tick_size)
        assert listed.source


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        ("249.99", "0.01"),
        ("250", "0.05"),
        ("1000", "0.05"),
        ("1000.05", "0.10"),
        ("5000", "0.10"),
        ("7500", "0.50"),
        ("15864", "1.00"),
        ("20000.5", "5.00"),
    ],
)
def test_tick_follows_the_reference_price(price: str, tick: str) -> None:
    assert tick_size(Exchange.NSE, "EQUITY", Decimal(price), SUNDAY) == Decimal(tick)


def test_index_ticks_and_contract_sizes_are_the_exchanges() -> None:
    nifty, future, option = BY_KEY["NSE:NIFTY"], BY_KEY["NFO:NIFTY26NOVFUT"], BY_KEY["NFO:NIFTY26NOV25000CE"]

    assert (nifty.lot_size, nifty.tick_size, nifty.band_percent) == (1, Decimal("0.05"), 20)
    assert (future.lot_size, future.tick_size, future.freeze_quantity) == (65, Decimal("0.10"), 1800)
    assert (option.tick_size, option.underlying) == (Decimal("0.05"), "NSE:NIFTY")
    assert BY_KEY["NFO:BANKNIFTY26NOVFUT"].tick_size == Decimal("0.20")
    assert (BY_KEY["MCX:GOLD26DECFUT"].lot_size, BY_KEY["MCX:GOLD26DECFUT"].multiplier) == (1, 100)


def test_largest_legal_order_is_the_freeze_quantity_in_whole_lots() -> None:
    assert largest_order(BY_KEY["NFO:NIFTY26NOVFUT"]) == 1755
    assert largest_order(BY_KEY["NSE:RELIANCE"]) is None


def test_day_without_rules_is_refused() -> None:
    with pytest.raises(LookupError, match="no tick rule"):
        tick_size(Exchange.NSE, "EQUITY", Decimal(100), date(2020, 1, 1))


def test_catalogue_works_beyond_the_holiday_table() -> None:
    assert any(listed.instrument.symbol == "NIFTY27MARFUT" for listed in built_in_catalogue(date(2027, 3, 1)))


def test_generated_instruments_are_unique_repeatable_and_on_tick() -> None:
    once = list(generated_instruments(3_000, 7, NOON.date()))
    again = list(generated_instruments(3_000, 7, NOON.date()))

    assert once == again
    assert len({each.key for each in once}) == 3_000
    assert not {each.key for each in once} & BY_KEY.keys()
    assert all(is_on_tick(each.reference_price, each.tick_size) for each in once)
    assert {each.kind for each in once} == {
        InstrumentKind.EQUITY,
        InstrumentKind.FUTURE,
        InstrumentKind.OPTION,
    }
