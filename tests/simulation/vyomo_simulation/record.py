"""The record's committed tables in memory, with the constraints and the few indexes the statements need."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from asyncpg.exceptions import CheckViolationError

from vyomo_contracts.instruments import Instrument
from vyomo_contracts.vocabulary import WORKING_STATES, Broker

from .server import Row

Index = dict[int, dict[str, None]]
Fills = dict[str, Row]
"""By trade id."""


@dataclass
class Record:
    orders: dict[str, Row] = field(default_factory=dict[str, Row])
    events: dict[str, list[Row]] = field(default_factory=dict[str, list[Row]])
    fills: dict[tuple[int, str], Row] = field(default_factory=dict[tuple[int, str], Row])
    outbox: dict[int, Row] = field(default_factory=dict[int, Row])
    lanes: dict[tuple[int, str], Row] = field(default_factory=dict[tuple[int, str], Row])
    leases: dict[str, Row] = field(default_factory=dict[str, Row])
    instruments: dict[tuple[str, str], Row] = field(default_factory=dict[tuple[str, str], Row])
    positions: dict[tuple[int, str, str, str], int] = field(
        default_factory=dict[tuple[int, str, str, str], int]
    )
    """Net units by account, exchange, symbol and product. No process that is driven here writes them; holdings are not kept at all."""
    alerts: dict[tuple[int, str, str], Row] = field(default_factory=dict[tuple[int, str, str], Row])
    """That stand, by account, code and subject."""
    sessions: dict[int, Row] = field(default_factory=dict[int, Row])
    """By account; one that nobody ever signed in has none."""
    controls: dict[tuple[str, str, str, str], Row] = field(
        default_factory=dict[tuple[str, str, str, str], Row]
    )
    """By user, scope, scope id and cause."""
    decisions: dict[int, Row] = field(default_factory=dict[int, Row])
    """Events of switches, by sequence."""
    forbidden: list[str] = field(default_factory=list[str])
    """No table: what was accepted or claimed though at the moment of the commit its account was halted, or had lost its session."""
    taken: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """When an order was last handed to a claim, by its tag. No table: it lets the checks see what a claim was worth."""
    keys: dict[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])
    by_tag: dict[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])
    by_broker_id: dict[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])
    fills_of: dict[str, Fills] = field(default_factory=dict[str, Fills])
    derived: dict[int, Fills] = field(default_factory=dict[int, Fills])
    waiting: Index = field(default_factory=dict[int, dict[str, None]])
    working: Index = field(default_factory=dict[int, dict[str, None]])
    _last_order: int = 0
    _last_outbox: int = 0

    def next_order_number(self) -> int:
        """Drawn like an identity column's: before the commit, and not given back."""
        self._last_order += 1
        return self._last_order

    def next_outbox_number(self) -> int:
        self._last_outbox += 1
        return self._last_outbox

    def add_account(
        self, account_id: int, user_id: str, broker: str, session_until: datetime | None = None
    ) -> None:
        for lane in ("ACCEPT", "CLAIM"):
            self.lanes[account_id, lane] = {
                "account_id": account_id,
                "user_id": user_id,
                "broker": broker,
                "accepting": True,
                "next_sequence": 1,
                "trading": "ACTIVE",
                "risk_version": 0,
                "rate_second": datetime.fromtimestamp(0, UTC),
                "rate_used": 0,
                "minute_used": 0,
                "hour_used": 0,
                "day_used": 0,
                "session_until": session_until,
            }

    def add_instrument(self, instrument: Instrument) -> None:
        self.instruments[instrument.exchange, instrument.symbol] = instrument.model_dump()

    def put_order(self, row: Row) -> None:
        """Insert or replace; rows are never changed in place, so whoever read one has a snapshot."""
        order_id, account_id = row["order_id"], row["account_id"]
        self._note_what_is_forbidden(self.orders.get(order_id), row)
        self.orders[order_id] = row
        self.keys[account_id, row["idempotency_key"]] = order_id
        self.by_tag[account_id, row["broker_tag"]] = order_id
        if row["broker_order_id"] is not None:
            self.by_broker_id[account_id, row["broker_order_id"]] = order_id
        _mark(self.waiting, account_id, order_id, here=waits(row))
        _mark(self.working, account_id, order_id, here=row["state"] in WORKING_STATES)

    def _note_what_is_forbidden(self, before: Row | None, row: Row) -> None:
        """Called at the commit, so whatever was committed before it counts, and nothing else does."""
        claimed = before is not None and before["state"] == "NEW" and row["state"] == "SUBMITTING"
        accepted = before is None and row["state"] == "NEW"
        lane = self.lanes.get((row["account_id"], "CLAIM" if claimed else "ACCEPT"))
        if lane is None or not (claimed or accepted):
            return
        if lane["trading"] == "HALTED":
            what = "claimed" if claimed else "accepted"
            self.forbidden.append(f"I6b: {row['order_id']} was {what} after its account was halted")
        if claimed and lane["session_until"] is None and lane["broker"] != Broker.PAPER:
            self.forbidden.append(f"I6a: {row['order_id']} was claimed after its account's session ended")

    def put_event(self, event: Row) -> None:
        self.events.setdefault(event["order_id"], []).append(event)

    def put_fill(self, fill: Row) -> None:
        """ON CONFLICT DO NOTHING."""
        account_id, trade_id = fill["account_id"], fill["trade_id"]
        if self.fills.setdefault((account_id, trade_id), fill) is fill:
            self.fills_of.setdefault(fill["order_id"], {})[trade_id] = fill
            if fill["basis"] == "derived":
                self.derived.setdefault(account_id, {})[trade_id] = fill

    def delete_fill(self, fill: Row) -> None:
        account_id, trade_id = fill["account_id"], fill["trade_id"]
        self.fills.pop((account_id, trade_id), None)
        self.fills_of[fill["order_id"]].pop(trade_id, None)
        self.derived.get(account_id, {}).pop(trade_id, None)

    def in_order(self, order_ids: Iterable[str]) -> list[Row]:
        return sorted((self.orders[order_id] for order_id in order_ids), key=_number)


def waits(row: Row) -> bool:
    return row["state"] == "NEW" or row["pending_stage"] == "PREPARED"


def closable(record: Record, order: Row) -> int:
    """What is held against the order's side."""
    place = (order["account_id"], order["exchange"], order["symbol"], order["product"])
    held = record.positions.get(place, 0)
    return held if order["transaction_type"] == "SELL" else -held


def check_quantities(row: Row) -> None:
    if not 0 <= row["filled_quantity"] <= row["quantity"]:
        raise CheckViolationError(f"filled {row['filled_quantity']} of {row['quantity']}")


def _number(row: Row) -> Any:
    return row["id"]


def _mark(index: Index, account_id: int, order_id: str, *, here: bool) -> None:
    marked = index.setdefault(account_id, {})
    if here:
        marked[order_id] = None
    else:
        marked.pop(order_id, None)
