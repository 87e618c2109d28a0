"""What a run breaks: a whole system in a folder, two workers on a misbehaving broker, a control, and links between all of them."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
from vyomo_bench.errors import BenchError
from vyomo_bench.system import Api, System, free_port

from .faults import CONTROL, WORKERS
from .links import Link, Place
from .processes import Keeper, Processes
from .servers import KeptServer, nats_in, place_of, postgres_in, url_through
from .strikes import Strikes

SETTLE_SECONDS: Final = 8.0
"""An order that the broker does not show for this long was never there; 120 s in production."""
BOOK_SECONDS: Final = 120.0
"""The broker's books show what happened in so long, and whatever is open: a day's worth of chaos would be all they send."""
CONTROL_ACCOUNTS: Final = 2
PAPER_ACCOUNTS: Final = 2
_FEWEST_ACCOUNTS: Final = 6
_ORDERS_A_SECOND_EACH: Final = 2.0
"""Well below what one account may send and has lanes for."""
_SERVICES: Final = "services"


@dataclass(frozen=True, slots=True)
class Accounts:
    """Account ids, by who serves them."""

    real: Sequence[int]
    paper: Sequence[int]
    control: Sequence[int]

    @property
    def promised(self) -> list[int]:
        """Those whose orders must be neither lost nor doubled."""
        return [*self.real, *self.paper]


class BrokerAdmin:
    """The misbehaving broker, as the judge and its master see it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    async def steer(self, wishes: dict[str, Any]) -> None:
        await self._call("POST", "/admin/steer", wishes)

    async def truth(self) -> dict[str, Any]:
        return await self._call("GET", "/admin/truth", None)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=self.url, timeout=60, trust_env=False) as client:
            for _ in range(100):
                with suppress(httpx.ConnectError):
                    response = await client.request(method, path, json=body)
                    response.raise_for_status()
                    return response.json()
                await asyncio.sleep(0.1)
        raise BenchError(f"the broker does not answer {method} {path}")


@dataclass(frozen=True, slots=True)
class World:
    folder: Path
    system: System
    broker: BrokerAdmin
    accounts: Accounts
    processes: Processes
    links: Sequence[Link]
    strikes: Strikes
    nats_url: str
    postgres_url: str
    """Not through a link: the judge's own way."""
    price: float
    canaries: Mapping[str, str]

    @property
    def url(self) -> str:
        return f"http://{self.system.target.host}:{self.system.target.port}"

    @property
    def worker_logs(self) -> list[Path]:
        return [self.folder / f"{name}.log" for name in WORKERS]


@asynccontextmanager
async def running_world(
    folder: Path, *, seed: int, orders_per_second: float, fault_every_seconds: float
) -> AsyncGenerator[World]:
    async with AsyncExitStack() as stack:
        postgres, nats = await postgres_in(folder), nats_in(folder)
        servers = [await stack.enter_async_context(KeptServer(each).running()) for each in (postgres, nats)]
        broker = BrokerAdmin(free_port())
        judge = Keeper("broker", ("broker_process", str(broker.port)), {}, folder / "broker.log")
        await stack.enter_async_context(judge.running())

        async def link(client: str, name: str, place: Place) -> Link:
            return await stack.enter_async_context(Link(f"{client}-{name}", place).open())

        links = {
            client: [await link(client, each.name, place_of(each)) for each in (postgres, nats)]
            for client in (_SERVICES, *WORKERS)
        }
        for worker in WORKERS:
            links[worker].append(await link(worker, "broker", Place(port=broker.port)))

        def urls(client: str) -> dict[str, str]:
            if client not in links:
                return {"VYOMO_POSTGRES_URL": postgres.url, "VYOMO_NATS_URL": nats.url}
            return {
                "VYOMO_POSTGRES_URL": url_through(postgres, links[client][0].port),
                "VYOMO_NATS_URL": url_through(nats, links[client][1].port),
            }

        processes = Processes(folder / "state", servers)
        strikes = Strikes(folder, seed, processes.wake)
        strikes.plan(orders_per_second, fault_every_seconds)
        monitor = {"VYOMO_NATS_MONITOR_URL": nats.monitor_url}
        system = System(folder / "state", {**strikes.environment, **urls(_SERVICES), **monitor})
        stack.push_async_callback(system.down)
        await system.up()
        kept = _kept(folder, broker, strikes, links, urls)
        for keeper in kept:
            processes.keep(keeper)
            await stack.enter_async_context(keeper.running())
        for keeper in kept:
            await keeper.until_up()
        canary = f"CANARY{secrets.token_hex(12)}"
        real = max(_FEWEST_ACCOUNTS, round(orders_per_second / _ORDERS_A_SECOND_EACH))
        yield World(
            folder=folder,
            system=system,
            broker=broker,
            accounts=await _accounts(system, real, canary),
            processes=processes,
            links=[link for each in links.values() for link in each],
            strikes=strikes,
            nats_url=nats.url,
            postgres_url=postgres.url,
            price=await _price(postgres.url),
            canaries={
                "a broker's credential": canary,
                "the API key": system.target.key,
                "the bus's password": nats.url.split(":")[2].split("@")[0],
            },
        )


def _kept(
    folder: Path,
    broker: BrokerAdmin,
    strikes: Strikes,
    links: Mapping[str, Sequence[Link]],
    urls: Callable[[str], dict[str, str]],
) -> list[Keeper]:
    """The workers, and the control, which no link stands before."""
    programs: dict[str, tuple[str, ...]] = {
        worker: (
            "worker_process",
            "zerodha",
            f"http://127.0.0.1:{links[worker][2].port}",
            str(SETTLE_SECONDS),
        )
        for worker in WORKERS
    }
    programs[CONTROL] = ("control_process", "angel", broker.url)
    return [
        Keeper(name, program, {**strikes.environment, **urls(name)}, folder / f"{name}.log")
        for name, program in programs.items()
    ]


async def connect_patiently(url: str) -> asyncpg.Connection:
    """The last fault may have been the database's."""
    for _ in range(100):
        with suppress(OSError, asyncpg.PostgresError):
            return await asyncpg.connect(url, timeout=5)
        await asyncio.sleep(0.2)
    raise BenchError("the database did not come back")


async def _price(url: str) -> float:
    connection = await connect_patiently(url)
    try:
        price = await connection.fetchval(
            "SELECT reference_price FROM market.instruments WHERE exchange = 'NSE' AND symbol = 'RELIANCE'"
        )
        assert price is not None
        return float(price)
    finally:
        await connection.close()


async def _accounts(system: System, real: int, secret: str) -> Accounts:
    api = await Api.open(system.target)
    try:
        return Accounts(
            real=[await api.create_live_account(f"CHAOS-{number}", secret) for number in range(real)],
            paper=[await api.create_account(f"CHAOS-PAPER-{number}") for number in range(PAPER_ACCOUNTS)],
            control=[
                await api.create_angel_account(f"CHAOS-{number}", secret)
                for number in range(CONTROL_ACCOUNTS)
            ],
        )
    finally:
        api.close()
