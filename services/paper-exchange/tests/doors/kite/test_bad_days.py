"""Faults on request, limits, and what a client sees of them."""

import asyncio
from typing import Any

import httpx
import pytest

from vyomo_paper_exchange.testing.kite import ORDER, KiteWorld, kite_world
from vyomo_paper_exchange.testing.venue import Venue


async def placed(kite: KiteWorld) -> int:
    return len(await kite.data("GET", "/orders"))


async def test_admin_paths_need_the_key(kite: KiteWorld) -> None:
    for headers in ({}, {"X-Vyomo-Door-Key": "wrong"}):
        answer = await kite.client.post("/_vyomo/faults", json={"kind": "html"}, headers=headers)
        assert answer.status_code == 403
    assert (await kite.ask_for("faults", "GET")).json()["faults"] == []
    assert (await kite.ask_for("nothing")).status_code == 404
    bad: tuple[dict[str, Any], ...] = (
        {"kind": "rain"},
        {"kind": "html", "times": 0},
        {"kind": "html", "wind": 1},
    )
    for wrong in bad:
        assert (await kite.ask_for("faults", **wrong)).status_code == 422


async def test_dropped_answer_leaves_an_order_and_a_dropped_request_does_not(kite: KiteWorld) -> None:
    for kind, orders in (("drop_request", 0), ("drop_answer", 1)):
        await kite.ask_for("faults", kind=kind, method="POST", path="/orders/*")
        with pytest.raises(httpx.TransportError):
            await kite.call("POST", "/orders/regular", data=ORDER)
        assert await placed(kite) == orders


async def test_delayed_order_appears_after_its_client_gave_up(kite: KiteWorld) -> None:
    await kite.ask_for("faults", kind="delay_before", path="/orders/regular", seconds=0.5)
    with pytest.raises(httpx.ReadTimeout):
        await kite.call("POST", "/orders/regular", data=ORDER, timeout=0.1)
    assert await placed(kite) == 0

    async with asyncio.timeout(10):
        while await placed(kite) == 0:
            await asyncio.sleep(0.05)


async def test_broken_answers(kite: KiteWorld) -> None:
    async def answer(**fault: Any) -> httpx.Response:
        await kite.ask_for("faults", path="/user/margins", **fault)
        return await kite.call("GET", "/user/margins")

    page = await answer(kind="html", status=502)
    assert (page.status_code, page.headers["content-type"][:9]) == (502, "text/html")
    half = await answer(kind="truncate")
    assert half.status_code == 200
    assert half.content.startswith(b'{"status":"success"')
    assert not half.content.endswith(b"}}}")
    for status, kind in ((503, "NetworkException"), (500, "GeneralException"), (400, "InputException")):
        refused = await answer(kind="status", status=status)
        assert (refused.status_code, refused.json()["error_type"]) == (status, kind)
    many = await answer(kind="too_many")
    assert (many.status_code, many.json()["message"]) == (429, "Too many requests")
    assert (await kite.call("GET", "/user/margins")).status_code == 200


async def test_fault_strikes_as_often_as_asked_and_can_be_called_off(kite: KiteWorld) -> None:
    await kite.ask_for("faults", kind="status", path="/orders", times=2)
    codes = [(await kite.call("GET", "/orders")).status_code for _ in range(3)]
    await kite.ask_for("faults", kind="status", path="/orders", times=1000)
    await kite.ask_for("faults", "DELETE")

    assert codes == [503, 503, 200]
    assert (await kite.call("GET", "/orders")).status_code == 200


async def test_expired_token_wants_a_new_sign_in(kite: KiteWorld) -> None:
    await kite.ask_for("expire", account_id=kite.venue.record.account)

    assert (await kite.refused("GET", "/orders"))[:2] == (403, "TokenException")
    await kite.sign_in()
    assert await placed(kite) == 0


async def test_orders_from_an_unregistered_address_are_refused_and_reads_are_not(kite: KiteWorld) -> None:
    await kite.ask_for("addresses", account_id=kite.venue.record.account, addresses=["192.0.2.7"])
    assert (await kite.refused("POST", "/orders/regular", data=ORDER))[:2] == (403, "PermissionException")
    assert await placed(kite) == 0

    await kite.ask_for("addresses", account_id=kite.venue.record.account, addresses=["127.0.0.1"])
    assert await kite.place()


async def test_too_many_calls_are_turned_away_and_nothing_is_placed(venue: Venue, database_url: str) -> None:
    async with kite_world(venue, database_url, has_limits=True) as kite:
        codes = [(await kite.call("POST", "/orders/regular", data=ORDER)).status_code for _ in range(12)]
        quotes = [(await kite.call("GET", "/quote/ltp?i=NSE:INFY")).status_code for _ in range(2)]
        kite.venue.clock.move(seconds=1)

        assert codes == [200] * 10 + [429] * 2
        assert quotes == [200, 429]
        assert await placed(kite) == 10
        refused = await kite.refused("GET", "/instruments/historical/738561/day")
        assert refused[:2] == (400, "InputException")


async def test_record_that_cannot_be_reached_is_told_as_an_unknown_outcome(
    kite: KiteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kite.data("GET", "/orders")
    monkeypatch.setattr(kite.venue.database, "_acquire_seconds", 0.01)
    taken = [await kite.venue.database.pool.acquire() for _ in range(kite.venue.database.pool.get_max_size())]
    try:
        refused = await kite.refused("POST", "/orders/regular", data=ORDER)
    finally:
        for connection in taken:
            await kite.venue.database.pool.release(connection)

    assert refused[:2] == (503, "NetworkException")


async def test_huge_body_is_refused(kite: KiteWorld) -> None:
    form = ORDER | {"tag": "x" * 300_000}

    assert (await kite.refused("POST", "/orders/regular", data=form))[:2] == (400, "InputException")
    assert (await kite.refused("POST", "/orders/regular", content=b"a=" + b"\xff" * 10))[0] == 400
