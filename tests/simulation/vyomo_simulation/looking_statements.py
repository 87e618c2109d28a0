"""What the statements of leases, outbox, sweeper, lanes, book and look-ups do."""

# All handlers have one shape; not each needs everything it is given.
# ruff: noqa: ARG002

from datetime import timedelta

import orjson

from .record import Record
from .server import Row, Session


class LookingStatements:
    def __init__(self, record: Record) -> None:
        self._record = record

    async def clock(self, session: Session) -> list[Row]:
        return [{"clock_timestamp": session.server.clock.now()}]

    async def take_lease(self, session: Session, name: str, holder: str, term: timedelta) -> list[Row]:
        await session.lock(("lease", name))
        known = self._record.leases.get(name)
        if known is not None and known["holder"] != holder and known["expires_at"] >= session.now:
            return []
        lease = {"holder": holder, "expires_at": session.now + term}
        session.on_commit(lambda: self._record.leases.update({name: lease}))
        return [{"holder": holder}]

    async def clear_outbox(self, session: Session, numbers: list[int]) -> list[Row]:
        for number in numbers:
            session.on_commit(lambda number=number: self._record.outbox.pop(number, None))
        return []

    async def delete_outbox_row(self, session: Session, number: int) -> list[Row]:
        return await self.clear_outbox(session, [number])

    async def left_behind(self, session: Session, age: timedelta, most: int) -> list[Row]:
        rows = sorted(self._record.outbox.items())
        return [dict(row) for _, row in rows if row["created_at"] < session.now - age][:most]

    async def events(self, session: Session, order_ids: list[str], versions: list[int]) -> list[Row]:
        rows: list[Row] = []
        for order_id, version in zip(order_ids, versions, strict=True):
            for event in self._record.events.get(order_id, ()):
                if event["version"] == version:
                    body = orjson.loads(event["body"])
                    rows.append(
                        {
                            "sequence": event["sequence"],
                            "cursor": min(event["sequence"], session.server.horizon),
                            "snapshot": orjson.dumps(body["order"]).decode(),
                            "fills": orjson.dumps(body["fills"]).decode(),
                            "superseded_fills": orjson.dumps(body.get("superseded_fills")).decode(),
                        }
                    )
        return sorted(rows, key=lambda row: row["sequence"])

    async def alerts(self, session: Session, numbers: list[int]) -> list[Row]:
        return [row for row in self._record.alerts.values() if row["id"] in numbers]

    async def expired(self, session: Session, most: int) -> list[Row]:
        return [
            {"account_id": order["account_id"], "order_id": order["order_id"]}
            for order in self._unsent()
            if order["expires_at"] <= session.now
        ][:most]

    async def untaken(self, session: Session, age: timedelta, most: int) -> list[Row]:
        found = {
            (order["account_id"], order["broker"])
            for order in self._unsent()
            if order["created_at"] < session.now - age and order["expires_at"] > session.now
        }
        return [{"account_id": account_id, "broker": broker} for account_id, broker in sorted(found)][:most]

    def _unsent(self) -> list[Row]:
        orders = (self._record.orders[each] for ids in self._record.waiting.values() for each in ids)
        return [order for order in orders if order["state"] == "NEW"]

    async def waiting_accounts(self, session: Session, broker: str) -> list[Row]:
        return self._accounts(self._record.waiting, broker)

    def _accounts(self, index: dict[int, dict[str, None]], broker: str) -> list[Row]:
        lanes_ = self._record.lanes
        ids = sorted(
            each for each, orders in index.items() if orders and lanes_[each, "CLAIM"]["broker"] == broker
        )
        return [{"account_id": account_id} for account_id in ids]

    async def risk_accounts(self, session: Session, account_ids: list[int]) -> list[Row]:
        """No limits but the defaults: nothing here sets others."""
        names = ("account_id", "user_id", "broker", "trading", "risk_version")
        found = (self._record.lanes.get((each, "ACCEPT")) for each in account_ids)
        return [
            {name: lane[name] for name in names}
            | {"environment": "live", "of_user": None, "of_account": None}
            for lane in found
            if lane is not None
        ]

    async def instruments(self, session: Session, exchanges: list[str], symbols: list[str]) -> list[Row]:
        keys = zip(exchanges, symbols, strict=True)
        return [row for key in keys if (row := self._record.instruments.get(key)) is not None]

    async def listed_on(self, session: Session, symbols: list[str]) -> list[Row]:
        return [
            {"symbol": symbol, "exchange": exchange}
            for exchange, symbol in sorted(self._record.instruments)
            if symbol in symbols
        ]

    async def loaded_masters(self, session: Session) -> list[Row]:
        """No broker's list: live accounts trade the built-in market."""
        return []
