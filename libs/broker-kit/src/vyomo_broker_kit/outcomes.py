"""What a call to a broker came to. There is no sixth case, and no exception of a client crosses the port.

Only a white list of answers may be `Refused`, and only what provably never left may be `NotSent`; everything else is `Unknown`.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker took it. Says nothing about the exchange."""

    broker_order_id: str
    status: int | None = field(default=None, compare=False)
    """Of HTTP, where it was said by it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker said no, conclusively; `text` is its own, verbatim."""

    code: str
    text: str
    ends_session: bool = False
    """The broker wants a new login: nothing more is sent for this account until it had one."""
    status: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class NotSent:
    """No connection was made, so nothing left: name resolution, connect or TLS failure, no free connection in time."""

    cause: str


@dataclass(frozen=True, slots=True)
class RateLimited:
    """Turned away for coming too often, as far as the broker says: one look into the book, then it is refused. Never sent again."""

    text: str
    status: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have happened: only the broker's book can tell. Never sent again."""

    cause: str
    status: int | None = field(default=None, compare=False)


Outcome = Accepted | Refused | NotSent | RateLimited | Unknown
