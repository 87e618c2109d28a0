"""Orders over the wire: statuses, refusals, books."""

from decimal import Decimal
from typing import Any

from vyomo_paper_exchange.doors.kite.words import UNPROTECTED
from vyomo_paper_exchange.testing.kite import ORDER, KiteWorld

SELL = {"transaction_type": "SELL", "order_type": "LIMIT"}


async def above(kite: KiteWorld, ticks: int) -> str:
    return str(await kite.venue.last_price() + ticks * Decimal("0.10"))


async def test_market_order_with_protection_is_shown_as_the_limit_order_it_became(kite: KiteWorld) -> None:
    order_id = await kite.place(tag="mytag")

    row = await kite.order(order_id)
    assert len(order_id) == 19
    assert (row["status"], row["order_type"], row["filled_quantity"]) == ("COMPLETE", "LIMIT", 10)
    assert row["price"] > row["average_price"] > 0
    assert row["tag"] == "mytag"
    assert row["tags"][:2] == ["mytag", "mktp"]
    assert row["tags"][2].startswith("mktp:")
    assert row["instrument_token"] == 738561
    (trade,) = await kite.data("GET", f"/orders/{order_id}/trades")
    assert (trade["order_id"], trade["quantity"], len(trade["order_timestamp"])) == (order_id, 10, 8)
    assert await kite.data("GET", "/trades") == [trade]
    steps = [each["status"] for each in await kite.data("GET", f"/orders/{order_id}")]
    assert steps == [
        "PUT ORDER REQ RECEIVED",
        "VALIDATION PENDING",
        "OPEN PENDING",
        "OPEN",
        "COMPLETE",
    ]


async def test_own_percentage_of_protection_is_the_orders_limit(kite: KiteWorld) -> None:
    last = await kite.venue.last_price()

    row = await kite.order(await kite.place(market_protection="3"))

    assert row["tags"] == ["mktp", "mktp:3.00"]
    assert 0 <= Decimal(str(row["price"])) - last * Decimal("1.03") < Decimal("0.11")


async def test_order_without_protection_is_refused_in_kites_words(kite: KiteWorld) -> None:
    for order_type in ("MARKET", "SL-M"):
        form = ORDER | {"order_type": order_type, "trigger_price": await above(kite, 50)}
        for protection in ("", "0", "0.0"):
            refused = await kite.refused(
                "POST", "/orders/regular", data=form | {"market_protection": protection}
            )

            assert refused[:2] == (400, "InputException")
            assert refused[2] == UNPROTECTED


async def test_limit_order_is_modified_and_cancelled(kite: KiteWorld) -> None:
    order_id = await kite.place(**SELL, price=await above(kite, 40))
    new = await above(kite, 45)

    changed = await kite.data(
        "PUT", f"/orders/regular/{order_id}", data={"order_id": order_id, "price": new, "quantity": "20"}
    )
    assert changed == {"order_id": order_id}
    row = await kite.order(order_id)
    assert (row["status"], row["quantity"], row["pending_quantity"], row["modified"]) == (
        "OPEN",
        20,
        20,
        True,
    )
    assert Decimal(str(row["price"])) == Decimal(new)
    assert await kite.data("DELETE", f"/orders/regular/{order_id}") == {"order_id": order_id}
    row = await kite.order(order_id)
    assert (row["status"], row["cancelled_quantity"]) == ("CANCELLED", 20)
    steps = [each["status"] for each in await kite.data("GET", f"/orders/{order_id}")]
    assert steps[4:] == [
        "MODIFY VALIDATION PENDING",
        "MODIFY PENDING",
        "MODIFIED",
        "OPEN",
        "CANCEL PENDING",
        "CANCELLED",
    ]
    for method in ("PUT", "DELETE"):
        status, kind, message = await kite.refused(method, f"/orders/regular/{order_id}")
        assert (status, kind) == (500, "OrderException")
        assert "cancelled" in message


async def test_stop_order_waits_for_its_trigger(kite: KiteWorld) -> None:
    order_id = await kite.place(
        order_type="SL", price=await above(kite, 60), trigger_price=await above(kite, 50)
    )

    assert (await kite.order(order_id))["status"] == "TRIGGER PENDING"


async def test_ioc_remainder_is_cancelled(kite: KiteWorld) -> None:
    row = await kite.order(await kite.place(**SELL, validity="IOC", price=await above(kite, 40)))

    assert (row["status"], row["validity"], row["filled_quantity"]) == ("CANCELLED", "IOC", 0)


async def test_no_money_is_a_rejected_order_and_not_an_error(kite: KiteWorld) -> None:
    row = await kite.order(await kite.place(quantity="100000"))

    assert (row["status"], row["exchange_order_id"]) == ("REJECTED", None)
    assert "margin" in row["status_message"]


BAD_FIELDS: tuple[tuple[dict[str, str], str], ...] = (
    ({"quantity": "0"}, "quantity"),
    ({"quantity": "-1"}, "quantity"),
    ({"quantity": "1.5"}, "quantity"),
    ({"quantity": "NaN"}, "quantity"),
    ({"quantity": "9" * 30}, "quantity"),
    ({"exchange": "CDS"}, "exchange"),
    ({"exchange": ""}, "exchange"),
    ({"tradingsymbol": ""}, "tradingsymbol"),
    ({"transaction_type": "HOLD"}, "transaction_type"),
    ({"order_type": "LIMIT", "price": ""}, "price"),
    ({"order_type": "LIMIT", "price": "Infinity"}, "price"),
    ({"order_type": "LIMIT", "price": "1e400"}, "price"),
    ({"order_type": "LIMIT", "price": "-5"}, "price"),
    ({"order_type": "SL", "price": "5"}, "trigger_price"),
    ({"product": "MTF"}, "product"),
    ({"validity": "TTL"}, "validity"),
    ({"market_protection": "101"}, "market_protection"),
    ({"market_protection": "-2"}, "market_protection"),
    ({"market_protection": "true"}, "market_protection"),
    ({"tag": "x" * 21}, "tag"),
)


