"""The tick socket's packets, against the decoder with which Vyomo reads the real broker's."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from vyomo_broker_angel.ticks import decode
from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import Exchange, InstrumentKind
from vyomo_paper_exchange.domain.market.book import Level, Snapshot
from vyomo_paper_exchange.domain.market.market import DayPrices, Listing
from vyomo_paper_exchange.doors.prices import Priced
from vyomo_paper_exchange.doors.smartapi.frames import Mode, frame
from vyomo_paper_exchange.doors.smartapi.symbols import EXCHANGE_TYPES

prices = st.integers(1, 400_000_00).map(lambda paise: Decimal(paise) / 100)
levels = st.lists(st.builds(Level, prices, st.integers(1, 2**31), st.integers(1, 70_000)), max_size=5).map(
    tuple
)


@st.composite
def priced(draw: st.DrawFn) -> Priced:
    instrument = Instrument(
        exchange=draw(st.sampled_from(list(Exchange))),
        symbol="X",
        name="X",
        kind=InstrumentKind.EQUITY,
        lot_size=draw(st.integers(1, 10_000)),
        tick_size=Decimal("0.05"),
        reference_price=draw(prices),
        band_percent=Decimal(0),
    )
    at = datetime(2026, 11, 19, tzinfo=UTC) + timedelta(milliseconds=250 * draw(st.integers(0, 10**6)))
    snapshot = Snapshot(1, at, draw(prices), draw(st.integers(0, 2**40)), draw(levels), draw(levels))
    return Priced(
        Listing(instrument, instrument), DayPrices(snapshot, draw(prices), draw(prices), draw(prices))
    )


@given(st.integers(1, 2**24 - 1), priced(), st.sampled_from(list(Mode)))
@settings(max_examples=60)
def test_what_is_sent_is_what_is_read(number: int, sent: Priced, mode: Mode) -> None:
    encoded = frame(number, sent, mode)
    tick = decode(encoded)

    snapshot, day = sent.prices.snapshot, sent.prices
    assert len(encoded) == {Mode.LTP: 51, Mode.QUOTE: 123, Mode.SNAP_QUOTE: 379}[mode]
    assert (tick.token, tick.segment) == (number, EXCHANGE_TYPES[sent.listing.instrument.exchange])
    assert Decimal(tick.last_price) / tick.scale == snapshot.last_price
    assert tick.exchange_time == snapshot.at.timestamp()
    if mode is Mode.LTP:
        return
    told = [tick.open_price, tick.high_price, tick.low_price, tick.close_price]
    assert [Decimal(price) / tick.scale for price in told] == [
        day.opening,
        day.high,
        day.low,
        sent.previous_close,
    ]
    assert tick.volume == snapshot.volume
    if mode is Mode.SNAP_QUOTE:
        for shown, meant in ((tick.bids, snapshot.bids), (tick.asks, snapshot.asks)):
            assert [(Decimal(level.price) / tick.scale, level.quantity) for level in shown] == [
                (level.price, level.quantity) for level in meant
            ]
