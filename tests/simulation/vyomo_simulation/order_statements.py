"""What the statements that accept and change orders do."""

# All handlers have one shape; not each needs everything it is given.
# ruff: noqa: ARG002

from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final

import orjson

from vyomo_contracts.capabilities import RateWindow
from vyomo_contracts.money import to_price
from vyomo_ledger.orders import ORDER_COLUMNS

from .record import Record, check_quantities
from .server import Row, Session, values_of

_ACCEPTED: Final = [
    "account_id",
    "user_id",
    "broker",
    "order_id",
    "symbol",
    "exchange",
    "transaction_type",
    "order_type",
    "quantity",
    "price",
    "trigger_price",
    "product",
    "validity",
    "state",
    "reason_code",
    "reason",
    "tag",
    "broker_tag",
    "strategy_id",
    "parent_order_id",
    "group_id",
    "idempotency_key",
    "body_hash",
    "created_at",
    "expires_at",
    "event_type",
    "body",
    "partition",
    "risk_version",
    "next_sequence",
    "orders_per_second",
    "orders_per_minute",
    "orders_per_hour",
    "orders_per_day",
]
_COLUMNS: Final = [name.strip() for name in ORDER_COLUMNS.split(",")]
_of_columns: Final = itemgetter(*_COLUMNS)
_CHANGED: Final = [
    "quantity",
    "order_type",
    "validity",
    "state",
    "filled_quantity",
    "broker_order_id",
    "reason_code",
    "reason",
    "pending_action",
    "version",
]
_POINTERS: Final = [
    "order_ids",
    "versions",
    "position_keys",
    "holding_keys",
    "account_ids",
    "alert_ids",
    "session_account_ids",
]


