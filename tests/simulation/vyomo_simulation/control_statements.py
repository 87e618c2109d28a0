"""What the statements of switches do: throwing one, working it into the lanes, seeing to what it leaves behind."""

# All handlers have one shape; not each needs everything it is given.
# ruff: noqa: ARG002

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from vyomo_contracts.vocabulary import WORKING_STATES
from vyomo_ledger.sequence import MAX_EVENTS_PER_TRANSACTION
from vyomo_ledger.writing.controls import EVERYONE, RISK_EVENTS

from .claiming_statements import ClaimingStatements
from .order_statements import OrderStatements
from .record import Record
from .server import Row, Session

_KEY: Final = ("user_id", "scope", "scope_id", "cause")
_THROWN: Final = "control"
"""What a transaction threw, under this name among its own: `_WORK_IN` sees it before anybody else does."""


class ControlStatements:
    def __init__(self, record: Record, orders: OrderStatements, claims: ClaimingStatements) -> None:
        self._record = record
        self._orders = orders
        self._claims = claims

    # Throwing

    async def alone(self, session: Session) -> list[Row]:
        await session.lock(("controls",))
        return [{"bool": True}]

    async def throw(self, session: Session, *given: Any) -> list[Row]:
        *named, state, reason, actor, until, at = given
        user_id, scope, scope_id, cause = named
        key: tuple[str, str, str, str] = (user_id, scope, scope_id, cause)
        await session.lock(("control", *key))
        known = self._record.controls.get(key)
        control: Row = dict(zip(_KEY, key, strict=True)) | {
            "state": state,
            "reason": reason,
            "actor": actor,
            "until": until,
            "swept": state != "HALTED",
            "version": 1 if known is None else known["version"] + 1,
            "changed_at": at,
        }
        session.own[_THROWN] = control
        session.on_commit(lambda: self._record.controls.update({key: control}))
        return []

    async def work_in(self, session: Session, user_id: str, scope: str, scope_id: str) -> list[Row]:
        target = {"user_id": user_id, "scope": scope, "scope_id": scope_id}
        lanes = self._record.lanes
        keys = sorted(
            (key for key, lane in lanes.items() if covers(target, lane)), key=lambda key: (key[1], key[0])
        )
        await session.lock(*(("lane", *key) for key in keys))
        thrown = session.own.get(_THROWN)
        controls = [*self._record.controls.values()]
        if thrown is not None:
            key = tuple(thrown[name] for name in _KEY)
            controls = [each for each in controls if tuple(each[name] for name in _KEY) != key] + [thrown]
        rows: list[Row] = []
        for key in keys:
            lane = lanes[key]
            states = {each["state"] for each in controls if covers(each, lane)}
            trading = next((each for each in ("HALTED", "REDUCING") if each in states), "ACTIVE")
            changed = {"trading": trading, "risk_version": lane["risk_version"] + 1}
            session.on_commit(lambda lane=lane, changed=changed: lane.update(changed))
            if key[1] == "ACCEPT":
                names = ("account_id", "user_id", "broker")
                row: Row = {name: lane[name] for name in names}
                rows.append(row | {"trading": trading, "version": changed["risk_version"]})
        return rows

    async def record_decisions(
        self, session: Session, users: list[str], types: list[str], bodies: list[str], at: datetime
    ) -> list[Row]:
        if not users:
            return []
        outbox = self._orders.outbox_row(session, RISK_EVENTS, 0)
        rows: list[Row] = []
        for place, (user_id, kind, body) in enumerate(zip(users, types, bodies, strict=True), start=1):
            sequence = session.sequence | (MAX_EVENTS_PER_TRANSACTION - place)
            event: Row = {"sequence": sequence, "user_id": user_id, "type": kind, "body": body}
            session.on_commit(
                lambda event=event, sequence=sequence: self._record.decisions.update({sequence: event})
            )
            outbox["risk_sequences"].append(sequence)
            rows.append({"place": place, "sequence": sequence, "outbox_id": outbox["id"]})
        horizon = session.server.horizon
        return sorted((row | {"horizon": horizon} for row in rows), key=lambda row: row["sequence"])

    async def decisions(self, session: Session, sequences: list[int]) -> list[Row]:
        known = self._record.decisions
        return [known[each] for each in sorted(sequences) if each in known]

    # What a switch leaves to be done

    async def held_back(self, session: Session, most: int) -> list[Row]:
        rows: list[Row] = []
        for lane in self._claim_lanes():
            if lane["trading"] == "ACTIVE":
                continue
            for order_id in self._record.waiting.get(lane["account_id"], ()):
                order = self._record.orders[order_id]
                if (
                    order["state"] == "NEW"
                    and order["pending_action"] is None
                    and (lane["trading"] == "HALTED" or not self._claims.is_reducing(order))
                ):
                    rows.append(_key(order) | {"trading": lane["trading"], "why": self._why(lane)})
        return rows[:most]

    async def pending(self, session: Session, most: int) -> list[Row]:
        unswept = [each for each in self._record.controls.values() if not each["swept"]]
        return [
            _key(order) | {"why": control["reason"]}
            for control in unswept
            for lane in self._claim_lanes()
            if covers(control, lane)
            for order in map(self._record.orders.__getitem__, self._working(lane))
            if order["pending_action"] != "CANCEL"
        ][:most]

    async def unswept(self, session: Session) -> list[Row]:
        names = (*_KEY, "version")
        controls = self._record.controls.values()
        return [{name: each[name] for name in names} for each in controls if not each["swept"]]

    async def swept(self, session: Session, *named: Any) -> list[Row]:
        *key, version = named
        await session.lock(("control", *key))
        control = self._record.controls.get((key[0], key[1], key[2], key[3]))
        if control is not None and control["version"] == version:
            session.on_commit(lambda: control.update(swept=True))
        return []

    # What its owner is shown

    async def states(self, session: Session, user_id: str, account_id: int | None) -> list[Row]:
        names = ("account_id", "user_id", "broker", "trading")
        return [
            {name: lane[name] for name in names} | {"version": lane["risk_version"]}
            for (number, kind), lane in sorted(self._record.lanes.items())
            if kind == "ACCEPT" and lane["user_id"] == user_id and account_id in {None, number}
        ]

    async def level(self, session: Session, user_id: str, account_id: int) -> list[Row]:
        """No limits but the defaults: nothing here sets others."""
        return []

    async def controls(self, session: Session, user_id: str, account_id: int | None) -> list[Row]:
        lane = None if account_id is None else self._record.lanes[account_id, "ACCEPT"]
        found = [
            {name: value for name, value in each.items() if name != "swept"}
            for each in self._record.controls.values()
            if each["state"] != "ACTIVE"
            and each["user_id"] in {EVERYONE, user_id}
            and (lane is None or covers(each, lane))
        ]
        return sorted(found, key=lambda each: each["changed_at"])

    def _why(self, lane: Row) -> str | None:
        controls = [
            each
            for each in self._record.controls.values()
            if each["state"] == lane["trading"] and covers(each, lane)
        ]
        return max(controls, key=lambda each: each["changed_at"])["reason"] if controls else None

    def _claim_lanes(self) -> Iterator[Row]:
        return (lane for (_, kind), lane in self._record.lanes.items() if kind == "CLAIM")

    def _working(self, lane: Row) -> Iterator[str]:
        ids = self._record.working.get(lane["account_id"], ())
        return (each for each in ids if self._record.orders[each]["state"] in WORKING_STATES)


def covers(control: Row, lane: Row) -> bool:
    if control["user_id"] not in {EVERYONE, lane["user_id"]}:
        return False
    named = {"global": "", "broker": lane["broker"], "account": str(lane["account_id"])}
    return control["scope"] == "global" or control["scope_id"] == named[control["scope"]]


def _key(order: Row) -> Row:
    return {"account_id": order["account_id"], "order_id": order["order_id"]}
