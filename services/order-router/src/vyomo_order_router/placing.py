"""Placing a list of orders: look up, validate, check risk, accept with one commit, ring. Each order has its own answer."""

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, assert_never

import structlog
from asyncpg.exceptions import PostgresError

from vyomo_contracts.capabilities import CAPABILITIES, RateWindow
from vyomo_contracts.commands import OrderReply, PlaceOrder
from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.instruments import Instrument
from vyomo_contracts.messages import Problem
from vyomo_contracts.orders import Order
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Exchange, OrderState
from vyomo_ledger.instruments import Market, Markets
from vyomo_ledger.writing import (
    Acceptance,
    Accepted,
    AccountClosed,
    AccountMissing,
    KeyUse,
    Ledger,
    NewOrder,
    Outdated,
    Replayed,
    TooFast,
)
from vyomo_order_router.adapters.risk import RiskAccount, RiskStore
from vyomo_order_router.assessing import Assessed, Assessing, Candidate
from vyomo_order_router.domain.risk import Approved, Denied
from vyomo_order_router.domain.validation import unknown_instrument, validate
from vyomo_order_router.doorbell import Doorbell
from vyomo_order_router.holding_back import HoldingBack
from vyomo_order_router.pressure import Pressure
from vyomo_order_router.settings import OrderRouterSettings
from vyomo_service_kit.clock import INDIA, Clock
from vyomo_service_kit.database import BUSY, RecordUnavailableError
from vyomo_service_kit.identifiers import IdentifierFactory

log = structlog.get_logger()

DECISIONS_AT_MOST: Final = 4
"""How often an order is decided upon anew because its account changed meanwhile."""


def account_missing(account_id: int) -> Problem:
    return Problem(
        code=ReasonCode.ACCOUNT_NOT_FOUND, field="accountId", message=f"you have no account {account_id}"
    )


def record_unavailable() -> Problem:
    return Problem(
        code=ReasonCode.RECORD_UNAVAILABLE,
        message="the order record cannot be reached right now; repeat with the same Idempotency-Key",
    )


