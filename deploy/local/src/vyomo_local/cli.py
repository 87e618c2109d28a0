"""The `vyomo` command line."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from vyomo_local import outside
from vyomo_local.api_keys import add_key_commands, manage_keys
from vyomo_local.audit import add_audit_commands, audit
from vyomo_local.dead_letters import add_dead_letter_commands, manage_dead_letters
from vyomo_local.sandbox import add_sandbox_options, sandbox
from vyomo_local.state import StateFolder, default_state_folder
from vyomo_local.system import DEFAULT_HTTP_PORT, VYOMO, System

_DESCRIPTION = "Vyomo: one API, one event bus and a paper exchange for Indian broker accounts."
_EXAMPLES = """\
examples:
  ./vyomo up                        start everything here, Ctrl-C stops it
  ./vyomo up --detach               the same in the background
  ./vyomo status                    what runs and how it fares
  ./vyomo logs order-router -f      follow one service's log
  ./vyomo key                       API key of the local user
  ./vyomo key new bot --scope read  another key; also: key list, key revoke ID
  ./vyomo audit verify              prove that no recorded event was changed or removed
  ./vyomo down                      stop what runs in the background
  ./vyomo test libs -k money        run some tests
  ./vyomo --state /srv/vyomo up     keep all data and tools elsewhere
