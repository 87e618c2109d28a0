"""Logins as they are asked for and as they are shown; what is secret goes in and never comes out."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from vyomo_contracts.sessions import AccountSession, BrokerSession, SessionState
from vyomo_gateway.edge.bodies import Body
from vyomo_gateway.edge.encoding import Time, View, time_text

_Given = Annotated[SecretStr, Field(min_length=1, max_length=512)]


class LoginBody(Body):
    """Zerodha: `requestToken`, when a program of yours got it at its own redirect URL. Angel One: nothing, where PIN and TOTP secret are
    stored; `password` and `totp` take their place for this once.
    """

    request_token: _Given | None = None
    password: _Given | None = None
    """Angel One's PIN."""
    totp: Annotated[SecretStr, Field(min_length=6, max_length=8)] | None = None
    """The six digits that the authenticator shows now."""


class SessionView(View, frozen=True, kw_only=True):
    state: SessionState
    valid_until: Time | None
    reason: str | None
    """Why it ended."""

    @classmethod
    def of(cls, session: AccountSession | BrokerSession) -> "SessionView":
        return cls(
            state=session.state,
            valid_until=None if session.valid_until is None else time_text(session.valid_until),
            reason=session.reason,
        )


class LoginPageAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    login_url: str
    """Open it in a browser; it comes back to `/api/brokers/zerodha/callback`, which must be the app's redirect URL at the broker."""
    expires_at: Time
    """The browser must be back by then."""


class LoginAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    account_id: int
    session: SessionView
