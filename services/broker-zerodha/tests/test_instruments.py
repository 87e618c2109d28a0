import io
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vyomo_broker_kit.instruments.listed import BadRowError, Listed
from vyomo_broker_zerodha.instruments import listed
from vyomo_contracts.vocabulary import Exchange, InstrumentKind, OptionType

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange"
)


def read(*lines: str) -> list[Listed | None]:
    return list(listed(io.BytesIO("\n".join([HEADER, *lines]).encode())))


def test_every_kind_of_instrument_comes_in_our_words() -> None:
    share, future, option, index, gold = read(
        "738561,2885,RELIANCE,RELIANCE INDUSTRIES,0,,0,0.1,1,EQ,NSE,NSE",
        "9001218,35161,NIFTY26NOVFUT,NIFTY,0,2026-11-23,0,0.1,65,FUT,NFO-FUT,NFO",
        "9001474,35162,NIFTY26NOV25000CE,NIFTY,0,2026-11-23,25000,0.05,65,CE,NFO-OPT,NFO",
        "256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE",
        "112233,438,GOLDM26DECFUT,GOLDM,0,2026-12-04,0,1,1,FUT,MCX-FUT,MCX",
    )

    assert share == Listed(
        exchange=Exchange.NSE,
        symbol="RELIANCE",
        trading_symbol="RELIANCE",
        token="738561",
        name="RELIANCE INDUSTRIES",
        kind=InstrumentKind.EQUITY,
        lot_size=1,
        tick_size=Decimal("0.1"),
    )
    assert future is not None
    assert (future.kind, future.expiry, future.lot_size) == (InstrumentKind.FUTURE, date(2026, 11, 23), 65)
    assert option is not None
    assert (option.strike, option.option_type) == (Decimal(25000), OptionType.CE)
    assert index is not None
    assert (index.kind, index.tick_size) == (InstrumentKind.INDEX, Decimal("0.05"))
    assert gold is not None
    assert (gold.lot_size, gold.multiplier) == (1, 10)


def test_other_exchanges_are_passed_over() -> None:
    assert read("1,1,USDINR26NOVFUT,USDINR,0,2026-11-26,0,0.0025,1,FUT,CDS-FUT,CDS") == []


@pytest.mark.parametrize(
    "line",
    [
        "738561,2885,,NAME,0,,0,0.1,1,EQ,NSE,NSE",
        "x,2885,RELIANCE,NAME,0,,0,0.1,1,EQ,NSE,NSE",
        "-1,2885,RELIANCE,NAME,0,,0,0.1,1,EQ,NSE,NSE",
        "738561,2885,RELIANCE,NAME,0,,0,0,1,EQ,NSE,NSE",
        "738561,2885,RELIANCE,NAME,0,,0,NaN,1,EQ,NSE,NSE",
        "738561,2885,RELIANCE,NAME,0,,0,0.1,0,EQ,NSE,NSE",
        "738561,2885,RELIANCE,NAME,0,,0,0.1,1,XX,NSE,NSE",
        "9001218,35161,NIFTY26NOVFUT,NIFTY,0,23-11-2026,0,0.1,65,FUT,NFO-FUT,NFO",
        "9001474,35162,NIFTY26NOV25000CE,NIFTY,0,2026-11-23,0,0.05,65,CE,NFO-OPT,NFO",
        "738561,2885,RELIANCE,NAME,,,,,,,,NSE",
    ],
)
def test_row_that_cannot_be_is_none(line: str) -> None:
    assert read(line) == [None]


@pytest.mark.parametrize("text", [b"", b"<html></html>", b'{"status":"error"}', b"a,b,c\n1,2,3"])
def test_what_is_no_dump_is_told(text: bytes) -> None:
    with pytest.raises(BadRowError):
        list(listed(io.BytesIO(text)))


@given(st.binary(max_size=300))
def test_noise_after_the_header_is_never_an_instrument(noise: bytes) -> None:
    try:
        found = list(listed(io.BytesIO(HEADER.encode() + b"\n" + noise)))
    except BadRowError:
        return
    assert all(each is None for each in found)
