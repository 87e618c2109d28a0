"""Everything a transaction writes: first the parameters of its one statement, after the commit the events to publish.

The parameters are JSON documents made of the texts that are published: each snapshot is encoded once, and a statement of five
documents costs a fifth of the CPU of one with seventy arrays.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from vyomo_contracts.events import HoldingChanged
from vyomo_contracts.portfolio import Funds, Holding, Position
from vyomo_contracts.topology import partition_of
from vyomo_ledger.writing.bodies import (
    body_of,
    event_type,
    funds_changed,
    order_changed,
    position_changed,
    text_of,
)
from vyomo_ledger.writing.changes import Change
from vyomo_ledger.writing.publishing import Publication
from vyomo_ledger.writing.trails import recorded, with_answer


@dataclass(frozen=True, slots=True)
class Announcement:
    """News of one account as an event's JSON: an alert, or the session as it now is."""

    broker: str
    account_id: int
    text: str
    alert_id: int | None = None
    """None for the session."""


@dataclass(slots=True)
class _Group:
    """What changed of one broker in one partition: an outbox row, and the events it stands for."""

    broker: str
    partition: int
    order_ids: list[str] = field(default_factory=list[str])
    versions: list[int] = field(default_factory=list[int])
    position_keys: list[str] = field(default_factory=list[str])
    holding_keys: list[str] = field(default_factory=list[str])
    account_ids: list[int] = field(default_factory=list[int])
    alert_ids: list[int] = field(default_factory=list[int])
    session_account_ids: list[int] = field(default_factory=list[int])
    bodies: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """Order events, which are complete once the record has numbered them: place in the transaction, and body."""
    others: list[str] = field(default_factory=list[str])

    def outbox_row(self) -> dict[str, Any]:
        return {
            "broker": self.broker,
            "partition": self.partition,
            "order_ids": self.order_ids,
            "versions": self.versions,
            "position_keys": self.position_keys,
            "holding_keys": self.holding_keys,
            "account_ids": self.account_ids,
            "alert_ids": self.alert_ids,
            "session_account_ids": self.session_account_ids,
        }

    def events(self, sequence: int, horizon: int) -> list[str]:
        changed = [
            order_changed(body, sequence=sequence | place, horizon=horizon) for place, body in self.bodies
        ]
        return changed + self.others


class Batch:
    """Filled in the order in which events are published: orders, positions, holdings, funds."""

    def __init__(self, partitions: int, trail: str = "") -> None:
        self._partitions = partitions
        self._trail = trail
        self._groups: dict[tuple[str, int], _Group] = {}
        self._orders: list[str] = []
        self._fills: list[str] = []
        self._positions: list[str] = []
        self._holdings: list[str] = []
        self._funds: list[str] = []

    def add_orders(self, changes: Iterable[Change]) -> None:
        for place, change in enumerate(changes, start=1):
            order, snapshot = change.after, text_of(change.after)
            fills = [text_of(fill) for fill in change.fills]
            body = body_of(snapshot, fills, change.superseded_fills)
            group = self._group(order.broker, order.account_id)
            group.order_ids.append(order.order_id)
            group.versions.append(order.version)
            group.bodies.append((place, body))
            about = orjson.dumps(
                {
                    "place": place,
                    "event_type": event_type(change.before, order),
                    "body": orjson.Fragment(recorded(body, with_answer(self._trail, change.answer))),
                    "pending_stage": change.pending_stage,
                    "pending_parameters": change.pending_parameters,
                    "send_deadline": change.send_deadline,
                }
            ).decode()
            self._orders.append(_merged(about, snapshot))
            owner = orjson.dumps({"user_id": order.user_id}).decode()
            self._fills.extend(_merged(owner, fill) for fill in fills)

    def add_positions(self, positions: Iterable[Position]) -> None:
        for each in positions:
            text, group = text_of(each), self._group(each.broker, each.account_id)
            group.position_keys.append(f"{each.account_id}|{each.exchange}|{each.symbol}|{each.product}")
            group.others.append(position_changed(text))
            self._positions.append(text)

    def add_holdings(self, holdings: Iterable[tuple[str, str, Holding]]) -> None:
        for user_id, broker, each in holdings:
            text = text_of(HoldingChanged(user_id=user_id, holding=each))
            group = self._group(broker, each.account_id)
            group.holding_keys.append(f"{each.account_id}|{each.exchange}|{each.symbol}")
            group.others.append(text)
            self._holdings.append(text)

    def add_funds(self, funds: Iterable[Funds]) -> None:
        for each in funds:
            text, group = text_of(each), self._group(each.broker, each.account_id)
            group.account_ids.append(each.account_id)
            group.others.append(funds_changed(text))
            self._funds.append(text)

    def add_announcements(self, announcements: Iterable[Announcement]) -> None:
        for each in announcements:
            group = self._group(each.broker, each.account_id)
            if each.alert_id is None:
                group.session_account_ids.append(each.account_id)
            else:
                group.alert_ids.append(each.alert_id)
            group.others.append(each.text)

    def order_parameters(self) -> tuple[str, ...]:
        """What `statements.WRITE_ORDERS` takes."""
        outbox = [group.outbox_row() for group in self._groups.values()]
        return _array(self._orders), orjson.dumps(outbox).decode(), _array(self._fills)

    def portfolio_parameters(self) -> tuple[str, ...]:
        """What `statements.write_orders_and_portfolio` takes after those."""
        return _array(self._positions), _array(self._funds), _array(self._holdings)

    def publications(self, rows: Sequence[Mapping[str, Any]]) -> list[Publication]:
        """The events of each outbox row that the statement returned."""
        return [
            Publication(
                row["outbox_id"],
                row["broker"],
                row["partition"],
                self._groups[row["broker"], row["partition"]].events(row["sequence"], row["horizon"]),
            )
            for row in rows
        ]

    def _group(self, broker: str, account_id: int) -> _Group:
        key = (broker, partition_of(account_id, self._partitions))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(*key)
        return group


def _merged(first: str, second: str) -> str:
    """One JSON object of two: PostgreSQL reads the columns of a flat one in one pass."""
    return f"{first[:-1]},{second[1:]}"


def _array(texts: Sequence[str]) -> str:
    return f"[{','.join(texts)}]"