class OrderPlacing:
    def __init__(
        self,
        *,
        ledger: Ledger,
        accounts: RiskStore,
        markets: Markets,
        doorbell: Doorbell,
        assessing: Assessing,
        clock: Clock,
        identifiers: IdentifierFactory,
        settings: OrderRouterSettings,
        pressure: Pressure | None = None,
    ) -> None:
        self._ledger = ledger
        self._accounts = accounts
        self._markets = markets
        self._doorbell = doorbell
        self._assessing = assessing
        self._clock = clock
        self._identifiers = identifiers
        self._settings = settings
        self._holding_back = HoldingBack(pressure or Pressure(), accounts, clock, settings)

    async def place(self, commands: Sequence[PlaceOrder], *, are_exits: bool = False) -> list[OrderReply]:
        """One reply a command, in order. Exits may use what is kept of the broker's longer rates."""
        try:
            return await self._place(commands, DECISIONS_AT_MOST, are_exits=are_exits)
        except RecordUnavailableError as error:
            log.warning("order.accept.record_unavailable", why=str(error), orders=len(commands))
            return [OrderReply(problem=record_unavailable())] * len(commands)

    async def _place(
        self, commands: Sequence[PlaceOrder], decisions: int, *, are_exits: bool
    ) -> list[OrderReply]:
        accounts = await self._accounts.accounts({command.account_id for command in commands})
        checked = await self._holding_back.look(await self._check(commands, accounts))
        replies = [OrderReply(problem=each) if isinstance(each, Problem) else None for each in checked]
        await self._answer_replays(commands, accounts, replies)
        places = [place for place, each in enumerate(checked) if isinstance(each, Candidate)]
        candidates = [each for each in checked if isinstance(each, Candidate)]
        assessed = await self._assessing.assess(candidates, are_exits=are_exits)
        orders = [
            self._new_order(commands[place], candidate.account, each)
            for place, candidate, each in zip(places, candidates, assessed, strict=True)
        ]
        answers = await self._accept(orders)
        again: list[int] = []
        for place, new, each, answer in zip(places, orders, assessed, answers, strict=True):
            if isinstance(answer, Outdated) and decisions > 1:
                again.append(place)
            denial = each.decision.problem if isinstance(each.decision, Denied) else None
            replies[place] = _reply(answer, new, denial, self._clock.now())
        self._ring(answers)
        if again:
            self._accounts.forget(commands[place].account_id for place in again)
            left = [commands[place] for place in again]
            decided_anew = await self._place(left, decisions - 1, are_exits=are_exits)
            for place, reply in zip(again, decided_anew, strict=True):
                replies[place] = reply
        return [reply for reply in replies if reply is not None]

    async def _check(
        self, commands: Sequence[PlaceOrder], accounts: dict[int, RiskAccount]
    ) -> list[Problem | Candidate]:
        """A Problem is answered and not recorded; a candidate is recorded, also when risk denies it."""
        wanted: dict[Market, set[tuple[str, str]]] = {}
        for command in commands:
            account = accounts.get(command.account_id)
            market = None if account is None else account.market
            wanted.setdefault(market, set()).add((command.order.exchange, command.order.symbol))
        instruments: dict[Market, dict[str, Instrument]] = {}
        listed_on: dict[Market, dict[str, list[str]]] = {}
        for market, keys in wanted.items():
            directory = await self._markets.directory(market)
            found = instruments[market] = await directory.find(keys)
            # Only mistaken symbols are looked up again, all of them at once, to tell where they are listed.
            mistaken = {
                symbol for exchange, symbol in keys if instrument_key(Exchange(exchange), symbol) not in found
            }
            listed_on[market] = await directory.listed_on(mistaken) if mistaken else {}
        problems: list[Problem | Candidate] = []
        for command in commands:
            account = accounts.get(command.account_id)
            market = None if account is None else account.market
            problems.append(self._check_one(command, account, instruments[market], listed_on[market]))
        return problems

    async def _answer_replays(
        self,
        commands: Sequence[PlaceOrder],
        accounts: dict[int, RiskAccount],
        replies: list[OrderReply | None],
    ) -> None:
        """A key that was used stands for its order for ever, also when that order could not be placed today any more."""
        refused = [
            (place, KeyUse(command.account_id, owner.user_id, command.idempotency_key, command.body_hash))
            for place, (command, reply) in enumerate(zip(commands, replies, strict=True))
            if reply is not None
            and (owner := accounts.get(command.account_id)) is not None
            and owner.user_id == command.principal.user_id
        ]
        if not refused:
            return
        known = await self._ledger.replays([use for _, use in refused])
        for (place, _), replay in zip(refused, known, strict=True):
            if replay is not None:
                replies[place] = _replayed(replay)

    def _check_one(
        self,
        command: PlaceOrder,
        account: RiskAccount | None,
        instruments: dict[str, Instrument],
        listed_on: dict[str, list[str]],
    ) -> Problem | Candidate:
        now = self._clock.now()
        if command.deadline < now:
            return Problem(
                code=ReasonCode.SERVICE_UNAVAILABLE,
                message="the order reached the router too late and was left alone; repeat with the same Idempotency-Key",
            )
        if account is None or account.user_id != command.principal.user_id:
            return account_missing(command.account_id)
        request = command.order
        instrument = instruments.get(instrument_key(request.exchange, request.symbol))
        if instrument is None:
            return unknown_instrument(request, listed_on.get(request.symbol, []))
        today = now.astimezone(INDIA).date()
        problem = validate(request, instrument, broker=account.broker, today=today)
        return problem or Candidate(account, request, instrument)

    def _new_order(self, command: PlaceOrder, account: RiskAccount, assessed: Assessed) -> NewOrder:
        """The only place where an order becomes NEW: for one that is approved."""
        match assessed.decision:
            case Approved(request):
                verdict: dict[str, object] = {"state": OrderState.NEW}
            case Denied(request, problem):
                verdict = {
                    "state": OrderState.DENIED,
                    "reason_code": problem.code,
                    "reason": problem.message,
                }
        now = self._clock.now()
        seconds = self._settings.order_seconds(request.order_type)
        order = Order.model_validate(
            {
                **request.model_dump(),
                **verdict,
                "order_id": self._identifiers.order_id(account.broker),
                "account_id": command.account_id,
                "user_id": account.user_id,
                "broker": account.broker,
                "version": 1,
                "broker_tag": self._identifiers.broker_tag(),
                "created_at": now,
                "updated_at": now,
                "expires_at": now + timedelta(seconds=seconds),
            }
        )
        return NewOrder(order, command.idempotency_key, command.body_hash, assessed.terms, command.principal)

    async def _accept(self, orders: list[NewOrder]) -> list[Acceptance | Problem]:
        if not orders:
            return []
        try:
            return [*await self._ledger.accept(orders)]
        except RecordUnavailableError as error:
            log.warning("order.accept.record_unavailable", why=str(error), orders=len(orders))
            return [record_unavailable()] * len(orders)
        except BUSY as error:
            log.warning("order.accept.busy", orders=len(orders), why=repr(error))
            return await self._accept_by_account(orders)
        except PostgresError as error:
            # One row the database refuses must not fail its neighbours.
            log.warning("order.accept.row_by_row", orders=len(orders), why=repr(error))
            if len(orders) == 1:
                return [_NOT_RECORDED]
            return [answer for order in orders for answer in await self._accept([order])]

    async def _accept_by_account(self, orders: list[NewOrder]) -> list[Acceptance | Problem]:
        """Beside each other, each account with a commit of its own: neighbours must not wait for each order of a busy one."""
        places: dict[int, list[int]] = {}
        for place, new in enumerate(orders):
            places.setdefault(new.order.account_id, []).append(place)
        if len(places) == 1:  # has waited long enough
            return [record_unavailable()] * len(orders)
        answered = await asyncio.gather(
            *(self._accept([orders[place] for place in each]) for each in places.values())
        )
        by_place = {
            place: answer
            for each, answers in zip(places.values(), answered, strict=True)
            for place, answer in zip(each, answers, strict=True)
        }
        return [by_place[place] for place in range(len(orders))]

    def _ring(self, answers: Sequence[Acceptance | Problem]) -> None:
        waiting: dict[str, set[int]] = {}
        for answer in answers:
            if isinstance(answer, Accepted) and answer.order.state is OrderState.NEW:
                waiting.setdefault(answer.order.broker, set()).add(answer.order.account_id)
        for broker, account_ids in waiting.items():
            self._doorbell.ring_soon(broker, account_ids)


