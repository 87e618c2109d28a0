"""The way that an account's orders take to its broker, as it is asked for and as it is shown."""

import ipaddress
import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from vyomo_contracts.commands import AccountEgress
from vyomo_contracts.messages import Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge.bodies import Body
from vyomo_gateway.edge.encoding import View

_SCHEMES: Final = frozenset({"http", "socks5"})
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("must be an IP address of this machine, for example 203.0.113.5") from None


def _relay(text: str) -> str:
    wrong = ValueError(
        "must be http://host:port or socks5://host:port; user and password go into relayUser and relayPassword"
    )
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise wrong from None
    host = url.hostname or ""
    rest = url.path.strip("/") or url.query or url.fragment or url.username or url.password
    if url.scheme not in _SCHEMES or port is None or rest or not _HOST.fullmatch(host):
        raise wrong
    return f"{url.scheme}://[{host}]:{port}" if ":" in host else f"{url.scheme}://{host}:{port}"


class EgressBody(Body):
    """One of the two ways: from one of this machine's own addresses, or through a relay on a server of yours."""

    source_address: Annotated[str, Field(max_length=45), AfterValidator(_address)] | None = Field(
        default=None, examples=["203.0.113.5"]
    )
    relay: Annotated[str, Field(max_length=300), AfterValidator(_relay)] | None = Field(
        default=None, examples=["socks5://relay.example.net:1080"]
    )
    """An HTTP proxy with CONNECT, or SOCKS5. It sees where the call goes and nothing of what it says."""
    relay_user: (
        Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[\x21-\x39\x3b-\x7e]+$")]
        | None
    ) = None
    relay_password: Annotated[SecretStr, Field(min_length=1, max_length=255)] | None = None

    def problem(self) -> Problem | None:
        """What is wrong with them together."""
        code, field, message = ReasonCode.INVALID_FIELD, "relay", ""
        if self.source_address is not None and self.relay is not None:
            message = "name either sourceAddress or relay: a relay has the address that the broker sees"
        elif self.source_address is None and self.relay is None:
            code, field = ReasonCode.MISSING_FIELD, "sourceAddress"
            message = "name sourceAddress or relay; DELETE takes the account's way away"
        elif self.relay is None and (self.relay_user or self.relay_password):
            message = "relayUser and relayPassword are for a relay; name it too"
        elif (self.relay_user is None) != (self.relay_password is None):
            code, field = ReasonCode.MISSING_FIELD, "relayPassword" if self.relay_user else "relayUser"
            message = f"{field} is required: relayUser and relayPassword go together"
        return Problem(code=code, field=field, message=message) if message else None

    def told(self) -> AccountEgress:
        return AccountEgress(source_address=self.source_address, relay=self.relay, relay_user=self.relay_user)


class EgressView(View, frozen=True, kw_only=True):
    source_address: str | None
    relay: str | None
    relay_user: str | None

    @classmethod
    def of(cls, egress: AccountEgress) -> "EgressView":
        return cls(source_address=egress.source_address, relay=egress.relay, relay_user=egress.relay_user)
