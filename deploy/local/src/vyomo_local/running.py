"""The doctor's look at the running bus, database and services."""

import asyncio
import subprocess
from collections.abc import Iterator
from typing import Any

from vyomo_local import status
from vyomo_local.findings import Finding, fail, ok, warn
from vyomo_local.state import StateFolder, command
from vyomo_service_kit.durability import database_weaknesses, read_bus_server
from vyomo_service_kit.embedded.errors import BinaryNotFoundError
from vyomo_service_kit.embedded.nats import find_nats_server
from vyomo_service_kit.embedded.ports import LOOPBACK
from vyomo_service_kit.embedded.postgres_binaries import find_postgres

_WAITING_LETTERS = "SELECT count(*) FROM ledger.dead_letters WHERE state = 'OPEN'"


def check_programs_or_bus(state: StateFolder) -> Iterator[Finding]:
    document = status.read(state)
    if document["running"]:
        yield from _nats(document)
        return
    yield from _programs()
    yield ok("running", "nothing runs; durability of bus and database is checked while they do")


def check_database(state: StateFolder) -> Iterator[Finding]:
    if state.running_supervisor() is not None:
        yield from _postgres(state)


def check_services(state: StateFolder) -> Iterator[Finding]:
    for service in status.read(state)["services"]:
        text = f"{service['name']}: {service['detail']}, {service['restarts']} restart(s)"
        advice = command(state, "logs", service["name"])
        if not service["healthy"]:
            yield fail("service", text, advice)
        elif service["restarts"]:
            yield warn("service", text, advice)
        else:
            yield ok("service", text)


def _programs() -> Iterator[Finding]:
    try:
        commands = [("nats", find_nats_server()), ("postgresql", find_postgres().program("postgres"))]
    except BinaryNotFoundError as error:
        yield fail("programs", str(error), "remove the venv folder in the state folder and start again")
        return
    for name, path in commands:
        result = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603
        text = result.stdout.strip() or result.stderr.strip()
        yield (
            ok(name, text)
            if result.returncode == 0
            else fail(name, text, "this machine cannot run the program")
        )


def _nats(document: dict[str, Any]) -> Iterator[Finding]:
    port = (document["ports"] or {}).get("nats_monitor")
    if port is None:
        yield warn("nats", "an external server", "see that its jetstream block says sync_interval: always")
        return
    server = read_bus_server(f"http://{LOOPBACK}:{port}")
    text = f"nats-server {server.version}"
    if server.syncs_always:
        yield ok("nats", f"{text}, every acknowledged message is on disk (sync_always)")
    else:
        yield fail(
            "nats",
            f"{text} does not sync before it acknowledges",
            "set sync_interval: always in its jetstream block",
        )


def _postgres(state: StateFolder) -> Iterator[Finding]:
    url = (state.read_connections() or {}).get("postgres_url")
    if url is None:
        yield warn("postgresql", "its URL is not known", "run the doctor as the user who runs Vyomo")
        return
    try:
        version, weaknesses, has_checksums, letters = asyncio.run(_read_settings(url))
    except Exception as error:  # noqa: BLE001 - whatever it is, the line says it and the other checks go on
        yield fail("postgresql", f"does not answer: {error}", command(state, "logs", "postgresql"))
        return
    text = f"PostgreSQL {version}"
    for weakness in weaknesses:
        yield fail(
            "postgresql", weakness, "set it: a power cut would lose accepted orders, so real brokers get none"
        )
    if not has_checksums:
        yield warn(
            "postgresql", f"{text} without data checksums", "make the cluster with initdb --data-checksums"
        )
    if has_checksums and not weaknesses:
        yield ok("postgresql", f"{text}, fsync, synchronous_commit, full_page_writes, data_checksums on")
    if letters:
        advice = f"{command(state, 'dead-letters', 'list')}, then show, replay or discard"
        yield warn("messages", f"{letters} could not be handled and were set aside", advice)
    yield from _audit(state, url)


def _audit(state: StateFolder, url: str) -> Iterator[Finding]:
    try:
        alerts = asyncio.run(_read_alerts(url))
    except Exception as error:  # noqa: BLE001 - the line says it and the other checks go on
        yield warn("audit", f"alerts cannot be read: {error}", command(state, "audit", "verify"))
        return
    for alert in alerts:
        yield fail("audit", alert, command(state, "audit", "verify"))
    if not alerts:
        yield ok("audit", f"nothing found wrong; {command(state, 'audit', 'verify')} looks again")


async def _read_alerts(url: str) -> list[str]:
    """Those of the installation itself that stand."""
    import asyncpg  # noqa: PLC0415

    connection = await asyncpg.connect(url, timeout=5)
    try:
        rows = await connection.fetch(
            "SELECT message FROM ledger.alerts WHERE account_id = 0 AND cleared_at IS NULL ORDER BY id"
        )
        return [row["message"] for row in rows]
    finally:
        await connection.close()


async def _read_settings(url: str) -> tuple[str, list[str], bool, int]:
    """The version, what is not durable, whether pages have checksums, and how many dead letters wait for somebody."""
    import asyncpg  # noqa: PLC0415

    connection = await asyncpg.connect(url, timeout=5)
    try:
        version = str(await connection.fetchval("SHOW server_version"))
        has_checksums = await connection.fetchval("SHOW data_checksums") == "on"
        weaknesses = await database_weaknesses(connection)
        migrated = await connection.fetchval("SELECT to_regclass('ledger.dead_letters') IS NOT NULL")
        letters = await connection.fetchval(_WAITING_LETTERS) if migrated else 0
        return version, weaknesses, has_checksums, int(letters)
    finally:
        await connection.close()