class OrderStatements:
    def __init__(self, record: Record) -> None:
        self._record = record

    async def accept(self, session: Session, *arrays: list[Any]) -> list[Row]:
        record = self._record
        given = values_of(_ACCEPTED, arrays)
        for account_id in sorted({row["account_id"] for row in given}):
            lane = record.lanes.get((account_id, "ACCEPT"))
            if lane is not None and lane["accepting"]:
                await session.lock(("lane", account_id, "ACCEPT"))
        second = session.server.clock.now().replace(microsecond=0)
        counted: dict[int, int] = {}
        sends: dict[tuple[int, str], int] = {}
        sent: dict[int, int] = {}
        used: set[tuple[int, str]] = set()
        outbox: dict[tuple[str, int], Row] = {}
        answers: list[Row] = []
        for place, new in enumerate(given, start=1):
            lane = record.lanes.get((new["account_id"], "ACCEPT"))
            if (
                lane is None
                or not lane["accepting"]
                or lane["user_id"] != new["user_id"]
                or lane["broker"] != new["broker"]
            ):
                continue
            sends_ = new["state"] == "NEW"
            asked = sends.get((new["account_id"], new["user_id"]), 0) + sends_
            sends[new["account_id"], new["user_id"]] = asked
            refused = _refused(new, lane, second, asked)
            if refused is not None:
                answers.append({"place": place, "refused": refused})
                continue
            sent[new["account_id"]] = sent.get(new["account_id"], 0) + sends_
            nth = counted.get(new["account_id"], 0)
            counted[new["account_id"]] = nth + 1
            key = (new["account_id"], new["idempotency_key"])
            if key in record.keys or key in used:
                continue
            used.add(key)
            group = outbox.get((new["broker"], new["partition"]))
            if group is None:
                group = self.outbox_row(session, new["broker"], new["partition"])
                outbox[new["broker"], new["partition"]] = group
            group["order_ids"].append(new["order_id"])
            group["versions"].append(1)
            sequence = session.sequence | place
            self._insert(session, new, number=lane["next_sequence"] + nth, sequence=sequence)
            answers.append(
                {
                    "place": place,
                    "refused": None,
                    "sequence": sequence,
                    "horizon": session.server.horizon,
                    "outbox_id": group["id"],
                }
            )
        for account_id, orders in counted.items():
            lane = record.lanes[account_id, "ACCEPT"]
            advanced = {
                "next_sequence": lane["next_sequence"] + orders,
                "rate_second": max(lane["rate_second"], second),
                **{
                    column: _used(lane, second, window) + sent[account_id] for window, column in _USED.items()
                },
            }
            session.on_commit(lambda lane=lane, advanced=advanced: lane.update(advanced))
        return answers

    def _insert(self, session: Session, new: Row, *, number: int, sequence: int) -> None:
        row = self.empty_row() | {name: new[name] for name in _COLUMNS if name in new}
        row |= {
            "idempotency_key": new["idempotency_key"],
            "body_hash": new["body_hash"],
            "sequence": number,
            "price": _numeric(new["price"]),
            "trigger_price": None if new["trigger_price"] is None else _numeric(new["trigger_price"]),
            "updated_at": new["created_at"],
        }
        check_quantities(row)
        event = {
            "order_id": new["order_id"],
            "version": 1,
            "sequence": sequence,
            "type": new["event_type"],
            "body": new["body"],
        }
        session.on_commit(lambda: self._record.put_order(row))
        session.on_commit(lambda: self._record.put_event(event))

    def empty_row(self) -> Row:
        """What an order has that nobody said anything of."""
        return dict.fromkeys(_COLUMNS) | {
            "id": self._record.next_order_number(),
            "version": 1,
            "filled_quantity": 0,
            "average_price": _numeric(0),
            "origin": "vyomo",
            "pending_stage": None,
            "pending_parameters": None,
            "send_deadline": None,
        }

    def outbox_row(self, session: Session, broker: str, partition: int) -> Row:
        row: Row = {"id": self._record.next_outbox_number(), "broker": broker, "partition": partition}
        row |= {name: [] for name in _POINTERS} | {"created_at": session.now, "risk_sequences": []}
        session.on_commit(lambda: self._record.outbox.update({row["id"]: row}))
        return row

    async def known(
        self, session: Session, account_ids: list[int], users: list[str], keys: list[str]
    ) -> list[Row]:
        record, rows = self._record, list[Row]()
        for place, (account_id, user_id, key) in enumerate(
            zip(account_ids, users, keys, strict=True), start=1
        ):
            lane = record.lanes.get((account_id, "ACCEPT"))
            owned = lane is not None and lane["user_id"] == user_id
            order = record.orders.get(record.keys.get((account_id, key), "")) if owned else None
            known: Row = dict.fromkeys(_COLUMNS) | {"known_hash": None}
            if order is not None:
                known = order_row(order) | {"known_hash": order["body_hash"]}
            rows.append(known | {"place": place, "owned": owned})
        return rows

    async def lock_orders(
        self,
        session: Session,
        account_ids: list[int],
        order_ids: list[str],
        *,
        locking: bool = True,
        only_free: bool = False,
    ) -> list[Row]:
        wanted = zip(account_ids, order_ids, strict=True)
        found = [
            order
            for account_id, order_id in wanted
            if (order := self._record.orders.get(order_id)) is not None and order["account_id"] == account_id
        ]
        found.sort(key=lambda row: (row["account_id"], row["id"]))
        if only_free:
            found = [
                order for order in found if session.server.is_free(session, ("order", order["order_id"]))
            ]
        for order in found if locking else ():
            await session.lock(("order", order["order_id"]))
        return [order_row(self._record.orders[order["order_id"]]) for order in found]

    async def write_orders(self, session: Session, changes: str, pointers: str, fills: str) -> list[Row]:
        written = 0
        for change in orjson.loads(changes):
            snapshot = change["body"]["order"]
            await session.lock(("order", snapshot["order_id"]))
            before = self._record.orders.get(snapshot["order_id"])
            if before is not None and before["version"] == snapshot["version"] - 1:
                written += 1
                self._change(session, before, change)
        for fill in orjson.loads(fills):
            del fill["user_id"]  # the record in memory keeps no owners
            session.on_commit(lambda fill=fill: self._record.put_fill(fill))
        answers: list[Row] = []
        for pointer in orjson.loads(pointers):
            row = self.outbox_row(session, pointer["broker"], pointer["partition"])
            row.update({name: pointer[name] for name in _POINTERS})
            answers.append(
                {
                    "outbox_id": row["id"],
                    "broker": row["broker"],
                    "partition": row["partition"],
                    "sequence": session.sequence,
                    "horizon": session.server.horizon,
                    "written": written,
                }
            )
        return answers

    def _change(self, session: Session, before: Row, change: Row) -> None:
        body = change["body"]
        snapshot = body["order"]
        row = before | {name: snapshot.get(name) for name in _CHANGED}
        trigger = snapshot.get("trigger_price")
        row |= {
            "price": _numeric(snapshot["price"]),
            "trigger_price": None if trigger is None else _numeric(trigger),
            "average_price": _numeric(snapshot["average_price"]),
            "updated_at": datetime.fromisoformat(snapshot["updated_at"]),
        }
        if row["pending_action"] is None:
            row |= {"pending_stage": None, "pending_parameters": None}
        else:
            row["pending_stage"] = change["pending_stage"] or before["pending_stage"]
            row["pending_parameters"] = change["pending_parameters"] or before["pending_parameters"]
        if change["send_deadline"] is not None:
            row["send_deadline"] = datetime.fromisoformat(change["send_deadline"])
        check_quantities(row)
        event = {
            "order_id": row["order_id"],
            "version": row["version"],
            "sequence": session.sequence | change["place"],
            "type": change["event_type"],
            "body": orjson.dumps(body).decode(),
        }
        session.on_commit(lambda: self._record.put_order(row))
        session.on_commit(lambda: self._record.put_event(event))


def _refused(new: Row, lane: Row, second: datetime, asked: int) -> str | None:
    """`asked` are the orders of its account in this list, up to this one."""
    terms = ("risk_version", "next_sequence")
    if any(new[name] is not None and new[name] != lane[name] for name in terms):
        return "outdated"
    if new["state"] != "NEW":
        return None
    for window in reversed(_USED):
        allowed = new[f"orders_per_{window}"]
        if allowed is not None and allowed < _used(lane, second, window) + asked:
            return window
    return None


_USED: Final = {
    RateWindow.SECOND: "rate_used",
    RateWindow.MINUTE: "minute_used",
    RateWindow.HOUR: "hour_used",
    RateWindow.DAY: "day_used",
}


def _used(lane: Row, second: datetime, window: RateWindow) -> int:
    return lane[_USED[window]] if lane["rate_second"] >= window.start(second) else 0


def order_row(row: Row) -> Row:
    return dict(zip(_COLUMNS, _of_columns(row), strict=True))


def _numeric(value: Decimal | str | int) -> Decimal:
    """As NUMERIC(18,4) keeps and shows it."""
    return to_price(Decimal(value))
