"""What a screen asks for: a long order book, positions, instrument search among a hundred thousand."""

import time
from urllib.parse import quote

from .bench import Bench, Results
from .errors import BenchError
from .http_client import HttpConnection
from .load import LoadPlan, generate
from .sizes import BOOK_ORDERS, POSITIONS
from .statistics import spread
from .system import orders_path

_LARGEST_PAGE = 500
# From short and common to exact, contracts and a word from a name: what people type.
_SEARCHES = (
    "R",
    "NIF",
    "RELIANCE",
    "BANK",
    "HDFC",
    "NIFTY 24",
    "GOLD",
    "TATA MOTORS",
    "INFY",
    "SBI",
    "ICICI BANK",
    "ZZZ",
)


async def order_book(bench: Bench) -> Results:
    """One page of the book, as asked for without parameters, and the whole book page by page."""
    account = await bench.new_account("BENCH-BOOK")
    await bench.place_orders([account], clients=16, seconds=60, limit=BOOK_ORDERS)
    path = orders_path(account)
    page = await _get(bench, [path])
    whole = await _pages(bench, path)
    return spread("orderbook_1000", page, (50, 99)) | spread("orderbook_1000_all", whole, (50,))


async def positions(bench: Bench) -> Results:
    account = await bench.new_account("BENCH-POSITIONS")
    api = await bench.api()
    try:
        order_ids = [await api.place(account, symbol) for symbol in bench.symbols[:POSITIONS]]
        await bench.check([account], order_ids)
        path = f"/api/brokers/accounts/{account}/positions"
        shown = len((await api.get(path))["positions"])
    finally:
        api.close()
    if shown != len(order_ids):
        raise BenchError(f"{shown} positions are shown, {len(order_ids)} instruments were bought")
    return spread("positions", await _get(bench, [path]), (50, 99))


async def search(bench: Bench) -> Results:
    paths = [f"/api/instruments?q={quote(words)}" for words in _SEARCHES]
    return spread("search", await _get(bench, paths), (50, 99))


async def _get(bench: Bench, paths: list[str]) -> list[float]:
    """Latencies of one client that asks for the paths in turn."""
    target = bench.system.target
    plan = LoadPlan(
        host=target.host,
        port=target.port,
        requests=[target.request("GET", path).decode() for path in paths],
        clients=1,
        seconds=10,
        limit=bench.sizes.reads,
    )
    return (await generate(plan)).seconds


async def _pages(bench: Bench, path: str) -> list[float]:
    """Latencies of reading the whole book with the largest pages."""
    target = bench.system.target
    connection = await HttpConnection.open(target)
    try:
        return [await _read_all(bench, connection, path) for _ in range(max(bench.sizes.reads // 10, 5))]
    finally:
        connection.close()


async def _read_all(bench: Bench, connection: HttpConnection, path: str) -> float:
    began = time.perf_counter()
    cursor, count = "", 0
    while True:
        request = bench.system.target.request("GET", f"{path}?limit={_LARGEST_PAGE}{cursor}")
        reply = await connection.ask(request)
        answer = reply.json()
        count += len(answer["orders"])
        if "nextCursor" not in answer:
            break
        cursor = f"&cursor={answer['nextCursor']}"
    if count != BOOK_ORDERS:
        raise BenchError(f"the book of {BOOK_ORDERS} orders was read as {count}")
    return time.perf_counter() - began
