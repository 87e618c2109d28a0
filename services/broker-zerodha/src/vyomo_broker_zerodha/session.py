"""Signing in at Kite: the browser brings a request token, which is changed for an access token until 06:00 of the next Indian day.

Source: Kite Connect v3, user and login flow.
"""

import hashlib
from datetime import datetime, time, timedelta
from typing import Final
from urllib.parse import urlencode

from pydantic import BaseModel, Field, SecretStr, TypeAdapter

from vyomo_broker_kit.access import Credentials, SignInRefusedError, Tokens
from vyomo_broker_kit.answers import clean
from vyomo_broker_kit.http import Answer, OrderTransport
from vyomo_broker_kit.port import SessionOverError
from vyomo_broker_zerodha.client import VERSION, content_of
from vyomo_broker_zerodha.errors import failure_of
from vyomo_broker_zerodha.mapping import INDIA
from vyomo_service_kit.clock import Clock

LIVE_LOGIN: Final = "https://kite.zerodha.com/connect/login"
SESSIONS_END: Final = time(6)


class _Session(BaseModel):
    access_token: SecretStr = Field(min_length=1)
    user_id: str


_SESSION: Final = TypeAdapter(_Session)


class KiteSignIn:
    """A `SignIn`. `transport` leads to the same root as the account's orders."""

    def __init__(self, transport: OrderTransport, clock: Clock, *, login_page: str = LIVE_LOGIN) -> None:
        self._transport = transport
        self._clock = clock
        self._login_page = login_page

    def login_url(self, credentials: Credentials, state: str) -> str:
        """Kite echoes `redirect_params` to our callback, which so knows whom the browser comes back for."""
        asked = {
            "v": VERSION,
            "api_key": credentials.api_key.get_secret_value(),
            "redirect_params": urlencode({"state": state}),
        }
        return f"{self._login_page}?{urlencode(asked)}"

    async def sign_in(self, credentials: Credentials, request_token: SecretStr | None) -> Tokens:
        """One request: a request token can be used once.

        Raises:
            SignInRefusedError: the token is wrong, used or older than some minutes, or is another client's.
            UnreadableError: Kite could not be asked, or its answer could not be read.
        """
        if request_token is None or credentials.api_secret is None:
            missing = "request_token" if request_token is None else "api_secret"
            raise SignInRefusedError("NOT_ENOUGH", f"a sign-in at Kite needs {missing}")
        form = {
            "api_key": credentials.api_key.get_secret_value(),
            "request_token": request_token.get_secret_value(),
            "checksum": checksum(credentials.api_key, request_token, credentials.api_secret),
        }
        began = self._clock.now()
        answer = await self._transport.call(
            "POST", "/session/token", form=form, headers={"X-Kite-Version": VERSION}
        )
        if isinstance(answer, Answer) and 400 <= answer.status < 500 and answer.status != 429:
            failure = failure_of(answer)
            if failure is not None:
                raise SignInRefusedError(failure.error_type, clean(failure.message))
        try:
            session = content_of(answer, "/session/token", _SESSION)
        except SessionOverError as error:
            raise SignInRefusedError("TokenException", "the request token is not valid") from error
        if session.user_id != credentials.client_id:
            raise SignInRefusedError(
                "OTHER_CLIENT",
                f"the browser signed in as {clean(session.user_id)}, not {credentials.client_id}",
            )
        return Tokens(access_token=session.access_token, valid_until=end_of_session(began))

    async def renew(self, credentials: Credentials, tokens: Tokens) -> Tokens | None:  # noqa: ARG002 - the port's
        """Kite has no such thing for private programs."""
        return None


def checksum(api_key: SecretStr, token: SecretStr, api_secret: SecretStr) -> str:
    """What proves to Kite that who asks knows the secret: lower-case hex of SHA-256 over the three texts."""
    text = api_key.get_secret_value() + token.get_secret_value() + api_secret.get_secret_value()
    return hashlib.sha256(text.encode()).hexdigest()


def end_of_session(signed_in_at: datetime) -> datetime:
    """The next 06:00 in India: one who signs in at 05:00 has an hour."""
    here = signed_in_at.astimezone(INDIA)
    end = here.replace(hour=SESSIONS_END.hour, minute=0, second=0, microsecond=0)
    return (end if here < end else end + timedelta(days=1)).astimezone(signed_in_at.tzinfo)
