"""The measuring tools themselves: a wrong figure would be believed."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from vyomo_bench.errors import BenchError
from vyomo_bench.figures import FIGURES, with_ratios
from vyomo_bench.http_client import CONNECTION_LOST, HttpConnection, Target
from vyomo_bench.load import Load, LoadPlan, generate
from vyomo_bench.report import as_json, as_markdown, as_table, missed
from vyomo_bench.statistics import percentile, spread

RESULTS = {
    "accept_p50_ms": 6.0,
    "echo_p50_ms": 1.0,
    "nats_rtt_p50_ms": 1.0,
    "commit_p50_ms": 2.0,
    "filled_per_s_64": 1500.0,
    "echo_per_s_64": 3000.0,
    "memory_pss_mb": 300.0,
    "memory_pss_mb_gateway": 100.0,
    "machine_cpu": "one",
    "machine_cpus": 2,
    "machine_memory_mb": 8000,
    "machine_kernel": "6",
    "python_version": "3.11",
    "background_cpu_percent": 1.0,
    "load_average_before": 0.1,
    "steal_percent": 0.0,
    "orders_verified": 10,
    "instruments": 100,
    "run_s": 1.0,
}


@asynccontextmanager
async def server(*pieces: bytes, status: bytes = b"202 Accepted") -> AsyncGenerator[Target]:
    """Answers each request with the body in the given pieces, each sent on its own; hangs up when there are none."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(
                (int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")), 0
            )
            await reader.readexactly(length)
            if not pieces:
                break
            size = sum(map(len, pieces))
            head = b"HTTP/1.1 " + status + b"\r\nserver: x\r\nContent-Length: %d\r\n\r\n" % size
            for piece in (head[:20], head[20:], *pieces):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.001)
        writer.close()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    listening = await asyncio.start_server(guarded, "127.0.0.1", 0)
    async with listening:
        yield Target("127.0.0.1", listening.sockets[0].getsockname()[1], key="secret")


async def test_reply_in_many_pieces_is_put_together() -> None:
    async with server(b'{"order', b'":1', b"}") as target:
        connection = await HttpConnection.open(target)

        first = await connection.ask(target.request("POST", "/x", {"a": 1}))
        second = await connection.ask(target.request("GET", "/x"))

    assert (first.status, first.json()) == (202, {"order": 1})
    assert second == first
    connection.close()


async def test_lost_connection_is_an_answer() -> None:
    async with server() as target:
        connection = await HttpConnection.open(target)

        reply = await asyncio.wait_for(connection.ask(target.request("GET", "/x")), 2)

    assert reply.status == CONNECTION_LOST


def test_request_carries_key_and_length() -> None:
    request = Target("127.0.0.1", 80, key="secret").request("POST", "/x", {"a": "é"})

    head, _, body = request.partition(b"\r\n\r\n")
    assert b"Authorization: Bearer secret" in head
    assert b"Content-Length: %d" % len(body) in head
    assert json.loads(body) == {"a": "é"}


def plan(target: Target, **changes: object) -> LoadPlan:
    fields = {
        "host": target.host,
        "port": target.port,
        "requests": [target.request("GET", "/x").decode()],
        "clients": 3,
        "seconds": 5.0,
        "limit": 20,
        "expected_status": 202,
    }
    return LoadPlan(**{**fields, **changes})  # pyright: ignore[reportArgumentType]


async def test_load_stops_at_its_limit_and_collects_order_ids() -> None:
    async with server(b'{"order":{"orderId":"PAPER_1"}}') as target:
        result = await Load(plan(target)).run()

    assert (len(result.seconds), result.failed) == (20, 0)
    assert result.order_ids == ["PAPER_1"] * 20
    assert result.ended_at > result.began_at


async def test_load_stops_when_the_time_is_over() -> None:
    async with server(b"{}") as target:
        result = await Load(plan(target, seconds=0.1, limit=1_000_000)).run()

    assert result.seconds
    assert result.ended_at - result.began_at < 1


async def test_load_in_its_own_process_refuses_unexpected_answers() -> None:
    async with server(b"{}", status=b"503 Service Unavailable") as target:
        with pytest.raises(BenchError, match="503"):
            await generate(plan(target))


def test_percentiles_are_measured_values() -> None:
    values = [float(number) for number in range(1, 101)]

    assert [percentile(values, percent) for percent in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert spread("accept", [0.004], (99,)) == {"accept_p99_ms": 4.0}


def test_ratios_compare_with_the_floors_of_the_same_run() -> None:
    results = with_ratios(RESULTS)

    assert results["accept_p50_to_floor_ratio"] == 1.5
    assert results["filled_to_echo_ratio_64"] == 0.5


def test_reports_name_what_was_missed() -> None:
    results = with_ratios(RESULTS)

    assert [figure.key for figure in missed(results)] == ["accept_p50_ms"]
    assert "goals missed: accept_p50_ms" in as_table(results)
    assert "| Placed and filled, 64 clients | 1,500 /s | >= 1200 | 0.50 |" in as_markdown(results)
    assert json.loads(as_json(results))["filled_per_s_64"] == 1500


def test_every_figure_has_a_key_of_its_own() -> None:
    assert len({figure.key for figure in FIGURES}) == len(FIGURES)