_NOT_RECORDED: Final = Problem(
    code=ReasonCode.INTERNAL_ERROR, message="the order could not be recorded; nothing was sent"
)


def _reply(answer: Acceptance | Problem, new: NewOrder, denial: Problem | None, now: datetime) -> OrderReply:
    match answer:
        case Problem() | Outdated():
            return OrderReply(problem=answer if isinstance(answer, Problem) else record_unavailable())
        case Accepted(order=order):
            return OrderReply(order=order, problem=denial)
        case Replayed():
            return _replayed(answer, denial)
        case AccountMissing():
            return OrderReply(problem=account_missing(new.order.account_id))
        case AccountClosed():
            return OrderReply(
                problem=Problem(
                    code=ReasonCode.ACCOUNT_INACTIVE,
                    field="accountId",
                    message=f'account {new.order.account_id} is inactive; activate it with PATCH {{"isActive": true}} first',
                )
            )
        case TooFast(window=window):
            return OrderReply(problem=_too_fast(new, window, now))
        case _:
            assert_never(answer)


def _too_fast(new: NewOrder, window: RateWindow, now: datetime) -> Problem:
    terms = new.terms
    allowed = {
        RateWindow.SECOND: terms.orders_per_second,
        RateWindow.MINUTE: terms.orders_per_minute,
        RateWindow.HOUR: terms.orders_per_hour,
        RateWindow.DAY: terms.orders_per_day,
    }[window]
    kept = (
        "ordersPerSecond, less what is kept for cancellations"
        if window is RateWindow.SECOND
        else "the rest is kept for cancellations and exits"
    )
    remedy = (
        "the broker takes no more"
        if CAPABILITIES[new.order.broker].order_rate.is_brokers
        else f'PUT /api/risk/limits?accountId={new.order.account_id} {{"ordersPerSecond": 1000}} allows more'
    )
    left = window.start(now) + window.length - now
    return Problem(
        code=ReasonCode.RATE_LIMITED,
        message=f"the account may place {allowed} new orders a {window} ({kept}); {remedy}; nothing was recorded, repeat with the same "
        "Idempotency-Key",
        detail={"limit": allowed, "window": window, "retryAfterSeconds": math.ceil(left.total_seconds())},
    )


def _replayed(replay: Replayed, denial: Problem | None = None) -> OrderReply:
    order = replay.order
    if replay.same_request:
        return OrderReply(order=order, problem=_denial_of(order, denial), replayed=True)
    return OrderReply(
        problem=Problem(
            code=ReasonCode.IDEMPOTENCY_KEY_REUSED,
            field="Idempotency-Key",
            message=f"this key was used for another order ({order.order_id}); use a new key for a new order",
            detail={"orderId": order.order_id},
        )
    )


def _denial_of(order: Order, now_denied: Problem | None) -> Problem | None:
    """A replay of a denied order is answered as the first time, in full while the same rule would still deny it."""
    if order.state is not OrderState.DENIED or order.reason_code is None:
        return None
    if now_denied is not None and (now_denied.code, now_denied.message) == (order.reason_code, order.reason):
        return now_denied
    return Problem(code=order.reason_code, message=order.reason or "the order was denied")
