"""Signing in at a broker: asked of the account's worker, which alone can open what is sealed here."""

from typing import ClassVar, Literal

from pydantic import Field

from vyomo_contracts.messages import Envelope, Principal, Reply, Strict
from vyomo_contracts.sessions import BrokerSession


class SealedInput(Strict):
    """Something secret that is used once: sealed like a credential, kept by nobody."""

    field: Literal["requestToken", "password", "totp"]
    sealed: str


class AskLoginPage(Strict):
    principal: Principal
    account_id: int
    state: str = Field(min_length=16, max_length=128)
    """What the browser brings back, so that we know whom it comes back for."""


class AskLoginPages(Envelope):
    TYPE: ClassVar[str] = "session.login_page"
    items: tuple[AskLoginPage, ...] = Field(min_length=1)


class SignInAccount(Strict):
    """With what the browser brought, or what the user typed, or the stored credentials alone."""

    principal: Principal
    account_id: int
    inputs: tuple[SealedInput, ...] = ()


class SignInAccounts(Envelope):
    TYPE: ClassVar[str] = "session.sign_in"
    items: tuple[SignInAccount, ...] = Field(min_length=1)


class SessionReply(Reply):
    session: BrokerSession | None = None
    login_url: str | None = None


class SessionReplies(Envelope):
    TYPE: ClassVar[str] = "session.replies"
    items: tuple[SessionReply, ...]
