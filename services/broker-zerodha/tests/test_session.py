import hashlib
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from vyomo_broker_kit.access import Credentials, SignInRefusedError
from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.port import UnreadableError
from vyomo_broker_zerodha.mapping import INDIA
from vyomo_broker_zerodha.session import KiteSignIn, checksum, end_of_session
from vyomo_broker_zerodha.testing import KiteServer
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_service_kit.clock import SystemClock

CREDENTIALS = Credentials(
    account_id=1,
    user_id="asha",
    broker=Broker.ZERODHA,
    environment=Environment.LIVE,
    client_id="AB1234",
    api_key=SecretStr("K"),
    api_secret=SecretStr("S"),
)
TOKEN = SecretStr("RT")


@pytest.fixture
def sign_in(transport: OrderTransport) -> KiteSignIn:
    return KiteSignIn(transport, SystemClock())


def test_login_page_is_zerodhas_and_brings_our_state_back(sign_in: KiteSignIn) -> None:
    url = urlsplit(sign_in.login_url(CREDENTIALS, "a state&more"))
    asked = parse_qs(url.query)

    assert (url.scheme, url.netloc, url.path) == ("https", "kite.zerodha.com", "/connect/login")
    assert (asked["v"], asked["api_key"]) == (["3"], ["K"])
    assert parse_qs(asked["redirect_params"][0]) == {"state": ["a state&more"]}
    assert "S" not in asked.values()


async def test_request_token_is_changed_for_an_access_token(sign_in: KiteSignIn, kite: KiteServer) -> None:
    kite.succeed({"access_token": "AT", "user_id": "AB1234", "login_time": "2026-03-02 08:00:00"})

    tokens = await sign_in.sign_in(CREDENTIALS, TOKEN)

    assert tokens.access_token.get_secret_value() == "AT"
    assert timedelta(0) < tokens.valid_until - SystemClock().now() <= timedelta(days=1)
    (asked,) = kite.asked
    assert (asked.method, asked.path) == ("POST", "/session/token")
    assert asked.form == {
        "api_key": "K",
        "request_token": "RT",
        "checksum": hashlib.sha256(b"KRTS").hexdigest(),
    }


def test_checksum_is_of_the_three_texts_in_their_order() -> None:
    assert checksum(SecretStr("K"), SecretStr("RT"), SecretStr("S")) == hashlib.sha256(b"KRTS").hexdigest()


@pytest.mark.parametrize(
    ("status", "error_type"), [(403, "TokenException"), (400, "InputException"), (403, "UserException")]
)
async def test_refused_token(sign_in: KiteSignIn, kite: KiteServer, status: int, error_type: str) -> None:
    kite.fail(status, error_type, "Token is invalid or has expired.")

    with pytest.raises(SignInRefusedError) as caught:
        await sign_in.sign_in(CREDENTIALS, TOKEN)

    assert (caught.value.code, caught.value.text) == (error_type, "Token is invalid or has expired.")
    assert len(kite.asked) == 1


async def test_browser_that_signed_in_as_somebody_else(sign_in: KiteSignIn, kite: KiteServer) -> None:
    kite.succeed({"access_token": "AT", "user_id": "ZZ9999"})

    with pytest.raises(SignInRefusedError, match="ZZ9999, not AB1234"):
        await sign_in.sign_in(CREDENTIALS, TOKEN)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"error_type": "NetworkException", "message": "Too many requests"}),
        (503, {"error_type": "NetworkException", "message": "no"}),
        (200, b"<html></html>"),
        (200, {"status": "success", "data": {"access_token": "", "user_id": "AB1234"}}),
        (200, {"status": "success", "data": {"user_id": "AB1234"}}),
    ],
)
async def test_answer_that_says_nothing_refuses_nothing(
    sign_in: KiteSignIn, kite: KiteServer, status: int, body: object
) -> None:
    kite.say(status, body)

    with pytest.raises(UnreadableError) as caught:
        await sign_in.sign_in(CREDENTIALS, TOKEN)

    assert "RT" not in str(caught.value)


async def test_what_is_missing_is_named(sign_in: KiteSignIn, kite: KiteServer) -> None:
    with pytest.raises(SignInRefusedError, match="request_token"):
        await sign_in.sign_in(CREDENTIALS, None)

    assert kite.asked == []


@pytest.mark.parametrize(
    ("signed_in", "ends"),
    [
        (datetime(2026, 3, 2, 8, 0, tzinfo=INDIA), datetime(2026, 3, 3, 6, 0, tzinfo=INDIA)),
        (datetime(2026, 3, 2, 5, 0, tzinfo=INDIA), datetime(2026, 3, 2, 6, 0, tzinfo=INDIA)),
        (datetime(2026, 3, 2, 6, 0, tzinfo=INDIA), datetime(2026, 3, 3, 6, 0, tzinfo=INDIA)),
        (datetime(2026, 2, 28, 23, 0, tzinfo=INDIA), datetime(2026, 3, 1, 6, 0, tzinfo=INDIA)),
    ],
)
def test_session_ends_at_six_in_india(signed_in: datetime, ends: datetime) -> None:
    found = end_of_session(signed_in.astimezone(UTC))

    assert found == ends
    assert found.tzinfo is UTC
