"""From a request to a call: whose it is, whether it may come now, and how its answer is wrapped."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import structlog
from starlette.requests import Request
from starlette.responses import Response

from vyomo_contracts.vocabulary import Exchange
from vyomo_paper_exchange.domain.market.market import Listing
from vyomo_paper_exchange.doors.faults import Faults
from vyomo_paper_exchange.doors.limits import CallLimits, Limit
from vyomo_paper_exchange.doors.smartapi.access import Caller, SmartAccess
from vyomo_paper_exchange.doors.smartapi.envelope import (
    AppError,
    GatewayError,
    InputError,
    SmartError,
    TooManyError,
    success,
    unsure,
)
from vyomo_paper_exchange.doors.smartapi.symbols import trading_symbol
from vyomo_paper_exchange.doors.venue import DoorVenue
from vyomo_service_kit.errors import UnavailableError

log = structlog.get_logger()

Bucket = Literal[
    "login", "logout", "renew", "profile", "funds", "orders", "order_book", "trade_book", "positions",
    "holdings", "all_holdings", "search", "details", "ltp", "quote", "margin", "convert", "candles", "other",
]  # fmt: skip

_ONE_A_SECOND: Final = (Limit(1, 1.0),)
_LOOK_UPS: Final = (Limit(10, 1.0), Limit(500, 60.0), Limit(5000, 3600.0))
LIMITS: Final[Mapping[str, tuple[Limit, ...]]] = {
    "login": _ONE_A_SECOND,
    "logout": _ONE_A_SECOND,
    "renew": (Limit(1, 1.0), Limit(1000, 3600.0)),
    "profile": (Limit(3, 1.0), Limit(1000, 3600.0)),
    "funds": (Limit(2, 1.0),),
    "orders": (Limit(9, 1.0), Limit(500, 60.0), Limit(1000, 3600.0)),
    "order_book": _ONE_A_SECOND,
    "trade_book": _ONE_A_SECOND,
    "positions": _ONE_A_SECOND,
    "holdings": _ONE_A_SECOND,
    "all_holdings": _ONE_A_SECOND,
    "search": _ONE_A_SECOND,
    "details": _LOOK_UPS,
    "ltp": _LOOK_UPS,
    "quote": _LOOK_UPS,
    "margin": _LOOK_UPS,
    "convert": _LOOK_UPS,
    "candles": (Limit(3, 1.0), Limit(180, 60.0), Limit(5000, 3600.0)),
    "other": _LOOK_UPS,
}
"""Of a client code."""


class Found(NamedTuple):
    """An instrument of the catalogue with its number."""

    number: int
    listing: Listing


@dataclass(frozen=True, slots=True)
class SmartDoor:
    """What the endpoints work with."""

    venue: DoorVenue
    access: SmartAccess
    faults: Faults
    limits: CallLimits | None

    async def found(self, pairs: list[tuple[str, str]]) -> dict[str, Found]:
        """By `EXCHANGE:SYMBOL`; what is no longer listed is absent."""
        numbers = await self.venue.instruments.tokens(pairs)
        listings = await self.venue.prices.listings(numbers)
        return {key: Found(number, listings[key]) for key, number in numbers.items() if key in listings}

    async def find(self, exchange: Exchange, token: str) -> Found | None:
        number = number_of(token)
        key = (await self.venue.instruments.keys([number])).get(number)
        listing = None if key is None else (await self.venue.prices.listings([key])).get(key)
        if listing is None or listing.instrument.exchange is not exchange:
            return None
        return Found(number, listing)

    async def named(self, exchange: Exchange, token: str, symbol: str) -> Found:
        """Token and trading symbol must be of the same instrument. Raises InputError."""
        found = await self.find(exchange, token)
        if found is None or trading_symbol(found.listing.instrument) != symbol:
            raise InputError("Failed to get symbol details", "AB1018")
        return found


def number_of(token: str) -> int:
    """0, which is no instrument's, for what is no number."""
    return int(token) if token.isascii() and token.isdigit() and len(token) < 10 else 0


@dataclass(frozen=True, slots=True)
class Call:
    request: Request
    door: SmartDoor
    caller: Caller

    @property
    def path(self) -> Mapping[str, Any]:
        return self.request.path_params


Serve = Callable[[Call], Awaitable[object]]
Endpoint = Callable[[Request], Awaitable[Response]]


def endpoint(door: SmartDoor, serve: Serve, bucket: Bucket = "other") -> Endpoint:
    """`serve` returns what goes into `data`, or a whole response. Queries are ignored: clients send senseless ones."""

    async def answer(request: Request) -> Response:
        caller = await door.access.caller(request)
        admit(door, bucket, caller.account.client_id)
        if bucket == "orders":
            address = request.client.host if request.client else ""
            if not door.faults.admits(caller.account.account_id, address):
                raise GatewayError(
                    "AG7002",
                    "Access denied: Unregistered IP address. Register your IP before retrying.",
                )
        result = await serve(Call(request, door, caller))
        return result if isinstance(result, Response) else success(result)

    return guarded(answer)


def guarded(answer: Endpoint) -> Endpoint:
    """What is raised is answered in SmartAPI's words."""

    async def safe(request: Request) -> Response:
        try:
            return await answer(request)
        except SmartError as error:
            return error.response()
        except UnavailableError:
            # What was asked may have happened: its commit's answer may be what was lost.
            return unsure().response()
        except Exception:
            log.exception("smartapi.failed", method=request.method, path=request.url.path)
            return AppError("AB2001", "Internal Error", 500).response()

    return safe


def admit(door: SmartDoor, bucket: Bucket, client_code: str) -> None:
    """Raises TooManyError."""
    if door.limits is not None and not door.limits.admit(bucket, client_code):
        raise TooManyError
