"""Browser sessions as they are asked for and as they are shown."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from vyomo_gateway.edge.bodies import Body
from vyomo_gateway.edge.encoding import Time, View, time_text
from vyomo_gateway.identity.browsers import BrowserSession, ListedSession, page_token


class LinkBody(Body):
    token: Annotated[SecretStr, Field(min_length=1, max_length=128)]
    """What stands behind `#token=` in the link."""


class SignedInAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    user_id: str
    page_token: str
    """Sent as `X-Vyomo-Page` with every call that changes something."""
    session_id: str
    expires_at: Time

    @classmethod
    def of(cls, session: BrowserSession, token: str) -> "SignedInAnswer":
        return cls(
            user_id=session.user_id,
            page_token=page_token(token),
            session_id=session.session_id,
            expires_at=time_text(session.expires_at),
        )


class SignedOutAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True


class ListedSessionView(View, frozen=True, kw_only=True):
    session_id: str
    address: str | None
    user_agent: str | None
    created_at: Time
    last_seen_at: Time
    expires_at: Time

    @classmethod
    def of(cls, session: ListedSession) -> "ListedSessionView":
        return cls(
            session_id=session.session_id,
            address=session.address,
            user_agent=session.user_agent,
            created_at=time_text(session.created_at),
            last_seen_at=time_text(session.last_seen_at),
            expires_at=time_text(session.expires_at),
        )


class ListedSessionsAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    sessions: list[ListedSessionView]
