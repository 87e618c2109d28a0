"""Where orders are handed in: what came while the last round was being written is the next round, one commit for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from vyomo_contracts.orders import Order, OrderModification
from vyomo_contracts.reasons import ReasonCode
from vyomo_paper_exchange.domain.admission import protection_of
from vyomo_paper_exchange.domain.conversion import Conversion, convert
from vyomo_paper_exchange.domain.execution import Round
from vyomo_paper_exchange.domain.refusals import Refusal
from vyomo_paper_exchange.domain.rules import check_rules
from vyomo_paper_exchange.domain.times import IST
from vyomo_paper_exchange.domain.working import order_of, received
from vyomo_paper_exchange.doors.natives import NativeOrders
from vyomo_paper_exchange.doors.orders import (
    Cause,
    Door,
    DoorAccount,
    Filing,
    NewOrder,
    OrderChange,
    Placed,
    Refused,
    Result,
    new_order,
)
from vyomo_paper_exchange.doors.record import DoorRecord, Filed, Written, draw_numbers
from vyomo_paper_exchange.executor import PaperExecutor
from vyomo_paper_exchange.rounds import Rounds
from vyomo_service_kit.batching import Batcher
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Connection, RecordUnavailableError

log = structlog.get_logger()

LARGEST_ROUND: Final = 100
_NUMBER_DIGITS: Final = 13


@dataclass(frozen=True, slots=True)
class _Request:
    account: DoorAccount
    door: Door
    new: NewOrder | None = None
    order_id: str | None = None
    change: OrderChange | None = None
    """None with an order id is a cancellation."""


class Desk:
    def __init__(
        self,
        executor: PaperExecutor,
        rounds: Rounds,
        record: DoorRecord,
        natives: NativeOrders,
        clock: Clock,
    ) -> None:
        self._executor = executor
        self._rounds = rounds
        self._record = record
        self._natives = natives
        self._clock = clock
        self._batcher = Batcher[_Request, Result | Exception](self._serve, in_flight=1, largest=LARGEST_ROUND)

    async def check(self, account: DoorAccount, wanted: NewOrder) -> Refusal | None:
        """What a broker finds wrong before it takes an order: an unknown instrument, a wrong lot or tick, a product that is none there.

        Money, holdings and the state of the market are judged when the order is placed.
        """
        view = await self._rounds.view([(wanted.exchange, wanted.symbol)])
        listing = view.listing(wanted.exchange, wanted.symbol)
        if listing is None:
            return Refusal(
                ReasonCode.UNKNOWN_SYMBOL, f"{wanted.exchange}:{wanted.symbol} is not listed at the exchange"
            )
        order = new_order(account, wanted, "0", view.at)
        working = received(
            order, protection_price=protection_of(order, listing, view), expires_at=view.at, at=view.at
        )
        refusal = check_rules(working, listing.instrument)
        return None if refusal is not None and refusal.code is ReasonCode.PRICE_OUTSIDE_BAND else refusal

    async def place(self, account: DoorAccount, door: Door, wanted: NewOrder) -> Placed:
        """The order is the venue's when this returns, whatever became of it."""
        result = await self._submit(_Request(account, door, new=wanted))
        assert isinstance(result, Placed), "a new order is taken or rejected, and an order either way"
        return result

    async def modify(self, account: DoorAccount, door: Door, order_id: str, change: OrderChange) -> Result:
        if account.is_linked and not order_id.isdigit():
            return await self._asked(account, order_id, _modification(change))
        return await self._submit(_Request(account, door, order_id=order_id, change=change))

    async def cancel(self, account: DoorAccount, door: Door, order_id: str) -> Result:
        if account.is_linked and not order_id.isdigit():
            return await self._asked(account, order_id, None)
        return await self._submit(_Request(account, door, order_id=order_id))

    async def _asked(self, account: DoorAccount, order_id: str, changes: OrderModification | None) -> Result:
        """Of an order placed through Vyomo: the answer says that it was asked for, the book when it is done."""
        order = await self._natives.one(account.account_id, order_id)
        if order is None:
            return Refused(Refusal(ReasonCode.ORDER_NOT_FOUND, f"there is no order {order_id!r}"))
        refusal = await self._natives.ask(account.account_id, order_id, changes)
        return Placed(order) if refusal is None else Refused(refusal)

    async def reserve_id(self) -> str:
        """An order id that no order will have: for what groups orders at a broker and is none itself."""
        number = await self._natives.draw_number()
        return _order_id(number, self._clock.now())

    async def convert(self, account: DoorAccount, wanted: Conversion) -> Refusal | None:
        """Turn a position of one product into another; None where it was done."""
        work = _Converting(account.account_id, wanted)
        await self._executor.serve_door({account.account_id}, [(wanted.exchange, wanted.symbol)], (), work)
        return work.refusal

    async def drain(self) -> None:
        await self._batcher.drain()

    async def _submit(self, request: _Request) -> Result:
        result = await self._batcher.submit(request)
        if isinstance(result, Exception):
            raise result
        return result

    async def _serve(self, requests: Sequence[_Request]) -> Sequence[Result | Exception]:
        try:
            return await self._round(requests)
        except RecordUnavailableError:
            raise
        except Exception as error:
            if len(requests) == 1:
                return [error]
            # One account's trouble must not stop its neighbours: each gets a round of its own.
            log.exception("door.round_split", requests=len(requests))
        return [answer for each in requests for answer in await self._serve([each])]

    async def _round(self, requests: Sequence[_Request]) -> list[Result]:
        attempt = _Attempt(requests, self._record, self._clock)
        pairs = {(each.new.exchange, each.new.symbol) for each in requests if each.new is not None}
        await self._executor.serve_door(
            {each.account.account_id for each in requests},
            pairs,
            [each.order_id for each in requests if each.order_id is not None],
            attempt,
        )
        return attempt.results()


