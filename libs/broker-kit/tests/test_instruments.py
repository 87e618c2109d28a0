"""A broker's list over a real server and a real record: taken whole or not at all, and never a reason to stop."""

import asyncio
import io
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vyomo_broker_kit.instruments.json_rows import json_rows
from vyomo_broker_kit.instruments.listed import BadRowError, Listed
from vyomo_broker_kit.instruments.master import InstrumentMaster, is_due
from vyomo_broker_kit.testing.parrot import Parrot, listening, serving
from vyomo_contracts.vocabulary import Broker, Exchange, InstrumentKind
from vyomo_ledger.testing import create_account
from vyomo_service_kit.clock import INDIA, SystemClock
from vyomo_service_kit.database import Database, open_database


def rows(file: IO[bytes]) -> Iterator[Listed | None]:
    """A master as plain as can be."""
    for row in json_rows(file):
        if "bad" in row:
            yield None
            continue
        expiry = row.get("expiry")
        yield Listed(
            exchange=Exchange.NSE if expiry is None else Exchange.NFO,
            symbol=str(row["symbol"]),
            trading_symbol=f"{row['symbol']}-EQ",
            token=str(row["token"]),
            name="A company",
            kind=InstrumentKind.EQUITY if expiry is None else InstrumentKind.FUTURE,
            expiry=None if expiry is None else date.fromisoformat(str(expiry)),
            lot_size=1,
            tick_size=Decimal("0.05"),
        )


def company(number: int, **changes: object) -> dict[str, object]:
    return {"symbol": f"S{number}", "token": number, **changes}


def future(number: int, expiry: date) -> dict[str, object]:
    return {"symbol": f"F{number}", "token": 1000 + number, "expiry": expiry.isoformat()}


class MovedClock(SystemClock):
    """A day is a long time for a test."""

    moved = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(super().now().timestamp() + self.moved, UTC)


@dataclass
class Desk:
    database: Database
    broker: Parrot
    clock: MovedClock = field(default_factory=MovedClock)

    def master(self) -> InstrumentMaster:
        @asynccontextmanager
        async def merging() -> AsyncGenerator[Database]:
            yield self.database

        async def source() -> tuple[str, dict[str, str]]:
            return f"{self.broker.url}/instruments", {"Authorization": "token of-this-session"}

        return InstrumentMaster(
            self.database,
            self.clock,
            broker=Broker.ZERODHA,
            source=source,
            parser=rows,
            merging=merging,
        )

    async def load(self, *listed: dict[str, object]) -> None:
        """Tomorrow's list."""
        self.clock.moved += 86_400
        self.broker.say(200, list(listed))
        await self.master().run_once()

    def day(self, ahead: int) -> date:
        return (self.clock.now().astimezone(INDIA) + timedelta(days=ahead)).date()

    async def known(self) -> dict[str, str]:
        async with self.database.connection() as connection:
            found = await connection.fetch(
                "SELECT symbol, token FROM market.listings WHERE broker = 'zerodha'"
            )
        return {row["symbol"]: row["token"] for row in found}

    async def state(self) -> Any:
        async with self.database.connection() as connection:
            return await connection.fetchrow("SELECT * FROM market.masters WHERE broker = 'zerodha'")


@pytest.fixture
async def desk(database_url: str) -> AsyncGenerator[Desk]:
    async with (
        open_database(database_url, role="vyomo", application="test") as owner,
        open_database(database_url, role="vyomo_worker", application="test") as database,
        serving(Parrot()) as broker,
    ):
        await create_account(owner, user_id="u", client_id="AB1234", broker=Broker.ZERODHA)
        yield Desk(database, broker)


async def test_list_replaces_the_one_before_it(desk: Desk) -> None:
    await desk.load(*(company(number) for number in range(10)))
    await desk.load(*(company(number, token=number + 100) for number in range(1, 11)), company(3, token=7))

    known = await desk.known()
    assert sorted(known) == sorted(f"S{number}" for number in range(1, 11))
    assert (known["S1"], known["S3"], known["S10"]) == ("101", "7", "110")
    state = await desk.state()
    assert (state["listed"], state["skipped"], state["problem"]) == (10, 0, None)


async def test_list_is_read_once_a_day(desk: Desk) -> None:
    await desk.load(company(1))
    master = desk.master()
    await master.run_once()
    await master.run_once()

    assert [asked.headers["authorization"] for asked in desk.broker.asked] == ["token of-this-session"]


async def test_rows_that_cannot_be_understood_are_left_out_and_counted(desk: Desk) -> None:
    await desk.load(company(1), {"bad": 1}, company(2), {"bad": 2})

    assert sorted(await desk.known()) == ["S1", "S2"]
    assert (await desk.state())["skipped"] == 2


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, json.dumps([company(1), company(2)]).encode(), "2 instruments, 10 before it"),
        (200, b"[]", "0 instruments, 10 before it"),
        (200, json.dumps([company(n) for n in range(10)]).encode()[:-40], "cut off before its end"),
        (200, b"<html>maintenance</html>", "not a JSON array"),
        (200, b"[1, 2]", "a row that is no object"),
        (403, b"no", "status 403"),
        (302, b"elsewhere", "status 302"),
    ],
)
async def test_list_that_cannot_be_whole_leaves_yesterdays_in_use(
    desk: Desk, status: int, body: bytes, why: str
) -> None:
    await desk.load(*(company(number) for number in range(10)))
    before = await desk.known()

    desk.clock.moved += 86_400
    desk.broker.answers = [(status, body)]
    await desk.master().run_once()

    assert await desk.known() == before
    state = await desk.state()
    assert state["problem"] == why
    assert state["loaded_at"] < state["looked_at"]


