"""One run: a system and a broker in a folder, faults under load, quiet, and the verdict."""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
from vyomo_bench.errors import BenchError
from vyomo_bench.folders import own_folder
from vyomo_bench.system import Api, Connections, System, free_port

from .checks import Record, duplicated_by_control
from .faults import CONTROL, WORKERS, Chaos, Struck
from .load import Clients
from .processes import Keeper, Processes
from .recovery import figures, recovery_seconds

Value = str | int | float
Results = dict[str, Value]

SETTLE_SECONDS: Final = 8.0
"""An order that the broker does not show for this long was never there; 120 s in production."""
LIVENESS_SECONDS: Final = SETTLE_SECONDS + 30.0
"""Everything must have ended this long after the last fault."""
ACCOUNTS: Final = 6
CONTROL_ACCOUNTS: Final = 2
PAPER_ACCOUNTS: Final = 2

_AT_BROKER: Final = """
SELECT order_id, extract(epoch FROM min(recorded_at))::float8 AS at FROM ledger.order_events
WHERE account_id = ANY($1::bigint[]) AND type NOT IN ('order.accepted', 'order.submitting', 'order.unconfirmed')
GROUP BY order_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    seconds: float
    seed: int
    orders_per_second: float
    fault_every_seconds: float
    folder: Path | None = None
    keep: bool = False


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


async def run(options: Options) -> Results:
    began = time.monotonic()
    async with AsyncExitStack() as stack:
        folder = await stack.enter_async_context(own_folder("chaos-", options.folder, keep=options.keep))
        system = System(folder / "state")
        broker = _BrokerAdmin(free_port())
        _say("starting")
        judge = Keeper("broker", ("broker_process", str(broker.port)), {}, folder / "broker.log")
        await stack.enter_async_context(judge.running())
        await system.up()
        stack.push_async_callback(system.down)
        kept = _workers(system.connections(), broker.url, folder)
        for keeper in kept:
            await stack.enter_async_context(keeper.running())
        accounts = await _accounts(system)
        connection = await asyncpg.connect(system.connections().postgres_url)
        price = await connection.fetchval(
            "SELECT reference_price FROM market.instruments WHERE exchange = 'NSE' AND symbol = 'RELIANCE'"
        )
        await connection.close()

        target = system.target
        everyone = [*accounts.promised, *accounts.control]
        clients = Clients(
            f"http://{target.host}:{target.port}", target.key, everyone, float(price), options.seed
        )
        stack.push_async_callback(clients.close)
        await broker.steer({"mix": {"seed": options.seed}})
        chaos = Chaos(
            Processes(folder / "state", kept), broker.steer, options.seed, options.fault_every_seconds
        )
        _say(f"faults for {options.seconds:g} s, seed {options.seed}")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(clients.run(options.seconds, options.orders_per_second))
                tasks.create_task(chaos.run(options.seconds))
        finally:
            await chaos.end()
        results = await _verdict(system, broker, clients, chaos, accounts)
    return {
        "seed": options.seed,
        "seconds": options.seconds,
        "settle_s": SETTLE_SECONDS,
        **results,
        "run_s": round(time.monotonic() - began, 1),
    }


async def _verdict(
    system: System, broker: "_BrokerAdmin", clients: Clients, chaos: Chaos, accounts: Accounts
) -> Results:
    _say("quiet: everything must end")
    quiet_at = time.monotonic()
    connection = await _connect_patiently(system.connections().postgres_url)
    try:
        record = Record(connection)
        while time.monotonic() - quiet_at < LIVENESS_SECONDS:
            waiting = await record.resting(accounts.promised)
            if waiting:
                await clients.cancel_all(waiting)
            elif not await record.unfinished(accounts.promised) and not await record.outbox():
                break
            await asyncio.sleep(0.25)
        drained = time.monotonic() - quiet_at
        truth = await broker.truth()
        verdict = await record.judge(accounts.promised, clients.told, truth)
        ordered, twice = await duplicated_by_control(connection, accounts.control, truth)
        at_broker = {
            row["order_id"]: row["at"] for row in await connection.fetch(_AT_BROKER, list(accounts.real))
        }
    finally:
        await connection.close()
    mine = [order for order in clients.told.accepted if order.account_id in set(accounts.promised)]
    found = recovery_seconds(chaos.struck, mine, at_broker)
    judged = asdict(verdict)
    examples = judged.pop("examples")
    return {
        **judged,
        **_counted(chaos.struck),
        "drained_s": round(drained, 1),
        **figures(found),
        "control_orders": ordered,
        "control_duplicated": twice,
        "refusals": ", ".join(f"{code} {count}" for code, count in sorted(clients.told.refused.items())),
        "examples": "; ".join(examples[:12]),
    }


def _counted(struck: Sequence[Struck]) -> Results:
    def count(kind: str, *targets: str) -> int:
        return sum(
            each.fault.kind == kind and (not targets or each.fault.target in targets) for each in struck
        )

    return {
        "faults": len(struck),
        "kills": count("kill"),
        "kills_worker": count("kill", *WORKERS),
        "kills_nats": count("kill", "nats"),
        "kills_postgresql": count("kill", "postgresql"),
        "pauses": count("pause"),
        "wipes": count("wipe"),
        "freezes": count("freeze"),
        "broker_faults": count("mute") + count("lag"),
    }


class _BrokerAdmin:
    """The misbehaving broker, as the judge and its master see it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    async def steer(self, wishes: dict[str, Any]) -> None:
        await self._call("POST", "/admin/steer", wishes)

    async def truth(self) -> dict[str, Any]:
        return await self._call("GET", "/admin/truth", None)

    async def _call(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False) as client:
            for _ in range(100):
                with suppress(httpx.ConnectError):
                    response = await client.request(method, path, json=body)
                    response.raise_for_status()
                    return response.json()
                await asyncio.sleep(0.1)
        raise BenchError(f"the broker does not answer {method} {path}")


def _workers(connections: Connections, url: str, folder: Path) -> list[Keeper]:
    environment = {"VYOMO_NATS_URL": connections.nats_url, "VYOMO_POSTGRES_URL": connections.postgres_url}
    settle = str(SETTLE_SECONDS)
    return [
        *(
            Keeper(name, ("worker_process", "zerodha", url, settle), environment, folder / f"{name}.log")
            for name in WORKERS
        ),
        Keeper(CONTROL, ("control_process", "angel", url), environment, folder / "control.log"),
    ]


async def _accounts(system: System) -> Accounts:
    api = await Api.open(system.target)
    try:
        return Accounts(
            real=[await api.create_live_account(f"CHAOS-{number}") for number in range(ACCOUNTS)],
            paper=[await api.create_account(f"CHAOS-PAPER-{number}") for number in range(PAPER_ACCOUNTS)],
            control=[await api.create_angel_account(f"CHAOS-{number}") for number in range(CONTROL_ACCOUNTS)],
        )
    finally:
        api.close()


async def _connect_patiently(url: str) -> asyncpg.Connection:
    """The last fault may have been the database's."""
    for _ in range(100):
        with suppress(OSError, asyncpg.PostgresError):
            return await asyncpg.connect(url, timeout=5)
        await asyncio.sleep(0.2)
    raise BenchError("the database did not come back")


def _say(what: str) -> None:
    sys.stderr.write(f"  {time.monotonic() - _BEGAN:5.1f} s  {what} ...\n")
    sys.stderr.flush()


_BEGAN: Final = time.monotonic()
