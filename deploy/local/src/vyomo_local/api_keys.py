"""`./vyomo key new`, `list` and `revoke`: handed to the gateway's own program, with what it needs from the state folder."""

import argparse
import os
import subprocess
import sys

from vyomo_local.state import StateFolder, command

MODULE = "vyomo_gateway.keys"


def add_key_commands(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """The words that may follow `key`; alone it prints the local key. The gateway's program checks what is said with them."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    made = actions.add_parser(
        "new",
        help="make a key for a program, and print it this once",
        epilog="example: ./vyomo key new dashboard --scope read --days 90",
        parents=[common],
    )
    made.add_argument("name", metavar="NAME", help="what it is for")
    made.add_argument("--scope", required=True, choices=("read", "trade"), help="trade implies read")
    made.add_argument("--days", metavar="N", help="how long it is valid (default: until revoked)")
    made.add_argument("--user", metavar="ID", help="whose key it is (default: default_user)")
    actions.add_parser("list", help="all keys, without their secrets", parents=[common])
    revoked = actions.add_parser(
        "revoke",
        help="refuse a key from now on",
        epilog="example: ./vyomo key revoke 3fK9aZ0q",
        parents=[common],
    )
    revoked.add_argument("key_id", metavar="ID", help="as `list` shows it")


def manage_keys(state: StateFolder, options: argparse.Namespace) -> int:
    # Only here: what prints the local key must not wait for these imports.
    from vyomo_local.status import EXIT_NOT_RUNNING  # noqa: PLC0415

    connections = state.read_connections()
    if state.running_supervisor() is None or connections is None:
        sys.stderr.write(
            f"keys are kept in the database, which is not running: start it with {command(state, 'up')}\n"
        )
        return EXIT_NOT_RUNNING
    environment = os.environ | {
        "VYOMO_POSTGRES_URL": connections["postgres_url"],
        "VYOMO_KEYS_DIR": str(state.keys),
    }
    # The child writes a new key straight to our output: it passes through nothing that could keep it.
    program = [sys.executable, "-m", MODULE, options.action, *_arguments(options)]
    exit_code = subprocess.run(program, env=environment, check=False).returncode  # noqa: S603 - no shell, our own program
    if exit_code == 0 and options.action == "revoke" and _is_local(state, options.key_id):
        sys.stderr.write(f"that was the local key: the next {command(state, 'up')} makes a new one\n")
    return exit_code


def _arguments(options: argparse.Namespace) -> list[str]:
    if options.action == "new":
        days = [] if options.days is None else [f"--days={options.days}"]
        user = [] if options.user is None else [f"--user={options.user}"]
        return [f"--scope={options.scope}", *days, *user, "--", options.name]
    return ["--", options.key_id] if options.action == "revoke" else []


def _is_local(state: StateFolder, key_id: str) -> bool:
    try:
        return f"_{key_id}_" in state.api_key.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return False