class _Attempt:
    """One round's work; everything it decides is thrown away with a transaction that fails."""

    def __init__(self, requests: Sequence[_Request], record: DoorRecord, clock: Clock) -> None:
        self._requests = requests
        self._record = record
        self._clock = clock
        self._refusals: dict[int, Refusal] = {}
        self._order_ids: dict[int, str] = {}
        self._written = Written()

    async def run(self, connection: Connection, round_: Round) -> Written:
        filed: dict[str, Filed] = {}
        count = sum(each.new is not None for each in self._requests)
        numbers = iter(await draw_numbers(connection, count) if count else ())
        for place, request in enumerate(self._requests):
            if request.new is not None:
                filing = _filing(request, request.new, next(numbers), round_.view.at)
                self._order_ids[place] = filing.order_id
                filed[filing.order_id] = Filed(Cause.PLACED, filing)
                round_.place(new_order(request.account, request.new, filing.order_id, round_.view.at))
            else:
                self._change(place, request, round_, filed)
        self._written = await self._record.write(connection, round_, filed)
        return self._written

    def results(self) -> list[Result]:
        return [
            Refused(self._refusals[place])
            if place in self._refusals
            else Placed(self._written.orders[self._order_ids[place]][0])
            for place in range(len(self._requests))
        ]

    def _change(self, place: int, request: _Request, round_: Round, filed: dict[str, Filed]) -> None:
        order_id = request.order_id or ""
        before = round_.working.get(order_id)
        if before is None or before.account_id != request.account.account_id or not before.came_by_door:
            self._refusals[place] = Refusal(ReasonCode.ORDER_NOT_FOUND, f"there is no order {order_id!r}")
            return
        if not before.is_working:
            self._refusals[place] = Refusal(
                ReasonCode.ORDER_NOT_PENDING, f"the order is {before.state.status.lower()} already"
            )
            return
        self._order_ids[place] = order_id
        order = order_of(before)
        if request.change is None:
            round_.cancel(order)
            filed[order_id] = Filed(Cause.CANCELLED, before=before)
            return
        self._modify(place, order, request.change, round_)
        if place not in self._refusals:
            filed[order_id] = Filed(Cause.MODIFIED, before=before)

    def _modify(self, place: int, order: Order, change: OrderChange, round_: Round) -> None:
        count = len(round_.outcomes)
        round_.modify(order, _modification(change))
        (outcome,) = round_.outcomes[count:]
        if outcome.update.reason_code is not None and outcome.update.modified is None:
            self._refusals[place] = Refusal(outcome.update.reason_code, outcome.update.reason or "")


class _Converting:
    def __init__(self, account_id: int, wanted: Conversion) -> None:
        self._account_id = account_id
        self._wanted = wanted
        self.refusal: Refusal | None = None

    async def run(self, connection: Connection, round_: Round) -> Written:
        del connection
        self.refusal = convert(round_.books[self._account_id], self._wanted)
        return Written()


def _modification(change: OrderChange) -> OrderModification:
    return OrderModification(
        quantity=change.quantity,
        price=change.price,
        trigger_price=change.trigger_price,
        order_type=change.order_type,
        validity=change.validity,
    )


def _order_id(number: int, at: datetime) -> str:
    return f"{at.astimezone(IST):%y%m%d}{number:0{_NUMBER_DIGITS}d}"


def _filing(request: _Request, wanted: NewOrder, number: int, at: datetime) -> Filing:
    return Filing(
        order_id=_order_id(number, at),
        account_id=request.account.account_id,
        exchange_order_id=f"1{number:0{_NUMBER_DIGITS + 2}d}",
        door=request.door,
        tag=wanted.tag,
        details=wanted.details,
        modifications=0,
        placed_at=at,
    )
