"""What every scenario works with: the running system, its record and the accounts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .load import LoadPlan, LoadResult, generate
from .record import Record
from .sizes import Sizes
from .system import Api, System, market_order, orders_path

Results = dict[str, float]


@dataclass(slots=True, kw_only=True)
class Bench:
    system: System
    record: Record
    sizes: Sizes
    symbols: Sequence[str]
    accounts: Sequence[int]
    stub_port: int
    _placed: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def orders_verified(self) -> int:
        return sum(self._placed.values())

    async def api(self) -> Api:
        return await Api.open(self.system.target)

    async def new_account(self, client_id: str) -> int:
        api = await self.api()
        try:
            return await api.create_account(client_id)
        finally:
            api.close()

    def order_requests(self, accounts: Sequence[int]) -> list[str]:
        """Market orders of one unit over the accounts and symbols, buying and selling in turn so that positions stay small."""
        target = self.system.target
        return [
            target.request(
                "POST",
                orders_path(account),
                market_order(
                    self.symbols[(3 * number + turn // 2) % len(self.symbols)], ("BUY", "SELL")[turn % 2]
                ),
            ).decode()
            for turn in range(8)
            for number, account in enumerate(accounts)
        ]

    async def place_orders(
        self, accounts: Sequence[int], *, clients: int, seconds: float, limit: int = 1_000_000
    ) -> tuple[LoadResult, float]:
        """Orders under load, checked in the record one by one; also the wall-clock time when the last was filled."""
        target = self.system.target
        plan = LoadPlan(
            host=target.host,
            port=target.port,
            requests=self.order_requests(accounts),
            clients=clients,
            seconds=seconds,
            limit=limit,
            expected_status=202,
        )
        load = await generate(plan)
        settled_at = await self.check(accounts, load.order_ids)
        return load, settled_at

    async def check(self, accounts: Sequence[int], order_ids: Sequence[str]) -> float:
        """Wait until the orders are done and compare them with the record; when they were done, by the wall clock."""
        settled_at = await self.record.settled(accounts)
        group = min(accounts)
        self._placed[group] = self._placed.get(group, 0) + len(order_ids)
        await self.record.verify(accounts, order_ids, self._placed[group])
        return settled_at
