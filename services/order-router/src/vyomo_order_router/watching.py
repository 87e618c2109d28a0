"""Switches that throw themselves: the daily loss lock, the breaker for unknown outcomes, and the end of both."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Final

import structlog

from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.portfolio import value_position
from vyomo_contracts.vocabulary import ControlCause, ControlScope, TradingState
from vyomo_ledger.writing import Controls, Switch
from vyomo_ledger.writing.leases import Lease
from vyomo_order_router.adapters.prices import LastPrices
from vyomo_order_router.adapters.risk import RiskStore
from vyomo_service_kit.clock import INDIA, Clock
from vyomo_service_kit.database import RecordUnavailableError

log = structlog.get_logger()

ACTOR: Final = "order-router"
UNCONFIRMED_ORDERS_MAX: Final = 2
"""One more in an account, and nobody knows what it holds: it takes no new exposure until they are settled."""


class RiskWatch:
    def __init__(
        self, controls: Controls, store: RiskStore, prices: LastPrices, clock: Clock, lease: Lease
    ) -> None:
        self._controls = controls
        self._store = store
        self._prices = prices
        self._clock = clock
        self._lease = lease

    async def run_once(self) -> None:
        try:
            if await self._lease.hold():
                await self._release_what_is_over()
                await self._watch_losses()
                await self._watch_unconfirmed()
        except RecordUnavailableError as error:
            log.warning("risk.record_unavailable", why=str(error))

    async def _release_what_is_over(self) -> None:
        now = self._clock.now()
        for control in await self._controls.due(now):
            switch = Switch(
                user_id=control.user_id,
                scope=control.scope,
                scope_id=control.scope_id,
                cause=control.cause,
                state=TradingState.ACTIVE,
                reason=f"over since {control.until:%Y-%m-%d %H:%MZ}",
                actor=ACTOR,
            )
            await self._controls.throw(switch, now)

    async def _watch_losses(self) -> None:
        limited = await self._store.loss_limited()
        if not limited:
            return
        limited -= await self._store.restrained(ControlCause.DAILY_LOSS)
        # Read anew: a limit that another router changed must not be missed, and this runs once a second.
        self._store.forget(limited)
        accounts = await self._store.accounts(limited)
        positions = await self._store.positions(accounts)
        prices = await self._prices.find(
            instrument_key(each.exchange, each.symbol) for each in positions if each.quantity
        )
        profit: dict[int, Decimal] = {}
        for each in positions:
            price = prices.get(instrument_key(each.exchange, each.symbol), each.last_price)
            profit[each.account_id] = (
                profit.get(each.account_id, Decimal(0)) + value_position(each, price).pnl
            )
        now = self._clock.now()
        for account_id, account in accounts.items():
            limit, made = account.limits.daily_loss_limit, profit.get(account_id, Decimal(0))
            if limit is None or made > -limit:
                continue
            switch = Switch(
                user_id=account.user_id,
                scope=ControlScope.ACCOUNT,
                scope_id=str(account_id),
                cause=ControlCause.DAILY_LOSS,
                state=TradingState.REDUCING,
                reason=f"the day's loss of {-made:.2f} rupees reached the limit of {limit:.2f} (dailyLossLimit)",
                actor=ACTOR,
                until=next_midnight(now),
            )
            await self._controls.throw(switch, now)

    async def _watch_unconfirmed(self) -> None:
        unknown = await self._store.unconfirmed()
        open_ = await self._store.restrained(ControlCause.BREAKER)
        now = self._clock.now()
        for account_id, (user_id, orders) in unknown.items():
            if orders > UNCONFIRMED_ORDERS_MAX and account_id not in open_:
                reason = f"the outcome of {orders} orders is unknown; no new exposure until they are settled"
                await self._break(account_id, user_id, TradingState.REDUCING, reason, now)
        settled = {each for each in open_ if unknown.get(each, ("", 0))[1] <= UNCONFIRMED_ORDERS_MAX}
        for account in (await self._store.accounts(settled)).values():
            reason = "the unknown outcomes are settled"
            await self._break(account.account_id, account.user_id, TradingState.ACTIVE, reason, now)

    async def _break(
        self, account_id: int, user_id: str, state: TradingState, reason: str, now: datetime
    ) -> None:
        switch = Switch(
            user_id=user_id,
            scope=ControlScope.ACCOUNT,
            scope_id=str(account_id),
            cause=ControlCause.BREAKER,
            state=state,
            reason=reason,
            actor=ACTOR,
        )
        await self._controls.throw(switch, now)


def next_midnight(at: datetime) -> datetime:
    """When the trading day ends in India."""
    tomorrow = at.astimezone(INDIA).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), INDIA)
