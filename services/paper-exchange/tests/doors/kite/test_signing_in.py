"""Signing in as at Kite, and all the ways in which it does not work."""

from urllib.parse import parse_qs, urlsplit

from vyomo_paper_exchange.testing.kite import API_KEY, API_SECRET, KiteWorld, kite_world
from vyomo_paper_exchange.testing.venue import Venue


async def test_page_leads_back_to_the_registered_address_with_a_token(kite: KiteWorld) -> None:
    asked = {"v": "3", "api_key": API_KEY, "redirect_params": "state=abc&x=%26"}
    page = await kite.client.get("/connect/login", params=asked)
    answer = await kite.client.post("/connect/login", data=asked | {"decision": "allow"})

    assert page.status_code == 200
    assert 'name="redirect_params" value="state=abc&amp;x=%26"' in page.text
    assert API_SECRET not in page.text
    assert answer.status_code == 302
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert {name: query[name] for name in ("app", "action", "status", "state", "x")} == {
        "app": ["1"],
        "action": ["login"],
        "status": ["success"],
        "state": ["abc"],
        "x": ["&"],
    }
    session = await kite.session(query["request_token"][0])
    assert (
        session.json()["data"]["login_time"]
        == kite.venue.clock.now().strftime("2026-%m-%d") + " " + (session.json()["data"]["login_time"][11:])
    )
    assert session.json()["data"]["user_id"]


async def test_whoever_says_no_comes_back_without_a_token(kite: KiteWorld) -> None:
    answer = await kite.client.post("/connect/login", data={"api_key": API_KEY, "decision": "deny"})

    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["status"] == ["cancelled"]
    assert "request_token" not in query


async def test_unknown_key_gets_no_page(kite: KiteWorld) -> None:
    page = await kite.client.get("/connect/login", params={"v": "3", "api_key": "<script>"})

    assert page.status_code == 400
    assert "<script>" not in page.text


async def test_request_token_works_once_and_for_two_minutes(kite: KiteWorld) -> None:
    token = await kite.request_token()
    assert (await kite.session(token)).status_code == 200
    again = await kite.session(token)
    late = await kite.request_token()
    kite.venue.clock.move(seconds=121)
    too_late = await kite.session(late)

    for answer in (again, too_late, await kite.session("made-up")):
        assert answer.status_code == 403
        assert answer.json()["error_type"] == "TokenException"


async def test_wrong_checksum_uses_the_token_up(kite: KiteWorld) -> None:
    token = await kite.request_token()

    assert (await kite.session(token, secret="wrong")).status_code == 403
    assert (await kite.session(token)).status_code == 403


async def test_second_sign_in_ends_the_first_ones_token(kite: KiteWorld) -> None:
    first = kite.headers
    await kite.sign_in()

    answer = await kite.client.get("/user/profile", headers=first)
    assert (answer.status_code, answer.json()["error_type"]) == (403, "TokenException")
    assert answer.json()["message"] == "Incorrect `api_key` or `access_token`."
    assert (await kite.call("GET", "/user/profile")).status_code == 200


async def test_token_lives_until_six_in_the_morning(kite: KiteWorld) -> None:
    here = kite.venue.clock.now()
    kite.venue.clock.at = here.replace(hour=0, minute=29, second=59) + (here - here)
    await kite.sign_in()
    assert (await kite.call("GET", "/user/profile")).status_code == 200

    kite.venue.clock.move(seconds=1)  # 06:00:00 in India

    assert (await kite.call("GET", "/user/profile")).status_code == 403


async def test_logout_ends_the_session_and_a_restart_does_not(
    kite: KiteWorld, venue: Venue, database_url: str
) -> None:
    del database_url
    other = KiteWorld(venue, kite.doors, kite.root, kite.client, kite.access_token)
    assert (await other.call("GET", "/user/profile")).status_code == 200
    token = {"api_key": API_KEY, "access_token": kite.access_token}

    assert await kite.data("DELETE", "/session/token", params=token) is True

    assert (await kite.call("GET", "/user/profile")).status_code == 403
    assert (await kite.call("DELETE", "/session/token", params=token)).status_code == 403


async def test_missing_and_malformed_authorization(kite: KiteWorld) -> None:
    for header in ("", "token", "token x", f"token {API_KEY}:", "Bearer abc", "token :é"):
        answer = await kite.client.get("/orders", headers=[(b"authorization", header.encode())])
        assert answer.status_code == 403, header
        assert answer.json()["error_type"] == "TokenException"


async def test_old_rules_and_new_rules(venue: Venue, database_url: str) -> None:
    async with kite_world(venue, database_url, profile="legacy") as kite:
        order_id = await kite.place(market_protection="")

        row = await kite.order(order_id)
        assert (row["status"], row["order_type"], row["price"]) == ("COMPLETE", "MARKET", 0)
        assert "tags" not in row
