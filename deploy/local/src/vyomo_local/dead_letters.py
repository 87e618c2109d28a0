"""`./vyomo dead-letters`: handed to the router's own program, with the database's address from the state folder."""

import argparse
import os
import subprocess
import sys

from vyomo_local.state import StateFolder, command

MODULE = "vyomo_order_router.dead_letters"


def add_dead_letter_commands(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (
        ("list", "those that wait for somebody to look"),
        ("show", "one with its content and what went wrong"),
        ("replay", "put one onto the bus again; safe at any time, everything may come twice"),
        ("discard", "keep one, but wait for nobody any more"),
    ):
        action = actions.add_parser(
            name,
            help=summary,
            epilog=f"example: ./vyomo dead-letters {name}{'' if name == 'list' else ' 12'} --json",
            parents=[common],
        )
        action.add_argument("--json", action="store_true", help="print JSON")
        if name == "list":
            action.add_argument("--all", action="store_true", help="also those that have been seen to")
        else:
            action.add_argument("id", metavar="ID", type=_number, help="as `list` shows it")


def manage_dead_letters(state: StateFolder, options: argparse.Namespace) -> int:
    # Only here: what prints the local key must not wait for these imports.
    from vyomo_local.status import EXIT_NOT_RUNNING  # noqa: PLC0415

    connections = state.read_connections()
    if state.running_supervisor() is None or connections is None:
        sys.stderr.write(
            f"dead letters are kept in the database, which is not running: start it with {command(state, 'up')}\n"
        )
        return EXIT_NOT_RUNNING
    program = [sys.executable, "-m", MODULE, options.action]
    program += ["--json"] if options.json else []
    if options.action == "list":
        program += ["--all"] if options.all else []
    else:
        program.append(str(options.id))
    environment = os.environ | {"VYOMO_POSTGRES_URL": connections["postgres_url"]}
    return subprocess.run(program, env=environment, check=False).returncode  # noqa: S603 - no shell, our own program


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a dead letter's id is a number, not {text!r}")
    return int(text)
