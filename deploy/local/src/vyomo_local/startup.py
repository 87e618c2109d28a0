"""From an empty state folder to a running system, with as much at once as the order of things allows."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vyomo_local.progress import Progress
from vyomo_local.state import StateFolder, write_connections
from vyomo_local.supervisor import Supervisor, service_environment
from vyomo_local.system import (
    DEFAULT_KITE_DOOR_PORT,
    DEFAULT_NATS_MONITOR_PORT,
    DEFAULT_NATS_PORT,
    DEFAULT_SMARTAPI_DOOR_PORT,
    System,
)
from vyomo_local.units import (
    ServerUnit,
    ServiceDefinition,
    ServiceUnit,
    UnitFailedError,
    describe_exit,
    wait_exit,
)
from vyomo_service_kit.embedded import EmbeddedNats, EmbeddedPostgres
from vyomo_service_kit.embedded.ports import LOOPBACK, claim_port
from vyomo_service_kit.embedded.processes import spawn

WORKERS_VARIABLE = "VYOMO_BROKER_WORKERS"
"""`none`: the brokers' workers run elsewhere, or something stands in for them."""
_HELPER_LIMIT_SECONDS = 300.0
_REFRESH_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    host: str
    port: int
    nats_url: str | None
    postgres_url: str | None
    market_hours: bool
    insecure: bool


