"""Whether the system is able to serve."""

import asyncio
from typing import Final, Literal

from nats.errors import Error as NatsError

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge.encoding import View
from vyomo_gateway.edge.errors import ErrorView, error_view
from vyomo_gateway.edge.problems import UnavailableError
from vyomo_gateway.reading import Records
from vyomo_service_kit.bus import Bus

Condition = Literal["ok", "down"]

_PING_SECONDS: Final = 1


class ChecksView(View, frozen=True, kw_only=True):
    gateway: Condition
    bus: Condition
    database: Condition


class HealthAnswer(View, frozen=True, kw_only=True):
    success: bool = True
    status: Condition = "ok"
    checks: ChecksView


class UnhealthyAnswer(View, frozen=True, kw_only=True):
    success: bool = False
    status: Condition = "down"
    checks: ChecksView
    error: ErrorView


class HealthService:
    def __init__(self, bus: Bus, records: Records) -> None:
        self._bus = bus
        self._records = records

    async def check(self) -> HealthAnswer | UnhealthyAnswer:
        bus, database = await asyncio.gather(self._bus_answers(), self._records.is_available())
        checks = ChecksView(gateway="ok", bus=_condition(up=bus), database=_condition(up=database))
        if bus and database:
            return HealthAnswer(checks=checks)
        code = ReasonCode.BUS_UNAVAILABLE if database else ReasonCode.RECORD_UNAVAILABLE
        return UnhealthyAnswer(checks=checks, error=error_view(UnavailableError(code)))

    async def _bus_answers(self) -> bool:
        """Asked, not assumed: a bus that hangs keeps its connections for a long time."""
        if not self._bus.is_connected:
            return False
        try:
            await self._bus.client.flush(timeout=_PING_SECONDS)
        except (NatsError, OSError, TimeoutError):
            return False
        return True


def _condition(*, up: bool) -> Condition:
    return "ok" if up else "down"
