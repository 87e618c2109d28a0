"""The tick socket. A client that reads too slowly gets the newest price of each instrument, not all of them."""

from collections.abc import Sequence
from typing import Any, Final, cast

from starlette.websockets import WebSocket

from vyomo_paper_exchange.doors.prices import Priced
from vyomo_paper_exchange.doors.smartapi.access import Caller
from vyomo_paper_exchange.doors.smartapi.calls import SmartDoor, number_of
from vyomo_paper_exchange.doors.smartapi.envelope import SmartError, decode, encode
from vyomo_paper_exchange.doors.smartapi.frames import PRICES_BEGIN, Mode, frame
from vyomo_paper_exchange.doors.smartapi.sockets import Identify, Line, Lines, by_feed_token, let_in
from vyomo_paper_exchange.doors.smartapi.symbols import EXCHANGE_TYPES
from vyomo_service_kit.errors import UnavailableError

SUBSCRIPTIONS_MAX: Final = 1_000
"""Of one socket. An instrument in two modes counts twice."""
_TEXTS_MAX: Final = 200
_ASKED_MAX: Final = 4_000
_EXCHANGES: Final = {number: exchange for exchange, number in EXCHANGE_TYPES.items()}
_SUBSCRIBE: Final = 1
_UNSUBSCRIBE: Final = 0

_Feed = tuple[str, Mode]


class TickSockets:
    def __init__(self, door: SmartDoor) -> None:
        self._door = door
        self._lines = Lines()

    async def serve(self, socket: WebSocket) -> None:
        identify = by_feed_token(self._door, socket)
        caller = await let_in(socket, identify)
        if caller is None:
            return
        line = _Ticks(self._door, caller, identify, socket)
        try:
            await self._lines.hold(line)
        finally:
            line.end()


class _Ticks(Line):
    def __init__(self, door: SmartDoor, caller: Caller, identify: Identify, socket: WebSocket) -> None:
        super().__init__(door, caller, identify, socket)
        self._numbers: dict[str, int] = {}
        self._modes: dict[str, set[Mode]] = {}
        self._shown: dict[_Feed, bytes] = {}
        self._pending: dict[_Feed, bytes] = {}
        self._texts: list[str] = []
        self._subscription = door.venue.prices.subscribe(self._show)

    def end(self) -> None:
        self.door.venue.prices.unsubscribe(self._subscription)

    async def obey(self, text: str) -> None:
        correlation = ""
        try:
            match decode(text.encode()):
                case {"action": action, "params": {"mode": mode, "tokenList": list(listed)}, **rest}:
                    correlation = str(rest.get("correlationID") or "")[:64]
                    if action not in {_SUBSCRIBE, _UNSUBSCRIBE} or mode not in set(Mode):
                        self._refuse(correlation, "E1001", "Invalid Request Payload")
                        return
                    asked = _asked(cast("list[object]", listed))
                case _:
                    self._refuse(correlation, "E1001", "Invalid Request Payload")
                    return
            if action == _UNSUBSCRIBE:
                await self._unsubscribe(asked, Mode(mode))
            elif not await self._subscribe(asked, Mode(mode)):
                self._refuse(correlation, "E1002", "Subscription limit exceeded")
        except (SmartError, ValueError, TypeError):
            self._refuse(correlation, "E1001", "Invalid Request Payload")
        except UnavailableError:
            self._refuse(correlation, "E1001", "Instruments cannot be looked up now")

    async def messages(self) -> Sequence[str | bytes]:
        texts, self._texts = self._texts, []
        pending, self._pending = self._pending, {}
        return [*texts, *pending.values()]

    def discard(self) -> None:
        self._texts.clear()
        self._pending.clear()

    async def _subscribe(self, asked: Sequence[tuple[int, int]], mode: Mode) -> bool:
        """False, and nothing is subscribed to, if it would be too many. Unknown instruments are passed over."""
        keys = await self._keys(asked)
        new = {key: number for key, number in keys.items() if mode not in self._modes.get(key, ())}
        if sum(map(len, self._modes.values())) + len(new) > SUBSCRIPTIONS_MAX:
            return False
        for key, number in new.items():
            self._numbers[key] = number
            self._modes.setdefault(key, set()).add(mode)
        self._subscription.keys.update(new)
        self._show(list((await self.door.venue.prices.now(list(new))).items()))
        return True

    async def _unsubscribe(self, asked: Sequence[tuple[int, int]], mode: Mode) -> None:
        for key in await self._keys(asked):
            modes = self._modes.get(key, set())
            modes.discard(mode)
            for kept in (self._shown, self._pending):
                kept.pop((key, mode), None)
            if not modes:
                self._modes.pop(key, None)
                self._numbers.pop(key, None)
                self._subscription.keys.discard(key)

    async def _keys(self, asked: Sequence[tuple[int, int]]) -> dict[str, int]:
        """Numbers by `EXCHANGE:SYMBOL` of what is listed in the segment that was named."""
        found = await self.door.venue.instruments.keys(number for _, number in asked)
        listings = await self.door.venue.prices.listings(found.values())
        keys: dict[str, int] = {}
        for segment, number in asked:
            listing = listings.get(found.get(number, ""))
            if listing is not None and listing.instrument.exchange is _EXCHANGES.get(segment):
                keys[listing.key] = number
        return keys

    def _show(self, shown: Sequence[tuple[str, Priced]]) -> None:
        """Only what is other than before is sent."""
        for key, priced in shown:
            for mode in self._modes.get(key, ()):
                encoded = frame(self._numbers[key], priced, mode)
                said = encoded[PRICES_BEGIN:]
                if self._shown.get((key, mode)) != said:
                    self._shown[key, mode] = said
                    self._pending[key, mode] = encoded
        if self._pending:
            self.wake()

    def _refuse(self, correlation: str, code: str, message: str) -> None:
        if len(self._texts) < _TEXTS_MAX:
            body = {"correlationID": correlation, "errorCode": code, "errorMessage": message}
            self._texts.append(encode(body).decode())
        self.wake()


def _asked(listed: list[object]) -> list[tuple[int, int]]:
    """Pairs of segment and number. Raises ValueError for what is no list of tokens."""
    asked: list[tuple[int, int]] = []
    for each in listed:
        match each:
            case {"exchangeType": int(segment), "tokens": list(tokens)}:
                asked += [(segment, number_of(str(token))) for token in cast("list[Any]", tokens)]
            case _:
                raise ValueError("no list of tokens")
    if len(asked) > _ASKED_MAX:
        raise ValueError("too many tokens")
    return asked
