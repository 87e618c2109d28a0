"""Asking the risk rules about a list of orders: what they need is read first, in one statement, and only if some of them need it."""

from collections.abc import Sequence
from dataclasses import dataclass

from vyomo_contracts.capabilities import RateWindow
from vyomo_contracts.instruments import Instrument
from vyomo_contracts.orders import Order, OrderRequest
from vyomo_ledger.instruments import Market
from vyomo_ledger.writing import Terms
from vyomo_order_router.adapters.prices import LastPrices
from vyomo_order_router.adapters.risk import RiskAccount, RiskStore
from vyomo_order_router.domain.risk import NOT_READ, RULES, Approved, Decision, Proposal, Standing, decide
from vyomo_service_kit.clock import Clock


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order that the exchange could take."""

    account: RiskAccount
    request: OrderRequest
    instrument: Instrument


@dataclass(frozen=True, slots=True)
class Assessed:
    decision: Decision
    terms: Terms
    """Under which the decision holds."""


class Assessing:
    def __init__(self, store: RiskStore, prices: LastPrices, clock: Clock) -> None:
        self._store = store
        self._prices = prices
        self._clock = clock

    async def assess(self, candidates: Sequence[Candidate], *, are_exits: bool = False) -> list[Assessed]:
        """One answer each, in order; what is approved counts for those of its account that follow."""
        accounts = {
            each.account.account_id: each.account for each in candidates if each.account.needs_standing
        }
        standings = await self._store.standings(list(accounts.values()), self._clock.now())
        prices = await self._prices.find(
            each.instrument.key for each in candidates if each.account.limits.price_band_percent is not None
        )
        assessed: list[Assessed] = []
        for each in candidates:
            account = each.account
            standing = standings.get(account.account_id, NOT_READ)
            proposal = Proposal(
                request=each.request,
                instrument=each.instrument,
                limits=account.limits,
                trading=account.trading,
                standing=standing,
                last_price=prices.get(each.instrument.key),
            )
            decision = decide(RULES, proposal)
            if isinstance(decision, Approved) and account.account_id in standings:
                standings[account.account_id] = standing.with_order(each.request, each.instrument)
            assessed.append(Assessed(decision, _terms(account, standing, are_exits=are_exits)))
        return assessed

    async def market_of(self, account_id: int) -> Market:
        """Whose instruments the account trades."""
        return (await self._store.accounts({account_id}))[account_id].market

    def looks_at_account(self, account_id: int) -> bool:
        """Whether, as far as is remembered, the account's limits cannot be checked without its orders and positions."""
        return self._store.needs_standing(account_id)

    async def assess_change(self, order: Order, after: OrderRequest, instrument: Instrument) -> Decision:
        """Whether the order may become `after`: as a new order of what is then left to fill would be judged."""
        self._store.forget([order.account_id])
        account = (await self._store.accounts({order.account_id}))[order.account_id]
        needed = [account] if account.needs_standing else []
        standings = await self._store.standings(needed, self._clock.now(), without=order.order_id)
        standing = standings.get(order.account_id, NOT_READ)
        banded = account.limits.price_band_percent is not None
        prices = await self._prices.find([instrument.key] if banded else [])
        proposal = Proposal(
            request=after,
            instrument=instrument,
            # An order is no duplicate of itself.
            limits=account.limits.model_copy(update={"duplicate_window_seconds": None}),
            trading=account.trading,
            standing=standing,
            last_price=prices.get(instrument.key),
            filled_quantity=order.filled_quantity,
        )
        return decide(RULES, proposal)


def _terms(account: RiskAccount, standing: Standing, *, are_exits: bool) -> Terms:
    rate = account.rate
    of_longer = rate.of if are_exits else rate.unreserved
    return Terms(
        risk_version=account.risk_version,
        next_sequence=standing.next_sequence,
        orders_per_second=rate.unreserved(RateWindow.SECOND),
        orders_per_minute=of_longer(RateWindow.MINUTE),
        orders_per_hour=of_longer(RateWindow.HOUR),
        orders_per_day=of_longer(RateWindow.DAY),
    )
