"""Accepting a list of orders: one statement, one commit, whatever the list's length.

Within the statement: the accounts' ACCEPT lanes are locked in account order; each order is numbered within its account; a used
idempotency key inserts nothing; order, event v1 and outbox row exist together or not at all. A bad row fails only itself: an
account that is not the principal's or does not take orders has no lane to join, and a used key is a conflict that does nothing.

An order was decided upon before its lane was locked. The lane tells whether that decision still holds (`Terms`), and counts the
orders of the second, minute, hour and day: neither costs a round trip or another row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from vyomo_contracts.capabilities import RateWindow
from vyomo_contracts.messages import Principal
from vyomo_contracts.orders import Order
from vyomo_contracts.topology import partition_of
from vyomo_contracts.vocabulary import OrderState
from vyomo_ledger.orders import ORDER_COLUMNS, order_of
from vyomo_ledger.sequence import HORIZON_SQL, TRANSACTION_SQL
from vyomo_ledger.writing.bodies import event_body, event_type, order_changed
from vyomo_ledger.writing.publishing import Publication
from vyomo_ledger.writing.trails import of_acceptance, recorded
from vyomo_service_kit.database import Connection, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What must still be true when the order is recorded; None is not checked."""

    risk_version: int | None = None
    """Of the limits and the trading state that the order was checked against."""
    next_sequence: int | None = None
    """Of the account when its orders and positions were read: another order since then makes them wrong."""
    orders_per_second: int | None = None
    """Accepted for the account in one calendar second of the database's clock; denied orders do not count. So are the three that follow."""
    orders_per_minute: int | None = None
    orders_per_hour: int | None = None
    orders_per_day: int | None = None
    """From midnight in India."""


UNCONDITIONAL: Final = Terms()


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A validated order, NEW or already DENIED by risk, at version 1."""

    order: Order
    idempotency_key: str
    body_hash: str
    terms: Terms = UNCONDITIONAL
    principal: Principal | None = None
    """Who asked for it; recorded with the first event."""

    @property
    def key_use(self) -> "KeyUse":
        return KeyUse(self.order.account_id, self.order.user_id, self.idempotency_key, self.body_hash)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """An idempotency key as it is used now."""

    account_id: int
    user_id: str
    idempotency_key: str
    body_hash: str


@dataclass(frozen=True, slots=True)
class Accepted:
    order: Order


@dataclass(frozen=True, slots=True)
class Replayed:
    """The key was used before, for `order` as it now is. `same_request` is False when it was another request."""

    order: Order
    same_request: bool


@dataclass(frozen=True, slots=True)
class AccountMissing:
    """No such account, or another user's: the caller must not learn which."""


@dataclass(frozen=True, slots=True)
class AccountClosed:
    """The account takes no new orders."""


@dataclass(frozen=True, slots=True)
class Outdated:
    """The account's limits, trading state or orders changed since the order was decided upon: decide again."""


@dataclass(frozen=True, slots=True)
class TooFast:
    """The account has used up this second, or what holds it."""

    window: RateWindow


Acceptance = Accepted | Replayed | AccountMissing | AccountClosed | Outdated | TooFast

