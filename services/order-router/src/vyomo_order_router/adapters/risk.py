"""What bears on an account's orders: whose it is, its limits and state, and how it stands."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from vyomo_contracts.capabilities import OrderRate
from vyomo_contracts.portfolio import Position
from vyomo_contracts.risk import AccountTrading, Control, RiskLimits
from vyomo_contracts.vocabulary import WORKING_STATES, Broker, ControlCause, Environment, TradingState
from vyomo_ledger.instruments import Market, market_of
from vyomo_ledger.writing.controls import CONTROL_COLUMNS, covers
from vyomo_order_router.domain.limits import effective_limits, effective_rate
from vyomo_order_router.domain.risk import Holding, OpenOrder, Standing
from vyomo_order_router.domain.risk.standing import fingerprint_of
from vyomo_service_kit.database import Database, Row

RECENT_ORDERS: Final = 200
"""Of the duplicate window, at most so many of an account are compared."""
_WORKING: Final = ", ".join(f"'{state}'" for state in sorted(WORKING_STATES))

_ACCOUNTS: Final = """
SELECT l.account_id, l.user_id, l.broker, b.environment, l.trading, l.risk_version, u.limits AS of_user, a.limits AS of_account
FROM ledger.lanes l JOIN accounts.broker_accounts b ON b.id = l.account_id
LEFT JOIN ledger.risk_limits u ON u.user_id = l.user_id AND u.account_id = 0
LEFT JOIN ledger.risk_limits a ON a.user_id = l.user_id AND a.account_id = l.account_id
WHERE l.lane = 'ACCEPT' AND l.account_id = ANY($1::bigint[])
"""
# One statement, so one moment: what fills between two statements would be counted twice or not at all.
_STANDING: Final = f"""
SELECT 'account' AS kind, account_id, '' AS exchange, '' AS symbol, '' AS product, '' AS transaction_type, next_sequence AS quantity,
       0::numeric AS unit_value, '' AS order_type, 0::numeric AS price, NULL::numeric AS trigger_price
FROM ledger.lanes WHERE lane = 'ACCEPT' AND account_id = ANY($1::bigint[])
UNION ALL
SELECT 'held', account_id, exchange, symbol, product, '', quantity, coalesce(nullif(last_price, 0), average_price) * multiplier,
       '', 0, NULL
FROM accounts.positions WHERE account_id = ANY($1::bigint[]) AND quantity <> 0
UNION ALL
SELECT 'delivered', account_id, exchange, symbol, 'CNC', '', quantity, coalesce(nullif(last_price, 0), average_price), '', 0, NULL
FROM accounts.holdings WHERE account_id = ANY($1::bigint[]) AND quantity <> 0
UNION ALL
SELECT 'open', o.account_id, o.exchange, o.symbol, o.product, o.transaction_type, o.quantity - o.filled_quantity,
       coalesce(nullif(o.price, 0), nullif(o.trigger_price, 0), i.reference_price, 0) * coalesce(n.multiplier, i.multiplier, 1), '', 0, NULL
FROM (
    SELECT * FROM ledger.broker_orders WHERE account_id = ANY($1::bigint[]) AND state IN ({_WORKING})
    UNION ALL
    SELECT * FROM ledger.broker_orders WHERE account_id = ANY($1::bigint[]) AND state = 'NEW'
) AS o JOIN accounts.broker_accounts b ON b.id = o.account_id
LEFT JOIN market.instruments i ON i.exchange = o.exchange AND i.symbol = o.symbol
LEFT JOIN market.listings n ON b.environment = 'live' AND n.broker = o.broker AND n.exchange = o.exchange AND n.symbol = o.symbol
WHERE o.order_id IS DISTINCT FROM $4::text
UNION ALL
SELECT 'recent', r.account_id, r.exchange, r.symbol, r.product, r.transaction_type, r.quantity, 0, r.order_type, r.price,
       r.trigger_price