async def test_list_that_lost_one_exchange_is_refused_however_long_the_rest_is(desk: Desk) -> None:
    futures = [future(number, desk.day(30)) for number in range(200)]
    await desk.load(*(company(number) for number in range(20)), *futures)
    before = await desk.known()

    await desk.load(*(company(number) for number in range(13)), *futures)

    assert await desk.known() == before
    assert (await desk.state())["problem"] == "NSE EQUITY: 13 instruments, 20 before it"


async def test_contracts_that_have_expired_are_not_missed(desk: Desk) -> None:
    companies = [company(number) for number in range(200)]
    last_day = desk.day(1)
    await desk.load(*companies, *(future(number, last_day) for number in range(40)))

    await desk.load(*companies)

    assert sorted(await desk.known()) == sorted(str(each["symbol"]) for each in companies)
    assert (await desk.state())["problem"] is None


async def test_few_instruments_of_a_kind_may_go(desk: Desk) -> None:
    companies = [company(number) for number in range(40)]
    await desk.load(*companies, *(future(number, desk.day(30)) for number in range(5)))

    await desk.load(*companies)

    assert len(await desk.known()) == 40


async def test_operator_takes_a_shorter_list_by_forgetting_the_one_before_it(desk: Desk) -> None:
    await desk.load(*(company(number) for number in range(40)))
    async with desk.database.connection() as connection:
        await connection.execute("DELETE FROM market.masters WHERE broker = 'zerodha'")

    await desk.load(company(1))

    assert await desk.known() == {"S1": "1"}


async def test_answer_that_does_not_say_where_it_ends_is_not_taken(desk: Desk) -> None:
    async def close_after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + json.dumps([company(1)]).encode())

    async with listening(close_after) as port:
        desk.broker.url = f"http://127.0.0.1:{port}"
        await desk.master().run_once()

    assert await desk.known() == {}
    assert (await desk.state())["problem"] == "an answer that does not say where it ends"


async def test_broker_that_is_down_is_tried_again_and_then_used(desk: Desk) -> None:
    master = desk.master()
    desk.broker.answers = [None]
    await master.run_once()
    assert (await desk.state())["loaded_at"] is None

    desk.broker.say(200, [company(1)])
    await master.run_once()  # a minute has not passed
    assert len(desk.broker.asked) == 1
    desk.clock.moved += 61
    await master.run_once()

    assert await desk.known() == {"S1": "1"}
    assert (await desk.state())["problem"] is None


async def test_without_a_live_account_nobody_is_asked(desk: Desk, database_url: str) -> None:
    async with (
        open_database(database_url, role="vyomo", application="test") as owner,
        owner.connection() as c,
    ):
        await c.execute("UPDATE accounts.broker_accounts SET environment = 'sandbox'")
    desk.broker.say(200, [company(1)])

    await desk.master().run_once()

    assert desk.broker.asked == []


@pytest.mark.parametrize(
    ("loaded", "now", "due"),
    [
        (None, "2026-11-27T00:00", True),
        ("2026-11-27T02:59", "2026-11-27T03:00", True),  # 08:29 and 08:30 in India
        ("2026-11-27T03:00", "2026-11-28T02:59", False),
        ("2026-11-27T03:00", "2026-11-28T03:00", True),
        ("2026-11-20T03:00", "2026-11-27T00:00", True),
    ],
)
def test_list_is_renewed_in_the_morning(loaded: str | None, now: str, *, due: bool) -> None:
    at = None if loaded is None else datetime.fromisoformat(loaded).replace(tzinfo=UTC)

    assert is_due(at, datetime.fromisoformat(now).replace(tzinfo=UTC)) is due


TEXTS = st.text(max_size=12)


@given(st.lists(st.dictionaries(TEXTS, TEXTS, max_size=4), max_size=30), st.integers(0, 3))
def test_objects_come_out_of_an_array_as_they_went_in(listed: list[dict[str, str]], indent: int) -> None:
    text = json.dumps(listed, indent=indent or None, ensure_ascii=False).encode()

    assert list(json_rows(io.BytesIO(text))) == listed


@given(st.lists(st.dictionaries(TEXTS, TEXTS, max_size=4), min_size=1, max_size=10), st.data())
def test_array_that_is_cut_off_is_told(listed: list[dict[str, str]], data: st.DataObject) -> None:
    text = json.dumps(listed).encode()
    length = data.draw(st.integers(0, len(text) - 1))

    with pytest.raises(BadRowError):
        list(json_rows(io.BytesIO(text[:length])))


@given(st.binary(max_size=200))
def test_whatever_is_no_array_of_objects_is_told(noise: bytes) -> None:
    try:
        found = list(json_rows(io.BytesIO(noise)))
    except BadRowError:
        return
    assert all(isinstance(row, dict) for row in found)
