"""Answering new orders that must wait, while there is pressure: asked about each list, and at once done when there is none."""

from collections.abc import Sequence

from vyomo_contracts.messages import Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_order_router.adapters.risk import RiskStore
from vyomo_order_router.assessing import Candidate
from vyomo_order_router.pressure import Pressure
from vyomo_order_router.settings import OrderRouterSettings
from vyomo_service_kit.clock import Clock


class HoldingBack:
    def __init__(
        self, pressure: Pressure, store: RiskStore, clock: Clock, settings: OrderRouterSettings
    ) -> None:
        self._pressure = pressure
        self._store = store
        self._clock = clock
        self._settings = settings

    async def look(self, checked: Sequence[Problem | Candidate]) -> list[Problem | Candidate]:
        """The list with problems in the places of candidates that must wait.

        Nothing for a real broker while the record could forget it, nothing new while events are late. Of an account whose orders pile up, nothing but what reduces a position: that has a lane of
        its own, and its owner wants out.
        """
        if not self._pressure.is_felt:
            return list(checked)
        held = {
            place: problem
            for place, each in enumerate(checked)
            if isinstance(each, Candidate) and (problem := self._problem_of(each)) is not None
        }
        crowded = {
            place: each
            for place, each in enumerate(checked)
            if place in held and held[place].code is ReasonCode.ORDERS_WAITING and isinstance(each, Candidate)
        }
        if crowded:
            accounts = {each.account.account_id: each.account for each in crowded.values()}
            standings = await self._store.standings(list(accounts.values()), self._clock.now())
            for place, each in crowded.items():
                if standings[each.account.account_id].is_reducing(each.request):
                    del held[place]
        return [held.get(place, each) for place, each in enumerate(checked)]

    def _problem_of(self, candidate: Candidate) -> Problem | None:
        seconds = self._settings.order_seconds(candidate.request.order_type)
        account = candidate.account
        return (
            self._pressure.of_durability(account.broker, account.environment)
            or self._pressure.of_events()
            or self._pressure.of_account(account.account_id, order_seconds=seconds)
        )