FROM unnest($2::bigint[], $3::timestamptz[]) AS w (account_id, since) CROSS JOIN LATERAL (
    SELECT * FROM ledger.broker_orders
    WHERE broker_orders.account_id = w.account_id ORDER BY sequence DESC LIMIT {RECENT_ORDERS}
) AS r
WHERE r.created_at >= w.since AND r.state <> 'DENIED'
"""
_LEVEL: Final = "SELECT limits FROM ledger.risk_limits WHERE user_id = $1 AND account_id = $2"
_STATES: Final = """
SELECT account_id, user_id, broker, trading, risk_version AS version FROM ledger.lanes
WHERE lane = 'ACCEPT' AND user_id = $1 AND ($2::bigint IS NULL OR account_id = $2) ORDER BY account_id
"""
_CONTROLS: Final = f"""
SELECT {CONTROL_COLUMNS} FROM ledger.controls k
WHERE state <> 'ACTIVE' AND (k.user_id = $1 OR k.user_id = '')
  AND ($2::bigint IS NULL OR EXISTS (
      SELECT FROM ledger.lanes l WHERE l.lane = 'ACCEPT' AND l.account_id = $2 AND {covers("k", "l")}))
ORDER BY changed_at
"""
_LOSS_LIMITED: Final = """
SELECT l.account_id FROM ledger.lanes l
WHERE l.lane = 'ACCEPT' AND EXISTS (
    SELECT FROM ledger.risk_limits r
    WHERE r.user_id = l.user_id AND r.account_id IN (0, l.account_id) AND r.limits ? 'daily_loss_limit')
"""
_POSITIONS: Final = "SELECT * FROM accounts.positions WHERE account_id = ANY($1::bigint[])"
_IN_FORCE: Final = (
    "SELECT scope_id FROM ledger.controls WHERE scope = 'account' AND cause = $1 AND state <> 'ACTIVE'"
)
_DRIFTING: Final = """
SELECT account_id, user_id, min(message) AS message FROM ledger.alerts
WHERE code = 'POSITION_DRIFT' AND cleared_at IS NULL GROUP BY account_id, user_id
"""
_UNCONFIRMED: Final = """
SELECT l.account_id, l.user_id, count(*) AS orders
FROM ledger.broker_orders o JOIN ledger.lanes l ON l.account_id = o.account_id AND l.lane = 'ACCEPT'
WHERE o.state = 'UNCONFIRMED' GROUP BY l.account_id, l.user_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskAccount:
    """An account as far as risk goes, at one version; accepting an order says whether it still is so."""

    account_id: int
    user_id: str
    broker: Broker
    environment: Environment
    trading: TradingState
    risk_version: int
    limits: RiskLimits
    rate: OrderRate

    @property
    def market(self) -> Market:
        """Whose instruments it trades."""
        return market_of(self.broker, self.environment)

    @property
    def needs_standing(self) -> bool:
        return self.limits.need_standing or self.trading is TradingState.REDUCING


