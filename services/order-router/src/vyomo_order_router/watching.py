"""Switches that throw themselves: the daily loss lock, the breaker for unknown outcomes, the lock for drift, and their ends."""

from collections.abc import Mapping
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
                await self._watch_drift()
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
        concerned = {
            account_id: (
                user_id,
                f"the outcome of {orders} orders is unknown; no new exposure until they are settled",
            )
            for account_id, (user_id, orders) in unknown.items()
            if orders > UNCONFIRMED_ORDERS_MAX
        }
        await self._restrain(ControlCause.BREAKER, concerned, over="the unknown outcomes are settled")

    async def _watch_drift(self) -> None:
        """Nobody knows what such an account holds, so it takes no new exposure until that is explained."""
        concerned = {
            account_id: (
                user_id,
                f"positions that nothing explains: {message}; no new exposure until they are",
            )
            for account_id, (user_id, message) in (await self._store.drifting()).items()
        }
        await self._restrain(ControlCause.DRIFT, concerned, over="the positions are explained")

    async def _restrain(
        self, cause: ControlCause, concerned: Mapping[int, tuple[str, str]], *, over: str
    ) -> None:
        """Let these accounts only reduce, and no others for this cause. `concerned` has user and reason by account."""
        restrained = await self._store.restrained(cause)
        changes = [
            (account_id, user_id, TradingState.REDUCING, reason)
            for account_id, (user_id, reason) in concerned.items()
            if account_id not in restrained
        ]
        freed = await self._store.accounts(restrained - concerned.keys())
        changes += [(each.account_id, each.user_id, TradingState.ACTIVE, over) for each in freed.values()]
        for account_id, user_id, state, reason in changes:
            switch = Switch(
                user_id=user_id,
                scope=ControlScope.ACCOUNT,
                scope_id=str(account_id),
                cause=cause,
                state=state,
                reason=reason,
                actor=ACTOR,
            )
            await self._controls.throw(switch, self._clock.now())


def next_midnight(at: datetime) -> datetime:
    """When the trading day ends in India."""
    tomorrow = at.astimezone(INDIA).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), INDIA)
