"""`sync.followed_positions` and `sync.auto_trades`: what is known of a position, and what a step changes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from vyomo_contracts.portfolio import Position
from vyomo_contracts.vocabulary import TransactionType
from vyomo_service_kit.database import Connection, Row
from vyomo_sync.adapters.sessions import Link
from vyomo_sync.domain.following import Step
from vyomo_sync.domain.snapshots import Followed
from vyomo_sync.domain.trades import PriceBasis, Trade, TradeStatus, Turnover, Volume

_LOAD = """
SELECT wanted.session_id, wanted.account_id, wanted.exchange, wanted.symbol, wanted.product,
       followed.version, followed.updated_at, followed.quantity, followed.delivered_quantity, followed.bought_quantity, followed.bought_value,
       followed.sold_quantity, followed.sold_value, followed.round_trips,
       trade.round_trip, trade.transaction_type, trade.multiplier, trade.entry_quantity, trade.entry_value,
       trade.exit_quantity, trade.exit_value, trade.price_basis, trade.position_version, trade.opened_at
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[])
     AS wanted (session_id, account_id, exchange, symbol, product)
JOIN sync.followed_positions AS followed USING (session_id, account_id, exchange, symbol, product)
LEFT JOIN sync.auto_trades AS trade
    ON (trade.session_id, trade.account_id, trade.exchange, trade.symbol, trade.product)
     = (wanted.session_id, wanted.account_id, wanted.exchange, wanted.symbol, wanted.product)
   AND trade.status = 'OPEN'
"""

_SAVE_FOLLOWED = """
INSERT INTO sync.followed_positions AS known
    (session_id, account_id, exchange, symbol, product, user_id, version, quantity, delivered_quantity,
     bought_quantity, bought_value, sold_quantity, sold_value, round_trips, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (session_id, account_id, exchange, symbol, product) DO UPDATE SET
    version = excluded.version, quantity = excluded.quantity, delivered_quantity = excluded.delivered_quantity,
    bought_quantity = excluded.bought_quantity, bought_value = excluded.bought_value,
    sold_quantity = excluded.sold_quantity, sold_value = excluded.sold_value,
    round_trips = excluded.round_trips, updated_at = excluded.updated_at
"""

# A repeated write of one round trip updates it; stop loss and target belong to their watcher and stay.
_SAVE_TRADE = """
INSERT INTO sync.auto_trades
    (session_id, account_id, exchange, symbol, product, user_id, broker, round_trip, transaction_type, status, multiplier,
     entry_quantity, entry_value, entry_price, exit_quantity, exit_value, exit_price, realised,
     price_basis, position_version, opened_at, closed_at, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $23)
ON CONFLICT (session_id, account_id, exchange, symbol, product, round_trip) DO UPDATE SET
    status = excluded.status,
    entry_quantity = excluded.entry_quantity, entry_value = excluded.entry_value, entry_price = excluded.entry_price,
    exit_quantity = excluded.exit_quantity, exit_value = excluded.exit_value, exit_price = excluded.exit_price,
    realised = excluded.realised, price_basis = excluded.price_basis, position_version = excluded.position_version,
    closed_at = excluded.closed_at, updated_at = excluded.updated_at
"""


@dataclass(frozen=True, slots=True)
class Key:
    """One position within one session."""

    session_id: int
    account_id: int
    exchange: str
    symbol: str
    product: str

    @classmethod
    def of(cls, link: Link, position: Position) -> Self:
        return cls(link.session_id, link.account_id, position.exchange, position.symbol, position.product)

    @property
    def columns(self) -> tuple[int, int, str, str, str]:
        return self.session_id, self.account_id, self.exchange, self.symbol, self.product


@dataclass(frozen=True, slots=True)
class Change:
    key: Key
    position: Position
    step: Step


async def load_followed(connection: Connection, keys: Iterable[Key]) -> dict[Key, Followed]:
    columns = [list(column) for column in zip(*(key.columns for key in keys), strict=True)]
    if not columns:
        return {}
    rows = await connection.fetch(_LOAD, *columns)
    return {
        Key(row["session_id"], row["account_id"], row["exchange"], row["symbol"], row["product"]): _followed(
            row
        )
        for row in rows
    }


async def save(connection: Connection, changes: Sequence[Change], at: datetime) -> None:
    """Write the steps in their order: a trade is closed before the next one of its position opens."""
    latest: Mapping[Key, Change] = {change.key: change for change in changes}
    await connection.executemany(_SAVE_FOLLOWED, [_followed_columns(change) for change in latest.values()])
    trades = [_trade_columns(change, trade, at) for change in changes for trade in change.step.changed]
    if trades:
        await connection.executemany(_SAVE_TRADE, trades)


def _followed(row: Row) -> Followed:
    return Followed(
        version=row["version"],
        at=row["updated_at"],
        quantity=row["quantity"],
        delivered=row["delivered_quantity"],
        turnover=Turnover(
            bought=Volume(row["bought_quantity"], row["bought_value"]),
            sold=Volume(row["sold_quantity"], row["sold_value"]),
        ),
        round_trips=row["round_trips"],
        trade=None if row["round_trip"] is None else _open_trade(row),
    )


def _open_trade(row: Row) -> Trade:
    return Trade(
        number=row["round_trip"],
        side=TransactionType(row["transaction_type"]),
        multiplier=row["multiplier"],
        entry=Volume(row["entry_quantity"], row["entry_value"]),
        exit=Volume(row["exit_quantity"], row["exit_value"]),
        status=TradeStatus.OPEN,
        price_basis=PriceBasis(row["price_basis"]),
        position_version=row["position_version"],
        opened_at=row["opened_at"],
    )


def _followed_columns(change: Change) -> tuple[object, ...]:
    followed = change.step.followed
    return (
        *change.key.columns,
        change.position.user_id,
        followed.version,
        followed.quantity,
        followed.delivered,
        followed.turnover.bought.quantity,
        followed.turnover.bought.value,
        followed.turnover.sold.quantity,
        followed.turnover.sold.value,
        followed.round_trips,
        followed.at,
    )


def _trade_columns(change: Change, trade: Trade, at: datetime) -> tuple[object, ...]:
    return (
        *change.key.columns,
        change.position.user_id,
        change.position.broker,
        trade.number,
        trade.side,
        trade.status,
        trade.multiplier,
        trade.entry.quantity,
        trade.entry.value,
        trade.entry_price,
        trade.exit.quantity,
        trade.exit.value,
        trade.exit_price,
        trade.realised,
        trade.price_basis,
        trade.position_version,
        trade.opened_at,
        trade.closed_at,
        at,
    )
