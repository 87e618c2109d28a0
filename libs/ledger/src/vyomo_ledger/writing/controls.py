"""Throwing switches and setting limits: one transaction each, with its event.

A switch is written as it was thrown and, in the same commit, worked into both lanes of every account it covers. Accepting and
claiming lock these rows anyway, so a switch waits for those that are under way and is seen by all that come after: once it has
committed, nothing that it forbids commits. Rows are locked in one order by everyone, ACCEPT lanes before CLAIM lanes, each in account
order, so nobody waits in a circle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import structlog
from asyncpg.exceptions import DeadlockDetectedError, LockNotAvailableError

from vyomo_contracts.messages import Principal
from vyomo_contracts.risk import AccountTrading, Control, RiskDecision, RiskLimits
from vyomo_contracts.vocabulary import ControlCause, ControlScope, TradingState
from vyomo_ledger.sequence import HORIZON_SQL, MAX_EVENTS_PER_TRANSACTION, TRANSACTION_SQL
from vyomo_ledger.writing.bodies import risk_changed, text_of
from vyomo_ledger.writing.publishing import Publication
from vyomo_ledger.writing.trails import by, recorded
from vyomo_service_kit.database import Connection, Database, RecordUnavailableError

log = structlog.get_logger()

EVERYONE: Final = ""
"""As a switch's user: it covers everybody's accounts."""
RISK_EVENTS: Final = "risk"
"""Stands where other events name their broker: decisions concern accounts of several."""
CONTROL_COLUMNS: Final = ", ".join(Control.model_fields)
_ATTEMPTS: Final = 5


class NoSuchAccountError(Exception):
    """The account does not exist, or is another user's."""

    def __init__(self, account_id: int) -> None:
        super().__init__(f"no account {account_id}")
        self.account_id = account_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    user_id: str
    """Whose accounts; `EVERYONE` for all."""
    scope: ControlScope
    scope_id: str = ""
    cause: ControlCause = ControlCause.SWITCH
    state: TradingState
    reason: str
    actor: str
    until: datetime | None = None
    principal: Principal | None = None
    """Who threw it; None where a service or the operator did."""


def covers(control: str, lane: str) -> str:
    """Whether the control (an alias) is about the lane (an alias of anything with account_id, user_id and broker)."""
    return f"""{control}.user_id IN ('', {lane}.user_id) AND (
        {control}.scope = 'global' OR ({control}.scope = 'broker' AND {control}.scope_id = {lane}.broker)
        OR ({control}.scope = 'account' AND {control}.scope_id = {lane}.account_id::text))"""


def effective_trading(lane: str) -> str:
    """The most restrictive state of all controls that cover the lane."""
    return f"""(
        SELECT CASE WHEN bool_or(k.state = 'HALTED') THEN 'HALTED' WHEN bool_or(k.state = 'REDUCING') THEN 'REDUCING' ELSE 'ACTIVE' END
        FROM ledger.controls k WHERE {covers("k", lane)})"""


