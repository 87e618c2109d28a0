from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import pytest_asyncio

from vyomo_contracts.messages import Problem
from vyomo_contracts.reasons import ReasonCode

if TYPE_CHECKING:
    from conftest import Edge

INSTRUMENTS = [
    ("NSE", "RELIANCE", "Reliance Industries", "EQUITY"),
    ("BSE", "RELIANCE", "Reliance Industries", "EQUITY"),
    ("NSE", "RELINFRA", "Reliance Infrastructure", "EQUITY"),
    ("NSE", "NIFTY", "Nifty 50", "INDEX"),
    ("NSE", "BANKNIFTY", "Nifty Bank", "INDEX"),
    ("NFO", "NIFTY26NOVFUT", "Nifty November future", "FUTURE"),
    ("NFO", "NIFTY26N2425000CE", "Nifty 25000 call", "OPTION"),
    ("NSE", "M&M", "Mahindra & Mahindra 100%", "EQUITY"),
]


@pytest_asyncio.fixture
async def market(edge: "Edge") -> "Edge":
    connection = await asyncpg.connect(edge.postgres_url)
    await connection.executemany(
        "INSERT INTO market.instruments (exchange, symbol, name, kind, lot_size, tick_size, reference_price, band_percent,"
        " source) VALUES ($1, $2, $3, $4, 1, 0.05, 1000, 20, 'test')",
        INSTRUMENTS,
    )
    await connection.close()
    return edge


async def search(edge: "Edge", **parameters: Any) -> list[str]:
    response = await edge.client.get("/api/instruments", params=parameters)
    assert response.status_code == 200, response.text
    return [found["instrument"] for found in response.json()["instruments"]]


async def test_the_exact_symbol_comes_first_then_prefixes_then_the_inside(market: "Edge"):
    found = await search(market, q="nifty")

    assert found == ["NSE:NIFTY", "NFO:NIFTY26N2425000CE", "NFO:NIFTY26NOVFUT", "NSE:BANKNIFTY"]


async def test_names_and_several_words_are_found(market: "Edge"):
    assert await search(market, q="infrastructure") == ["NSE:RELINFRA"]
    assert await search(market, q="nifty 25000") == ["NFO:NIFTY26N2425000CE"]
    assert await search(market, q="Infrastructure re") == ["NSE:RELINFRA"]
    assert await search(market, q="M&M") == ["NSE:M&M"]
    assert await search(market, q="100%") == ["NSE:M&M"]
    assert await search(market, q="%%%") == []


async def test_search_is_narrowed_by_exchange_and_limit(market: "Edge"):
    assert await search(market, q="reliance", exchange="BSE") == ["BSE:RELIANCE"]
    assert len(await search(market, q="", limit=3)) == 3
    assert len(await search(market)) == len(INSTRUMENTS)


async def test_an_instrument_is_shown_with_its_rules(market: "Edge"):
    response = await market.client.get("/api/instruments", params={"q": "RELINFRA"})

    (shown,) = response.json()["instruments"]
    assert (shown["lotSize"], shown["tickSize"]) == (1, 0.05)
    assert (shown["lowerBand"], shown["upperBand"]) == (800, 1200)


async def test_quotes_carry_depth_and_name_what_is_missing(edge: "Edge"):
    edge.behind.prices["NSE:RELIANCE"] = Decimal("1412.50")

    response = await edge.client.get("/api/quotes?i=NSE:RELIANCE&i=NSE:NOSUCH&i=NSE:RELIANCE")

    answer = response.json()
    assert answer["missing"] == ["NSE:NOSUCH"]
    (quote,) = answer["quotes"]
    assert (quote["lastPrice"], quote["change"]) == (1412.5, 1)
    assert quote["depth"]["buy"] == [{"price": 1412.5, "quantity": 10, "orders": 1}]


