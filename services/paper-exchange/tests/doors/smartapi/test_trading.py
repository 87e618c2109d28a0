"""Orders, books, instruments and quotes, in Angel One's words and by its rules."""

from decimal import Decimal
from typing import Any

from vyomo_contracts.vocabulary import OrderType
from vyomo_paper_exchange.doors.orders import DoorAccount
from vyomo_paper_exchange.doors.smartapi.rows import order_id_of, unique_id
from vyomo_paper_exchange.testing.doors import new_order
from vyomo_paper_exchange.testing.smartapi import ORDER, RELIANCE, SmartWorld, smartapi_world
from vyomo_paper_exchange.testing.venue import Venue

PLACE = "/order/v1/placeOrder"
BOOK = "/order/v1/getOrderBook"


def test_unique_ids_lead_back_to_their_orders() -> None:
    for order_id in ("2611270000000000001", "2611279999999999999"):
        unique = unique_id(order_id)
        assert [len(part) for part in unique.split("-")] == [8, 4, 4, 4, 12]
        assert order_id_of(unique) == order_id
    assert order_id_of("2611270000000000001") is None


async def test_empty_books_are_null(angel: SmartWorld) -> None:
    for path in (
        BOOK,
        "/order/v1/getTradeBook",
        "/order/v1/getPosition",
        "/portfolio/v1/getHolding",
        "/portfolio/v1/getAllHolding",
    ):
        assert await angel.data("GET", path) is None


async def test_order_trades_and_is_in_every_book(angel: SmartWorld) -> None:
    placed = await angel.place(ordertag="bot7")

    row = await angel.order(placed["orderid"])
    assert placed["script"] == "RELIANCE-EQ"
    assert row["uniqueorderid"] == placed["uniqueorderid"]
    assert (row["status"], row["filledshares"], row["unfilledshares"]) == ("complete", "10", "0")
    assert (row["ordertag"], row["producttype"], row["variety"]) == ("bot7", "INTRADAY", "NORMAL")
    assert (row["symboltoken"], row["tradingsymbol"]) == ("2885", "RELIANCE-EQ")
    assert row["averageprice"] > 0
    (first, *_) = trades = await angel.data("GET", "/order/v1/getTradeBook")
    assert sum(int(each["fillsize"]) for each in trades) == 10
    assert first["orderid"] == placed["orderid"]
    assert len({each["fillid"] for each in trades}) == len(trades)
    (position,) = await angel.data("GET", "/order/v1/getPosition")
    assert all(isinstance(value, str) for value in position.values())
    assert (position["netqty"], position["buyqty"], position["cfbuyqty"]) == ("10", "10", "0")
    assert float((await angel.data("GET", "/user/v1/getRMS"))["utiliseddebits"]) > 0


async def test_resting_order_is_modified_and_cancelled(angel: SmartWorld) -> None:
    price = round(await angel.last_price() * 0.97, 1)
    placed = await angel.place(price=str(price))
    order_id = placed["orderid"]
    details = f"/order/v1/details/{placed['uniqueorderid']}"
    assert (await angel.data("GET", details))["status"] == "open"

    change = ORDER | {"orderid": order_id, "price": str(round(price - 1, 1)), "quantity": "7"}
    assert await angel.data("POST", "/order/v1/modifyOrder", change) == {
        "orderid": order_id,
        "uniqueorderid": placed["uniqueorderid"],
    }
    changed = await angel.order(order_id)
    assert (changed["quantity"], changed["price"]) == ("7", round(price - 1, 1))

    cancel = {"variety": "NORMAL", "orderid": order_id}
    assert (await angel.data("POST", "/order/v1/cancelOrder", cancel))["orderid"] == order_id
    row = await angel.order(order_id)
    assert (row["orderstatus"], row["cancelsize"]) == ("cancelled", "7")
    assert await angel.refused("/order/v1/cancelOrder", cancel) == (200, "AB1007")
    assert await angel.refused(f"/order/v1/details/{order_id}", method="GET") == (200, "AB1007")
    missing = cancel | {"orderid": "2611270000000999999"}
    assert await angel.refused("/order/v1/cancelOrder", missing) == (200, "AB1013")


async def test_stop_waits_for_its_trigger(angel: SmartWorld) -> None:
    last = await angel.last_price()
    stop = {"variety": "STOPLOSS", "ordertype": "STOPLOSS_LIMIT", "transactiontype": "SELL"}
    placed = await angel.place(
        **stop, triggerprice=str(round(last * 0.97, 1)), price=str(round(last * 0.96, 1))
    )

    row = await angel.order(placed["orderid"])
    assert (row["status"], row["ordertype"], row["variety"]) == (
        "trigger pending",
        "STOPLOSS_LIMIT",
        "STOPLOSS",
    )


