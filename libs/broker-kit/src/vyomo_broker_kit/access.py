"""How an adapter gets at an account: its credentials, and the session that somebody signed in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pydantic import SecretStr

from vyomo_contracts.vocabulary import Broker, Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What the user gave us of an account; opened just before use and kept no longer."""

    account_id: int
    user_id: str
    broker: Broker
    environment: Environment
    client_id: str
    api_key: SecretStr
    api_secret: SecretStr | None = None
    password: SecretStr | None = None
    totp_secret: SecretStr | None = None
    totp_code: SecretStr | None = None
    """Typed for this sign-in, instead of one made from `totp_secret`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a sign-in came to."""

    access_token: SecretStr
    refresh_token: SecretStr | None = None
    feed_token: SecretStr | None = None
    valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """The way that an account's order calls take, where its broker takes them from one address alone. One of the two ways is set."""

    source_address: str | None = None
    """One of this machine's addresses."""
    relay: str | None = None
    """`http://host:port` (CONNECT) or `socks5://host:port` of the user's own server; TLS goes through it unopened."""
    relay_user: str | None = None
    relay_password: SecretStr | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An open session of an account: enough to call its broker."""

    account_id: int
    environment: Environment
    client_id: str
    api_key: SecretStr
    tokens: Tokens
    egress: Egress | None = None


class Accesses(Protocol):
    async def of_account(self, account_id: int) -> Access:
        """The account's open session. Cheap: adapters ask before each call.

        Raises:
            SessionOverError: nobody is signed in, or the session is over.
        """
        ...


class SignInRefusedError(Exception):
    """The broker said no to these credentials; the text is its own, without any of them."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class SignIn(Protocol):
    """A broker's way of opening a session."""

    def login_url(self, credentials: Credentials, state: str) -> str | None:
        """Where the user signs in with the browser; None if the stored credentials are enough."""
        ...

    async def sign_in(self, credentials: Credentials, request_token: SecretStr | None) -> Tokens:
        """Open a session, with what the browser came back with or with the stored credentials.

        Raises:
            SignInRefusedError: wrong or expired credentials.
            UnreadableError: the broker could not be asked, or its answer could not be read.
        """
        ...

    async def renew(self, credentials: Credentials, tokens: Tokens) -> Tokens | None:
        """A session that goes on without the user; None if this broker has no such thing. Raises like `sign_in`."""
        ...
