import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from pyotp.totp import TOTP

from vyomo_broker_angel.session import INDIA, LOGIN, RENEW, AngelSignIn, end_of_session, one_time_password
from vyomo_broker_kit.access import Credentials, SignInRefusedError, Tokens
from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.port import UnreadableError
from vyomo_broker_kit.testing.parrot import Parrot
from vyomo_contracts.testing import NOON
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_service_kit.clock import SystemClock

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEH"
KNOWN = {
    "account_id": 1,
    "user_id": "asha",
    "broker": Broker.ANGEL,
    "environment": Environment.LIVE,
    "client_id": "A123",
    "api_key": SecretStr("the-api-key"),
    "password": SecretStr("4321"),
    "totp_secret": SecretStr(SECRET),
}
CREDENTIALS = Credentials(**KNOWN)  # type: ignore[arg-type]


def answered(jwt: str = "jwt", **changes: Any) -> dict[str, Any]:
    data = {"jwtToken": jwt, "refreshToken": "refresh", "feedToken": "feed", **changes}
    return {"status": True, "message": "SUCCESS", "errorcode": "", "data": data}


def jwt_until(end: object) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": end}).encode()).decode().rstrip("=")
    return f"e30.{claims}.signature"


@pytest.fixture
def sign_in(transport: OrderTransport) -> AngelSignIn:
    return AngelSignIn(transport, SystemClock())


def test_no_browser_is_needed(sign_in: AngelSignIn) -> None:
    assert sign_in.login_url(CREDENTIALS, "state") is None


async def test_client_code_pin_and_one_time_password_open_a_session(
    sign_in: AngelSignIn, angel: Parrot
) -> None:
    angel.say(200, answered(jwt="Bearer jwt"))

    tokens = await sign_in.sign_in(CREDENTIALS, None)

    assert tokens.access_token.get_secret_value() == "jwt"
    assert tokens.refresh_token == SecretStr("refresh")
    assert tokens.feed_token == SecretStr("feed")
    (asked,) = angel.asked
    assert (asked.method, asked.path) == ("POST", LOGIN)
    assert asked.headers["x-privatekey"] == "the-api-key"
    assert (asked.json["clientcode"], asked.json["password"]) == ("A123", "4321")
    assert TOTP(SECRET).verify(asked.json["totp"], valid_window=1)


async def test_session_is_renewed_with_the_refresh_token(sign_in: AngelSignIn, angel: Parrot) -> None:
    angel.say(200, answered(jwt="new"))
    old = Tokens(access_token=SecretStr("old"), refresh_token=SecretStr("refresh"), valid_until=NOON)

    tokens = await sign_in.renew(CREDENTIALS, old)

    assert tokens is not None
    assert tokens.access_token.get_secret_value() == "new"
    (asked,) = angel.asked
    assert (asked.path, asked.json) == (RENEW, {"refreshToken": "refresh"})
    assert asked.headers["authorization"] == "Bearer old"


async def test_session_without_a_refresh_token_is_not_renewed(sign_in: AngelSignIn, angel: Parrot) -> None:
    assert await sign_in.renew(CREDENTIALS, Tokens(access_token=SecretStr("x"), valid_until=NOON)) is None
    assert angel.asked == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"status": False, "message": "Invalid totp", "errorcode": "AB1050", "data": None}),
        (200, {"status": False, "message": "Invalid Credentials", "errorcode": "AB1007", "data": None}),
        (401, {"success": False, "message": "Invalid API Key", "errorCode": "AG8004", "data": ""}),
    ],
)
async def test_refused_credentials(sign_in: AngelSignIn, angel: Parrot, status: int, body: Any) -> None:
    angel.say(status, body)

    with pytest.raises(SignInRefusedError) as caught:
        await sign_in.sign_in(CREDENTIALS, None)

    assert caught.value.text == body["message"]
    assert len(angel.asked) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"status": False, "message": "Something Went Wrong", "errorcode": "AB1004", "data": None}),
        (403, b"Access denied because of exceeding access rate"),
        (503, {"status": False, "message": "no", "errorcode": "AB1050"}),
        (200, b"<html></html>"),
        (200, answered(jwtToken=None)),
        (200, answered(feedToken="")),
        (200, b'{"status":true,"data":{"jwtTok'),
    ],
)
async def test_answer_that_says_nothing_refuses_nothing(
    sign_in: AngelSignIn, angel: Parrot, status: int, body: Any
) -> None:
    angel.say(status, body)

    with pytest.raises(UnreadableError) as caught:
        await sign_in.sign_in(CREDENTIALS, None)

    assert not {"4321", "the-api-key", SECRET} & set(str(caught.value).split())


@pytest.mark.parametrize("missing", ["password", "totp_secret"])
async def test_what_is_missing_is_named(sign_in: AngelSignIn, angel: Parrot, missing: str) -> None:
    with pytest.raises(SignInRefusedError, match=missing):
        await sign_in.sign_in(Credentials(**{**KNOWN, missing: None}), None)  # type: ignore[arg-type]

    assert angel.asked == []


def test_one_time_password_is_that_of_rfc_6238() -> None:
    secret = SecretStr(base64.b32encode(b"12345678901234567890").decode())

    assert one_time_password(secret, datetime.fromtimestamp(59, UTC)) == "287082"
    assert one_time_password(secret, datetime.fromtimestamp(1_111_111_109, UTC)) == "081804"


@pytest.mark.parametrize("secret", ["not base32!", "JBSWY3DPEHPK3PXP", "पासवर्ड"])
def test_secret_that_is_not_base32_is_refused_without_being_told(secret: str) -> None:
    with pytest.raises(SignInRefusedError) as caught:
        one_time_password(SecretStr(secret), NOON)

    assert secret not in caught.value.text


MORNING = datetime(2026, 3, 3, 5, 0, tzinfo=INDIA)


@pytest.mark.parametrize(
    ("jwt", "ends"),
    [
        ("opaque", MORNING),
        (jwt_until((NOON + timedelta(hours=1)).timestamp()), NOON + timedelta(hours=1)),
        (jwt_until((NOON + timedelta(days=9)).timestamp()), MORNING),
        (jwt_until("soon"), MORNING),
        (jwt_until(10**40), MORNING),
        (jwt_until(None), MORNING),
        ("a.!!!.c", MORNING),
        ("a." + base64.urlsafe_b64encode(b"[1]").decode() + ".c", MORNING),
    ],
)
def test_session_ends_at_five_in_india_or_when_its_token_does(jwt: str, ends: datetime) -> None:
    assert end_of_session(SecretStr(jwt), NOON) == ends


def test_sign_in_before_five_ends_the_same_morning() -> None:
    early = datetime(2026, 3, 3, 4, 59, tzinfo=INDIA)

    assert end_of_session(SecretStr("opaque"), early.astimezone(UTC)) == MORNING
