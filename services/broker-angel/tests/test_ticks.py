"""Frames laid out byte by byte as SmartAPI documents them, and frames that are none."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vyomo_broker_angel.ticks import decode
from vyomo_broker_kit.ticks import DecodeError, Tick, TickLevel

AT = 1_772_434_800_250


def head(mode: int, segment: int = 1, token: bytes = b"3045") -> bytes:
    return struct.pack("<BB25s", mode, segment, token)


def ltp(mode: int = 1, **changes: int | bytes) -> bytes:
    return head(mode, **changes) + struct.pack("<3q", 99, AT, 81_505)  # type: ignore[arg-type]


def quote(mode: int = 2, buy: float = 300.0) -> bytes:
    return ltp(mode) + struct.pack("<3q2d4q", 7, 81_400, 1_000, buy, 400.0, 81_000, 82_000, 80_500, 80_900)


def snap() -> bytes:
    buys = b"".join(struct.pack("<HqqH", 1, 10 + each, 81_500 - 5 * each, 1 + each) for each in range(5))
    sells = b"".join(struct.pack("<HqqH", 0, 20 + each, 81_505 + 5 * each, 2 + each) for each in range(4))
    empty = struct.pack("<HqqH", 0, 0, 0, 0)
    limits = struct.pack("<4q", 90_000, 70_000, 95_000, 60_000)
    return quote(3) + struct.pack("<2qd", 1_772_434_799, 11, 0.0) + buys + sells + empty + limits


def depth() -> bytes:
    buys = b"".join(struct.pack("<iih", 10 + each, 81_500 - 5 * each, 1) for each in range(20))
    sells = b"".join(struct.pack("<iih", 20 + each, 81_505 + 5 * each, 2) for each in range(20))
    return head(4) + struct.pack("<2q", AT, AT + 3) + buys + sells


FRAMES = {"ltp": ltp(), "quote": quote(), "snap quote": snap(), "depth": depth()}


def test_lengths_are_those_of_the_documentation() -> None:
    assert [len(frame) for frame in FRAMES.values()] == [51, 123, 379, 443]


def test_ltp() -> None:
    assert decode(ltp()) == Tick(3045, 1, 100, 81_505, exchange_time=1_772_434_800.25)


def test_quote() -> None:
    assert decode(quote()) == Tick(
        token=3045,
        segment=1,
        scale=100,
        last_price=81_505,
        last_quantity=7,
        average_price=81_400,
        volume=1_000,
        buy_quantity=300,
        sell_quantity=400,
        open_price=81_000,
        high_price=82_000,
        low_price=80_500,
        close_price=80_900,
        exchange_time=1_772_434_800.25,
    )


def test_snap_quote_has_time_interest_and_the_levels_that_are_quoted() -> None:
    tick = decode(snap())

    assert (tick.last_trade_time, tick.open_interest, tick.close_price) == (1_772_434_799, 11, 80_900)
    assert tick.bids[0] == TickLevel(price=81_500, quantity=10, orders=1)
    assert tick.asks[-1] == TickLevel(price=81_520, quantity=23, orders=5)
    assert (len(tick.bids), len(tick.asks)) == (5, 4)


def test_depth_has_twenty_levels_a_side_and_no_last_price() -> None:
    tick = decode(depth())

    assert tick.last_price == 0
    assert tick.exchange_time == 1_772_434_800.25
    assert (len(tick.bids), len(tick.asks)) == (20, 20)
    assert tick.asks[19] == TickLevel(price=81_600, quantity=39, orders=2)


def test_currency_prices_are_finer_than_paise() -> None:
    assert decode(ltp(segment=13)).scale == 10_000_000


@pytest.mark.parametrize("name", FRAMES)
def test_frame_that_was_cut_or_lengthened_is_refused(name: str) -> None:
    frame = FRAMES[name]

    for wrong in (frame[:-1], frame[:30], frame + b"\x00"):
        with pytest.raises(DecodeError):
            decode(wrong)


@pytest.mark.parametrize("frame", [b"", b"\x00" * 51, b"\x09" + ltp()[1:], b"pong"])
def test_frame_in_no_mode_is_refused(frame: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(frame)


@pytest.mark.parametrize("token", [b"", b"SBIN", b"+3045", b"3_045", b" 3045", b"30\x0045", "३०".encode()])
def test_token_that_is_no_number_is_refused(token: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(ltp(token=token))


@pytest.mark.parametrize("quantity", [float("nan"), float("inf"), float("-inf")])
def test_quantity_that_is_no_number_is_refused(quantity: float) -> None:
    with pytest.raises(DecodeError):
        decode(quote(buy=quantity))


@given(st.sampled_from([51, 123, 379, 443]).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
def test_any_bytes_are_a_tick_or_a_decode_error(data: bytes) -> None:
    mode = {51: 1, 123: 2, 379: 3, 443: 4}[len(data)]
    for frame in (data, bytes([mode]) + data[1:], head(mode) + data[27:]):
        try:
            assert isinstance(decode(frame), Tick)
        except DecodeError:
            continue


@given(st.binary(max_size=500))
def test_any_length_is_a_tick_or_a_decode_error(data: bytes) -> None:
    try:
        assert isinstance(decode(data), Tick)
    except DecodeError:
        return
