"""What an order costs in statements: one, and one more for a list in which some account's limits need to know how it stands."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest

from vyomo_order_router.testing import Caller


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Generator[list[str]]:
    """What was asked on the way of an order, by the part it plays; the router's loops ask other things."""
    asked: list[str] = []
    execute = asyncpg.Connection._execute  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]

    async def note(self: Any, query: str, *rest: Any, **named: Any) -> Any:
        for part, mark in (
            ("accept", "INSERT INTO ledger.broker_orders"),
            ("accounts", "AS of_account"),
            ("standing", "AS kind"),
            ("instruments", "FROM market.instruments\n"),
            ("keys", "wanted_key"),
        ):
            if mark in query:
                asked.append(part)
        return await execute(self, query, *rest, **named)

    with monkeypatch.context() as patched:
        patched.setattr(asyncpg.Connection, "_execute", note)
        yield asked


async def test_orders_of_a_list_cost_one_statement_together(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = caller.world.second_account
    await caller.place_all(caller.command(), caller.command(account=other))

    with counted(monkeypatch) as asked:
        await caller.place_all(*(caller.command() for _ in range(5)), caller.command(account=other))

    assert asked == ["accept"]


async def test_limits_that_look_at_the_account_cost_one_statement_more_a_list(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = caller.world.second_account
    await caller.limit(max_open_orders=50, max_position_quantity=5000, max_exposure=10_000_000)
    await caller.place_all(caller.command(), caller.command(account=other))

    with counted(monkeypatch) as asked:
        await caller.place_all(*(caller.command() for _ in range(5)), caller.command(account=other))

    assert asked == ["standing", "accept"]