WRONG: list[tuple[dict[str, str], str]] = [
    ({"ordertype": "MARKET"}, "AB1007"),
    ({"ordertype": "STOPLOSS_MARKET", "variety": "STOPLOSS", "triggerprice": "100"}, "AB1007"),
    ({"duration": "IOC"}, "AB1007"),
    ({"ordertag": "x" * 21}, "AB4008"),
    ({"variety": "ROBO"}, "AB2002"),
    ({"variety": "AMO"}, "AB1008"),
    ({"variety": "STOPLOSS"}, "AB1008"),
    ({"symboltoken": "3045"}, "AB1018"),
    ({"symboltoken": "\u0663"}, "AB1018"),
    ({"tradingsymbol": "RELIANCE"}, "AB1018"),
    ({"producttype": "MARGIN"}, "AB1012"),
    ({"price": "NaN"}, "AB1007"),
    ({"price": "0"}, "AB1007"),
    ({"quantity": "1.5"}, "AB1007"),
    ({"ordertag": "a\u0000b"}, "AB1007"),
]


async def test_wrong_order_is_refused_and_nothing_is_placed(angel: SmartWorld) -> None:
    for changes, code in WRONG:
        assert await angel.refused(PLACE, ORDER | {"price": "1400"} | changes) == (200, code), changes
    assert await angel.data("GET", BOOK) is None


async def test_what_the_risk_system_finds_is_a_rejected_order(angel: SmartWorld) -> None:
    for changes in ({"producttype": "CARRYFORWARD"}, {"price": "1400.013"}):
        placed = await angel.place(**{"price": "1400"} | changes)
        row = await angel.order(placed["orderid"])
        assert row["status"] == "rejected"
        assert row["text"]


async def test_old_rules_allow_market_and_ioc(venue: Venue, database_url: str) -> None:
    async with smartapi_world(venue, database_url, profile="legacy") as angel:
        market = await angel.place(ordertype="MARKET", price="0")
        ioc = await angel.place(duration="IOC")

        row = await angel.order(market["orderid"])
        assert (row["status"], row["ordertype"]) == ("complete", "LIMIT")
        assert row["price"] > 0
        assert (await angel.order(ioc["orderid"]))["duration"] == "IOC"


async def test_instrument_master_search_and_quotes(angel: SmartWorld) -> None:
    answer = await angel.client.get("/OpenAPI_File/files/OpenAPIScripMaster.json")
    listed: list[dict[str, Any]] = answer.json()
    assert all(isinstance(value, str) for row in listed for value in row.values())
    by_token = {(row["exch_seg"], row["token"]): row for row in listed}
    assert len(by_token) == len(listed)
    reliance = by_token["NSE", "2885"]
    assert (reliance["symbol"], reliance["name"], reliance["strike"]) == (
        "RELIANCE-EQ",
        "RELIANCE",
        "-1.000000",
    )
    future = next(row for row in listed if row["instrumenttype"] == "FUTIDX")
    assert future["symbol"].endswith("FUT")

    found = await angel.data("POST", "/order/v1/searchScrip", {"exchange": "NSE", "searchscrip": "RELIANCE"})
    assert RELIANCE in found
    wanted = {"exchange": future["exch_seg"], "searchscrip": future["symbol"]}
    (hit,) = await angel.data("POST", "/order/v1/searchScrip", wanted)
    assert hit["symboltoken"] == future["token"]

    tokens = {"NSE": ["2885", "999999"], future["exch_seg"]: [future["token"]]}
    full = await angel.data("POST", "/market/v1/quote", {"mode": "FULL", "exchangeTokens": tokens})
    assert {row["symbolToken"] for row in full["fetched"]} == {"2885", future["token"]}
    assert [row["symbolToken"] for row in full["unfetched"]] == ["999999"]
    assert len(full["fetched"][0]["depth"]["buy"]) == 5
    for mode, names in (("LTP", 4), ("OHLC", 8)):
        short = await angel.data("POST", "/market/v1/quote", {"mode": mode, "exchangeTokens": tokens})
        assert len(short["fetched"][0]) == names
    assert await angel.refused("/market/v1/quote", {"mode": "LTP", "exchangeTokens": []}) == (200, "AB1007")


async def test_orders_that_came_another_way_are_in_the_book(angel: SmartWorld) -> None:
    account = DoorAccount(
        account_id=angel.venue.record.account, user_id="asha", client_id=angel.client_code, is_linked=True
    )
    wanted = new_order(order_type=OrderType.SL, price=Decimal(9_000), trigger_price=Decimal(8_999))
    await angel.doors.desk.place(account, "kite", wanted)
    native = await angel.venue.passive(50, tag="mine")

    kite, ours = await angel.data("GET", BOOK)

    assert (kite["variety"], kite["ordertype"]) == ("STOPLOSS", "STOPLOSS_LIMIT")
    assert (ours["orderid"], ours["uniqueorderid"]) == (native.order_id, native.order_id)
    details = f"/order/v1/details/{ours['uniqueorderid']}"
    assert (await angel.data("GET", details))["orderid"] == native.order_id


async def test_position_is_converted(angel: SmartWorld) -> None:
    await angel.place()
    wanted = {
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE-EQ",
        "oldproducttype": "INTRADAY",
        "newproducttype": "DELIVERY",
        "transactiontype": "BUY",
        "quantity": 10,
        "type": "DAY",
    }
    assert await angel.refused("/order/v1/convertPosition", wanted | {"quantity": 99}) == (200, "AB1017")
    assert await angel.data("POST", "/order/v1/convertPosition", wanted) is None
    assert await angel.refused("/order/v1/convertPosition", wanted | {"exchange": "BSE"}) == (200, "AB1016")
