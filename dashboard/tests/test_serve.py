"""The page's own addresses, its files, and the word while it is being built or could not be."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from starlette.responses import PlainTextResponse

from vyomo_dashboard.serve import ROUTES, Builder, Pages
from vyomo_service_kit.testing import eventually

API = PlainTextResponse("the API")


@asynccontextmanager
async def served(builder: Builder) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Pages(API, builder))
    async with builder.running(), httpx.AsyncClient(transport=transport, base_url="http://page") as client:
        yield client


def dist_in(folder: Path) -> Path:
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>the page</title>")
    (folder / "assets" / "app-1.js").write_text("script")
    (folder / "assets" / "app-1.js.gz").write_bytes(b"packed")
    (folder / ".stamp").write_text("x")
    (folder.parent / "secret").write_text("secret")
    return folder


async def test_page_is_found_at_its_addresses_and_the_api_at_all_others(tmp_path: Path) -> None:
    builder = Builder(dist=dist_in(tmp_path / "dist"), is_current=lambda: True)
    async with served(builder) as client:
        await eventually(lambda: builder.ready)
        for route in ROUTES:
            page = await client.get(route)
            assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
            assert "the page" in page.text
            assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert (await client.get("/")).headers["location"] == "/broker-management"
        for path in ("/api/brokers/accounts", "/docs", "/assets/none.js", "/assets/../.stamp", "/.stamp"):
            assert (await client.get(path)).text == "the API"
        assert (await client.get("/assets/..%2f..%2fsecret")).text == "the API"
        assert (await client.post("/broker-management")).text == "the API"


async def test_assets_stay_for_ever_and_are_packed_for_those_who_unpack(tmp_path: Path) -> None:
    builder = Builder(dist=dist_in(tmp_path / "dist"), is_current=lambda: True)
    async with served(builder) as client:
        await eventually(lambda: builder.ready)
        plain = await client.get("/assets/app-1.js", headers={"Accept-Encoding": "identity"})
        async with client.stream("GET", "/assets/app-1.js", headers={"Accept-Encoding": "gzip"}) as packed:
            raw = b"".join([part async for part in packed.aiter_raw()])

    assert plain.text == "script"
    assert "immutable" in plain.headers["cache-control"]
    assert (packed.headers["content-encoding"], raw) == ("gzip", b"packed")
    assert packed.headers["content-type"].startswith("text/javascript")


async def test_build_is_shown_while_it_runs_and_then_the_page(tmp_path: Path) -> None:
    dist, go = tmp_path / "dist", tmp_path / "go"
    script = f"import pathlib, time\nprint('fetching <b>', flush=True)\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.02)"
    builder = Builder(dist=dist, command=(sys.executable, "-c", script), is_current=lambda: False)
    async with served(builder) as client:
        await eventually(lambda: "fetching <b>" in builder.lines)
        waiting = await client.get("/broker-management")
        assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "1")
        assert "Preparing the dashboard" in waiting.text
        assert "fetching &lt;b&gt;" in waiting.text
        assert (await client.get("/api/health")).text == "the API"
        dist_in(dist)
        go.touch()
        await eventually(lambda: builder.ready)
        assert (await client.get("/broker-management")).status_code == 200


async def test_failed_build_says_why_and_the_api_goes_on(tmp_path: Path) -> None:
    script = "import sys; sys.exit('the registry cannot be reached')"
    builder = Builder(dist=tmp_path, command=(sys.executable, "-c", script), is_current=lambda: False)
    async with served(builder) as client:
        await eventually(lambda: builder.failed)
        page = await client.get("/broker-management")
        assert page.status_code == 500
        assert "the registry cannot be reached" in page.text
        assert (await client.get("/api/health")).text == "the API"
