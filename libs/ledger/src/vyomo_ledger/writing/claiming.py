"""Taking what waits in accounts' lanes: which orders a worker may execute now, under which locks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from vyomo_contracts.messages import Instant, Tolerant
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import PendingAction
from vyomo_ledger.orders import ORDER_COLUMNS, order_of
from vyomo_ledger.writing.reducing import is_exit, is_reducing
from vyomo_service_kit.database import Connection


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A cancellation or modification that waits to be carried out."""

    order: Order
    action: PendingAction
    modification: OrderModification | None = None
    reason: str | None = None
    reason_code: ReasonCode = ReasonCode.USER_CANCELLED
    asked_at: datetime | None = None

    def parameters(self) -> dict[str, Any]:
        """As kept in `pending_parameters`."""
        kept = PendingParameters(changes=self.modification, reason=self.reason, asked_at=self.asked_at)
        return kept.model_dump(mode="json", exclude_none=True)


class PendingParameters(Tolerant):
    changes: OrderModification | None = None
    reason: str | None = None
    asked_at: Instant | None = None


@dataclass(slots=True)
class Claimed:
    """What waits in the claimed lanes: new orders, oldest first per account, and changes asked for."""

    orders: list[Order] = field(default_factory=list[Order])
    actions: list[PendingChange] = field(default_factory=list[PendingChange])
    at: datetime | None = None
    """The record's own time of the claim, which deadlines are set by; None when nothing waits."""
    began: datetime | None = None
    """The record's time when its transaction began: before any wait for the lanes, and not before the claim was asked for."""
    without_session: set[int] = field(default_factory=set[int])
    """Accounts for which nothing may be sent: new orders are left out, changes are told."""
    exits: set[str] = field(default_factory=set[str])
    """Ids of the orders that reduce a position; told with `exits_first`."""


# The orders are read by the statement that waits for the lanes, so with what was visible before the wait; orders that the lanes'
# last holder took meanwhile are looked at again when their rows are locked, and drop out. Acceptance is numbered under a lock of
# its own, so whatever is visible of an account is complete up to there: nothing is overtaken. The limit is each account's own, so a
# full lane starves nobody. What has expired unsent is the sweeper's: after an outage it must not leave in a burst.
# The trading state is the locked row's own, so it is the one committed last before the lane was got: after a HALT has committed no
# claim commits. A cancellation is never held back.
_CLAIM_TEXT: Final = """
WITH claimed AS MATERIALIZED (
    SELECT account_id, trading, (broker = 'paper' OR session_until > clock_timestamp()) IS TRUE AS may_send FROM ledger.lanes
    WHERE lane = 'CLAIM' AND account_id = ANY($1::bigint[]) ORDER BY account_id FOR UPDATE
)
SELECT waiting.*, claimed.may_send, clock_timestamp() AS claimed_at, now() AS began_at FROM claimed CROSS JOIN LATERAL (
    SELECT {columns} FROM ledger.broker_orders AS o
    WHERE o.account_id = claimed.account_id AND (state = 'NEW' OR pending_stage = 'PREPARED')
      AND (state <> 'NEW' OR expires_at > now() AND (claimed.may_send OR pending_stage = 'PREPARED'))
      AND (state = 'NEW' OR broker_order_id IS NOT NULL OR NOT $3::boolean)
      AND order_id <> ALL($4::text[])
      AND (claimed.trading = 'ACTIVE' OR pending_action = 'CANCEL' OR (claimed.trading = 'REDUCING' AND {is_reducing}))
    ORDER BY {order}
    LIMIT $2
    FOR UPDATE OF o
) AS waiting
"""
_CLAIM: Final = _CLAIM_TEXT.format(
    columns=f"{ORDER_COLUMNS}, pending_parameters, false AS is_exit", is_reducing=is_reducing("o"), order="id"
)
# Two lanes in one: changes asked for and exits are looked at before entries, however many of those stand in line.
_CLAIM_EXITS_FIRST: Final = _CLAIM_TEXT.format(
    columns=f"{ORDER_COLUMNS}, pending_parameters, {is_exit('o')} AS is_exit",
    is_reducing=is_reducing("o"),
    order=f"(pending_stage = 'PREPARED') IS TRUE DESC, {is_exit('o')} DESC, id",
)

_IN_FLIGHT: Final = """
SELECT account_id, count(*) AS sends FROM ledger.broker_orders
WHERE account_id = ANY($1::bigint[]) AND state = 'SUBMITTING' AND send_deadline > clock_timestamp()
GROUP BY account_id
"""

_STANDING: Final = """
SELECT order_id, pending_stage FROM ledger.broker_orders
JOIN unnest($1::bigint[], $2::text[], $3::timestamptz[]) AS claim (account_id, order_id, send_deadline)
    USING (account_id, order_id, send_deadline)
"""


async def claim(
    connection: Connection,
    account_ids: Iterable[int],
    *,
    per_account: int,
    exits_first: bool,
    only_sendable: bool,
    except_for: Sequence[str],
) -> Claimed:
    rows = await connection.fetch(
        _CLAIM_EXITS_FIRST if exits_first else _CLAIM,
        sorted(set(account_ids)),
        per_account,
        only_sendable,
        list(except_for),
    )
    claimed = Claimed()
    for row in rows:
        claimed.at, claimed.began = row["claimed_at"], row["began_at"]
        if not row["may_send"]:
            claimed.without_session.add(row["account_id"])
        order = order_of(row)
        if row["is_exit"]:
            claimed.exits.add(order.order_id)
        if order.pending_action is None:
            claimed.orders.append(order)
        else:
            claimed.actions.append(_pending_change(order, row["pending_parameters"]))
    return claimed


async def sends_in_flight(connection: Connection, account_ids: Iterable[int]) -> dict[int, int]:
    rows = await connection.fetch(_IN_FLIGHT, sorted(set(account_ids)))
    return {row["account_id"]: row["sends"] for row in rows}


async def standing_claims(
    connection: Connection, claims: Sequence[tuple[int, str, datetime]]
) -> dict[str, str | None]:
    if not claims:
        return {}
    rows = await connection.fetch(_STANDING, *(list(column) for column in zip(*claims, strict=True)))
    return {row["order_id"]: row["pending_stage"] for row in rows}


def _pending_change(order: Order, parameters: str | None) -> PendingChange:
    assert order.pending_action is not None
    stored = PendingParameters.model_validate_json(parameters or "{}")
    return PendingChange(
        order=order,
        action=order.pending_action,
        modification=stored.changes,
        reason=stored.reason,
        asked_at=stored.asked_at,
    )
