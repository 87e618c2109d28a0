"""Frames laid out byte by byte as Kite documents them, and frames that are none."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vyomo_broker_kit.ticks import DecodeError, Tick, TickLevel
from vyomo_broker_zerodha.ticks import decode

INFY = 408065
NIFTY = 256265
USDINR = 1 * 256 + 3


def frame(*packets: bytes) -> bytes:
    return struct.pack(">H", len(packets)) + b"".join(struct.pack(">H", len(each)) + each for each in packets)


def numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def full(last_trade_time: int = 1_772_434_800, exchange_time: int = 1_772_434_801) -> bytes:
    head = numbers(INFY, 150_025, 7, 149_990, 1_000, 300, 400, 149_000, 151_000, 148_500, 149_500)
    middle = numbers(last_trade_time, 11, 12, 10, exchange_time)
    level = struct.Struct(">IIHxx")
    buys = b"".join(level.pack(100 + each, 150_000 - 5 * each, 1 + each) for each in range(5))
    sells = b"".join(level.pack(200 + each, 150_030 + 5 * each, 2 + each) for each in range(4)) + level.pack(
        0, 0, 0
    )
    return head + middle + buys + sells


def test_ltp_packet() -> None:
    assert decode(frame(numbers(INFY, 150_025))) == [Tick(INFY, 1, 100, 150_025)]


def test_quote_packet() -> None:
    (tick,) = decode(
        frame(numbers(INFY, 150_025, 7, 149_990, 1_000, 300, 400, 149_000, 151_000, 148_500, 149_500))
    )

    assert tick == Tick(
        token=INFY,
        segment=1,
        scale=100,
        last_price=150_025,
        last_quantity=7,
        average_price=149_990,
        volume=1_000,
        buy_quantity=300,
        sell_quantity=400,
        open_price=149_000,
        high_price=151_000,
        low_price=148_500,
        close_price=149_500,
    )


def test_full_packet_has_times_interest_and_the_levels_that_are_quoted() -> None:
    (tick,) = decode(frame(full()))

    assert (tick.open_price, tick.close_price) == (149_000, 149_500)
    assert (tick.last_trade_time, tick.exchange_time, tick.open_interest) == (
        1_772_434_800,
        1_772_434_801,
        11,
    )
    assert tick.bids[0] == TickLevel(price=150_000, quantity=100, orders=1)
    assert len(tick.bids) == 5
    assert tick.asks[-1] == TickLevel(price=150_045, quantity=203, orders=5)
    assert len(tick.asks) == 4


def test_time_that_was_not_said_is_none() -> None:
    (tick,) = decode(frame(full(last_trade_time=0, exchange_time=0)))

    assert tick.last_trade_time is None
    assert tick.exchange_time is None


@pytest.mark.parametrize("change", [-1_050, 1_050])
def test_index_has_its_opening_after_its_low(change: int) -> None:
    packet = struct.pack(
        ">6IiI", NIFTY, 2_500_050, 2_510_000, 2_490_000, 2_495_000, 2_501_100, change, 1_772_434_801
    )

    whole, short = decode(frame(packet, packet[:28]))

    assert (whole.high_price, whole.low_price, whole.open_price) == (2_510_000, 2_490_000, 2_495_000)
    assert (whole.close_price, whole.segment) == (2_501_100, 9)
    assert whole.exchange_time == 1_772_434_801
    assert short == whole._replace(exchange_time=None)


def test_currency_prices_are_finer_than_paise() -> None:
    (tick,) = decode(frame(numbers(USDINR, 834_512_500)))

    assert tick.scale == 10_000_000


@pytest.mark.parametrize("heartbeat", [b"", b"\x00"])
def test_heartbeat_is_no_tick(heartbeat: bytes) -> None:
    assert decode(heartbeat) == []


def test_packet_of_unknown_length_does_not_hide_its_neighbours() -> None:
    ticks = decode(frame(numbers(INFY, 1), b"x" * 50, numbers(INFY, 2)))

    assert [tick.last_price for tick in ticks] == [1, 2]


@pytest.mark.parametrize("cut", range(2, 20))
def test_frame_that_was_cut_is_refused(cut: int) -> None:
    whole = frame(numbers(INFY, 1), numbers(INFY, 2))

    with pytest.raises(DecodeError):
        decode(whole[:cut])


def test_bytes_after_the_last_packet_are_refused() -> None:
    with pytest.raises(DecodeError):
        decode(frame(numbers(INFY, 1)) + b"\x00")


@given(st.binary(max_size=600))
def test_any_bytes_are_ticks_or_a_decode_error(data: bytes) -> None:
    try:
        ticks = decode(data)
    except DecodeError:
        return
    assert all(isinstance(tick, Tick) for tick in ticks)


@given(st.lists(st.binary(min_size=184, max_size=184), max_size=5))
def test_any_numbers_are_kept_as_they_are(packets: list[bytes]) -> None:
    ticks = decode(frame(*packets))

    assert [tick.last_price for tick in ticks] == [struct.unpack_from(">I", each, 4)[0] for each in packets]
