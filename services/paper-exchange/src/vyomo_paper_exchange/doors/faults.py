"""Bad days on request: an ASGI layer before a door that delays, drops, breaks or refuses answers, and silences sockets.

Asked for at `/_vyomo/...` by whoever holds the key in the state folder; a door without a key has no such paths.
"""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vyomo_paper_exchange.doors.logins import DoorSessions
from vyomo_paper_exchange.doors.orders import Door
from vyomo_service_kit.clock import Clock

PREFIX: Final = "/_vyomo/"
KEY_HEADER: Final = "x-vyomo-door-key"
ABORT_EXTENSION: Final = "vyomo.abort"
HTML_PAGE: Final = (
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)
_LONGEST_SECONDS: Final = 600

Kind = Literal[
    "delay_before", "delay_answer", "drop_answer", "drop_request", "truncate", "html", "status", "too_many"
]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=_LONGEST_SECONDS)]


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """What happens to the next `times` requests whose method and path match."""

    kind: Kind
    method: str = "*"
    path: str = "*"
    """A pattern as of a shell: `/orders/*`."""
    seconds: Seconds = 0.0
    """Of `delay_before` and `delay_answer`."""
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 503
    """Of `status` and `html`."""
    times: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1


class _Accounts(msgspec.Struct, forbid_unknown_fields=True):
    account_id: int
    seconds: Seconds = 0.0


class _Addresses(msgspec.Struct, forbid_unknown_fields=True):
    account_id: int
    addresses: list[str]


@dataclass(slots=True)
class Faults:
    """What is asked for; also read by the door itself for what only it can do."""

    waiting: list[Fault] = field(default_factory=list[Fault])
    muted_until: dict[int, float] = field(default_factory=dict[int, float])
    """Sockets of these accounts send nothing, heartbeats included, and stay open."""
    addresses: dict[int, frozenset[str]] = field(default_factory=dict[int, frozenset[str]])
    """Where order calls of these accounts may come from."""

    def take(self, method: str, path: str) -> Fault | None:
        for fault in self.waiting:
            if fault.method in {"*", method} and fnmatchcase(path, fault.path):
                fault.times -= 1
                if fault.times == 0:
                    self.waiting.remove(fault)
                return fault
        return None

    def admits(self, account_id: int, address: str) -> bool:
        allowed = self.addresses.get(account_id)
        return allowed is None or address in allowed


Refuse = Callable[[int], Response]
"""The protocol's own error for a status."""


class FaultLayer:
    def __init__(
        self,
        app: ASGIApp,
        *,
        door: Door,
        faults: Faults,
        key: str | None,
        refuse: Refuse,
        sessions: DoorSessions,
        clock: Clock,
        forget_sessions: Callable[[], None],
    ) -> None:
        self._app = app
        self._door: Door = door
        self._faults = faults
        self._key = key
        self._refuse = refuse
        self._sessions = sessions
        self._clock = clock
        self._forget_sessions = forget_sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if path.startswith(PREFIX) and self._key is not None:
            response = await self._administer(Request(scope, receive), path.removeprefix(PREFIX))
            await response(scope, receive, send)
            return
        fault = self._faults.take(scope["method"], path) if self._faults.waiting else None
        if fault is None:
            await self._app(scope, receive, send)
        else:
            # Read before anything happens to it: what has arrived stays arrived, also when the client goes away meanwhile.
            await self._break(fault, scope, _replay(await Request(scope, receive).body()), send)

    async def _break(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        match fault.kind:
            case "delay_before":
                await asyncio.sleep(fault.seconds)
                await self._app(scope, receive, send)
            case "delay_answer":
                answer = await _collected(self._app, scope, receive)
                await asyncio.sleep(fault.seconds)
                for message in answer:
                    await send(message)
            case "drop_answer":
                await _collected(self._app, scope, receive)
                await _drop(scope, send)
            case "drop_request":
                await _drop(scope, send)
            case "truncate":
                for message in await _collected(self._app, scope, receive):
                    await send(_halved(message))
            case "html":
                await Response(HTML_PAGE, fault.status, media_type="text/html")(scope, receive, send)
            case "status" | "too_many":
                await self._refuse(429 if fault.kind == "too_many" else fault.status)(scope, receive, send)

    async def _administer(self, request: Request, action: str) -> Response:
        given = request.headers.get(KEY_HEADER, "")
        if self._key is None or not hmac.compare_digest(given.encode(), self._key.encode()):
            return JSONResponse({"error": "the door's key is missing or wrong"}, 403)
        try:
            return JSONResponse(await self._act(request.method, action, await request.body()))
        except msgspec.MsgspecError as error:
            return JSONResponse({"error": str(error)}, 422)
        except LookupError:
            return JSONResponse({"error": f"there is no {request.method} {action}"}, 404)

    async def _act(self, method: str, action: str, body: bytes) -> Any:
        now = self._clock.elapsed()
        match method, action:
            case "POST", "faults":
                self._faults.waiting.append(msgspec.json.decode(body, type=Fault))
            case "DELETE", "faults":
                self._faults.waiting.clear()
                self._faults.muted_until.clear()
            case "POST", "expire":
                account = msgspec.json.decode(body, type=_Accounts)
                await self._sessions.end_all(self._door, account.account_id, self._clock.now())
                self._forget_sessions()
            case "POST", "mute":
                account = msgspec.json.decode(body, type=_Accounts)
                self._faults.muted_until[account.account_id] = now + account.seconds
            case "POST", "addresses":
                listed = msgspec.json.decode(body, type=_Addresses)
                self._faults.addresses[listed.account_id] = frozenset(listed.addresses)
            case "GET", "faults":
                pass
            case _:
                raise LookupError(action)
        return {
            "faults": [msgspec.to_builtins(fault) for fault in self._faults.waiting],
            "muted": [account_id for account_id, until in self._faults.muted_until.items() if until > now],
            "addresses": {
                str(account_id): sorted(each) for account_id, each in self._faults.addresses.items()
            },
        }


def _replay(body: bytes) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


async def _collected(app: ASGIApp, scope: Scope, receive: Receive) -> list[Message]:
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    return messages


async def _drop(scope: Scope, send: Send) -> None:
    """End the connection without a word; where the server does not let us, with a beginning that has no end."""
    extension = scope.get("extensions", {}).get(ABORT_EXTENSION)
    if extension is not None:
        extension["abort"]()
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": False})


def _halved(message: Message) -> Message:
    if message["type"] == "http.response.body":
        body: bytes = message["body"]
        return {**message, "body": body[: len(body) // 2]}
    headers = [(name, value) for name, value in message["headers"] if name.lower() != b"content-length"]
    return {**message, "headers": headers}
