"""The breaker of a whole broker, and the word to those whom an open breaker concerns.

When a fifth of the last twenty orders sent to a broker have an unknown outcome, something between us and it is wrong, whoever's orders they
are: no account of it takes on new exposure until they are settled. Exits, cancellations and all reading go on, and reading is also what
tries the broker again: the breaker closes when the books have told what became of the orders.
"""

from collections.abc import Mapping
from typing import Final

import structlog

from vyomo_contracts.alerts import Alert, AlertCode
from vyomo_contracts.vocabulary import Broker, ControlCause, ControlScope, TradingState
from vyomo_ledger.writing import Controls, Ledger, Switch, raise_alert
from vyomo_ledger.writing.controls import EVERYONE
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import RecordUnavailableError

log = structlog.get_logger()

ACTOR: Final = "order-router"
LAST_SENDS: Final = 20
UNKNOWN_OPENS: Final = 4
"""A fifth of them."""
UNKNOWN_CLOSES: Final = 1
"""Not before all but this many are settled, so that it does not open and close with each order."""

# The brokers' names are spelled out: only so the planner sees that the index of what was sent is the one.
_UNKNOWN: Final = " UNION ALL ".join(
    f"""SELECT '{broker}' AS broker, count(*) AS unknown FROM (
        SELECT state FROM ledger.broker_orders WHERE broker = '{broker}' AND send_deadline IS NOT NULL
        ORDER BY send_deadline DESC LIMIT {LAST_SENDS}
    ) AS sent_last WHERE state = 'UNCONFIRMED'"""
    for broker in Broker
    if broker is not Broker.PAPER
)
_OPEN: Final = """
SELECT l.account_id, l.user_id, l.broker, k.scope, k.reason
FROM ledger.controls k JOIN ledger.lanes l ON l.lane = 'ACCEPT'
    AND (k.scope = 'account' AND k.scope_id = l.account_id::text OR k.scope = 'broker' AND k.scope_id = l.broker
         AND EXISTS (SELECT FROM ledger.broker_orders o WHERE o.account_id = l.account_id AND o.state = 'UNCONFIRMED'))
WHERE k.cause = 'BREAKER' AND k.state <> 'ACTIVE'
"""
_OPEN_BROKERS: Final = """
SELECT scope_id FROM ledger.controls
WHERE user_id = '' AND scope = 'broker' AND cause = 'BREAKER' AND state <> 'ACTIVE'
"""
_CLEAR_OTHERS: Final = """
UPDATE ledger.alerts SET cleared_at = now()
WHERE code = 'BREAKER_OPEN' AND cleared_at IS NULL AND NOT account_id = ANY($1::bigint[])
"""


class BrokerBreakers:
    def __init__(self, controls: Controls, ledger: Ledger, clock: Clock) -> None:
        self._controls = controls
        self._ledger = ledger
        self._clock = clock
        self._told: set[int] | None = None
        """Accounts with a standing alert; None before the first look."""

    async def run_once(self) -> None:
        """Safe to run at any time, in several processes at once."""
        try:
            await self._watch()
            await self._tell()
        except RecordUnavailableError as error:
            log.warning("breaker.record_unavailable", why=str(error))

    async def _watch(self) -> None:
        async with self._ledger.database.connection() as connection:
            unknown = {row["broker"]: row["unknown"] for row in await connection.fetch(_UNKNOWN)}
            open_ = {row["scope_id"] for row in await connection.fetch(_OPEN_BROKERS)}
        for broker, orders in unknown.items():
            if broker not in open_ and orders >= UNKNOWN_OPENS:
                reason = (
                    f"the outcome of {orders} of the last {LAST_SENDS} orders sent to {broker} is unknown;"
                    " no new exposure there until they are settled"
                )
                await self._throw(broker, TradingState.REDUCING, reason)
            elif broker in open_ and orders <= UNKNOWN_CLOSES:
                await self._throw(broker, TradingState.ACTIVE, "the unknown outcomes are settled")

    async def _throw(self, broker: str, state: TradingState, reason: str) -> None:
        switch = Switch(
            user_id=EVERYONE,
            scope=ControlScope.BROKER,
            scope_id=broker,
            cause=ControlCause.BREAKER,
            state=state,
            reason=reason,
            actor=ACTOR,
        )
        await self._controls.throw(switch, self._clock.now())

    async def _tell(self) -> None:
        async with self._ledger.database.connection() as connection:
            rows: list[Mapping[str, object]] = [dict(row) for row in await connection.fetch(_OPEN)]
        concerned = {row["account_id"]: row for row in rows}
        if concerned.keys() == self._told:
            return
        async with self._ledger.transaction() as transaction:
            await transaction.connection.execute(_CLEAR_OTHERS, list(concerned))
            for row in concerned.values():
                alert = Alert.model_validate(
                    {
                        "account_id": row["account_id"],
                        "user_id": row["user_id"],
                        "broker": row["broker"],
                        "code": AlertCode.BREAKER_OPEN,
                        "subject": str(row["account_id"]),
                        "message": row["reason"],
                        "raised_at": self._clock.now(),
                    }
                )
                await raise_alert(transaction, alert)
        self._told = {each for each in concerned if isinstance(each, int)}
