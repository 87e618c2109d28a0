"""Faults on request, limits, and what a client sees of them."""

from typing import Any

import httpx
import pytest

from vyomo_paper_exchange.doors.smartapi.envelope import TOO_OFTEN
from vyomo_paper_exchange.testing.smartapi import ORDER, SECURE, SmartWorld, smartapi_world
from vyomo_paper_exchange.testing.venue import Venue

PLACE = "/order/v1/placeOrder"
BOOK = "/order/v1/getOrderBook"
PROFILE = "/user/v1/getProfile"


async def test_dropped_answer_leaves_an_order_and_a_dropped_request_does_not(angel: SmartWorld) -> None:
    for kind, orders in (("drop_request", 0), ("drop_answer", 1)):
        await angel.ask_for("faults", kind=kind, method="POST", path=f"{SECURE}{PLACE}")
        with pytest.raises(httpx.TransportError):
            await angel.call("POST", PLACE, ORDER | {"price": "1400"})
        assert len(await angel.data("GET", BOOK) or []) == orders


async def test_broken_answers(angel: SmartWorld) -> None:
    async def answer(**fault: Any) -> httpx.Response:
        await angel.ask_for("faults", path=f"{SECURE}{PROFILE}", **fault)
        return await angel.call("GET", PROFILE)

    limited = await answer(kind="too_many")
    assert (limited.status_code, limited.text) == (403, TOO_OFTEN)
    assert limited.headers["content-type"].startswith("text/plain")
    assert (await answer(kind="html", status=502)).headers["content-type"].startswith("text/html")
    assert (await answer(kind="status", status=500)).json()["errorcode"] == "AB1004"
    assert (await answer(kind="status", status=401)).json()["errorCode"] == "AG8001"


async def test_expired_session_and_unregistered_address(angel: SmartWorld) -> None:
    account = angel.venue.record.account
    await angel.ask_for("addresses", account_id=account, addresses=["192.0.2.7"])
    assert await angel.refused(PLACE, ORDER | {"price": "1400"}) == (403, "AG7002")
    assert await angel.data("GET", BOOK) is None

    await angel.ask_for("expire", account_id=account)
    assert await angel.refused(BOOK, method="GET") == (403, "AG8001")
    await angel.sign_in()
    assert await angel.data("GET", BOOK) is None


async def test_too_many_calls_get_plain_text_and_nothing_is_placed(venue: Venue, database_url: str) -> None:
    async with smartapi_world(venue, database_url, has_limits=True) as angel:
        body = ORDER | {"price": "1400"}
        answers = [await angel.call("POST", PLACE, body) for _ in range(11)]
        assert [each.status_code for each in answers] == [200] * 9 + [403] * 2
        assert answers[-1].text == TOO_OFTEN
        assert len(await angel.data("GET", BOOK)) == 9
        assert (await angel.call("GET", BOOK)).status_code == 403
        assert (await angel.log_in()).status_code == 403


async def test_body_that_is_no_object_is_refused(angel: SmartWorld) -> None:
    for body in (b"[1]", b"{", b'{"a":' * 9000, b"\xff", b'"x"', b"9" * 9000):
        answer = await angel.client.post(f"{SECURE}{PLACE}", headers=angel.headers, content=body)
        assert answer.json()["errorcode"] == "AB1007", body[:9]


async def test_call_that_is_not_offered_and_path_that_is_none(angel: SmartWorld) -> None:
    for path in (f"{SECURE}/gtt/v1/createRule", f"/gtt-service{SECURE}/gtt/v1/createRule"):
        answer = await angel.client.post(path, headers=angel.headers, json={})
        assert answer.json()["errorcode"] == "AB2000"
    assert (await angel.client.get("/nowhere")).status_code == 404
