"""Signing in at SmartAPI with client code, PIN and a one-time password, and going on without the user while the refresh token lives.

Source: SmartAPI, user login. Tokens end at 05:00 of the next Indian day, or earlier if they say so themselves.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, SecretStr, ValidationError
from pyotp.totp import TOTP

from vyomo_broker_angel.errors import NO_PROOF, failure_of, is_too_often
from vyomo_broker_kit.access import Credentials, SignInRefusedError, Tokens
from vyomo_broker_kit.answers import clean
from vyomo_broker_kit.http import Answer, OrderTransport
from vyomo_broker_kit.port import UnreadableError
from vyomo_service_kit.clock import Clock

LOGIN: Final = "/rest/auth/angelbroking/user/v1/loginByPassword"
RENEW: Final = "/rest/auth/angelbroking/jwt/v1/generateTokens"
INDIA: Final = ZoneInfo("Asia/Kolkata")
SESSIONS_END: Final = time(5)


class _Tokens(BaseModel):
    jwt: SecretStr = Field(alias="jwtToken", min_length=1)
    refresh: SecretStr = Field(alias="refreshToken", min_length=1)
    feed: SecretStr = Field(alias="feedToken", min_length=1)


class _Answered(BaseModel):
    status: bool
    data: _Tokens


class AngelSignIn:
    """A `SignIn`. `transport` leads to the same root as the account's orders."""

    def __init__(self, transport: OrderTransport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock

    def login_url(self, credentials: Credentials, state: str) -> str | None:  # noqa: ARG002 - the port's
        """The stored credentials are enough."""
        return None

    async def sign_in(self, credentials: Credentials, request_token: SecretStr | None) -> Tokens:  # noqa: ARG002
        """One request: a one-time password can be used once, and three wrong ones lock the account.

        Raises:
            SignInRefusedError: wrong client code, PIN, one-time password or API key.
            UnreadableError: Angel One could not be asked, or its answer could not be read.
        """
        if credentials.password is None or credentials.totp_secret is None:
            missing = "password" if credentials.password is None else "totp_secret"
            raise SignInRefusedError("NOT_ENOUGH", f"a sign-in at Angel One needs {missing}")
        now = self._clock.now()
        body = {
            "clientcode": credentials.client_id,
            "password": credentials.password.get_secret_value(),
            "totp": one_time_password(credentials.totp_secret, now),
        }
        return await self._ask(LOGIN, body, headers_of(credentials.api_key), now)

    async def renew(self, credentials: Credentials, tokens: Tokens) -> Tokens | None:
        if tokens.refresh_token is None:
            return None
        body = {"refreshToken": tokens.refresh_token.get_secret_value()}
        headers = headers_of(credentials.api_key, tokens.access_token)
        return await self._ask(RENEW, body, headers, self._clock.now())

    async def _ask(
        self, path: str, body: Mapping[str, str], headers: Mapping[str, str], now: datetime
    ) -> Tokens:
        answer = await self._transport.call("POST", path, json=body, headers=headers)
        if not isinstance(answer, Answer):
            raise UnreadableError(f"{path}: {answer.cause}")
        if is_too_often(answer) or answer.status >= 500:
            raise UnreadableError(f"{path}: status {answer.status}")
        failure = failure_of(answer)
        if failure is not None and failure.code in NO_PROOF:
            raise UnreadableError(f"{path}: {failure.code}")
        if failure is not None:
            raise SignInRefusedError(clean(failure.code), clean(failure.message))
        try:
            answered = _Answered.model_validate_json(answer.body)
        except ValidationError as error:
            raise UnreadableError(f"{path}: {error.error_count()} fields are wrong") from None
        found = answered.data
        return Tokens(
            access_token=SecretStr(found.jwt.get_secret_value().removeprefix("Bearer ")),
            refresh_token=found.refresh,
            feed_token=found.feed,
            valid_until=end_of_session(found.jwt, now),
        )


def headers_of(api_key: SecretStr, access_token: SecretStr | None = None) -> dict[str, str]:
    """Addresses are asked for and not looked at: the true one is the connection's."""
    headers = {
        "Accept": "application/json",
        "X-UserType": "USER",
        "X-SourceID": "WEB",
        "X-ClientLocalIP": "127.0.0.1",
        "X-ClientPublicIP": "127.0.0.1",
        "X-MACAddress": "00:00:00:00:00:00",
        "X-PrivateKey": api_key.get_secret_value(),
    }
    if access_token is not None:
        headers["Authorization"] = f"Bearer {access_token.get_secret_value()}"
    return headers


def one_time_password(secret: SecretStr, at: datetime) -> str:
    """Six digits for the half minute of `at` (RFC 6238).

    Raises:
        SignInRefusedError: the secret is not base32, or shorter than 112 bits.
    """
    try:
        return TOTP(secret.get_secret_value().replace(" ", "")).at(at)
    except ValueError:
        raise SignInRefusedError(
            "TOTP_SECRET", "totp_secret must be the base32 text that Angel One shows below its QR code"
        ) from None


def end_of_session(jwt: SecretStr, signed_in_at: datetime) -> datetime:
    """The next 05:00 in India, or the token's own end if that is earlier and can be read."""
    here = signed_in_at.astimezone(INDIA)
    morning = here.replace(hour=SESSIONS_END.hour, minute=0, second=0, microsecond=0)
    latest = (morning if here < morning else morning + timedelta(days=1)).astimezone(UTC)
    told = _end_told_by(jwt.get_secret_value())
    return latest if told is None else min(latest, told)


def _end_told_by(jwt: str) -> datetime | None:
    """The `exp` of a token that is not ours to verify."""
    try:
        payload = jwt.split(".")[1]
        claims: Any = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, OSError, RecursionError):
        return None
