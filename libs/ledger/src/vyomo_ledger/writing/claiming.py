"""Taking what waits in accounts' lanes: which orders a worker may execute now, under which locks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from vyomo_contracts.messages import Tolerant
from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import PendingAction
from vyomo_ledger.orders import ORDER_COLUMNS, order_of
from vyomo_ledger.writing.reducing import is_reducing
from vyomo_service_kit.database import Connection


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A cancellation or modification that waits to be carried out."""

    order: Order
    action: PendingAction
    modification: OrderModification | None = None
    reason: str | None = None
    reason_code: ReasonCode = ReasonCode.USER_CANCELLED

    def parameters(self) -> dict[str, Any]:
        """As kept in `pending_parameters`."""
        return PendingParameters(changes=self.modification, reason=self.reason).model_dump(
            mode="json", exclude_none=True
        )


class PendingParameters(Tolerant):
    changes: OrderModification | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """What waits in the claimed lanes: new orders, oldest first per account, and changes asked for."""

    orders: list[Order] = field(default_factory=list[Order])
    actions: list[PendingChange] = field(default_factory=list[PendingChange])


# The orders are read by the statement that waits for the lanes, so with what was visible before the wait; orders that the lanes'
# last holder took meanwhile are looked at again when their rows are locked, and drop out. Acceptance is numbered under a lock of
# its own, so whatever is visible of an account is complete up to there: nothing is overtaken. The limit is each account's own, so a
# full lane starves nobody. What has expired unsent is the sweeper's: after an outage it must not leave in a burst.
# The trading state is the locked row's own, so it is the one committed last before the lane was got: after a HALT has committed no
# claim commits. A cancellation is never held back.
_CLAIM: Final = f"""
WITH claimed AS MATERIALIZED (
    SELECT account_id, trading FROM ledger.lanes
    WHERE lane = 'CLAIM' AND account_id = ANY($1::bigint[]) ORDER BY account_id FOR UPDATE
)
SELECT waiting.* FROM claimed CROSS JOIN LATERAL (
    SELECT {ORDER_COLUMNS}, pending_parameters FROM ledger.broker_orders AS o
    WHERE o.account_id = claimed.account_id AND (state = 'NEW' OR pending_stage = 'PREPARED')
      AND (state <> 'NEW' OR expires_at > now())
      AND (state = 'NEW' OR broker_order_id IS NOT NULL OR NOT $3::boolean)
      AND order_id <> ALL($4::text[])
      AND (claimed.trading = 'ACTIVE' OR pending_action = 'CANCEL' OR (claimed.trading = 'REDUCING' AND {is_reducing("o")}))
    ORDER BY id
    LIMIT $2
    FOR UPDATE
) AS waiting
"""

_REDUCING: Final = f"""
SELECT {", ".join(f"o.{name.strip()}" for name in ORDER_COLUMNS.split(","))}
FROM ledger.broker_orders o JOIN accounts.positions p USING (account_id, exchange, symbol, product)
JOIN ledger.lanes l ON l.account_id = o.account_id AND l.lane = 'CLAIM' AND l.trading <> 'HALTED'
WHERE o.account_id = ANY($1::bigint[]) AND o.state = 'NEW' AND o.pending_action IS NULL AND o.expires_at > now()
  AND o.order_id <> ALL($3::text[])
  AND CASE o.transaction_type WHEN 'BUY' THEN -p.quantity ELSE p.quantity END >= o.quantity
ORDER BY o.account_id, o.id
LIMIT $2
FOR UPDATE OF o
"""

_IN_FLIGHT: Final = """
SELECT account_id, count(*) AS sends FROM ledger.broker_orders
WHERE account_id = ANY($1::bigint[]) AND state = 'SUBMITTING' AND send_deadline > $2
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
    only_sendable: bool,
    except_for: Sequence[str],
) -> Claimed:
    rows = await connection.fetch(
        _CLAIM, sorted(set(account_ids)), per_account, only_sendable, list(except_for)
    )
    claimed = Claimed()
    for row in rows:
        order = order_of(row)
        if order.pending_action is None:
            claimed.orders.append(order)
        else:
            claimed.actions.append(_pending_change(order, row["pending_parameters"]))
    return claimed


async def claim_reducing(
    connection: Connection, account_ids: Iterable[int], *, limit: int, except_for: Sequence[str]
) -> list[Order]:
    rows = await connection.fetch(_REDUCING, sorted(set(account_ids)), limit, list(except_for))
    return [order_of(row) for row in rows]


async def sends_in_flight(
    connection: Connection, account_ids: Iterable[int], now: datetime
) -> dict[int, int]:
    rows = await connection.fetch(_IN_FLIGHT, sorted(set(account_ids)), now)
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
    )