_THE_ROW: Final = "user_id = '' AND scope = 'global' AND scope_id = '' AND cause = 'SWITCH'"
_ALONE: Final = f"SELECT true FROM ledger.controls WHERE {_THE_ROW} FOR UPDATE"
OPENING_AN_ACCOUNT: Final = f"SELECT true FROM ledger.controls WHERE {_THE_ROW} FOR SHARE"
"""Locks out changes of limits and states until the commit, so that a new account inherits all of them."""
_THROW: Final = """
INSERT INTO ledger.controls AS k (user_id, scope, scope_id, cause, state, reason, actor, until, swept, version, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $5 <> 'HALTED', 1, $9)
ON CONFLICT (user_id, scope, scope_id, cause) DO UPDATE SET
    state = excluded.state, reason = excluded.reason, actor = excluded.actor, until = excluded.until, swept = excluded.swept,
    version = k.version + 1, changed_at = excluded.changed_at
"""
_WORK_IN: Final = f"""
WITH covered AS MATERIALIZED (
    SELECT l.account_id, l.lane FROM ledger.lanes l, (SELECT $1::text AS user_id, $2::text AS scope, $3::text AS scope_id) AS s
    WHERE {covers("s", "l")}
    ORDER BY l.lane, l.account_id
    FOR UPDATE OF l
), changed AS (
    UPDATE ledger.lanes l SET trading = {effective_trading("l")}, risk_version = l.risk_version + 1
    FROM covered c WHERE l.account_id = c.account_id AND l.lane = c.lane
    RETURNING l.account_id, l.lane, l.user_id, l.broker, l.trading, l.risk_version AS version
)
SELECT account_id, user_id, broker, trading, version FROM changed WHERE lane = 'ACCEPT' ORDER BY account_id
"""
_SET_LIMITS: Final = """
INSERT INTO ledger.risk_limits AS r (user_id, account_id, limits, actor, version, changed_at) VALUES ($1, $2, $3, $4, 1, $5)
ON CONFLICT (user_id, account_id) DO UPDATE SET
    limits = excluded.limits, actor = excluded.actor, version = r.version + 1, changed_at = excluded.changed_at
"""
_NOTE_LIMITS: Final = """
WITH covered AS MATERIALIZED (
    SELECT account_id FROM ledger.lanes
    WHERE lane = 'ACCEPT' AND user_id = $1 AND ($2 = 0 OR account_id = $2) ORDER BY account_id FOR UPDATE
)
UPDATE ledger.lanes l SET risk_version = l.risk_version + 1
FROM covered c WHERE l.account_id = c.account_id AND l.lane = 'ACCEPT'
RETURNING l.account_id, l.user_id, l.broker, l.trading, l.risk_version AS version
"""
# Numbered from the top of the transaction's range, away from order events, which are numbered from its bottom.
_RECORD: Final = f"""
WITH input AS MATERIALIZED (
    SELECT i.*, {TRANSACTION_SQL} | ({MAX_EVENTS_PER_TRANSACTION} - place) AS sequence
    FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS i (user_id, type, body, place)
), recorded AS (
    INSERT INTO ledger.risk_events (sequence, user_id, type, body, recorded_at)
    SELECT sequence, user_id, type, body::jsonb, $4 FROM input
), announced AS (
    INSERT INTO ledger.outbox (broker, partition, risk_sequences)
    SELECT '{RISK_EVENTS}', 0, array_agg(sequence) FROM input HAVING count(*) > 0
    RETURNING id
)
SELECT i.place, i.sequence, {HORIZON_SQL} AS horizon, o.id AS outbox_id FROM input i, announced o ORDER BY i.sequence
"""
_DUE: Final = f"SELECT {CONTROL_COLUMNS} FROM ledger.controls WHERE until <= $1 AND state <> 'ACTIVE'"


class Publishing(Protocol):
    def publish(self, publications: Sequence[Publication]) -> None:
        """What is not published from here, the relay publishes."""
        ...


