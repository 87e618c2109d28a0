"""`./vyomo up`: run everything in the foreground, or in the background once it is ready."""

import asyncio
import contextlib
import ipaddress
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from vyomo_local.progress import Progress, is_terminal
from vyomo_local.startup import Startup, StartupError, UpOptions, log_tail
from vyomo_local.state import StateFolder, SupervisorLock, command
from vyomo_local.supervisor import Supervisor
from vyomo_local.system import System
from vyomo_local.units import UnitFailedError
from vyomo_service_kit.embedded.errors import EmbeddedServerError, UnsafeFolderError

EXIT_FAILED = 1
EXIT_REFUSED = 2
EXIT_ALREADY_RUNNING = 4
_READY = b"ready"
# A Ctrl-C may be heard twice: a child shares our signals between its fork and its own session.
_ONE_SIGNAL_SECONDS = 0.3
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FIRST_ACCOUNT = '{"broker":"paper","clientId":"DEMO123"}'


def up(system: System, state: StateFolder, options: UpOptions, *, detach: bool) -> int:
    if not _is_loopback(options.host) and not options.insecure:
        _complain(
            f"refusing to listen on {options.host}: API keys would cross the network unencrypted. "
            "Put TLS in front and add --insecure, or leave --host away."
        )
        return EXIT_REFUSED
    try:
        state.create()
    except (UnsafeFolderError, OSError) as error:
        _complain(f"cannot use the state folder: {error}")
        return EXIT_FAILED
    record = state.running_supervisor()
    if record is not None:
        return _already_running(state)
    return (
        _up_detached(system, state, options)
        if detach
        else _supervise(system, state, options, Progress(), None)
    )


def _supervise(
    system: System,
    state: StateFolder,
    options: UpOptions,
    progress: Progress,
    on_ready: Callable[[], None] | None,
) -> int:
    for number in _STOP_SIGNALS:  # until the event loop listens there is nothing to drain
        signal.signal(number, _leave)
    lock = SupervisorLock(state)
    if not lock.acquire():
        return _already_running(state)
    try:
        return asyncio.run(_run(system, state, options, progress, on_ready))
    finally:
        lock.release()


async def _run(
    system: System,
    state: StateFolder,
    options: UpOptions,
    progress: Progress,
    on_ready: Callable[[], None] | None,
) -> int:
    stop = asyncio.Event()
    supervisor = Supervisor(state, progress.line)
    _listen_to_signals(stop, supervisor, state)
    startup = asyncio.create_task(Startup(system, state, options, supervisor, progress).run())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({startup, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not startup.done():
            startup.cancel()
            await asyncio.gather(startup, return_exceptions=True)
            progress.line("stopped before everything was up")
            return EXIT_FAILED
        url = startup.result()
        for text in _welcome(url, state, progress.elapsed_seconds):
            progress.line(text)
        if on_ready is not None:
            on_ready()
        await supervisor.watch(stop)
        progress.line("stopping (once more to force) ...")
    except UnitFailedError as error:
        progress.line(f"\n{error}; the end of {error.log_path}:\n{log_tail(error.log_path)}")
        return EXIT_FAILED
    except (EmbeddedServerError, StartupError, OSError) as error:
        progress.line(f"\n{error}")
        return EXIT_FAILED
    finally:
        stopped.cancel()
        await supervisor.stop()
    progress.line("stopped")
    return 0


def _leave(*_: object) -> None:
    sys.exit(EXIT_FAILED)


def _listen_to_signals(stop: asyncio.Event, supervisor: Supervisor, state: StateFolder) -> None:
    loop = asyncio.get_running_loop()
    forced_from = 0.0

    def hear() -> None:
        nonlocal forced_from
        if stop.is_set() and loop.time() < forced_from:
            return
        if stop.is_set():
            supervisor.kill()
            state.status.unlink(missing_ok=True)
            os._exit(130)
        forced_from = loop.time() + _ONE_SIGNAL_SECONDS
        stop.set()

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, hear)


def _up_detached(system: System, state: StateFolder, options: UpOptions) -> int:
    """Fork: the child becomes the supervisor, the parent shows its progress until it is ready or has failed."""
    output, child_output = os.pipe()
    result, child_result = os.pipe()
    live = is_terminal(sys.stdout)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(output)
        os.close(result)
        _become_supervisor(system, state, options, child_output, child_result, live=live)
    os.close(child_output)
    os.close(child_result)
    try:
        while chunk := os.read(output, 4096):
            # As bytes, since a chunk may end inside a character. Nobody reading is no reason not to start.
            with contextlib.suppress(OSError):
                os.write(1, chunk)
    except KeyboardInterrupt:
        os.kill(child, signal.SIGTERM)
    if os.read(result, len(_READY)) == _READY:
        return 0
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or EXIT_FAILED


def _become_supervisor(
    system: System, state: StateFolder, options: UpOptions, output: int, result: int, *, live: bool
) -> NoReturn:
    exit_code = EXIT_FAILED
    try:
        os.setsid()
        log = os.open(state.logs / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)

        def let_go() -> None:
            sys.stdout.flush()
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.write(result, _READY)
            os.close(result)
            progress.live = False

        progress = Progress(live=live)
        exit_code = _supervise(system, state, options, progress, let_go)
    except Exception:  # noqa: BLE001 - os._exit below would swallow it, and with it what to repair
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(exit_code)


def _already_running(state: StateFolder) -> int:
    status = state.read_status() or {}
    where = status["url"] if status.get("started") else "still starting"
    record = state.running_supervisor()
    _complain(
        f"Vyomo already runs on this state folder: {where} (process {record.pid if record else 'unknown'}). "
        f"Stop it with {command(state, 'down')}"
    )
    return EXIT_ALREADY_RUNNING


def _welcome(url: str, state: StateFolder, seconds: float) -> list[str]:
    key = command(state, "key")
    headers = f"-H \"Authorization: Bearer $({key})\" -H 'Content-Type: application/json'"
    return [
        "",
        f"Vyomo is running ({seconds:.1f} s)",
        f"  Page   {url}/broker-management   (sign in: {command(state, 'link')})",
        f"  API    {url}",
        f"  Docs   {url}/docs",
        f"  Key    {key}   (file {state.api_key})",
        f"  Logs   {command(state, 'logs', '-f')}",
        "",
        "Try:",
        f"curl -s -X POST {url}/api/brokers/accounts {headers} -d '{_FIRST_ACCOUNT}'",
        "",
    ]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")