class RiskStore:
    def __init__(
        self, database: Database, *, defaults: RiskLimits, rates: Mapping[Broker, OrderRate]
    ) -> None:
        self.rates = rates
        self._database = database
        self._defaults = defaults
        self._known: dict[int, RiskAccount] = {}

    async def accounts(self, account_ids: set[int]) -> dict[int, RiskAccount]:
        """Those that exist. Remembered until `forget`: who uses it learns from the record whether it is still true."""
        unknown = [account_id for account_id in account_ids if account_id not in self._known]
        if unknown:
            async with self._database.connection() as connection:
                rows = await connection.fetch(_ACCOUNTS, unknown)
            self._known.update((row["account_id"], self._account(row)) for row in rows)
        return {each: self._known[each] for each in account_ids if each in self._known}

    def needs_standing(self, account_id: int) -> bool:
        """By what is remembered of it; False of an account that nobody asked about yet."""
        known = self._known.get(account_id)
        return known is not None and known.needs_standing

    def forget(self, account_ids: Iterable[int]) -> None:
        for account_id in account_ids:
            self._known.pop(account_id, None)

    async def standings(
        self, accounts: Sequence[RiskAccount], now: datetime, *, without: str | None = None
    ) -> dict[int, Standing]:
        """By account; `without` leaves out one open order."""
        if not accounts:
            return {}
        windows = {
            account.account_id: now - timedelta(seconds=float(account.limits.duplicate_window_seconds))
            for account in accounts
            if account.limits.duplicate_window_seconds is not None
        }
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                _STANDING,
                [account.account_id for account in accounts],
                list(windows),
                list(windows.values()),
                without,
            )
        by_account: dict[int, list[Row]] = {account.account_id: [] for account in accounts}
        for row in rows:
            by_account[row["account_id"]].append(row)
        return {account_id: _standing(rows) for account_id, rows in by_account.items()}

    async def level(self, user_id: str, account_id: int | None) -> RiskLimits:
        """As set there, without the levels above."""
        async with self._database.connection() as connection:
            return _limits(await connection.fetchval(_LEVEL, user_id, account_id or 0))

    def of_user(self, limits: RiskLimits) -> RiskLimits:
        """A user's limits over the defaults; the order rate depends on the account's broker."""
        return limits.over(self._defaults)

    async def states(self, user_id: str, account_id: int | None) -> list[AccountTrading]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_STATES, user_id, account_id)
        return [AccountTrading.model_validate(dict(row)) for row in rows]

    async def controls(self, user_id: str, account_id: int | None) -> list[Control]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_CONTROLS, user_id, account_id)
        return [Control.model_validate(dict(row)) for row in rows]

    async def loss_limited(self) -> set[int]:
        async with self._database.connection() as connection:
            return {row["account_id"] for row in await connection.fetch(_LOSS_LIMITED)}

    async def positions(self, account_ids: Iterable[int]) -> list[Position]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_POSITIONS, list(account_ids))
        return [Position.model_validate(dict(row)) for row in rows]

    async def restrained(self, cause: ControlCause) -> set[int]:
        """Accounts that a switch of this cause restrains by itself."""
        async with self._database.connection() as connection:
            return {int(row["scope_id"]) for row in await connection.fetch(_IN_FORCE, cause)}

    async def drifting(self) -> dict[int, tuple[str, str]]:
        """User and one of the messages, by account with a standing alert of drift."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_DRIFTING)
        return {row["account_id"]: (row["user_id"], row["message"]) for row in rows}

    async def unconfirmed(self) -> dict[int, tuple[str, int]]:
        """User and number of orders with an unknown outcome, by account."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_UNCONFIRMED)
        return {row["account_id"]: (row["user_id"], row["orders"]) for row in rows}

    def _account(self, row: Mapping[str, Any]) -> RiskAccount:
        broker = Broker(row["broker"])
        limits = effective_limits(
            self.rates[broker],
            defaults=self._defaults,
            user=_limits(row["of_user"]),
            account=_limits(row["of_account"]),
        )
        return RiskAccount(
            account_id=row["account_id"],
            user_id=row["user_id"],
            broker=broker,
            environment=Environment(row["environment"]),
            trading=TradingState(row["trading"]),
            risk_version=row["risk_version"],
            limits=limits,
            rate=effective_rate(self.rates[broker], limits),
        )


def _limits(text: str | None) -> RiskLimits:
    return RiskLimits() if text is None else RiskLimits.model_validate_json(text)


def _standing(rows: Sequence[Row]) -> Standing:
    holdings: list[Holding] = []
    orders: list[OpenOrder] = []
    recent: Counter[tuple[str, ...]] = Counter()
    next_sequence: int | None = None
    for row in rows:
        place = {"exchange": row["exchange"], "symbol": row["symbol"], "product": row["product"]}
        match row["kind"]:
            case "account":
                next_sequence = row["quantity"]
            case "held" | "delivered" as kind:
                held = Holding(
                    **place,
                    quantity=row["quantity"],
                    unit_value=row["unit_value"],
                    is_delivered=kind == "delivered",
                )
                holdings.append(held)
            case "open":
                order = OpenOrder(
                    **place,
                    transaction_type=row["transaction_type"],
                    remaining=row["quantity"],
                    unit_value=row["unit_value"],
                )
                orders.append(order)
            case _:
                names = ("transaction_type", "order_type", "quantity", "price", "trigger_price")
                recent[fingerprint_of((*place.values(), *(row[name] for name in names)))] += 1
    return Standing(tuple(holdings), tuple(orders), recent, next_sequence)