"""

# These hand their arguments on untouched, also those that start with a dash.
_PASSING_ON = ("test", "bench", "chaos", "simulate", "durability")


def main(arguments: Sequence[str] | None = None, system: System = VYOMO) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    handed_on: list[str] = []
    word = _command_word(given)
    if word is not None and given[word] in _PASSING_ON:
        given, handed_on = _split_state(given, word)
    if word is None and not given:
        _parser().print_help()
        return 2
    options = _parser().parse_args(given)
    # Absent unless given: a default in the shared option would let the subcommand's overwrite the one before the word.
    chosen: str | None = getattr(options, "state", None)
    state = StateFolder(_absolute(chosen) if chosen else default_state_folder().absolute())
    return _COMMANDS[options.command](options, state, system, handed_on)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--state",
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="folder for all data, logs, keys and tools (default: .vyomo in the project)",
    )
    parser = argparse.ArgumentParser(
        prog="./vyomo",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, summary: str, example: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=example if "\n" in example else f"example: {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[common],
            allow_abbrev=False,
        )

    _add_up(add("up", "start database, bus and all services", outside.EPILOG))
    add("down", "stop what `up` started, in order", "./vyomo down")
    shown = add(
        "status",
        "show each service's health; exit code 0 healthy, 1 degraded or starting, 3 not running",
        "./vyomo status --json",
    )
    shown.add_argument("--json", action="store_true", help="print one JSON document")
    log = add(
        "logs", "print the logs of one service, or of all in order of time", "./vyomo logs gateway -f -n 50"
    )
    log.add_argument("service", nargs="?", help="for example gateway, order-router, postgresql, nats")
    log.add_argument("-f", "--follow", action="store_true", help="go on printing what comes")
    log.add_argument(
        "-n", "--lines", type=_line_count, default=100, metavar="N", help="how many last lines (default: 100)"
    )
    keys = add(
        "key",
        "print the API key of the local user, or manage keys",
        'curl -H "Authorization: Bearer $(./vyomo key)" ...',
    )
    add_key_commands(keys, common)
    add("link", "print a link that signs a browser in to the dashboard, once", "./vyomo link")
    add(
        "events-url",
        "print the URL at which the bus's read-only user hears events (it holds a password)",
        "VYOMO_EVENTS_URL=$(./vyomo events-url) .vyomo/venv/bin/python examples/event_subscriber.py",
    )
    add_sandbox_options(
        add(
            "sandbox",
            "print what a program for Zerodha or Angel One needs to trade on a paper account (fresh secrets, told once)",
            "./vyomo sandbox kite --account 1 --json",
        )
    )
    letters = add(
        "dead-letters",
        "list, show, replay or discard messages that could not be handled",
        "./vyomo dead-letters list",
    )
    add_dead_letter_commands(letters, common)
    audits = add(
        "audit",
        "prove that the record's events are as they were sealed; exit code 0 whole, 1 not, 3 not verified",
        "./vyomo audit verify --json",
    )
    add_audit_commands(audits, common)
    add("doctor", "check machine, disk, clock, ports, bus and database, and say what to do", "./vyomo doctor")
    add(
        "test",
        "run the tests; arguments go to pytest, and all tests run side by side when none are chosen",
        "./vyomo test libs/ledger -k outbox -x",
    )
    check = add("check", "check format, lint rules, types and import rules", "./vyomo check lint types")
    check.add_argument(
        "names", nargs="*", type=_check_name, metavar="NAME", help="format, lint, types or imports"
    )
    add(
        "bench",
        "measure latency, throughput and memory; arguments go to the benchmark (its own help: ./vyomo bench -- --help)",
        "./vyomo bench --quick --json",
    )
    add(
        "chaos",
        "kill, pause and wipe the parts of a system of its own under load, and count what was lost or doubled "
        "(its own help: ./vyomo chaos -- --help)",
        "./vyomo chaos --minutes 3 --seed 7",
    )
    add(
        "simulate",
        "run the order protocol among seeded faults on virtual time and check every promise; arguments go to the simulation",
        "./vyomo simulate --orders 20000 --seed 1",
    )
    add(
        "durability",
        "cut the power under the database and the bus, fill their disks, and look for all that was acknowledged; needs root "
        "(its own help: ./vyomo durability -- --help)",
        "./vyomo durability --cuts 20",
    )
    return parser


def _add_up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--detach", action="store_true", help="return when everything is ready, run in the background"
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=DEFAULT_HTTP_PORT,
        metavar="N",
        help=f"port of the API (default: {DEFAULT_HTTP_PORT})",
    )
    outside.add_options(parser)
    parser.add_argument(
        "--market-hours", action="store_true", help="paper trades only in the exchanges' sessions"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="listen here (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--insecure", action="store_true", help="allow --host to be reachable by others without TLS"
    )


def _up(options: argparse.Namespace, state: StateFolder, system: System, _: list[str]) -> int:
    from vyomo_local.startup import UpOptions  # noqa: PLC0415
    from vyomo_local.up import up  # noqa: PLC0415

    outside.hide_from_command_line(options.nats, options.postgres)
    chosen = UpOptions(
        host=options.host,
        port=options.port,
        nats_url=options.nats,
        postgres_url=options.postgres,
        market_hours=options.market_hours,
        insecure=options.insecure,
    )
    return up(system, state, chosen, detach=options.detach)


def _down(_: argparse.Namespace, state: StateFolder, *__: object) -> int:
    from vyomo_local.status import down  # noqa: PLC0415

    return down(state)


def _status(options: argparse.Namespace, state: StateFolder, *_: object) -> int:
    from vyomo_local.status import status  # noqa: PLC0415

    return status(state, as_json=options.json)


def _key(options: argparse.Namespace, state: StateFolder, *_: object) -> int:
    from vyomo_local.status import key  # noqa: PLC0415

    return key(state) if options.action is None else manage_keys(state, options)


def _sandbox(options: argparse.Namespace, state: StateFolder, *_: object) -> int:
    return sandbox(state, options)


def _dead_letters(options: argparse.Namespace, state: StateFolder, *_: object) -> int:
    return manage_dead_letters(state, options)


def _audit(options: argparse.Namespace, state: StateFolder, *_: object) -> int:
    return audit(state, options)


def _link(_: argparse.Namespace, state: StateFolder, *__: object) -> int:
    from vyomo_local.links import print_link  # noqa: PLC0415

    return print_link(state)


def _events_url(_: argparse.Namespace, state: StateFolder, *__: object) -> int:
    from vyomo_local.status import events_url  # noqa: PLC0415

    return events_url(state)


def _logs(options: argparse.Namespace, state: StateFolder, *_: object) -> int:
    from vyomo_local.logs import logs  # noqa: PLC0415

    return logs(state, options.service, follow=options.follow, lines=options.lines)


def _doctor(_: argparse.Namespace, state: StateFolder, *__: object) -> int:
    from vyomo_local.doctor import doctor  # noqa: PLC0415

    return doctor(state)


def _check(options: argparse.Namespace, *_: object) -> int:
    from vyomo_local.developing import check  # noqa: PLC0415

    return check(options.names)


def _test(_: argparse.Namespace, __: StateFolder, ___: System, arguments: list[str]) -> int:
    from vyomo_local.developing import test  # noqa: PLC0415

    return test(arguments)


def _bench(_: argparse.Namespace, __: StateFolder, ___: System, arguments: list[str]) -> int:
    from vyomo_local.developing import bench  # noqa: PLC0415

    return bench(arguments)


def _chaos(_: argparse.Namespace, __: StateFolder, ___: System, arguments: list[str]) -> int:
    from vyomo_local.developing import chaos  # noqa: PLC0415

    return chaos(arguments)


def _simulate(_: argparse.Namespace, __: StateFolder, ___: System, arguments: list[str]) -> int:
    from vyomo_local.developing import simulate  # noqa: PLC0415

    return simulate(arguments)


def _durability(_: argparse.Namespace, __: StateFolder, ___: System, arguments: list[str]) -> int:
    from vyomo_local.developing import durability  # noqa: PLC0415

    return durability(arguments)


_COMMANDS: dict[str, Callable[[argparse.Namespace, StateFolder, System, list[str]], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "key": _key,
    "audit": _audit,
    "link": _link,
    "events-url": _events_url,
    "logs": _logs,
    "sandbox": _sandbox,
    "dead-letters": _dead_letters,
    "doctor": _doctor,
    "check": _check,
    "test": _test,
    "bench": _bench,
    "chaos": _chaos,
    "simulate": _simulate,
    "durability": _durability,
}


def _command_word(arguments: Sequence[str]) -> int | None:
    """Index of the command, past a `--state DIR` before it."""
    index = 0
    while index < len(arguments) and arguments[index].startswith("-"):
        index += 2 if arguments[index] == "--state" else 1
    return index if index < len(arguments) else None


def _split_state(arguments: list[str], word: int) -> tuple[list[str], list[str]]:
    """Ours (the command, `--state DIR` wherever it stands, a lone `--help`) and those for the program behind it."""
    ours, theirs = arguments[: word + 1], arguments[word + 1 :]
    if theirs in (["--help"], ["-h"]):
        return [*ours, "--help"], []
    for index, argument in enumerate(theirs):
        if argument == "--":
            return ours, theirs[:index] + theirs[index + 1 :]
        if argument == "--state":
            return [*ours, *theirs[index : index + 2]], theirs[:index] + theirs[index + 2 :]
        if argument.startswith("--state="):
            return [*ours, argument], theirs[:index] + theirs[index + 1 :]
    return ours, theirs


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port is a number between 1 and 65535, not {text!r}")
    return int(text)


def _line_count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"how many lines is a number, not {text!r}")
    return int(text)


def _check_name(text: str) -> str:
    if text not in {"format", "lint", "types", "imports"}:
        raise argparse.ArgumentTypeError(f"there is no check called {text!r}")
    return text


def _absolute(path: str) -> Path:
    return Path(path).expanduser().absolute()
