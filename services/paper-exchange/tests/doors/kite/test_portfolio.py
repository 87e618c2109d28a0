"""Positions, money, instruments, quotes, candles, margins and charges over the wire."""

import csv
import io
from decimal import Decimal

import pytest

from vyomo_paper_exchange.testing.kite import KiteWorld


async def test_positions_add_up_as_kites_do(kite: KiteWorld) -> None:
    await kite.place()
    await kite.place(transaction_type="SELL", quantity="4")

    positions = await kite.data("GET", "/portfolio/positions")
    (net,), (day,) = positions["net"], positions["day"]
    assert (net["quantity"], net["buy_quantity"], net["sell_quantity"], net["overnight_quantity"]) == (
        6,
        10,
        4,
        0,
    )
    assert net["pnl"] == pytest.approx(net["value"] + net["quantity"] * net["last_price"] * net["multiplier"])
    assert net["value"] == pytest.approx(net["sell_value"] - net["buy_value"])
    assert net["m2m"] == pytest.approx(net["pnl"])
    assert day["day_buy_quantity"] == net["day_buy_quantity"] == 10
    assert day["quantity"] == 6


async def test_money_is_what_the_venue_says(kite: KiteWorld) -> None:
    before = await kite.data("GET", "/user/margins")
    await kite.place()
    after = await kite.data("GET", "/user/margins/equity")

    assert before["equity"]["net"] == before["equity"]["available"]["live_balance"] == 100_000
    assert before["commodity"]["net"] == 0
    assert after["net"] + after["utilised"]["debits"] == pytest.approx(100_000)
    assert (await kite.refused("GET", "/user/margins/forex"))[:2] == (400, "InputException")


async def test_profile_and_empty_lists(kite: KiteWorld) -> None:
    assert (await kite.data("GET", "/user/profile"))["broker"] == "ZERODHA"
    assert (await kite.data("GET", "/user/profile/full"))["twofa_type"] == "totp"
    assert await kite.data("GET", "/portfolio/holdings") == []
    assert await kite.data("GET", "/portfolio/holdings/auctions") == []
    assert (await kite.data("GET", "/portfolio/holdings/summary"))["invested_amount"] == 0


async def test_holdings_after_a_night(kite: KiteWorld) -> None:
    await kite.place(product="CNC")
    kite.venue.clock.move(days=1)
    await kite.venue.days.begin_day()
    await kite.sign_in()

    (held,) = await kite.data("GET", "/portfolio/holdings")
    assert (held["tradingsymbol"], held["quantity"], held["used_quantity"]) == ("RELIANCE", 10, 0)
    await kite.place(product="CNC", transaction_type="SELL", quantity="3")
    (held,) = await kite.data("GET", "/portfolio/holdings")
    assert (held["quantity"], held["used_quantity"]) == (10, 3)
    (compact,) = await kite.data("GET", "/portfolio/holdings/compact")
    assert compact["quantity"] == 10


async def test_position_is_converted_with_its_cost_and_back(kite: KiteWorld) -> None:
    await kite.place()
    (before,) = (await kite.data("GET", "/portfolio/positions"))["net"]
    form = {
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "transaction_type": "BUY",
        "position_type": "day",
        "quantity": "6",
        "old_product": "MIS",
        "new_product": "CNC",
    }

    assert await kite.data("PUT", "/portfolio/positions", data=form) is True

    net = {row["product"]: row for row in (await kite.data("GET", "/portfolio/positions"))["net"]}
    assert {product: row["quantity"] for product, row in net.items()} == {"CNC": 6, "MIS": 4}
    assert net["CNC"]["buy_value"] + net["MIS"]["buy_value"] == pytest.approx(before["buy_value"])
    back = form | {"old_product": "CNC", "new_product": "MIS"}
    assert await kite.data("PUT", "/portfolio/positions", data=back) is True
    net = {row["product"]: row for row in (await kite.data("GET", "/portfolio/positions"))["net"]}
    assert net["MIS"]["buy_value"] == pytest.approx(before["buy_value"])
    assert {product: row["quantity"] for product, row in net.items()} == {"MIS": 10}
    known = await kite.venue.record.rows("SELECT product, quantity FROM accounts.positions")
    assert {row["product"]: row["quantity"] for row in known} == {"MIS": 10, "CNC": 0}
    wrong = (
        ({"quantity": "11"}, "HoldingException"),
        ({"new_product": "NRML"}, "InputException"),
        ({"position_type": "week"}, "InputException"),
        ({"position_type": "overnight"}, "HoldingException"),
        ({"transaction_type": "SELL"}, "InputException"),
    )
    for changes, kind in wrong:
        assert (await kite.refused("PUT", "/portfolio/positions", data=form | changes))[:2] == (400, kind)


async def test_conversion_that_the_money_does_not_cover_is_refused(kite: KiteWorld) -> None:
    last = await kite.venue.last_price()
    quantity = int(200_000 / last)
    await kite.place(quantity=str(quantity))
    form = {
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "transaction_type": "BUY",
        "position_type": "day",
        "quantity": str(quantity),
        "old_product": "MIS",
        "new_product": "CNC",
    }

    assert (await kite.refused("PUT", "/portfolio/positions", data=form))[:2] == (400, "MarginException")
    (row,) = (await kite.data("GET", "/portfolio/positions"))["net"]
    assert (row["product"], row["quantity"]) == ("MIS", quantity)