_ACCEPT: Final = f"""
WITH input AS MATERIALIZED (
    SELECT i.* FROM unnest(
        $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::integer[],
        $10::numeric[], $11::numeric[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
        $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::timestamptz[],
        $25::timestamptz[], $26::text[], $27::text[], $28::integer[], $29::bigint[], $30::bigint[], $31::integer[],
        $32::integer[], $33::integer[], $34::integer[]
    ) WITH ORDINALITY AS i (
        account_id, user_id, broker, order_id, symbol, exchange, transaction_type, order_type, quantity,
        price, trigger_price, product, validity, state, reason_code, reason, tag,
        broker_tag, strategy_id, parent_order_id, group_id, idempotency_key, body_hash, created_at,
        expires_at, event_type, body, partition, risk_version, next_sequence, orders_per_second,
        orders_per_minute, orders_per_hour, orders_per_day, place
    )
), locked AS MATERIALIZED (
    SELECT account_id, user_id, broker, risk_version, next_sequence, rate_second, rate_used, minute_used, hour_used, day_used
    FROM ledger.lanes
    WHERE lane = 'ACCEPT' AND accepting AND account_id IN (SELECT account_id FROM input)
    ORDER BY account_id
    FOR UPDATE
), clock AS MATERIALIZED (
    -- Once the lanes are locked: whoever got one later must not count in an earlier second.
    SELECT date_trunc('second', clock_timestamp()) AS second FROM (SELECT count(*) FROM locked) AS after_locking
), used AS MATERIALIZED (
    SELECT l.account_id, CASE WHEN l.rate_second >= c.second THEN l.rate_used ELSE 0 END AS in_second,
           CASE WHEN l.rate_second >= date_trunc('minute', c.second, 'Asia/Kolkata') THEN l.minute_used ELSE 0 END AS in_minute,
           CASE WHEN l.rate_second >= date_trunc('hour', c.second, 'Asia/Kolkata') THEN l.hour_used ELSE 0 END AS in_hour,
           CASE WHEN l.rate_second >= date_trunc('day', c.second, 'Asia/Kolkata') THEN l.day_used ELSE 0 END AS in_day
    FROM locked l CROSS JOIN clock c
), asked AS (
    SELECT i.*, i.state = 'NEW' AS sends,
           count(*) FILTER (WHERE i.state = 'NEW') OVER (PARTITION BY i.account_id, i.user_id ORDER BY i.place) AS nth
    FROM input i
), judged AS MATERIALIZED (
    SELECT a.place, a.account_id, a.user_id, a.sends,
           CASE WHEN a.risk_version <> l.risk_version OR a.next_sequence <> l.next_sequence THEN 'outdated'
                WHEN NOT a.sends THEN NULL
                WHEN a.orders_per_day < u.in_day + a.nth THEN 'day'
                WHEN a.orders_per_hour < u.in_hour + a.nth THEN 'hour'
                WHEN a.orders_per_minute < u.in_minute + a.nth THEN 'minute'
                WHEN a.orders_per_second < u.in_second + a.nth THEN 'second'
           END AS refused
    FROM asked a JOIN locked l USING (account_id, user_id, broker) JOIN used u USING (account_id)
), numbered AS (
    SELECT place, row_number() OVER (PARTITION BY account_id ORDER BY place) AS nth FROM judged WHERE refused IS NULL
), counted AS (
    SELECT account_id, count(*) AS orders, count(*) FILTER (WHERE sends) AS sends
    FROM judged WHERE refused IS NULL GROUP BY account_id
), advanced AS (
    UPDATE ledger.lanes l SET
        next_sequence = l.next_sequence + c.orders, rate_second = greatest(l.rate_second, clock.second),
        rate_used = u.in_second + c.sends, minute_used = u.in_minute + c.sends, hour_used = u.in_hour + c.sends,
        day_used = u.in_day + c.sends
    FROM counted c JOIN used u USING (account_id) CROSS JOIN clock WHERE l.account_id = c.account_id AND l.lane = 'ACCEPT'
    RETURNING l.account_id, l.user_id, l.next_sequence - c.orders AS first
), inserted AS (
    INSERT INTO ledger.broker_orders (
        account_id, order_id, user_id, broker, symbol, exchange, transaction_type, order_type, quantity, price,
        trigger_price, state, product, validity, tag, broker_tag, strategy_id, parent_order_id, group_id, reason_code,
        reason, idempotency_key, body_hash, sequence, version, expires_at, created_at, updated_at
    )
    SELECT i.account_id, i.order_id, i.user_id, i.broker, i.symbol, i.exchange, i.transaction_type, i.order_type,
           i.quantity, i.price, i.trigger_price, i.state, i.product, i.validity, i.tag, i.broker_tag, i.strategy_id,
           i.parent_order_id, i.group_id, i.reason_code, i.reason, i.idempotency_key, i.body_hash,
           a.first + n.nth - 1, 1, i.expires_at, i.created_at, i.created_at
    FROM input i JOIN numbered n USING (place) JOIN advanced a USING (account_id, user_id)
    ORDER BY i.place
    ON CONFLICT (account_id, idempotency_key) DO NOTHING
    RETURNING order_id
), recorded AS (
    INSERT INTO ledger.order_events (order_id, version, account_id, user_id, sequence, type, body, recorded_at)
    SELECT i.order_id, 1, i.account_id, i.user_id, {TRANSACTION_SQL} | i.place, i.event_type, i.body::jsonb, i.created_at
    FROM input i JOIN inserted USING (order_id)
), announced AS (
    INSERT INTO ledger.outbox (broker, partition, order_ids, versions)
    SELECT i.broker, i.partition, array_agg(i.order_id ORDER BY i.place), array_agg(1)
    FROM input i JOIN inserted USING (order_id) GROUP BY i.broker, i.partition
    RETURNING id, broker, partition
)
SELECT i.place, NULL AS refused, {TRANSACTION_SQL} | i.place AS sequence, {HORIZON_SQL} AS horizon, o.id AS outbox_id
FROM input i JOIN inserted USING (order_id) JOIN announced o USING (broker, partition)
UNION ALL
SELECT place, refused, NULL, NULL, NULL FROM judged WHERE refused IS NOT NULL
"""