class Controls:
    """Every method is one commit and publishes after it.

    Raises, from all:
        RecordUnavailableError: nothing is known to have been done; repeating it is safe.
    """

    def __init__(self, database: Database, publisher: Publishing, *, component: str = "order-router") -> None:
        self._database = database
        self._publisher = publisher
        self._component = component

    async def throw(self, switch: Switch, at: datetime) -> list[AccountTrading]:
        """The accounts it covers, as they now are. When this returns, no claim that the switch forbids commits any more.

        Raises:
            NoSuchAccountError: an account's switch without the account.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                accounts, publications = await self._throw(switch, at)
            except (LockNotAvailableError, DeadlockDetectedError) as error:
                # A kill switch does not give up because somebody holds a lane for long.
                log.warning("controls.lane_busy", attempt=attempt, why=str(error))
                continue
            log.warning("controls.switched", scope=switch.scope, state=switch.state, accounts=len(accounts))
            self._publisher.publish(publications)
            return accounts
        raise RecordUnavailableError("an account's lane was held too long")

    async def set_limits(
        self,
        user_id: str,
        account_id: int | None,
        limits: RiskLimits,
        *,
        actor: str,
        at: datetime,
        principal: Principal | None = None,
    ) -> list[AccountTrading]:
        """Replace one level's limits.

        Raises:
            NoSuchAccountError: not the user's.
        """
        try:
            async with self._database.transaction() as connection:
                await connection.execute(_ALONE)
                place = account_id or 0
                await connection.execute(_SET_LIMITS, user_id, place, text_of(limits), actor, at)
                rows = await connection.fetch(_NOTE_LIMITS, user_id, place)
                accounts = [AccountTrading.model_validate(dict(row)) for row in rows]
                if account_id is not None and not accounts:
                    raise NoSuchAccountError(account_id)
                decision = RiskDecision(
                    type="risk.limits_changed",
                    user_id=user_id,
                    actor=actor,
                    at=at,
                    scope=ControlScope.GLOBAL if account_id is None else ControlScope.ACCOUNT,
                    scope_id="" if account_id is None else str(account_id),
                    limits=limits,
                    accounts=tuple(accounts),
                )
                publications = await _record(connection, [decision], at, by(self._component, principal))
        except (LockNotAvailableError, DeadlockDetectedError) as error:
            raise RecordUnavailableError(str(error)) from error
        self._publisher.publish(publications)
        return accounts

    async def record(self, decision: RiskDecision, principal: Principal | None = None) -> None:
        async with self._database.transaction() as connection:
            publications = await _record(connection, [decision], decision.at, by(self._component, principal))
        self._publisher.publish(publications)

    async def due(self, at: datetime) -> list[Control]:
        """Those that should have ended by themselves."""
        async with self._database.connection() as connection:
            return [Control.model_validate(dict(row)) for row in await connection.fetch(_DUE, at)]

    async def _throw(self, switch: Switch, at: datetime) -> tuple[list[AccountTrading], list[Publication]]:
        async with self._database.transaction() as connection:
            await connection.execute(_ALONE)
            target = (switch.user_id, switch.scope, switch.scope_id)
            await connection.execute(
                _THROW,
                *target,
                switch.cause,
                switch.state,
                switch.reason,
                switch.actor,
                switch.until,
                at,
            )
            rows = await connection.fetch(_WORK_IN, *target)
            accounts = [AccountTrading.model_validate(dict(row)) for row in rows]
            if switch.scope is ControlScope.ACCOUNT and not accounts:
                raise NoSuchAccountError(int(switch.scope_id))
            component = switch.actor if switch.principal is None else self._component
            publications = await _record(
                connection, _decisions(switch, accounts, at), at, by(component, switch.principal)
            )
        return accounts, publications


def _decisions(switch: Switch, accounts: Sequence[AccountTrading], at: datetime) -> list[RiskDecision]:
    """One a user: nobody is told of another's accounts."""
    by_user: dict[str, list[AccountTrading]] = {} if switch.user_id == EVERYONE else {switch.user_id: []}
    for account in accounts:
        by_user.setdefault(account.user_id, []).append(account)
    return [
        RiskDecision(
            type="risk.switched",
            user_id=user_id,
            actor=switch.actor,
            at=at,
            scope=switch.scope,
            scope_id=switch.scope_id,
            cause=switch.cause,
            state=switch.state,
            reason=switch.reason,
            until=switch.until,
            accounts=tuple(of_user),
        )
        for user_id, of_user in by_user.items()
    ]


async def _record(
    connection: Connection, decisions: Sequence[RiskDecision], at: datetime, trail: str
) -> list[Publication]:
    bodies = [text_of(decision) for decision in decisions]
    rows = await connection.fetch(
        _RECORD,
        [decision.user_id for decision in decisions],
        [decision.type for decision in decisions],
        [recorded(body, trail) for body in bodies],
        at,
    )
    if not rows:
        return []
    events = [
        risk_changed(bodies[row["place"] - 1], sequence=row["sequence"], horizon=row["horizon"])
        for row in rows
    ]
    return [Publication(rows[0]["outbox_id"], RISK_EVENTS, 0, events)]
