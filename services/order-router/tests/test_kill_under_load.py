"""The kill switch among accepts and claims: it waits for those that are under way, and for no others."""

import asyncio
import statistics
import time

from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.vocabulary import OrderState, TradingState
from vyomo_ledger.writing import Step
from vyomo_order_router.testing import Caller

ACCOUNTS = 6
KILLS = 20
LIMIT_SECONDS = 0.25
"""What the kill switch may take; on a machine that is busy with other things, a few accepts' worth of time."""


async def test_kill_commits_quickly_while_orders_are_accepted_and_claimed(caller: Caller) -> None:
    accounts = [caller.account, caller.world.second_account]
    for number in range(ACCOUNTS - len(accounts)):
        reply = await caller.create_account(f"KILL{number}")
        assert reply.account is not None
        accounts.append(reply.account.id)
    accepts: list[float] = []
    kills: list[float] = []
    claimed_while_halted = 0
    is_halted = over = False

    async def place() -> None:
        while not over:
            began = time.perf_counter()
            await caller.place_all(*(caller.command(account=each) for each in accounts))
            accepts.append(time.perf_counter() - began)

    async def claim() -> None:
        """As paper does it: claim, execute and write in one transaction."""
        nonlocal claimed_while_halted
        while not over:
            was_halted = is_halted
            async with caller.world.ledger.transaction() as transaction:
                claimed = await transaction.claim(accounts, per_account=20)
                update = OrderUpdate(state=OrderState.OPEN, at=caller.world.clock.now())
                transaction.step([Step(order=order, update=update) for order in claimed.orders])
            claimed_while_halted += len(claimed.orders) if was_halted and is_halted else 0
            await asyncio.sleep(0)

    async def kill() -> None:
        nonlocal is_halted, over
        for _ in range(KILLS):
            began = time.perf_counter()
            await caller.kill(TradingState.HALTED)
            kills.append(time.perf_counter() - began)
            is_halted = True
            await asyncio.sleep(0.01)
            is_halted = False
            await caller.kill(TradingState.ACTIVE)
        over = True

    await asyncio.gather(place(), place(), claim(), kill())

    assert claimed_while_halted == 0
    # The median: one that waits for every accept waits always, and a busy machine makes some late.
    assert statistics.median(kills) <= max(LIMIT_SECONDS, 4 * statistics.median(accepts)), sorted(kills)
