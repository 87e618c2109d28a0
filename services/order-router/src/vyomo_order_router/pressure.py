"""When new orders must wait: events that go out late, an account whose orders pile up before its worker, a record that could forget.

Looked at once a second beside accepting, which reads what was seen last: it costs an order neither a round trip nor a row. Cancelling is
never held back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from vyomo_contracts.messages import Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_service_kit.database import Database

log = structlog.get_logger()

WARN_SECONDS: Final = 2.0
LIMIT_SECONDS: Final = 5.0
"""Of the oldest outbox row: events later than this, and nobody should place on what they know."""

# By number, which is by age to within a transaction's length, and served by the primary key.
_OUTBOX: Final = (
    "SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM ledger.outbox ORDER BY id LIMIT 1"
)
# Younger ones are passing through: every worker looks twice a second, whether it heard the doorbell or not.
_WAITING: Final = """
SELECT account_id, count(*) AS orders, extract(epoch FROM clock_timestamp() - min(created_at))::float8 AS seconds
FROM ledger.broker_orders
WHERE state = 'NEW' AND created_at < now() - interval '1 second' AND expires_at > now()
GROUP BY account_id
"""


@dataclass(frozen=True, slots=True)
class Line:
    """New orders of an account that no worker has taken for a second or more."""

    orders: int
    seconds: float
    """How long the first has waited. Lanes are first in, first out: whoever joins waits for as long at least."""


@dataclass(slots=True)
class Pressure:
    """What was seen last; nothing at first."""

    max_waiting_orders: int = 50
    outbox_seconds: float = 0.0
    lines: Mapping[int, Line] = field(default_factory=dict[int, Line])
    weaknesses: Sequence[str] = ()
    """How bus or database could lose what they acknowledged, in words."""

    @property
    def is_felt(self) -> bool:
        return self.outbox_seconds > LIMIT_SECONDS or bool(self.lines) or bool(self.weaknesses)

    def of_durability(self, broker: Broker, environment: Environment) -> Problem | None:
        """Why no order is sent to this broker now: it would work an order that we had forgotten. Paper forgets with us."""
        if not self.weaknesses or broker is Broker.PAPER or environment is Environment.SANDBOX:
            return None
        return Problem(
            code=ReasonCode.NOT_DURABLE,
            message="orders to real brokers are not taken while a power cut could make us forget them: "
            f"{'; '.join(self.weaknesses)} (see ./vyomo doctor); paper accounts and cancelling go on",
            detail={"weaknesses": list(self.weaknesses)},
        )

    def of_events(self) -> Problem | None:
        """Why nobody's new order is taken now."""
        if self.outbox_seconds <= LIMIT_SECONDS:
            return None
        return Problem(
            code=ReasonCode.EVENTS_BEHIND,
            message=f"what happened to orders is told {self.outbox_seconds:.0f} seconds late, so new ones are not taken right now "
            "(cancelling goes on); nothing was recorded, repeat with the same Idempotency-Key",
            detail={"seconds": round(self.outbox_seconds)},
        )

    def of_account(self, account_id: int, *, order_seconds: float) -> Problem | None:
        """Why a new order of this account that lives for `order_seconds` is not taken now."""
        line = self.lines.get(account_id)
        if line is None:
            return None
        if line.orders > self.max_waiting_orders:
            return Problem(
                code=ReasonCode.ORDERS_WAITING,
                message=f"{line.orders} orders of account {account_id} wait for the broker's worker (at most {self.max_waiting_orders} "
                "may); nothing was recorded, repeat with the same Idempotency-Key",
                detail={"waiting": line.orders, "limit": self.max_waiting_orders},
            )
        if line.seconds > order_seconds:
            return Problem(
                code=ReasonCode.ORDERS_WAITING,
                message=f"orders of account {account_id} have waited for the broker's worker for {line.seconds:.0f} seconds, and this "
                f"one would expire unsent after {order_seconds:g}; nothing was recorded, repeat with the same Idempotency-Key",
                detail={"waiting": line.orders, "seconds": round(line.seconds)},
            )
        return None


class PressureGauge:
    def __init__(self, database: Database, pressure: Pressure) -> None:
        self._database = database
        self._pressure = pressure

    async def run_once(self) -> None:
        async with self._database.connection() as connection:
            outbox_seconds = await connection.fetchval(_OUTBOX)
            rows = await connection.fetch(_WAITING)
        pressure = self._pressure
        pressure.outbox_seconds = outbox_seconds or 0.0
        pressure.lines = {row["account_id"]: Line(row["orders"], row["seconds"]) for row in rows}
        if pressure.outbox_seconds > WARN_SECONDS:
            log.warning(
                "outbox.behind",
                seconds=round(pressure.outbox_seconds, 1),
                new_orders_refused=pressure.outbox_seconds > LIMIT_SECONDS,
            )
