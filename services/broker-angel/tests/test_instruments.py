import io
import json
from decimal import Decimal

import pytest

from vyomo_broker_angel.instruments import listed
from vyomo_broker_angel.naming import AngelNames, Listing
from vyomo_broker_kit.instruments.listed import BadRowError, Listed
from vyomo_broker_kit.instruments.merging import merge
from vyomo_contracts.vocabulary import Broker, Environment, Exchange, InstrumentKind, OptionType
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import open_database


def row(symbol: str, **changes: str) -> dict[str, str]:
    return {
        "token": "2885",
        "symbol": symbol,
        "name": "RELIANCE",
        "expiry": "",
        "strike": "-1.000000",
        "lotsize": "1",
        "instrumenttype": "",
        "exch_seg": "NSE",
        "tick_size": "10.000000",
        **changes,
    }


def option(symbol: str, expiry: str, **changes: str) -> dict[str, str]:
    changed = {
        "name": "NIFTY",
        "expiry": expiry,
        "strike": "2500000.000000",
        "lotsize": "65",
        "instrumenttype": "OPTIDX",
        "exch_seg": "NFO",
        "tick_size": "5.000000",
        **changes,
    }
    return row(symbol, **changed)


def read(*rows: dict[str, str]) -> list[Listed | None]:
    return list(listed(io.BytesIO(json.dumps(rows).encode())))


WEEKLY = option("NIFTY03NOV2625000CE", "03NOV2026")
MONTHLY = option("NIFTY24NOV2625000CE", "24NOV2026")


def test_shares_lose_the_suffix_of_their_series() -> None:
    share, other, of_bse = read(row("RELIANCE-EQ"), row("SUZLON-BE"), row("RELIANCE", exch_seg="BSE"))

    assert share is not None
    assert (share.symbol, share.trading_symbol, share.token) == ("RELIANCE", "RELIANCE-EQ", "2885")
    assert share.tick_size == Decimal("0.1")
    assert [each and each.symbol for each in (other, of_bse)] == ["SUZLON-BE", "RELIANCE"]


def test_contracts_are_named_by_the_month_or_by_the_day() -> None:
    found = read(
        WEEKLY,
        MONTHLY,
        option("NIFTY08DEC2625000PE", "08DEC2026"),
        option("NIFTY29DEC2625000PE", "29DEC2026"),
        option("NIFTY24NOV26FUT", "24NOV2026", instrumenttype="FUTIDX", strike="-1.000000"),
        option("ABC24NOV26102.5CE", "24NOV2026", name="ABC", strike="10250.000000"),
    )

    assert [each and each.symbol for each in found] == [
        "NIFTY26N0325000CE",
        "NIFTY26NOV25000CE",
        "NIFTY26D0825000PE",
        "NIFTY26DEC25000PE",
        "NIFTY26NOVFUT",
        "ABC26NOV102.5CE",
    ]
    monthly = found[1]
    assert monthly is not None
    assert (monthly.strike, monthly.option_type, monthly.lot_size) == (Decimal(25000), OptionType.CE, 65)


def test_index_has_the_exchanges_name() -> None:
    (index,) = read(row("Nifty 50", name="NIFTY", instrumenttype="AMXIDX", tick_size="0.000000"))

    assert index is not None
    assert (index.symbol, index.kind) == ("NIFTY 50", InstrumentKind.INDEX)


def test_exchanges_that_no_order_goes_to_are_passed_over() -> None:
    assert read(row("GOLD04DEC26FUT", exch_seg="MCX"), row("USDINR", exch_seg="CDS")) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"token": ""},
        {"token": "x"},
        {"symbol": ""},
        {"lotsize": "0"},
        {"lotsize": "many"},
        {"tick_size": "0"},
        {"tick_size": "NaN"},
        {"instrumenttype": "WARRANT"},
        {"instrumenttype": "OPTSTK"},
        {"instrumenttype": "OPTSTK", "expiry": "31FEB2026"},
    ],
)
def test_row_that_cannot_be_is_none(changes: dict[str, str]) -> None:
    assert read({**row("RELIANCE-EQ"), **changes}) == [None]


def test_what_is_no_master_is_told() -> None:
    with pytest.raises(BadRowError):
        list(listed(io.BytesIO(b'{"status": false}')))


async def nobody(exchange: Exchange, name: str) -> list[Listing]:
    raise AssertionError(f"{exchange}:{name} was asked for")


async def test_live_accounts_names_and_numbers_come_from_the_master(
    names: AngelNames, database_url: str
) -> None:
    async with open_database(database_url, role="vyomo_worker", application="test") as database:
        master = listed(io.BytesIO(json.dumps([WEEKLY, MONTHLY, row("NEWLY-EQ", token="77")]).encode()))
        loaded = await merge(database, Broker.ANGEL, master, SystemClock().now())

    assert (loaded.listed, loaded.skipped) == (3, 0)
    newly = await names.of(Environment.LIVE, Exchange.NSE, "NEWLY", nobody)
    weekly = await names.of(Environment.LIVE, Exchange.NFO, "NIFTY26N0325000CE", nobody)
    assert (newly.trading_symbol, newly.token) == ("NEWLY-EQ", "77")
    assert (weekly.trading_symbol, weekly.token) == ("NIFTY03NOV2625000CE", "2885")
    assert await names.symbol_of(Environment.LIVE, Exchange.NFO, "NIFTY03NOV2625000CE") == "NIFTY26N0325000CE"
    assert await names.symbol_of(Environment.SANDBOX, Exchange.NFO, "NIFTY03NOV2625000CE") == (
        "NIFTY03NOV2625000CE"
    )
