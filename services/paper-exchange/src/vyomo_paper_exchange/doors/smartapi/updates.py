"""The order-status socket: every change of an order of the client, after its commit. Nothing is replayed."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.websockets import WebSocket

from vyomo_paper_exchange.doors.orders import DoorOrder, Step
from vyomo_paper_exchange.doors.smartapi.access import Caller
from vyomo_paper_exchange.doors.smartapi.calls import SmartDoor
from vyomo_paper_exchange.doors.smartapi.envelope import encode
from vyomo_paper_exchange.doors.smartapi.rows import order_row
from vyomo_paper_exchange.doors.smartapi.sockets import Identify, Line, Lines, by_token, let_in

CONNECTED: Final = "AB00"
MODIFIED: Final = "AB04"
_CODES: Final[Mapping[Step, str]] = {
    Step.OPEN: "AB01",
    Step.CANCELLED: "AB02",
    Step.REJECTED: "AB03",
    Step.COMPLETE: "AB05",
    Step.TRIGGER_PENDING: "AB10",
}
_WAITING_MAX: Final = 2_000


class UpdateSockets:
    def __init__(self, door: SmartDoor) -> None:
        self._door = door
        self._lines = Lines()

    async def serve(self, socket: WebSocket) -> None:
        identify = by_token(self._door, socket)
        caller = await let_in(socket, identify)
        if caller is None:
            return
        line = _Updates(self._door, caller, identify, socket)
        unlisten = self._door.venue.record.listen(line.order)
        try:
            await self._lines.hold(line)
        finally:
            unlisten()


class _Updates(Line):
    def __init__(self, door: SmartDoor, caller: Caller, identify: Identify, socket: WebSocket) -> None:
        super().__init__(door, caller, identify, socket)
        self._waiting: list[tuple[DoorOrder, Step]] = []
        self._modifications: dict[str, int] = {}
        self._is_greeted = False
        self.wake()

    async def obey(self, text: str) -> None:
        """There is nothing to ask for."""

    async def messages(self) -> Sequence[str | bytes]:
        waiting, self._waiting = self._waiting, []
        greeting = [] if self._is_greeted else [self._message(CONNECTED, {})]
        self._is_greeted = True
        pairs = [(order.working.exchange, order.working.symbol) for order, _ in waiting]
        found = await self.door.found(list(pairs)) if pairs else {}
        told = [
            self._message(self._code(order, step), order_row(order, found.get(order.working.key)))
            for order, step in waiting
        ]
        return [*greeting, *told]

    def discard(self) -> None:
        self._waiting.clear()

    def order(self, order: DoorOrder, step: Step) -> None:
        if order.filing.account_id != self.caller.account.account_id:
            return
        if len(self._waiting) >= _WAITING_MAX:
            self.stop()  # who does not read must read the book again
            return
        self._waiting.append((order, step))
        self.wake()

    def _code(self, order: DoorOrder, step: Step) -> str:
        order_id, count = order.filing.order_id, order.filing.modifications
        if not order.working.is_working:
            self._modifications.pop(order_id, None)
        elif count > self._modifications.get(order_id, 0):
            self._modifications[order_id] = count
            return MODIFIED
        return _CODES.get(step, "AB09")

    def _message(self, code: str, row: Mapping[str, Any]) -> str:
        body = {
            "user-id": self.caller.account.client_id,
            "status-code": "200",
            "order-status": code,
            "error-message": "",
            "orderData": row,
        }
        return encode(body).decode()
