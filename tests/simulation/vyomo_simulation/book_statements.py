"""What the statements of reading a broker's books do: who is looked at, what is learnt, what is taken up, what is raised."""

# All handlers have one shape; not each needs everything it is given.
# ruff: noqa: ARG002

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import orjson

from vyomo_contracts.money import to_price
from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.writing.adopting import EVENT_TYPE

from .order_statements import OrderStatements
from .record import Record, closable
from .server import Row, Session

_FROM_BOOKS: Final = ("derived", "trade_book")
_UNKNOWN: Final = ("SUBMITTING", "UNCONFIRMED")


class BookStatements:
    def __init__(self, record: Record, orders: OrderStatements) -> None:
        self._record = record
        self._orders = orders

    # Whose books are read

    async def open_accounts(self, session: Session, broker: str) -> list[Row]:
        now, rows = session.server.clock.now(), list[Row]()
        for account_id in self._record.working:
            orders = self._working(account_id)
            if not orders or orders[0]["broker"] != broker:
                continue
            unknown_for = [
                (now - min(_known(order["send_deadline"], order["updated_at"]))).total_seconds()
                for order in orders
                if order["state"] == "UNCONFIRMED"
            ]
            rows.append(
                {
                    "account_id": account_id,
                    "has_session": self._has_session(account_id, now),
                    "works": any(order["state"] not in _UNKNOWN for order in orders),
                    "is_overdue": any(_is_overdue(order, now) for order in orders),
                    "unknown_for": unknown_for or None,
                }
            )
        return rows

    async def all_accounts(self, session: Session, broker: str) -> list[Row]:
        now = session.server.clock.now()
        return [
            {"account_id": account_id}
            for (account_id, lane), row in self._record.lanes.items()
            if lane == "CLAIM" and row["broker"] == broker and self._has_session(account_id, now)
        ]

    async def overdue_sends(self, session: Session, account_ids: list[int]) -> list[Row]:
        now = session.server.clock.now()
        orders = (order for each in account_ids for order in self._working(each))
        return [_key(order) for order in orders if _is_overdue(order, now)]

    async def owner(self, session: Session, account_id: int) -> list[Row]:
        lane = self._record.lanes.get((account_id, "CLAIM"))
        return [] if lane is None else [{"user_id": lane["user_id"]}]

    # What one reading is about

    async def concerned(
        self, session: Session, account_id: int, broker_order_ids: list[str], tags: list[str]
    ) -> list[Row]:
        record, yesterday = self._record, session.now - timedelta(days=1)
        found = dict.fromkeys(record.working.get(account_id, ()))
        named = [record.by_broker_id.get((account_id, each)) for each in broker_order_ids]
        named += [record.by_tag.get((account_id, each)) for each in tags]
        for order_id in named:
            if order_id is not None and record.orders[order_id]["broker"] != Broker.PAPER:
                found[order_id] = None
        for fill in record.derived.get(account_id, {}).values():
            if datetime.fromisoformat(fill["filled_at"]) > yesterday:
                found[fill["order_id"]] = None
        return [{"account_id": account_id, "order_id": order_id} for order_id in found]

    async def calls(self, session: Session, account_id: int, order_ids: list[str]) -> list[Row]:
        now, rows = session.server.clock.now(), list[Row]()
        for order in self._orders_of(account_id, order_ids):
            was_sent = None if order["pending_stage"] is None else order["pending_stage"] == "SUBMITTING"
            deadline, parameters = order["send_deadline"], order["pending_parameters"]
            is_past = None if deadline is None else deadline < now
            rows.append(
                {
                    "order_id": order["order_id"],
                    "deadline_age": None if deadline is None else (now - deadline).total_seconds(),
                    "changed_age": (now - order["updated_at"]).total_seconds(),
                    "change_was_sent": was_sent,
                    "pending_parameters": None if parameters is None else orjson.dumps(parameters).decode(),
                    "change_is_overdue": _both(was_sent, is_past),
                }
            )
        return rows

    async def fills_from_books(self, session: Session, account_id: int, order_ids: list[str]) -> list[Row]:
        return [
            fill
            for order_id in order_ids
            for fill in self._record.fills_of.get(order_id, {}).values()
            if fill["account_id"] == account_id and fill["basis"] in _FROM_BOOKS
        ]

    async def unsent_exits(self, session: Session, account_ids: list[int], order_ids: list[str]) -> list[Row]:
        orders = (order for each in account_ids for order in self._orders_of(each, order_ids))
        return [
            {"order_id": order["order_id"]}
            for order in orders
            if closable(self._record, order) >= order["quantity"]
        ]

    # What it changes

    async def delete_derived(
        self, session: Session, account_ids: list[int], trade_ids: list[str]
    ) -> list[Row]:
        for account_id in account_ids:
            for trade_id in trade_ids:
                fill = self._record.fills.get((account_id, trade_id))
                if fill is not None and fill["basis"] == "derived":
                    session.on_commit(lambda fill=fill: self._record.delete_fill(fill))
        return []

    async def adopt(self, session: Session, account_id: int, adoptions: str, partition: int) -> list[Row]:
        record, given, answers = self._record, orjson.loads(adoptions), list[Row]()
        await session.lock(("lane", account_id, "ACCEPT"))
        lane = record.lanes[account_id, "ACCEPT"]
        first, outbox = lane["next_sequence"], dict[str, Row]()
        for new in given:
            order = new["body"]["order"]
            key, tag = (account_id, new["idempotency_key"]), (account_id, order["broker_tag"])
            if order["order_id"] in record.orders or key in record.keys or tag in record.by_tag:
                continue
            group = outbox.get(order["broker"])
            if group is None:
                group = outbox[order["broker"]] = self._orders.outbox_row(session, order["broker"], partition)
            group["order_ids"].append(order["order_id"])
            group["versions"].append(1)
            self._insert(session, account_id, new, number=first + new["place"] - 1)
            answers.append(
                {
                    "place": new["place"],
                    "sequence": session.sequence | new["place"],
                    "horizon": session.server.horizon,
                    "outbox_id": group["id"],
                }
            )
        session.on_commit(lambda: lane.update(next_sequence=first + len(given)))
        return answers

    def _insert(self, session: Session, account_id: int, new: Row, *, number: int) -> None:
        body = new["body"]
        order = body["order"]
        row = self._orders.empty_row() | order
        row |= {
            name: datetime.fromisoformat(order[name]) for name in ("created_at", "updated_at", "expires_at")
        }
        row |= {
            name: None if order.get(name) is None else to_price(Decimal(order[name]))
            for name in ("price", "trigger_price", "average_price")
        }
        row |= {
            "account_id": account_id,
            "idempotency_key": new["idempotency_key"],
            "body_hash": new["body_hash"],
            "sequence": number,
        }
        event = {
            "order_id": row["order_id"],
            "version": 1,
            "sequence": session.sequence | new["place"],
            "type": EVENT_TYPE,
            "body": orjson.dumps(body).decode(),
        }
        session.on_commit(lambda: self._record.put_order(row))
        session.on_commit(lambda: self._record.put_event(event))
        for fill in body["fills"]:
            session.on_commit(lambda fill=fill: self._record.put_fill(fill))

    async def raise_alert(
        self, session: Session, account_id: int, user_id: str, broker: str, *named: Any
    ) -> list[Row]:
        code, subject, message, raised_at = named
        key = (account_id, code, subject)
        await session.lock(("alert", *key))
        if key in self._record.alerts:
            return []
        number = len(self._record.alerts) + 1
        row: Row = {"id": number, "account_id": account_id, "user_id": user_id, "broker": broker}
        row |= {"code": code, "subject": subject, "message": message, "raised_at": raised_at}
        session.on_commit(lambda: self._record.alerts.update({key: row}))
        return [{"id": number}]

    async def stop_accepting(self, session: Session, account_id: int) -> list[Row]:
        await session.lock(("lane", account_id, "ACCEPT"))
        lane = self._record.lanes[account_id, "ACCEPT"]
        session.on_commit(lambda: lane.update(accepting=False))
        return []

    def _working(self, account_id: int) -> list[Row]:
        return [self._record.orders[each] for each in self._record.working.get(account_id, ())]

    def _orders_of(self, account_id: int, order_ids: Iterable[str]) -> list[Row]:
        found = (self._record.orders.get(each) for each in order_ids)
        return [order for order in found if order is not None and order["account_id"] == account_id]

    def _has_session(self, account_id: int, now: datetime) -> bool:
        until = self._record.lanes[account_id, "CLAIM"]["session_until"]
        return until is not None and until > now


def _is_overdue(order: Row, now: datetime) -> bool:
    deadline = order["send_deadline"]
    return order["state"] == "SUBMITTING" and deadline is not None and deadline < now


def _both(*parts: bool | None) -> bool | None:
    """SQL's AND."""
    if False in parts:
        return False
    return None if None in parts else True


def _known(*times: datetime | None) -> list[datetime]:
    return [each for each in times if each is not None]


def _key(order: Row) -> Row:
    return {"account_id": order["account_id"], "order_id": order["order_id"]}
