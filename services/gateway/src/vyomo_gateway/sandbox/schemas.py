"""A way into the paper exchange for programs written for a broker; its secrets are told once."""

from typing import Annotated, Literal

from msgspec import UNSET, UnsetType
from pydantic import Field, StringConstraints

from vyomo_gateway.edge.bodies import Body
from vyomo_gateway.edge.encoding import View
from vyomo_ledger.door_logins import DoorProtocol

Profile = Literal["strict_2026", "legacy"]
Url = Annotated[str, StringConstraints(max_length=512, pattern=r"^https?://[^\s\x00-\x1f\x7f]+$")]


class SandboxBody(Body):
    """Fresh credentials: those given out before stop working."""

    protocol: DoorProtocol
    """`kite` is Zerodha's Kite Connect v3, `smartapi` Angel One's."""
    profile: Profile = "strict_2026"
    """Which of the broker's rules hold: those since April 2026 (market orders need a protection), or those before."""
    redirect_url: Url | None = Field(default=None, examples=["http://127.0.0.1:5000/callback"])
    """Kite only: where its login page sends the browser; without one the page shows the request token."""


class SandboxView(View, frozen=True, kw_only=True):
    """What a client needs. Of `kite` the secret, of `smartapi` client code, PIN and TOTP secret."""

    account_id: int
    protocol: DoorProtocol
    profile: Profile
    root_url: str
    ws_url: str
    api_key: str
    api_secret: str | UnsetType = UNSET
    client_code: str | UnsetType = UNSET
    pin: str | UnsetType = UNSET
    totp_secret: str | UnsetType = UNSET


class SandboxAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    sandbox: SandboxView
