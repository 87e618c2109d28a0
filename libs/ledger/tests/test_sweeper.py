"""What the sweeper does about orders nobody took, beside those who hold some of them."""

from collections.abc import Sequence
from datetime import timedelta

from vyomo_contracts.vocabulary import OrderState
from vyomo_ledger.testing import RecordWorld
from vyomo_ledger.writing.leases import Lease
from vyomo_ledger.writing.sweeper import Sweeper


async def no_bell(_broker: str, _account_ids: Sequence[int]) -> None:
    pass


async def test_expiring_does_not_wait_for_an_order_that_somebody_holds(world: RecordWorld) -> None:
    past = world.clock.now() - timedelta(seconds=1)
    held, free = (world.order(expires_at=past) for _ in range(2))
    await world.ledger.accept([world.new(held), world.new(free)])
    sweeper = Sweeper(
        world.ledger, world.clock, Lease(world.database, name="sweeper", holder="test"), no_bell
    )

    async with world.ledger.transaction() as holding:
        await holding.lock([(held.account_id, held.order_id)])
        await sweeper.run_once()
        states = [(await world.stored(each.order_id)).state for each in (held, free)]
    await sweeper.run_once()

    assert states == [OrderState.NEW, OrderState.EXPIRED]
    assert (await world.stored(held.order_id)).state is OrderState.EXPIRED
