"""Candles, margins and charges."""

from vyomo_paper_exchange.testing.smartapi import SmartWorld

CANDLES = {
    "exchange": "NSE",
    "symboltoken": "2885",
    "interval": "FIVE_MINUTE",
    "fromdate": "2026-11-18 09:15",
    "todate": "2026-11-18 09:29",
}
POSITION = {
    "exchange": "NSE",
    "qty": 10,
    "price": 1400,
    "productType": "INTRADAY",
    "token": "2885",
    "tradeType": "BUY",
    "orderType": "LIMIT",
}
CHARGED = {
    "product_type": "DELIVERY",
    "transaction_type": "BUY",
    "quantity": "10",
    "price": "1400",
    "exchange": "NSE",
    "symbol_name": "RELIANCE",
    "token": "2885",
}


async def test_candles(angel: SmartWorld) -> None:
    path = "/historical/v1/getCandleData"
    rows = await angel.data("POST", path, CANDLES)
    assert [row[0] for row in rows] == [f"2026-11-18T09:{minute}:00+05:30" for minute in (15, 20, 25)]
    assert all(
        low <= min(opening, close) <= max(opening, close) <= high for _, opening, high, low, close, _ in rows
    )
    assert len(await angel.data("POST", path, CANDLES | {"interval": "ONE_DAY"})) == 1

    for changes, code in (
        ({"interval": "ONE_WEEK"}, "AB1007"),
        ({"fromdate": "18-11-2026"}, "AB1007"),
        ({"fromdate": "2026-01-01 09:15"}, "AB1007"),
        ({"symboltoken": "999999"}, "AB1018"),
    ):
        assert await angel.refused(path, CANDLES | changes) == (200, code)


async def test_margins_and_charges(angel: SmartWorld) -> None:
    path = "/margin/v1/batch"
    one = await angel.data("POST", path, {"positions": [POSITION]})
    two = await angel.data("POST", path, {"positions": [POSITION] * 2})
    assert 0 < one["totalMarginRequired"] * 2 == two["totalMarginRequired"]
    for wrong in ({}, {"positions": []}, {"positions": [1]}, {"positions": [POSITION] * 51}):
        assert await angel.refused(path, wrong) == (200, "AB1007")

    told = await angel.data("POST", "/brokerage/v1/estimateCharges", {"orders": [CHARGED]})
    assert told["summary"]["trade_value"] == 14_000
    parts = sum(part["amount"] for part in told["summary"]["breakup"])
    assert abs(parts - told["summary"]["total_charges"]) < 0.01
