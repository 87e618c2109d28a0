"""Broker sessions in the simulated world: the broker ends them, or their time is up, and somebody signs in again."""

import asyncio

from vyomo_service_kit.bus import BusUnavailableError

from .processes import SIGN_IN
from .world import SIGNED_IN_FOR, World

ANSWER_SECONDS = 2.5


class SessionLife:
    def __init__(self, world: World) -> None:
        self.ended = 0
        self._world = world
        self._random = world.random("sessions")
        self._every_seconds = self._random.choice((0.0, 0.2, 1.0))

    async def go_on(self) -> None:
        """In some worlds often, in some never. Until cancelled."""
        world, random = self._world, self._random
        while self._every_seconds:
            await asyncio.sleep(random.expovariate(1 / self._every_seconds))
            account_id = random.choice(world.account_ids)
            self.ended += 1
            if random.random() < 0.5:
                world.broker.sign_out(account_id)
                await asyncio.sleep(random.uniform(0, 2))
            else:
                # Its time is up by the record's clock, whether the broker still takes calls or not.
                await self._sign_in(account_id, random.uniform(0, 1))
                await asyncio.sleep(random.uniform(0, 2))
            await self._sign_in(account_id, SIGNED_IN_FOR.total_seconds())

    async def keep_signed_in(self) -> None:
        """Whoever is told that a session is over signs in again. Until cancelled."""
        while True:
            for account_id in self._world.account_ids:
                until = self._world.record.lanes[account_id, "CLAIM"]["session_until"]
                if (
                    until is None
                    or until <= self._world.clock.now()
                    or account_id in self._world.broker.signed_out
                ):
                    await self._sign_in(account_id, SIGNED_IN_FOR.total_seconds())
            await asyncio.sleep(1)

    async def _sign_in(self, account_id: int, seconds: float) -> None:
        world = self._world
        world.broker.signed_out.discard(account_id)
        while True:
            try:
                await world.bus.ask(SIGN_IN, [(account_id, seconds)], seconds=ANSWER_SECONDS)
            except BusUnavailableError:
                await asyncio.sleep(self._random.uniform(0.1, 1))
            else:
                break
        world.history.note("signed in", account_id, round(seconds, 3))
