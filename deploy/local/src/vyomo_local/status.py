"""`./vyomo status`, `down`, `key` and `events-url`: what runs, end it, and what it takes to talk and listen to it."""

import json
import signal
import sys
from typing import Any

from vyomo_local.state import StateFolder, command
from vyomo_service_kit.embedded.processes import ProcessRecord

EXIT_DEGRADED = 1
EXIT_NOT_RUNNING = 3
# The supervisor gives services 15 s, then NATS 10 s and PostgreSQL 20 s at the very worst.
_DOWN_LIMIT_SECONDS = 50.0
_NOT_RUNNING: dict[str, Any] = {
    "running": False,
    "url": None,
    "ports": None,
    "services": [],
    "health": "down",
}


def read(state: StateFolder) -> dict[str, Any]:
    """Status as one document; what a killed supervisor left behind does not count."""
    if state.running_supervisor() is None:
        return {**_NOT_RUNNING, "state": str(state.root)}
    written = state.read_status() or {"url": None, "ports": None, "services": [], "health": "starting"}
    return {"running": True, "state": str(state.root), **written}


def status(state: StateFolder, *, as_json: bool) -> int:
    document = read(state)
    sys.stdout.write((json.dumps(document, indent=2) if as_json else _table(state, document)) + "\n")
    if not document["running"]:
        return EXIT_NOT_RUNNING
    return 0 if document["health"] == "ok" else EXIT_DEGRADED


def _table(state: StateFolder, document: dict[str, Any]) -> str:
    if not document["running"]:
        return f"Vyomo is not running (state folder {state.root}). Start it with {command(state, 'up')}"
    ports = ", ".join(
        f"{name} {port}" for name, port in (document["ports"] or {}).items() if port is not None
    )
    address = document["url"] or "an address not chosen yet"
    how = "is starting" if document["health"] == "starting" else "runs"
    lines = [
        f"Vyomo {how} at {address}: {document['health']}   (ports: {ports or 'none yet'})",
        f"  {'service':<16} {'pid':>8}  {'healthy':<8} {'restarts':>8}  {'since':<21} detail",
    ]
    lines += [
        f"  {service['name']:<16} {service['pid'] or '-':>8}  {'yes' if service['healthy'] else 'NO':<8} "
        f"{service['restarts']:>8}  {service['since']:<21} {service['detail']}"
        for service in document["services"]
    ]
    return "\n".join(lines)


def down(state: StateFolder) -> int:
    record = state.running_supervisor()
    if record is None:
        sys.stdout.write("Vyomo is not running\n")
        return 0
    record.send(signal.SIGTERM)
    if record.wait_gone(_DOWN_LIMIT_SECONDS):
        sys.stdout.write("stopped\n")
        return 0
    return _force_down(record)


def _force_down(record: ProcessRecord) -> int:
    record.send(signal.SIGKILL)  # its children die with it
    gone = record.wait_gone(10)
    sys.stdout.write(f"the supervisor did not end in {_DOWN_LIMIT_SECONDS:g} s and was killed\n")
    return 0 if gone else EXIT_DEGRADED


def key(state: StateFolder) -> int:
    try:
        text = state.api_key.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        sys.stderr.write(f"no API key yet: it is made by the first {command(state, 'up')}\n")
        return EXIT_NOT_RUNNING
    except OSError as error:
        sys.stderr.write(f"cannot read the API key: {error.strerror}: {state.api_key}\n")
        return EXIT_DEGRADED
    sys.stdout.write(f"{text}\n")
    return 0


def events_url(state: StateFolder) -> int:
    if state.running_supervisor() is None:
        sys.stderr.write("Vyomo is not running\n")
        return EXIT_NOT_RUNNING
    url = (state.read_connections() or {}).get("events_url")
    if url is None:
        sys.stderr.write(
            "not known: still starting, or the bus is an outside server; a user who may only listen to events is made there, "
            "as in deploy/nats/nats.conf\n"
        )
        return EXIT_DEGRADED
    sys.stdout.write(f"{url}\n")
    return 0