_KNOWN: Final = f"""
SELECT i.place, o.body_hash AS known_hash, l.account_id IS NOT NULL AS owned, {", ".join(f"o.{name.strip()}" for name in ORDER_COLUMNS.split(","))}
FROM unnest($1::bigint[], $2::text[], $3::text[]) WITH ORDINALITY AS i (wanted_account, wanted_user, wanted_key, place)
LEFT JOIN ledger.lanes l ON l.account_id = i.wanted_account AND l.user_id = i.wanted_user AND l.lane = 'ACCEPT'
LEFT JOIN ledger.broker_orders o ON o.account_id = l.account_id AND o.idempotency_key = i.wanted_key
"""


async def accept_orders(
    connection: Connection, orders: Sequence[NewOrder], *, partitions: int, component: str = "order-router"
) -> tuple[list[Acceptance], list[Publication]]:
    """Record the orders and tell what became of each, in order, with what is to be published now that it is committed.

    Two equal keys in one list: the first is inserted, the second is answered as its replay.
    """
    bodies = [event_body(new.order, ()) for new in orders]
    kept = [recorded(body, _trail(new, component)) for new, body in zip(orders, bodies, strict=True)]
    rows = await connection.fetch(_ACCEPT, *_columns(orders, kept, partitions))
    answers: list[Acceptance | None] = [None] * len(orders)
    refused: dict[int, Outdated | TooFast] = {}
    publications: dict[int, Publication] = {}
    for row in sorted(rows, key=_place):
        if row["refused"] is not None:
            refused[row["place"] - 1] = (
                Outdated() if row["refused"] == "outdated" else TooFast(RateWindow(row["refused"]))
            )
            continue
        order = orders[row["place"] - 1].order
        answers[row["place"] - 1] = Accepted(order)
        partition = partition_of(order.account_id, partitions)
        publication = publications.setdefault(
            row["outbox_id"], Publication(row["outbox_id"], order.broker, partition, [])
        )
        publication.events.append(
            order_changed(bodies[row["place"] - 1], sequence=row["sequence"], horizon=row["horizon"])
        )
    missing = [index for index, answer in enumerate(answers) if answer is None]
    if missing:
        for index, answer in zip(
            missing, await look_up(connection, [orders[i].key_use for i in missing]), strict=True
        ):
            # A used key stands for its order, whatever would be said of a new one now.
            answers[index] = answer if isinstance(answer, Replayed) else refused.get(index, answer)
    return [answer for answer in answers if answer is not None], list(publications.values())


def _trail(new: NewOrder, component: str) -> str:
    return of_acceptance(
        component,
        new.principal,
        idempotency_key=new.idempotency_key,
        body_hash=new.body_hash,
        approved=new.order.state is not OrderState.DENIED,
        risk_version=new.terms.risk_version,
    )


def _place(row: Row) -> int:
    return row["place"]


async def look_up(
    connection: Connection, uses: Sequence[KeyUse]
) -> list[Replayed | AccountMissing | AccountClosed]:
    """What an order that was not inserted met: its own earlier self, a foreign account, or a closed one."""
    rows = await connection.fetch(
        _KNOWN,
        [use.account_id for use in uses],
        [use.user_id for use in uses],
        [use.idempotency_key for use in uses],
    )
    answers: list[Replayed | AccountMissing | AccountClosed] = []
    for use, row in zip(uses, sorted(rows, key=_place), strict=True):
        if not row["owned"]:
            answers.append(AccountMissing())
        elif row["known_hash"] is None:
            answers.append(AccountClosed())
        else:
            answers.append(Replayed(order_of(row), same_request=row["known_hash"] == use.body_hash))
    return answers


def _columns(orders: Sequence[NewOrder], bodies: Sequence[str], partitions: int) -> list[list[Any]]:
    """The statement's parameters: one array a column."""
    rows = [_row(new, body, partitions) for new, body in zip(orders, bodies, strict=True)]
    return [list(column) for column in zip(*rows, strict=True)]


def _row(new: NewOrder, body: str, partitions: int) -> tuple[Any, ...]:
    order = new.order
    return (
        order.account_id,
        order.user_id,
        order.broker,
        order.order_id,
        order.symbol,
        order.exchange,
        order.transaction_type,
        order.order_type,
        order.quantity,
        order.price,
        order.trigger_price,
        order.product,
        order.validity,
        order.state,
        order.reason_code,
        order.reason,
        order.tag,
        order.broker_tag,
        order.strategy_id,
        order.parent_order_id,
        order.group_id,
        new.idempotency_key,
        new.body_hash,
        order.created_at,
        order.expires_at,
        event_type(None, order),
        body,
        partition_of(order.account_id, partitions),
        new.terms.risk_version,
        new.terms.next_sequence,
        new.terms.orders_per_second,
        new.terms.orders_per_minute,
        new.terms.orders_per_hour,
        new.terms.orders_per_day,
    )
