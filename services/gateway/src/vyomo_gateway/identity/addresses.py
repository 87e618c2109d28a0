"""Where a request came from, for the record.

The other end of the connection, which nobody can invent. Only where that is a proxy that the settings name, what it says in
`X-Forwarded-For` counts: each proxy adds the address it saw at the end, so the last one that is no proxy of ours is the client.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from starlette.types import Scope

LONGEST_USER_AGENT: Final = 200
_FORWARDED: Final = b"x-forwarded-for"
_USER_AGENT: Final = b"user-agent"

Network = IPv4Network | IPv6Network


def networks_of(text: str) -> tuple[Network, ...]:
    """`10.0.0.0/8, 192.0.2.7` as networks.

    Raises:
        ValueError: one of them is none.
    """
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


class Origins:
    """Tells (address, user agent) of requests; either may be unknown."""

    def __init__(self, trusted_proxies: Sequence[Network] = ()) -> None:
        self._trusted = tuple(trusted_proxies)

    def of(self, scope: Scope) -> tuple[str | None, str | None]:
        client = scope.get("client")
        address: str | None = client[0] if client else None
        agent: str | None = None
        forwarded: list[str] = []
        for name, value in scope["headers"]:
            if name == _USER_AGENT:
                agent = _printable(value.decode("latin-1"))
            elif name == _FORWARDED and self._trusted:
                forwarded += value.decode("latin-1").split(",")
        if forwarded and address is not None and self._is_proxy(_parsed(address)):
            address = self._behind(address, forwarded)
        return address or None, agent or None

    def _behind(self, peer: str, forwarded: Sequence[str]) -> str:
        """The nearest address that no proxy of ours has; what stands before one that cannot be read is not believed."""
        known = peer
        for text in reversed(forwarded):
            address = _parsed(text.strip())
            if address is None:
                return known
            known = str(address)
            if not self._is_proxy(address):
                return known
        return known

    def _is_proxy(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    # A socket that serves both kinds shows IPv4 peers so.
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _printable(text: str) -> str:
    cut = text[:LONGEST_USER_AGENT]
    return cut if cut.isprintable() else "".join(each for each in cut if each.isprintable())