class Startup:
    """One start; what it has begun is in the supervisor, which stops it also when the start fails half way."""

    def __init__(
        self,
        system: System,
        state: StateFolder,
        options: UpOptions,
        supervisor: Supervisor,
        progress: Progress,
    ) -> None:
        self._system = system
        self._state = state
        self._options = options
        self._supervisor = supervisor
        self._progress = progress
        self._nats_url = options.nats_url
        self._nats_monitor_url: str | None = None
        self._events_url: str | None = None
        self._postgres_url = options.postgres_url

    async def run(self) -> str:
        """Returns the URL of the API."""
        refresher = asyncio.create_task(self._refresh())
        try:
            port = self._choose_port()
            kite, smartapi = self._choose_door_ports()
            ports: dict[str, int | None] = {
                "http": port,
                "kite": kite,
                "smartapi": smartapi,
                "nats": None,
                "nats_monitor": None,
            }
            url = f"http://{_address(self._options.host)}:{port}"
            self._supervisor.facts.update(url=url, ports=ports, state=str(self._state.root))
            await _together(self._make_keys(), self._start_nats(ports), self._start_postgres())
            environment = self._environment(port, kite, smartapi)
            write_connections(
                self._state,
                nats_url=environment["VYOMO_NATS_URL"],
                postgres_url=environment["VYOMO_POSTGRES_URL"],
                events_url=self._events_url,
            )
            await self._helper(
                "migrations", "database migrations", self._system.migrations_command(), environment
            )
            await self._start_services(environment)
            return url
        finally:
            refresher.cancel()

    def _choose_port(self) -> int:
        try:
            # The gateway opens it seconds from now: another start must not choose it meanwhile.
            port, claim = claim_port(self._options.port, self._options.host)
            self._supervisor.port_claims.append(claim)
        except OSError as error:
            raise CannotListenError(self._options.host, self._options.port, str(error.strerror)) from error
        if port != self._options.port:
            self._progress.line(
                f"  warn  port {self._options.port} is taken, using {port}: "
                "a redirect URL registered at a broker no longer matches"
            )
        return port

    def _choose_door_ports(self) -> tuple[int, int]:
        """Of the Kite and the SmartAPI front door: the usual ones where they are free."""
        ports: list[int] = []
        for preferred in (DEFAULT_KITE_DOOR_PORT, DEFAULT_SMARTAPI_DOOR_PORT):
            port, claim = claim_port(preferred, LOOPBACK)
            self._supervisor.port_claims.append(claim)
            ports.append(port)
        return ports[0], ports[1]

    async def _make_keys(self) -> None:
        command = self._system.keys_command(self._state)
        if command is not None:
            await self._helper("keys", "keys", command, service_environment({}))

    async def _start_nats(self, ports: dict[str, int | None]) -> None:
        if self._nats_url is not None:
            with self._progress.step(f"NATS at {_place(self._nats_url)}"):
                await _require_reachable(self._nats_url)
            return
        with self._progress.step("embedded NATS"):
            server = EmbeddedNats(
                self._state.nats,
                preferred_port=DEFAULT_NATS_PORT,
                preferred_monitor_port=DEFAULT_NATS_MONITOR_PORT,
                log_path=self._state.logs / "nats.log",
            )
            await self._start_server(server)
            self._nats_url = server.url
            self._nats_monitor_url = f"http://{LOOPBACK}:{server.monitor_port}"
            self._events_url = server.events_url
            ports.update(nats=server.port, nats_monitor=server.monitor_port)

    async def _start_postgres(self) -> None:
        if self._postgres_url is not None:
            return  # the migrations connect first, and say what is wrong
        with self._progress.step("embedded PostgreSQL"):
            server = EmbeddedPostgres(self._state.postgres, log_path=self._state.logs / "postgresql.log")
            await self._start_server(server)
            self._postgres_url = server.url

    async def _start_server(self, server: EmbeddedNats | EmbeddedPostgres) -> None:
        # In a thread, because a first initdb takes a second. The launch is ours: a child dies with the thread that made it.
        await asyncio.to_thread(server.prepare)
        server.launch()
        unit = ServerUnit(server, self._supervisor.unit_changed)
        self._supervisor.add(unit)
        await self._supervisor.until_ready(unit)

    async def _start_services(self, environment: Mapping[str, str]) -> None:
        workers = self._workers(environment)
        units = [
            ServiceUnit(definition, self._state, self._supervisor.unit_changed, workers)
            for definition in self._system.definitions(environment)
        ]
        for unit in units:
            self._supervisor.add(unit)
        command = self._system.provision_command(self._state.api_key)
        await _together(
            self._helper("provision", "user and API key", command, environment),
            *(self._service_ready(unit) for unit in units),
        )

    def _workers(self, environment: Mapping[str, str]) -> Callable[[Sequence[str]], None]:
        """Starts the workers of brokers that have accounts, each once; the supervisor keeps them from then on."""
        started: set[str] = set()
        first = self._system.services[0].name

        def start(brokers: Sequence[str]) -> None:
            if environment.get(WORKERS_VARIABLE) == "none":
                return
            for broker in brokers:
                module = self._system.workers.get(broker)
                if module is None or broker in started:
                    continue
                started.add(broker)
                definition = ServiceDefinition.module(module.name, module.module, environment)
                unit = ServiceUnit(definition, self._state, self._supervisor.unit_changed)
                self._supervisor.add(unit, before=first)

        return start

    async def _service_ready(self, unit: ServiceUnit) -> None:
        with self._progress.step(unit.name):
            await self._supervisor.until_ready(unit)

    async def _helper(
        self, name: str, title: str, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        """Run a command to its end; it must succeed."""
        log_path = self._state.logs / f"{name}.log"
        with self._progress.step(title):
            process = spawn(
                command,
                log_path=log_path,
                environment=environment,
                death_signal=signal.SIGKILL,
                directory=self._state.services,
            )
            try:
                exit_code = await asyncio.wait_for(wait_exit(process), _HELPER_LIMIT_SECONDS)
            except TimeoutError:
                raise UnitFailedError(
                    name, log_path, f"took longer than {_HELPER_LIMIT_SECONDS:g} s"
                ) from None
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            if exit_code != 0:
                raise UnitFailedError(name, log_path, f"ended with {describe_exit(exit_code)}")

    def _environment(self, port: int, kite: int, smartapi: int) -> dict[str, str]:
        assert self._nats_url is not None
        assert self._postgres_url is not None
        extra = {
            "VYOMO_NATS_URL": self._nats_url,
            "VYOMO_POSTGRES_URL": self._postgres_url,
            "VYOMO_KEYS_DIR": str(self._state.keys),
            "VYOMO_AUDIT_ANCHORS": str(self._state.anchors),
            "VYOMO_HTTP_HOST": self._options.host,
            "VYOMO_HTTP_PORT": str(port),
            # The paper exchange speaks the brokers' protocols there, to programs on this machine alone.
            "VYOMO_KITE_DOOR_PORT": str(kite),
            "VYOMO_SMARTAPI_DOOR_PORT": str(smartapi),
            # Ours, unless somebody has another sandbox.
            "VYOMO_SANDBOX_KITE_URL": os.environ.get("VYOMO_SANDBOX_KITE_URL", f"http://{LOOPBACK}:{kite}"),
            "VYOMO_SANDBOX_SMARTAPI_URL": os.environ.get(
                "VYOMO_SANDBOX_SMARTAPI_URL", f"http://{LOOPBACK}:{smartapi}"
            ),
            "VYOMO_KITE_REDIRECT_URL": f"http://{_address(self._options.host)}:{port}/api/brokers/zerodha/callback",
            "VYOMO_LOG_FORMAT": "json",
        }
        if self._nats_monitor_url is not None:
            extra["VYOMO_NATS_MONITOR_URL"] = self._nats_monitor_url
        if self._options.market_hours:
            extra["VYOMO_MARKET_HOURS"] = "1"
        if self._options.insecure:
            extra["VYOMO_INSECURE"] = "1"
        return service_environment(extra)

    async def _refresh(self) -> None:
        while True:
            self._progress.refresh()
            await asyncio.sleep(_REFRESH_SECONDS)


class StartupError(Exception):
    """The start cannot go on, and its message says why."""


class CannotListenError(StartupError):
    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host} port {port}: {reason}")


class UnreachableError(StartupError):
    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"cannot reach {_place(url)}: {reason}")


async def _together(*steps: Coroutine[Any, Any, None]) -> None:
    """Run the steps at once; the first failure cancels the others and is raised alone."""
    try:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(step)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _require_reachable(url: str) -> None:
    parts = urlsplit(url)
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(parts.hostname or LOOPBACK, parts.port or DEFAULT_NATS_PORT), 5
        )
    except (OSError, ValueError) as error:  # a ValueError is a port that cannot be one
        raise UnreachableError(url, str(error) or type(error).__name__) from error
    writer.close()


def _place(url: str) -> str:
    """Host and port of a URL, without the password."""
    return urlsplit(url).netloc.rpartition("@")[2] or url


def _address(host: str) -> str:
    """What to type in a browser for a listening address."""
    shown = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{shown}]" if ":" in shown else shown


def log_tail(path: Path, *, lines: int = 15) -> str:
    """Last lines of a log, for a failure message."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - 8192, 0))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
