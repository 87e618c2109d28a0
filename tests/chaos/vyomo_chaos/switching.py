"""The kill switch, thrown and released while orders flow: how long a throw takes, and whether any claim came after one."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import asyncpg
import httpx
from vyomo_bench.errors import BenchError

_AGAIN_SECONDS: Final = 0.25
_ANSWER_LIMIT_SECONDS: Final = 600.0
_BROKER: Final = "zerodha"

# Both rows are written once and never changed, so the transaction that wrote them is the one that committed them.
_SWITCHES: Final = """
SELECT body->>'scope' AS scope, body->>'scope_id' AS scope_id, body->>'state' AS state, pg_xact_commit_timestamp(xmin) AS at
FROM ledger.risk_events WHERE type = 'risk.switched' AND body->>'cause' = 'SWITCH' ORDER BY at
"""
_CLAIMS: Final = """
SELECT account_id, order_id, pg_xact_commit_timestamp(xmin) AS at FROM ledger.order_events
WHERE type = 'order.submitting' AND account_id = ANY($1::bigint[]) ORDER BY at
"""


@dataclass
class Switcher:
    url: str
    key: str
    accounts: Sequence[int]
    seed: int
    calm_ms: list[float] = field(default_factory=list[float])
    """How long each throw took while nothing was broken, as its caller sees it."""
    stormy_ms: list[float] = field(default_factory=list[float])
    """As above among faults, of throws that were answered at the first try."""
    throws: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(f"switches {self.seed}")
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=8,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def calm(self, trials: int) -> None:
        for _ in range(trials):
            await self._trial(self.calm_ms, held_seconds=0.05)
            await asyncio.sleep(0.05)

    async def stormy(self, seconds: float, every_seconds: float) -> None:
        stop_at = time.monotonic() + seconds
        while time.monotonic() < stop_at:
            await asyncio.sleep(self._chance.expovariate(1 / every_seconds))
            await self._trial(self.stormy_ms, held_seconds=self._chance.uniform(0.2, 1.5))

    async def _trial(self, took: list[float], *, held_seconds: float) -> None:
        scope = self._chance.choices(("account", "broker", "global"), (6, 2, 2))[0]
        whom: dict[str, Any] = {
            "account": {"id": self._chance.choice(self.accounts)},
            "broker": {"id": _BROKER},
            "global": {},
        }[scope]
        took += await self._throw({"scope": scope, **whom, "state": "HALTED"})
        self.throws += 1
        await asyncio.sleep(held_seconds)
        await self._throw({"scope": scope, **whom, "state": "ACTIVE"})

    async def _throw(self, body: dict[str, Any]) -> list[float]:
        """Until it is answered; the milliseconds of a throw that was at once."""
        tries, give_up_at = 0, time.monotonic() + _ANSWER_LIMIT_SECONDS
        while time.monotonic() < give_up_at:
            tries, began = tries + 1, time.monotonic()
            with suppress(httpx.HTTPError):
                response = await self._http.post("/api/risk/kill", json={**body, "reason": "chaos"})
                if response.status_code == 200:
                    return [(time.monotonic() - began) * 1000] if tries == 1 else []
            await asyncio.sleep(_AGAIN_SECONDS)
        raise BenchError(f"no answer to a kill switch in {_ANSWER_LIMIT_SECONDS:g} s")


@dataclass(frozen=True, slots=True)
class Halt:
    scope: str
    scope_id: str
    began: datetime
    ended: datetime | None

    def forbids(self, account_id: int, at: datetime) -> bool:
        """A claim of an account (of the one broker there is) that committed then."""
        covers = self.scope != "account" or self.scope_id == str(account_id)
        return covers and self.began < at and (self.ended is None or at < self.ended)


def halts_of(switches: Sequence[tuple[str, str, str, datetime]]) -> list[Halt]:
    """From the commit that halted to the one that released; `switches` are scope, its id, state and commit, in order."""
    found: list[Halt] = []
    since: dict[tuple[str, str], datetime] = {}
    for scope, scope_id, state, at in switches:
        if state == "HALTED":
            since.setdefault((scope, scope_id), at)
        elif (began := since.pop((scope, scope_id), None)) is not None:
            found.append(Halt(scope, scope_id, began, at))
    return found + [Halt(*whom, began, None) for whom, began in since.items()]


async def claims_after_kill(connection: asyncpg.Connection, accounts: Sequence[int]) -> tuple[int, list[str]]:
    """How many halts there were, and the claims that committed during one."""
    switches = [
        (row["scope"], row["scope_id"] or "", row["state"], row["at"])
        for row in await connection.fetch(_SWITCHES)
    ]
    halts = sorted(halts_of(switches), key=lambda halt: halt.began)
    broken: list[str] = []
    first = 0
    for row in await connection.fetch(_CLAIMS, accounts):
        while first < len(halts) and (ended := halts[first].ended) is not None and ended < row["at"]:
            first += 1
        for halt in halts[first:]:
            if halt.began >= row["at"]:
                break
            if halt.forbids(row["account_id"], row["at"]):
                broken.append(f"{row['order_id']} was claimed {row['at'] - halt.began} after a kill switch")
    return len(halts), broken
