"""The ticker's packets, against the decoder with which Vyomo reads the real broker's."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from vyomo_broker_zerodha.ticks import decode
from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Exchange, InstrumentKind
from vyomo_paper_exchange.domain.market.book import Level, Snapshot
from vyomo_paper_exchange.domain.market.market import DayPrices, Listing
from vyomo_paper_exchange.doors.kite.frames import HEARTBEAT, Mode, frame, instrument_token, packet
from vyomo_paper_exchange.doors.prices import Priced

prices = st.integers(1, 400_000_00).map(lambda paise: Decimal(paise) / 100)
quantities = st.integers(0, 2**33)
levels = st.lists(st.builds(Level, prices, st.integers(1, 2**31), st.integers(1, 70_000)), max_size=5).map(
    tuple
)
exchanges = st.sampled_from(list(Exchange))


@st.composite
def priced(draw: st.DrawFn) -> Priced:
    kind = draw(st.sampled_from([InstrumentKind.EQUITY, InstrumentKind.INDEX, InstrumentKind.OPTION]))
    exchange = Exchange.NSE if kind is InstrumentKind.INDEX else draw(exchanges)
    instrument = Instrument(
        exchange=exchange,
        symbol="X",
        name="X",
        kind=kind,
        lot_size=draw(st.integers(1, 10_000)),
        tick_size=Decimal("0.05"),
        reference_price=draw(prices),
        band_percent=Decimal(0),
    )
    at = datetime(2026, 11, 19, tzinfo=UTC) + timedelta(milliseconds=250 * draw(st.integers(0, 10**6)))
    snapshot = Snapshot(1, at, draw(prices), draw(quantities), draw(levels), draw(levels))
    return Priced(
        Listing(instrument, instrument), DayPrices(snapshot, draw(prices), draw(prices), draw(prices))
    )


modes: st.SearchStrategy[Mode] = st.sampled_from(("ltp", "quote", "full"))


@given(st.lists(st.tuples(st.integers(1, 2**24 - 1), priced(), modes), max_size=4))
@settings(max_examples=60)
def test_what_is_sent_is_what_is_read(sent: list[tuple[int, Priced, Mode]]) -> None:
    tokens = [instrument_token(number, each.listing.instrument) for number, each, _ in sent]

    ticks = decode(
        frame([packet(token, each, mode) for token, (_, each, mode) in zip(tokens, sent, strict=True)])
    )

    assert [tick.token for tick in ticks] == tokens
    for tick, (_, each, mode) in zip(ticks, sent, strict=True):
        snapshot, day = each.prices.snapshot, each.prices
        is_index = each.listing.instrument.kind is InstrumentKind.INDEX
        assert Decimal(tick.last_price) / tick.scale == snapshot.last_price
        if mode == "ltp":
            continue
        told = [tick.open_price, tick.high_price, tick.low_price, tick.close_price]
        assert [Decimal(price) / tick.scale for price in told] == [
            day.opening,
            day.high,
            day.low,
            each.previous_close,
        ]
        if mode == "full":
            assert tick.exchange_time == int(snapshot.at.timestamp())
        if is_index:
            continue
        assert tick.volume == min(snapshot.volume, 2**32 - 1)
        if mode == "full":
            for shown, meant in ((tick.bids, snapshot.bids), (tick.asks, snapshot.asks)):
                assert [(Decimal(level.price) / tick.scale, level.quantity) for level in shown] == [
                    (level.price, level.quantity) for level in meant
                ]
                assert [level.orders for level in shown] == [min(level.orders, 65_535) for level in meant]


def test_heartbeat_is_one_byte_and_no_tick() -> None:
    assert len(HEARTBEAT) == 1
    assert decode(HEARTBEAT) == []