async def test_candles_are_exact_and_times_are_utc(edge: "Edge"):
    edge.behind.prices["NSE:M&M"] = Decimal("1412.55")

    response = await edge.client.get(
        "/api/instruments/NSE/M%26M/candles?interval=5m&from=2026-02-12T09:15:00%2B05:30"
    )

    answer = response.json()
    assert (answer["instrument"], answer["interval"]) == ("NSE:M&M", "5m")
    (candle,) = answer["candles"]
    assert (candle["open"], candle["high"], candle["volume"]) == (1412.55, 1413.55, 7)
    assert candle["time"].endswith("Z")
    (asked,) = edge.behind.asked_candles
    assert asked.begin == datetime(2026, 2, 12, 3, 45, tzinfo=UTC)
    assert asked.end is None


@pytest.mark.parametrize(
    ("path", "field", "words"),
    [
        ("NSE/RELIANCE/candles", "interval", "interval is required"),
        ("NSE/RELIANCE/candles?interval=2m", "interval", "one of '1m', '3m', '5m'"),
        ("XYZ/RELIANCE/candles?interval=1m", "exchange", "NSE"),
        ("NSE/RELIANCE/candles?interval=1m&from=2026-02-12T09:15:00", "from", "time with its offset"),
        ("NSE/RELIANCE/candles?interval=1m&to=yesterday", "to", "time with its offset"),
        (
            "NSE/RELIANCE/candles?interval=1m&from=2026-02-12T09:15:00Z&to=2026-02-11T09:15:00Z",
            "from",
            "from must not be after to",
        ),
    ],
)
async def test_candles_that_cannot_be_had_name_the_field(edge: "Edge", path: str, field: str, words: str):
    response = await edge.client.get(f"/api/instruments/{path}")

    assert response.status_code == 422, response.text
    error = response.json()["error"]
    assert error["field"] == field
    assert words in error["message"]


async def test_the_market_says_why_there_are_no_candles(edge: "Edge"):
    edge.behind.refusal = Problem(code=ReasonCode.UNKNOWN_SYMBOL, message="not known", field="symbol")

    response = await edge.client.get("/api/instruments/NSE/NOSUCH/candles?interval=1d")

    assert response.status_code == ReasonCode.UNKNOWN_SYMBOL.http_status
    assert response.json()["error"]["field"] == "symbol"


async def test_live_account_is_offered_what_its_broker_lists(market: "Edge"):
    connection = await asyncpg.connect(market.postgres_url)
    live = await connection.fetchval(
        "UPDATE accounts.broker_accounts SET broker = 'zerodha', environment = 'live' WHERE id = $1 RETURNING id",
        market.world.account,
    )
    asked = {"q": "reli", "accountId": live}
    before = await search(market, **asked)
    await connection.executemany(
        "INSERT INTO market.listings (broker, exchange, symbol, trading_symbol, token, name, kind, lot_size, tick_size)"
        " VALUES ($1, 'NSE', $2, $2, '1', $3, 'EQUITY', 1, 0.1)",
        [
            ("zerodha", "RELIANCE", "Reliance Industries"),
            ("zerodha", "RELIGARE", "Religare Enterprises"),
            ("angel", "RELTD", "Another broker's"),
        ],
    )
    await connection.execute(
        "INSERT INTO market.masters (broker, loaded_at, looked_at) VALUES ('zerodha', now(), now())"
    )
    await connection.close()

    assert before == await search(market, q="reli")  # until the list is there
    assert await search(market, **asked) == ["NSE:RELIANCE", "NSE:RELIGARE"]
    assert await search(market, q="enterprises", accountId=live) == ["NSE:RELIGARE"]
    assert await search(market, q="nifty", accountId=live) == []
    assert "NSE:NIFTY" in await search(market, q="nifty")
    [master] = (await market.client.get("/api/instruments/masters")).json()["masters"]
    assert (master["broker"], master["listed"], master["problem"]) == ("zerodha", 0, None)
    assert master["loadedAt"].endswith("Z")


async def test_account_of_another_offers_nothing(market: "Edge"):
    response = await market.client.get("/api/instruments", params={"q": "reli", "accountId": 999_999})

    assert (response.status_code, response.json()["error"]["code"]) == (404, "ACCOUNT_NOT_FOUND")
