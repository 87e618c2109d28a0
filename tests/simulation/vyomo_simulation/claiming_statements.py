"""What the statements that claim orders do."""

# All handlers have one shape; not each needs everything it is given.
# ruff: noqa: ARG002

from datetime import datetime
from typing import Final

import orjson

from vyomo_contracts.vocabulary import Broker

from .order_statements import order_row
from .record import Record, closable, waits
from .server import Row, Session

_PLACE: Final = ("exchange", "symbol", "product")


class ClaimingStatements:
    def __init__(self, record: Record) -> None:
        self._record = record

    async def claim(
        self,
        session: Session,
        account_ids: list[int],
        per_account: int,
        only_sendable: bool,  # noqa: FBT001 - a parameter of the statement
        except_for: list[str],
        *,
        of_any_age: bool = False,
        exits_first: bool = False,
        locking_lanes: bool = True,
        asking_for_session: bool = True,
    ) -> list[Row]:
        """Read with what was visible before the wait for the lanes; what changed meanwhile is looked at again under its lock."""
        record = self._record
        lanes_ = [each for each in account_ids if (each, "CLAIM") in record.lanes]
        visible = {each: record.in_order(record.waiting.get(each, ())) for each in lanes_}
        if locking_lanes:
            await session.lock(*(("lane", each, "CLAIM") for each in lanes_))
        now = session.server.clock.now()
        may_send = {each: not asking_for_session or self._may_send(each, now) for each in lanes_}

        def claimable(order: Row) -> bool:
            return (
                waits(order)
                and (of_any_age or order["state"] != "NEW" or order["expires_at"] > session.now)
                and (
                    order["state"] != "NEW"
                    or may_send[order["account_id"]]
                    or order["pending_stage"] == "PREPARED"
                )
                and (order["state"] == "NEW" or order["broker_order_id"] is not None or not only_sendable)
                and order["order_id"] not in except_for
                and self._may_go(order)
            )

        rows: list[Row] = []
        for account_id in lanes_:
            taken = 0
            in_line = visible[account_id]
            if exits_first:
                in_line = sorted(in_line, key=self._urgency)
            for seen in in_line:
                if taken == per_account:
                    break
                if not claimable(seen):
                    continue
                await session.lock(("order", seen["order_id"]))
                order = record.orders[seen["order_id"]]
                if claimable(order):
                    taken += 1
                    record.taken[order["broker_tag"]] = session.now
                    parameters = order["pending_parameters"]
                    text = None if parameters is None else orjson.dumps(parameters).decode()
                    rows.append(
                        order_row(order)
                        | {
                            "pending_parameters": text,
                            "is_exit": exits_first and self._is_exit(order),
                            "may_send": may_send[account_id],
                            "claimed_at": now,
                            "began_at": session.now,
                        }
                    )
        return rows

    def _may_send(self, account_id: int, now: datetime) -> bool:
        lane = self._record.lanes[account_id, "CLAIM"]
        until = lane["session_until"]
        return lane["broker"] == Broker.PAPER or (until is not None and until > now)

    def _is_exit(self, order: Row) -> bool:
        place = (order["account_id"], order["exchange"], order["symbol"], order["product"])
        return place in self._record.positions and closable(self._record, order) >= order["quantity"]

    def _urgency(self, order: Row) -> tuple[bool, bool, int]:
        return order["pending_stage"] != "PREPARED", not self._is_exit(order), order["id"]

    def _may_go(self, order: Row) -> bool:
        """As the trading state of the locked lane says, the one committed last."""
        trading = self._record.lanes[order["account_id"], "CLAIM"]["trading"]
        if trading == "ACTIVE" or order["pending_action"] == "CANCEL":
            return True
        return trading == "REDUCING" and self.is_reducing(order)

    def is_reducing(self, order: Row) -> bool:
        """Whatever becomes of those before it."""
        record, account_id = self._record, order["account_id"]
        changes = (order["pending_parameters"] or {}).get("changes") or {}
        wanted = (changes.get("quantity") or order["quantity"]) - order["filled_quantity"]
        before = [
            record.orders[each] for each in record.working.get(account_id, ()) if each != order["order_id"]
        ]
        waiting = (record.orders[each] for each in record.waiting.get(account_id, ()))
        before += [each for each in waiting if each["state"] == "NEW" and each["id"] < order["id"]]
        same_side = sum(
            each["quantity"] - each["filled_quantity"]
            for each in before
            if all(each[name] == order[name] for name in (*_PLACE, "transaction_type"))
        )
        return closable(self._record, order) >= wanted + same_side

    async def in_flight(self, session: Session, account_ids: list[int]) -> list[Row]:
        now = session.server.clock.now()
        sends: dict[int, int] = {}
        for account_id in account_ids:
            for order_id in self._record.working.get(account_id, ()):
                order = self._record.orders[order_id]
                deadline = order["send_deadline"]
                if order["state"] == "SUBMITTING" and deadline is not None and deadline > now:
                    sends[account_id] = sends.get(account_id, 0) + 1
        return [{"account_id": account_id, "sends": count} for account_id, count in sends.items()]

    async def standing_claims(
        self, session: Session, account_ids: list[int], order_ids: list[str], deadlines: list[datetime]
    ) -> list[Row]:
        orders = [self._record.orders.get(each) for each in order_ids]
        return [
            {"order_id": order["order_id"], "pending_stage": order["pending_stage"]}
            for order, account_id, deadline in zip(orders, account_ids, deadlines, strict=True)
            if order is not None and (order["account_id"], order["send_deadline"]) == (account_id, deadline)
        ]
