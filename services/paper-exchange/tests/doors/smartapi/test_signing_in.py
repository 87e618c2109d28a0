"""Client code, PIN and one-time password; three tokens, and their end."""

import base64
import json

import httpx
from pydantic import SecretStr

from vyomo_paper_exchange.doors.smartapi.access import next_end
from vyomo_paper_exchange.testing.doors import ROOT_KEYS, door_venue, make_sandbox, smartapi_server
from vyomo_paper_exchange.testing.smartapi import (
    API_KEY,
    AUTH,
    PIN,
    TOTP_SECRET,
    SmartWorld,
    client_code_of,
)
from vyomo_paper_exchange.testing.venue import Venue
from vyomo_service_kit.sealing import Sealer, SecretPlace
from vyomo_service_kit.testing.databases import execute

PROFILE = "/user/v1/getProfile"


async def test_wrong_parts_are_refused_each_in_its_own_words(angel: SmartWorld) -> None:
    async def code(**changes: str) -> str:
        return str((await angel.log_in(None, **changes)).json()["errorcode"])

    assert await code(password="1111") == "AB1007"
    assert await code(clientcode="NOBODY") == "AB1007"
    assert await code(totp="000000") == "AB1050"
    assert await code(totp="") == "AB1007"
    for headers in ({}, {"X-PrivateKey": "another"}):
        answer = await angel.log_in(headers)
        assert (answer.status_code, answer.json()["errorCode"]) == (403, "AG8004")


async def test_one_time_password_of_an_old_half_minute_is_refused(angel: SmartWorld) -> None:
    old = angel.totp()
    angel.venue.clock.move(seconds=30)
    assert (await angel.log_in(totp=old)).json()["status"] is True

    angel.venue.clock.move(seconds=60)
    assert (await angel.log_in(totp=old)).json()["errorcode"] == "AB1050"


async def test_tokens_end_at_five_in_india_and_say_so(angel: SmartWorld) -> None:
    payload = angel.tokens["jwtToken"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    now = angel.venue.clock.now()
    assert claims["exp"] == int(next_end(now).timestamp())
    assert (await angel.data("GET", f"{PROFILE}?%7B%7D"))["clientcode"] == angel.client_code

    angel.venue.clock.move(seconds=(next_end(now) - now).total_seconds())
    assert await angel.refused(PROFILE, method="GET") == (403, "AG8001")


async def test_sign_ins_stand_beside_each_other_and_end_alone(angel: SmartWorld) -> None:
    first = angel.tokens
    await angel.sign_in()
    second, angel.tokens = angel.tokens, first
    assert await angel.data("POST", "/user/v1/logout", {"clientcode": angel.client_code}) == ""
    assert await angel.refused(PROFILE, method="GET") == (403, "AG8001")
    assert await renewed(angel, first["refreshToken"]) == "AB8050"

    angel.tokens = second
    assert await angel.data("GET", PROFILE)


async def test_refresh_token_gives_new_tokens_once(angel: SmartWorld) -> None:
    old = angel.tokens["refreshToken"]
    assert await renewed(angel, old) == ""
    assert await angel.data("GET", PROFILE)
    assert await renewed(angel, old) == "AB8050"


async def test_calls_without_token_or_key(angel: SmartWorld) -> None:
    jwt = angel.tokens["jwtToken"]
    path = f"/rest/secure/angelbroking{PROFILE}"
    answer = await angel.client.get(path, headers={"X-PrivateKey": API_KEY})
    assert (answer.status_code, answer.json()["errorCode"]) == (403, "AG8003")
    for headers in ({}, {"X-PrivateKey": "another"}):
        answer = await angel.client.get(path, headers={"Authorization": f"Bearer {jwt}", **headers})
        assert answer.json()["errorCode"] == "AG8004"


async def test_account_at_the_sandbox_signs_in_with_its_own_credentials(
    venue: Venue, database_url: str
) -> None:
    account = venue.record.account
    code = await client_code_of(venue, account)
    make_sandbox(database_url, account, "angel")
    sealer = Sealer(ROOT_KEYS.public)

    def sealed(value: str, field: str) -> str:
        place = SecretPlace(user_id="asha", broker="angel", client_id=code, field=field)
        return sealer.seal(SecretStr(value), place)

    execute(
        database_url,
        f"UPDATE accounts.broker_accounts SET api_key = '{sealed(API_KEY, 'apiKey')}', "
        f"password = '{sealed(PIN, 'password')}', totp_secret = '{sealed(TOTP_SECRET, 'totpSecret')}' "
        f"WHERE id = {account}",
    )
    async with (
        door_venue(venue) as doors,
        smartapi_server(doors) as root,
        httpx.AsyncClient(base_url=root, trust_env=False) as client,
    ):
        angel = SmartWorld(venue, doors, root, client, code)
        await angel.sign_in()
        placed = await angel.place()

        assert (await angel.order(placed["orderid"]))["status"] == "complete"


async def renewed(angel: SmartWorld, refresh_token: str) -> str:
    headers = {"X-PrivateKey": API_KEY}
    answer = await angel.client.post(
        f"{AUTH}/jwt/v1/generateTokens", json={"refreshToken": refresh_token}, headers=headers
    )
    document = answer.json()
    if document["status"]:
        angel.tokens = document["data"]
    return str(document["errorcode"])
