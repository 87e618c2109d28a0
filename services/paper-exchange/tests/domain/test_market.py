from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vyomo_contracts.money import is_on_tick
from vyomo_contracts.vocabulary import OptionType
from vyomo_paper_exchange.domain.market.market import SeededMarket
from vyomo_paper_exchange.domain.market.noise import stream
from vyomo_paper_exchange.domain.market.options import OptionModel
from vyomo_paper_exchange.domain.market.paths import BLOCK, Component, Path
from vyomo_paper_exchange.domain.market.pricing import snapshot_at
from vyomo_paper_exchange.testing import NOON, listings_on

LISTINGS = listings_on(NOON.date())
SAMPLE = (
    "NSE:NIFTY",
    "NSE:BANKNIFTY",
    "BSE:SENSEX",
    "NSE:RELIANCE",
    "BSE:RELIANCE",
    "NSE:WIPRO",
    "NSE:MARUTI",
    "NFO:NIFTY26NOVFUT",
    "NFO:NIFTY26NOV25000CE",
    "NFO:NIFTY26NOV25000PE",
    "NFO:BANKNIFTY26NOV56300PE",
    "MCX:GOLD26DECFUT",
    "MCX:CRUDEOIL26NOVFUT",
)
MOMENTS = st.datetimes(datetime(2026, 11, 1), datetime(2027, 3, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(key=st.sampled_from(SAMPLE), at=MOMENTS)
@settings(max_examples=120, deadline=None)
def test_prices_are_on_tick_inside_the_band_and_around_the_last_trade(key: str, at: datetime) -> None:
    listing = LISTINGS[key]
    instrument = listing.instrument
    shown = SeededMarket(3).snapshot(listing, at)

    prices = [shown.last_price, *(level.price for level in (*shown.bids, *shown.asks))]
    assert all(is_on_tick(price, instrument.tick_size) and price > 0 for price in prices)
    lower, upper = instrument.lower_band, instrument.upper_band
    if lower is not None and upper is not None:
        assert all(lower <= price <= upper for price in prices)
    assert len(shown.bids) <= 5
    assert len(shown.asks) == 5
    if shown.bids:
        assert shown.bids[0].price <= shown.last_price <= shown.asks[0].price
        assert shown.bids[0].price < shown.asks[0].price
    assert all(level.quantity % instrument.lot_size == 0 for level in (*shown.bids, *shown.asks))
    assert all(level.quantity > 0 and level.orders > 0 for level in (*shown.bids, *shown.asks))


@pytest.mark.parametrize("key", SAMPLE)
def test_same_seed_shows_the_same_market_whatever_was_asked_before(key: str) -> None:
    busy, fresh = SeededMarket(5), SeededMarket(5)
    for minutes in (700, 3, 90, 1_500, -600):
        busy.quote(LISTINGS[key], NOON + timedelta(minutes=minutes))

    assert busy.quote(LISTINGS[key], NOON) == fresh.quote(LISTINGS[key], NOON)


def test_other_seed_shows_another_market() -> None:
    assert SeededMarket(1).quote(LISTINGS["NSE:TCS"], NOON) != SeededMarket(2).quote(
        LISTINGS["NSE:TCS"], NOON
    )


@pytest.mark.parametrize("key", SAMPLE)
def test_day_range_holds_every_price_and_volume_only_grows(key: str) -> None:
    market, listing = SeededMarket(8), LISTINGS[key]
    earlier = market.quote(listing, NOON)
    for step in range(1, 40):
        shown = market.quote(listing, NOON + timedelta(seconds=7 * step))
        assert shown.low_price <= shown.last_price <= shown.high_price
        assert shown.low_price <= shown.open_price <= shown.high_price
        assert shown.volume >= earlier.volume
        assert shown.high_price >= earlier.high_price
        assert shown.low_price <= earlier.low_price
        assert shown.open_price == earlier.open_price
        earlier = shown


def test_day_range_is_exactly_the_extremes_of_all_snapshots() -> None:
    components = (Component(stream(1, "a"), 12_000, 4_000), Component(stream(1, "b"), 9_000, 4_000))
    path = Path(components, stream(1, "v"), 10**9)
    # Across the end of a block, where two trees meet.
    first, last = 50 * BLOCK - 3_000, 50 * BLOCK + 5_000
    values = [path.deviation(snapshot) for snapshot in range(first, last + 1)]

    assert path.extremes(first, last) == (min(values), max(values))
    assert all(abs(value) <= sum(component.bound for component in components) for value in values)


def test_volume_is_split_without_loss_over_a_block() -> None:
    path = Path((Component(stream(1, "a"), 10, 10),), stream(1, "v"), 123_456_789)

    assert path.volume_before(8 * BLOCK) - path.volume_before(7 * BLOCK) == 123_456_789


def test_path_is_continuous_where_blocks_meet() -> None:
    path = Path((Component(stream(1, "a"), 12_000, 4_000),), stream(1, "v"), 1)

    assert abs(path.deviation(9 * BLOCK) - path.deviation(9 * BLOCK - 1)) < 100


def test_constituents_move_with_their_index() -> None:
    market = SeededMarket(4)
    keys = ("NSE:NIFTY", "NSE:HDFCBANK", "NSE:INFY", "NSE:SBIN", "NSE:LT", "NSE:ITC")
    moves: dict[str, list[Decimal]] = {key: [] for key in keys}
    for hour in range(200):
        for key in keys:
            start = market.snapshot(LISTINGS[key], NOON + timedelta(hours=hour)).last_price
            end = market.snapshot(LISTINGS[key], NOON + timedelta(hours=hour + 1)).last_price
            moves[key].append(end / start - 1)

    for key in keys[1:]:
        agree = sum(1 for one, index in zip(moves[key], moves["NSE:NIFTY"], strict=True) if one * index > 0)
        assert agree > 120


def test_both_exchanges_price_a_company_alike() -> None:
    market = SeededMarket(4)
    nse, bse = (market.snapshot(LISTINGS[key], NOON) for key in ("NSE:RELIANCE", "BSE:RELIANCE"))

    assert nse.last_price == bse.last_price
    assert nse.bids != bse.bids


@given(
    forwards=st.lists(st.floats(20_000, 30_000), min_size=2, max_size=2),
    strike=st.integers(440, 560).map(lambda step: step * 50.0),
    years=st.floats(0, 0.2),
)
@settings(max_examples=150, deadline=None)
def test_option_value_rises_with_the_forward_for_calls_and_falls_for_puts(
    forwards: list[float], strike: float, years: float
) -> None:
    low, high = sorted(forwards)
    call, put = (option(strike, option_type) for option_type in OptionType)

    assert call.ticks(low, years) <= call.ticks(high, years)
    assert put.ticks(low, years) >= put.ticks(high, years)


def option(strike: float, option_type: OptionType) -> OptionModel:
    return OptionModel.listed(Decimal(strike), option_type, Decimal("0.05"), Decimal(25_000))


def test_option_value_is_black_76() -> None:
    # The acceptance values of market.md 10: forward 25,000, seven days, volatility 12 %.
    years = 7 / 365
    for strike, option_type, value in (
        (25_000, "CE", 165.740602),
        (25_500, "CE", 23.946719),
        (24_500, "PE", 22.340110),
    ):
        model = OptionModel(strike, OptionType(option_type), 0.0001, 0.12)
        assert model.ticks(25_000, years) == round(value * 10_000)


def test_expired_option_is_worth_its_intrinsic_value() -> None:
    assert option(25_000, OptionType.CE).ticks(25_100, 0) == 2_000
    assert option(25_000, OptionType.PE).ticks(25_100, 0) == 1


def test_snapshot_number_counts_quarter_seconds() -> None:
    assert snapshot_at(NOON + timedelta(milliseconds=749)) - snapshot_at(NOON) == 2


def test_liquid_names_show_thousands_a_level() -> None:
    market = SeededMarket(1)
    for key in ("NSE:NIFTY", "NSE:RELIANCE", "NSE:SBIN", "NFO:NIFTY26NOV25000CE"):
        shown = market.snapshot(LISTINGS[key], NOON)
        assert sum(level.quantity for level in shown.asks) > 5_000