async def test_bad_field_is_named(kite: KiteWorld) -> None:
    for changes, name in BAD_FIELDS:
        status, kind, message = await kite.refused("POST", "/orders/regular", data=ORDER | changes)

        assert (status, kind) == (400, "InputException"), changes
        assert f"`{name}`" in message
    assert await kite.data("GET", "/orders") == []


async def test_what_the_order_system_checks_itself_leaves_no_order(kite: KiteWorld) -> None:
    wrong: list[dict[str, Any]] = [
        {"tradingsymbol": "NOSUCH"},
        {"order_type": "LIMIT", "price": "250.503"},
        {"product": "NRML"},
    ]
    for changes in wrong:
        status, kind, _ = await kite.refused("POST", "/orders/regular", data=ORDER | changes)
        assert (status, kind) == (400, "InputException")
    assert await kite.data("GET", "/orders") == []


async def test_other_varieties_and_calls_answer_with_kites_own_error(kite: KiteWorld) -> None:
    for variety in ("co", "iceberg", "auction", "amo", "bo"):
        assert (await kite.refused("POST", f"/orders/{variety}", data=ORDER))[:2] == (400, "InputException")
    for path in (
        "/gtt/triggers",
        "/alerts",
        "/mf/orders",
        "/mf/instruments",
        "/instruments/trigger_range/buy",
    ):
        assert (await kite.refused("GET", path))[:2] == (403, "PermissionException")
    assert (await kite.refused("GET", "/nowhere"))[:2] == (404, "GeneralException")
    assert (await kite.refused("PATCH", "/orders"))[:2] == (405, "GeneralException")


async def test_unknown_order_is_not_found(kite: KiteWorld) -> None:
    for method in ("PUT", "DELETE"):
        assert (await kite.refused(method, "/orders/regular/2611270000000000099"))[:2] == (
            400,
            "InputException",
        )
    assert (await kite.refused("GET", "/orders/x' OR 1=1"))[:2] == (400, "InputException")


async def test_order_above_the_freeze_quantity_is_sliced_on_request(kite: KiteWorld) -> None:
    listed = (await kite.client.get("/instruments/NFO", headers=kite.headers)).text.splitlines()[1:]
    symbol = next(row.split(",")[2] for row in listed if ",NIFTY," in row and ",FUT," in row)
    form = ORDER | {"exchange": "NFO", "tradingsymbol": symbol, "product": "NRML", "quantity": "4095"}

    refused = await kite.refused("POST", "/orders/regular", data=form)
    assert (refused[:2], "1755" in refused[2]) == ((400, "InputException"), True)
    placed = await kite.data("POST", "/orders/regular", data=form | {"autoslice": "true"})

    rows = [await kite.order(child["order_id"]) for child in placed["children"]]
    assert [row["quantity"] for row in rows] == [1755, 1755, 585]
    assert all(row["tags"][-2:] == ["autoslice", f"autoslice:{placed['order_id']}"] for row in rows)
    many = form | {"autoslice": "true", "quantity": "19500"}
    assert (await kite.refused("POST", "/orders/regular", data=many))[:2] == (400, "InputException")


async def test_control_characters_are_refused_wherever_they_are(kite: KiteWorld) -> None:
    calls = (
        ("POST", "/orders/regular", {"data": ORDER | {"tradingsymbol": "REL\x00"}}),
        ("POST", "/orders/regular", {"data": ORDER | {"tag": "a\x00"}}),
        ("GET", "/orders/%00", {}),
        ("GET", "/quote", {"params": {"i": "NSE:\x00"}}),
        ("GET", "/quote", {"params": {"i": "9" * 5000}}),
        (
            "GET",
            "/instruments/historical/" + "9" * 30 + "/day",
            {"params": {"from": "2026-01-01", "to": "2026-01-02"}},
        ),
        ("POST", "/margins/orders", {"json": [{"exchange": "NSE", "tradingsymbol": "\x00"}]}),
        ("POST", "/margins/orders", {"content": b"[" * 100_000}),
    )
    for method, path, arguments in calls:
        answer = await kite.call(method, path, **arguments)
        assert answer.status_code in {200, 400}, (path, answer.text)
    assert await kite.data("GET", "/orders") == []


async def test_twenty_five_modifications_are_enough(kite: KiteWorld) -> None:
    order_id = await kite.place(**SELL, price=await above(kite, 60))
    prices = [await above(kite, 60 + number) for number in range(26)]

    for price in prices[:25]:
        await kite.data("PUT", f"/orders/regular/{order_id}", data={"price": price})

    status, kind, _ = await kite.refused("PUT", f"/orders/regular/{order_id}", data={"price": prices[25]})
    assert (status, kind) == (400, "InputException")


async def test_routes_are_there_under_oms_too(kite: KiteWorld) -> None:
    assert await kite.data("GET", "/oms/orders") == []
    assert (await kite.data("POST", "/oms/orders/regular", data=ORDER))["order_id"]


async def test_path_arguments_in_the_query_and_junk_do_no_harm(kite: KiteWorld) -> None:
    params = {"variety": "regular", "junk": "1"}
    placed = await kite.data(
        "POST", "/orders/regular", data=ORDER | {"variety": "regular", "iceberg_legs": "0"}, params=params
    )

    assert (await kite.order(placed["order_id"]))["status"] == "COMPLETE"