async def test_instruments_are_a_csv_whose_numbers_are_numbers(kite: KiteWorld) -> None:
    answer = await kite.call("GET", "/instruments")
    plain = await kite.client.get("/instruments/NFO", headers=kite.headers | {"Accept-Encoding": "identity"})

    assert answer.headers["content-type"] == "text/csv"
    assert answer.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    listed = list(csv.DictReader(io.StringIO(answer.text)))
    by_key = {(row["exchange"], row["tradingsymbol"]): row for row in listed}
    assert by_key["NSE", "RELIANCE"]["instrument_token"] == "738561"
    assert by_key["NSE", "INFY"]["exchange_token"] == "1594"
    assert by_key["NSE", "NIFTY"]["segment"] == "INDICES"
    assert {row["instrument_type"] for row in listed} == {"EQ", "FUT", "CE", "PE"}
    for row in listed:
        assert int(row["instrument_token"]) >> 8 == int(row["exchange_token"])
        assert float(row["tick_size"]) > 0
        assert int(row["lot_size"]) > 0
        assert float(row["strike"]) >= 0
        assert len(row["expiry"]) in {0, 10}
    assert {row["exchange"] for row in csv.DictReader(io.StringIO(plain.text))} == {"NFO"}
    assert (await kite.refused("GET", "/instruments/LSE"))[:2] == (400, "InputException")


async def test_quotes_by_name_and_by_number(kite: KiteWorld) -> None:
    asked = [("i", "NSE:RELIANCE"), ("i", "408065"), ("i", "NSE:NIFTY"), ("i", "NSE:NOSUCH"), ("i", "??")]
    full = await kite.data("GET", "/quote", params=asked)
    last = await kite.data("GET", "/quote/ltp", params=asked)
    ohlc = await kite.data("GET", "/quote/ohlc", params=asked)

    assert set(full) == set(last) == set(ohlc) == {"NSE:RELIANCE", "408065", "NSE:NIFTY"}
    assert len(full["NSE:RELIANCE"]["depth"]["buy"]) == len(full["408065"]["depth"]["sell"]) == 5
    assert full["408065"]["instrument_token"] == 408065
    assert "depth" not in full["NSE:NIFTY"]
    assert full["NSE:RELIANCE"]["lower_circuit_limit"] < full["NSE:RELIANCE"]["last_price"]
    assert Decimal(str(last["NSE:RELIANCE"]["last_price"])) == await kite.venue.last_price()
    assert ohlc["408065"]["ohlc"]["low"] <= ohlc["408065"]["last_price"]
    assert (await kite.refused("GET", "/quote"))[:2] == (400, "InputException")
    many = [("i", f"NSE:X{number}") for number in range(501)]
    assert (await kite.refused("GET", "/quote", params=many))[:2] == (400, "InputException")


async def test_candles_are_what_the_market_showed(kite: KiteWorld) -> None:
    path = "/instruments/historical/738561/5minute"
    candles = (
        await kite.data("GET", path, params={"from": "2026-11-18 09:15:00", "to": "2026-11-18 10:14:59"})
    )["candles"]

    assert [row[0][11:19] for row in candles][:2] == ["09:15:00", "09:20:00"]
    assert len(candles) == 12
    assert all(row[3] <= min(row[1], row[4]) <= max(row[1], row[4]) <= row[2] for row in candles)
    assert all(row[5] > 0 for row in candles)
    (hour,) = (
        await kite.data(
            "GET",
            "/instruments/historical/738561/60minute",
            params={"from": "2026-11-18 09:00:00", "to": "2026-11-18 09:59:00", "oi": "1"},
        )
    )["candles"]
    assert len(hour) == 7
    assert hour[2] >= max(row[2] for row in candles if row[0] < "2026-11-18T10")
    days = (
        await kite.data(
            "GET",
            "/instruments/historical/738561/day",
            params={"from": "2026-11-16 00:00:00", "to": "2026-11-30 00:00:00"},
        )
    )["candles"]
    assert [row[0][:10] for row in days] == ["2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19"]


async def test_candles_that_cannot_be_had(kite: KiteWorld) -> None:
    span = {"from": "2026-01-01 00:00:00", "to": "2026-03-03 00:00:00"}
    wrong = (
        ("/instruments/historical/738561/minute", span),
        ("/instruments/historical/738561/2minute", span),
        ("/instruments/historical/738561/day", {"from": "yesterday", "to": "now"}),
        ("/instruments/historical/738561/day", {"from": "2026-03-03", "to": "2026-01-01"}),
        ("/instruments/historical/99/day", span),
        ("/instruments/historical/738562/day", span),
    )
    for path, params in wrong:
        assert (await kite.refused("GET", path, params=params))[:2] == (400, "InputException"), path


async def test_margins_and_charges_of_orders_that_are_not_placed(kite: KiteWorld) -> None:
    order = {
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "transaction_type": "BUY",
        "variety": "regular",
        "product": "MIS",
        "order_type": "LIMIT",
        "quantity": 10,
        "price": 250.5,
    }
    (margin,) = await kite.data("POST", "/margins/orders", json=[order])
    basket = await kite.data("POST", "/margins/basket?consider_positions=True", json=[order, order])
    (note,) = await kite.data("POST", "/charges/orders", json=[order | {"average_price": 250.5}])

    assert margin["total"] == pytest.approx(501)
    assert margin["charges"]["brokerage"] == 0.75
    assert basket["initial"]["total"] == pytest.approx(1002)
    assert basket["charges"]["brokerage"] == 1.5
    assert note["charges"]["total"] > note["charges"]["gst"]["total"] > 0
    assert await kite.data("GET", "/orders") == []
    bad: list[object] = [{}, [1], [order | {"exchange": "LSE"}], [order | {"tradingsymbol": "NOSUCH"}]]
    for body in bad:
        assert (await kite.refused("POST", "/margins/orders", json=body))[:2] == (400, "InputException")
    assert (await kite.refused("POST", "/margins/orders", content=b"[{"))[:2] == (400, "InputException")
