"""Exit-all: one market order for each open position, placed like any other order, so checked, recorded and answered like one."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from vyomo_contracts.commands import OrderReply, PlaceOrder
from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.orders import OrderRequest
from vyomo_contracts.risk import RiskDecision
from vyomo_contracts.risk_commands import Exit, ExitAll, ExitReply
from vyomo_contracts.vocabulary import ControlScope, Exchange, OrderType, Product, TransactionType
from vyomo_ledger.instruments import Markets
from vyomo_ledger.writing import Controls
from vyomo_order_router.adapters.risk import RiskAccount, RiskStore
from vyomo_order_router.domain.risk import Standing
from vyomo_order_router.placing import OrderPlacing, account_missing, record_unavailable
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import RecordUnavailableError

log = structlog.get_logger()

_PLACING_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class _Closing:
    """An order that takes a position, or as much of it as one order may, to zero."""

    account_id: int
    request: OrderRequest
    key: str


class Exiting:
    def __init__(
        self,
        controls: Controls,
        store: RiskStore,
        markets: Markets,
        placing: OrderPlacing,
        clock: Clock,
    ) -> None:
        self._controls = controls
        self._store = store
        self._markets = markets
        self._placing = placing
        self._clock = clock

    async def exit_all(self, commands: Sequence[ExitAll]) -> list[ExitReply]:
        return [await self._answer(command) for command in commands]

    async def _answer(self, command: ExitAll) -> ExitReply:
        try:
            return await self._exit(command)
        except RecordUnavailableError as error:
            log.warning("risk.record_unavailable", why=str(error))
            return ExitReply(problem=record_unavailable())

    async def _exit(self, command: ExitAll) -> ExitReply:
        states = await self._store.states(command.principal.user_id, command.account_id)
        if command.account_id is not None and not states:
            return ExitReply(problem=account_missing(command.account_id))
        accounts = await self._store.accounts({state.account_id for state in states})
        standings = await self._store.standings(list(accounts.values()), self._clock.now())
        closings = [
            closing
            for account in accounts.values()
            for closing in await self._closings(command, account, standings[account.account_id])
        ]
        deadline = self._clock.now() + timedelta(seconds=_PLACING_SECONDS)
        replies = await self._placing.place(
            [
                PlaceOrder(
                    principal=command.principal,
                    account_id=closing.account_id,
                    idempotency_key=closing.key,
                    # The key says it all: what is left of a position must not turn a repeat into another request.
                    body_hash=hashlib.sha256(closing.key.encode()).hexdigest(),
                    deadline=deadline,
                    order=closing.request,
                )
                for closing in closings
            ],
            are_exits=True,
        )
        exits = tuple(_exit_of(closing, reply) for closing, reply in zip(closings, replies, strict=True))
        await self._controls.record(
            RiskDecision(
                type="risk.exit_all",
                user_id=command.principal.user_id,
                actor=command.principal.key_id,
                at=self._clock.now(),
                scope=ControlScope.GLOBAL if command.account_id is None else ControlScope.ACCOUNT,
                scope_id="" if command.account_id is None else str(command.account_id),
                accounts=tuple(states),
                order_ids=tuple(exit_.order.order_id for exit_ in exits if exit_.order is not None),
            ),
            command.principal,
        )
        return ExitReply(exits=exits)

    async def _closings(self, command: ExitAll, account: RiskAccount, standing: Standing) -> list[_Closing]:
        """What open orders of the closing side may still take off is left to them: together they must not open a new position.

        Delivered shares stay, and so does a sale out of them, which looks like a short position until it is settled.
        """
        held: dict[tuple[str, str, str], int] = {}
        for each in standing.holdings:
            if each.is_delivered or (each.product == Product.CNC and each.quantity < 0):
                continue
            place = (each.exchange, each.symbol, each.product)
            held[place] = held.get(place, 0) + each.quantity
        directory = await self._markets.directory(account.market)
        found = await directory.find((exchange, symbol) for exchange, symbol, _ in held)
        closings: list[_Closing] = []
        for (exchange, symbol, product), quantity in sorted(held.items()):
            if not quantity:
                continue
            request = OrderRequest(
                symbol=symbol,
                exchange=Exchange(exchange),
                transaction_type=TransactionType.SELL if quantity > 0 else TransactionType.BUY,
                order_type=OrderType.MARKET,
                quantity=abs(quantity),
                product=Product(product),
                tag="exit-all",
            )
            instrument = found.get(instrument_key(exchange, symbol))
            freeze = instrument.freeze_quantity if instrument is not None else None
            lot = instrument.lot_size if instrument is not None else 1
            largest = freeze // lot * lot if freeze is not None else abs(quantity)
            left = min(standing.reducible(request), abs(quantity))
            for number in range(-(-left // largest) if left > 0 else 0):
                part = request.model_copy(update={"quantity": min(largest, left - number * largest)})
                key = _key(command.idempotency_key, account.account_id, exchange, symbol, product, number)
                closings.append(_Closing(account.account_id, part, key))
        return closings


def _key(*parts: object) -> str:
    """One key a position and part of it, made of the caller's: a repeat finds the order it placed."""
    return "exit-" + hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:40]


def _exit_of(closing: _Closing, reply: OrderReply) -> Exit:
    request = closing.request
    return Exit(
        account_id=closing.account_id,
        exchange=request.exchange,
        symbol=request.symbol,
        product=request.product,
        quantity=request.quantity,
        order=reply.order,
        problem=reply.problem,
    )
