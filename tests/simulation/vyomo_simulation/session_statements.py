"""What the statements of broker sessions do: a row for everyone to read, and its end on the account's CLAIM lane."""

# All handlers have one shape; not each needs everything it is given.

from datetime import datetime, timedelta
from typing import Any

from .record import Record
from .server import Row, Session

_OPEN = ("ACTIVE", "EXPIRING")


class SessionStatements:
    def __init__(self, record: Record) -> None:
        self._record = record

    async def lock_lanes(self, session: Session, account_ids: list[int]) -> list[Row]:
        await session.lock(*(("lane", each, "CLAIM") for each in account_ids))
        return [{"account_id": each} for each in account_ids]

    async def open_lane(self, session: Session, account_id: int, until: datetime | None) -> list[Row]:
        await session.lock(("lane", account_id, "CLAIM"))
        lane = self._record.lanes[account_id, "CLAIM"]
        session.on_commit(lambda: lane.update(session_until=until))
        return []

    async def save(self, session: Session, account_id: int, *given: Any) -> list[Row]:
        state, valid_until, reason, at = given
        await session.lock(("session", account_id))
        lane = self._record.lanes[account_id, "CLAIM"]
        row: Row = {
            "account_id": account_id,
            "user_id": lane["user_id"],
            "broker": lane["broker"],
            "state": state,
            "valid_until": valid_until,
            "reason": reason,
            "updated_at": at,
            "opened_at": at,
        }
        known = self._record.sessions.get(account_id)
        if known is not None and state != "ACTIVE":
            row["opened_at"] = known.get("opened_at")
        session.on_commit(lambda: self._record.sessions.update({account_id: row}))
        return [row]

    async def end(
        self, session: Session, account_id: int, reason: str, at: datetime, asked_at: datetime | None
    ) -> list[Row]:
        await session.lock(("session", account_id))
        known = self._record.sessions.get(account_id)
        if known is None or known["state"] not in _OPEN:
            return []
        opened_at = known.get("opened_at")
        if asked_at is not None and opened_at is not None and opened_at > asked_at:
            return []
        row = known | {"state": "EXPIRED", "reason": reason, "updated_at": at}
        session.on_commit(lambda: self._record.sessions.update({account_id: row}))
        return [row]

    async def as_they_are(self, _: Session, account_ids: list[int]) -> list[Row]:
        return [self._record.sessions[each] for each in account_ids if each in self._record.sessions]

    async def ageing(self, session: Session, broker: str, before: timedelta) -> list[Row]:
        now, rows = session.server.clock.now(), list[Row]()
        for account_id, row in sorted(self._record.sessions.items()):
            until = row["valid_until"]
            if row["broker"] != broker or row["state"] not in _OPEN or until is None:
                continue
            if until <= (now + before if row["state"] == "ACTIVE" else now):
                rows.append(self._record.sessions[account_id] | {"is_over": until <= now})
        return rows

    async def clear_alert(self, session: Session, account_id: int, code: str, subject: str) -> list[Row]:
        await session.lock(("alert", account_id, code, subject))
        session.on_commit(lambda: self._record.alerts.pop((account_id, code, subject), None))
        return []
