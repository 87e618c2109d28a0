"""A record with sealed events, and somebody who has the database and does with it as they like."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import asyncpg

from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Fill, Order
from vyomo_contracts.vocabulary import ControlScope, OrderState, TradingState
from vyomo_ledger.auditing import Anchor, Finding, Verification, verify
from vyomo_ledger.auditing.records import last_link
from vyomo_ledger.testing import USER, RecordWorld
from vyomo_ledger.writing import Controls, Step, Switch
from vyomo_ledger.writing.leases import Lease
from vyomo_ledger.writing.sealer import LEASE, AuditSealer


@dataclass
class AuditWorld:
    world: RecordWorld
    owner: asyncpg.Connection
    """Bound by no grant and no row security."""
    sealer: AuditSealer

    async def fill_some(self, orders: int) -> list[Order]:
        """Accepted and filled: two events each."""
        accepted = [self.world.new() for _ in range(orders)]
        await self.world.ledger.accept(accepted)
        for new in accepted:
            await self.fill(new.order)
        return [new.order for new in accepted]

    async def fill(self, order: Order) -> None:
        async with self.world.ledger.transaction() as transaction:
            locked = (await transaction.lock([(order.account_id, order.order_id)]))[order.order_id]
            now = self.world.clock.now()
            update = OrderUpdate(
                state=OrderState.FILLED,
                at=now,
                filled_quantity=order.quantity,
                average_price=Decimal("250.5"),
                broker_order_id=f"B{order.order_id}",
            )
            fill = Fill(
                trade_id=f"T{order.order_id}",
                order_id=order.order_id,
                account_id=order.account_id,
                exchange=order.exchange,
                symbol=order.symbol,
                product=order.product,
                transaction_type=order.transaction_type,
                quantity=order.quantity,
                price=Decimal("250.5"),
                filled_at=now,
                basis="depth",
            )
            transaction.step([Step(order=locked, update=update, fills=(fill,))])

    async def switch(self, state: TradingState) -> None:
        """A decision about risk is an event too."""
        switch = Switch(user_id=USER, scope=ControlScope.GLOBAL, state=state, reason="drill", actor="k")
        await Controls(self.world.database, self.world.publisher).throw(switch, self.world.clock.now())

    async def seal(self) -> None:
        """Until nothing is left: other databases of the server may hold the horizon back for a moment."""
        async with asyncio.timeout(20):
            while True:
                await self.sealer.run_once()
                verification = await self.verify()
                if verification.unsealed == 0:
                    return
                await asyncio.sleep(0.02)

    async def verify(self, anchors: Mapping[int, Anchor] | None = None) -> Verification:
        return await verify(self.world.database, self.world.clock, anchors or {})

    async def finding(self, anchors: Mapping[int, Anchor] | None = None) -> Finding:
        finding = (await self.verify(anchors)).finding
        assert finding is not None, "nothing was found"
        return finding

    async def anchor(self) -> dict[int, Anchor]:
        link = await last_link(self.owner)
        anchor = Anchor(number=link.number, total=link.total, hash=link.hash, at=self.world.clock.now())
        return {link.number: anchor}

    async def seals(self) -> int:
        return (await last_link(self.owner)).number


@asynccontextmanager
async def audit_world(world: RecordWorld, database_url: str) -> AsyncGenerator[AuditWorld]:
    owner = await asyncpg.connect(database_url)
    sealer = AuditSealer(world.database, world.clock, Lease(world.database, name=LEASE, holder="test"))
    try:
        yield AuditWorld(world, owner, sealer)
    finally:
        await owner.close()
