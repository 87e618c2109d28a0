"""From a request to a call: whose it is, whether it may come now, and how its answer is wrapped."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog
from starlette.requests import Request
from starlette.responses import Response

from vyomo_paper_exchange.doors.faults import Faults
from vyomo_paper_exchange.doors.kite.access import Caller, KiteAccess
from vyomo_paper_exchange.doors.kite.envelope import (
    GeneralError,
    KiteError,
    NetworkError,
    PermissionsError,
    TooManyError,
    failure,
    success,
)
from vyomo_paper_exchange.doors.kite.frames import instrument_token
from vyomo_paper_exchange.doors.kite.parameters import refuse_control_characters
from vyomo_paper_exchange.doors.limits import CallLimits, Limit
from vyomo_paper_exchange.doors.logins import digest
from vyomo_paper_exchange.doors.venue import DoorVenue
from vyomo_service_kit.errors import UnavailableError

log = structlog.get_logger()

Bucket = Literal["quote", "historical", "orders", "other"]

LIMITS: Final[Mapping[str, tuple[Limit, ...]]] = {
    "quote": (Limit(1, 1.0),),
    "historical": (Limit(3, 1.0),),
    # Of an account, however many API keys it has.
    "orders": (Limit(10, 1.0), Limit(400, 60.0), Limit(5000, 86_400.0)),
    "other": (Limit(10, 1.0),),
}


@dataclass(frozen=True, slots=True)
class KiteDoor:
    """What the endpoints work with."""

    venue: DoorVenue
    access: KiteAccess
    faults: Faults
    limits: CallLimits | None
    redirect_url: str | None
    """Where sandbox accounts sign in to: Vyomo's own callback."""

    async def tokens(self, pairs: list[tuple[str, str]]) -> dict[str, int]:
        """Kite's numbers by `EXCHANGE:SYMBOL`; what is no longer listed is absent."""
        numbers = await self.venue.instruments.tokens(pairs)
        found = await self.venue.prices.listings(numbers)
        return {
            key: instrument_token(number, found[key].instrument)
            for key, number in numbers.items()
            if key in found
        }


@dataclass(frozen=True, slots=True)
class Call:
    request: Request
    door: KiteDoor
    caller: Caller

    @property
    def path(self) -> Mapping[str, Any]:
        return self.request.path_params


Serve = Callable[[Call], Awaitable[object]]
Endpoint = Callable[[Request], Awaitable[Response]]


def endpoint(door: KiteDoor, serve: Serve, bucket: Bucket = "other") -> Endpoint:
    """`serve` returns what goes into `data`, or a whole response."""

    async def answer(request: Request) -> Response:
        refuse_control_characters(request.url.path, *map(str, request.path_params.values()))
        caller = await door.access.caller(request)
        admit(door, bucket, caller)
        if bucket == "orders":
            address = request.client.host if request.client else ""
            if not door.faults.admits(caller.account.account_id, address):
                raise PermissionsError(f"Orders from the address {address} are not allowed for this account.")
        result = await serve(Call(request, door, caller))
        return result if isinstance(result, Response) else success(result)

    return guarded(answer)


def guarded(answer: Endpoint) -> Endpoint:
    """What is raised is answered in Kite's words."""

    async def safe(request: Request) -> Response:
        try:
            return await answer(request)
        except KiteError as error:
            return failure(error)
        except UnavailableError:
            # What was asked may have happened: its commit's answer may be what was lost.
            return failure(NetworkError("Request failed (kitetrade-oms)"))
        except Exception:
            log.exception("kite.failed", method=request.method, path=request.url.path)
            return failure(GeneralError("Something unexpected went wrong."))

    return safe


def admit(door: KiteDoor, bucket: Bucket, caller: Caller) -> None:
    """Raises TooManyError."""
    key = str(caller.account.account_id) if bucket == "orders" else digest(caller.api_key)
    if door.limits is not None and not door.limits.admit(bucket, key):
        raise TooManyError
