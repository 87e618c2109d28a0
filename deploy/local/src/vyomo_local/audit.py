"""`./vyomo audit verify`: handed to the ledger's own program, with what it needs from the state folder."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from vyomo_local import outside
from vyomo_local.state import StateFolder, command

MODULE = "vyomo_ledger.auditing"
EXIT_CODES = "exit codes: 0 whole, 1 NOT whole, 2 wrong arguments, 3 could not be verified (nothing runs, or it does not answer)"


def add_audit_commands(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    verify = actions.add_parser(
        "verify",
        help="recompute the whole audit chain and name the first seal and event that are not as they were",
        epilog=f"example: ./vyomo audit verify --json\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    verify.add_argument("--json", action="store_true", help="print one JSON document")
    outside.add_database_option(verify, "verify the record of this database instead of the running system's")
    verify.add_argument(
        "--anchors",
        type=Path,
        metavar="FILE",
        help="what was anchored outside the database (default: those of the system that runs here, for its own record)",
    )


def audit(state: StateFolder, options: argparse.Namespace) -> int:
    from vyomo_local.status import EXIT_NOT_RUNNING  # noqa: PLC0415

    outside.hide_from_command_line(None, options.postgres)
    running = state.read_connections() if state.running_supervisor() is not None else None
    own = None if running is None else str(running["postgres_url"])
    postgres_url: str | None = options.postgres or own
    if postgres_url is None:
        sys.stderr.write(
            f"the record is in the database, which is not running: start it with {command(state, 'up')}, or name one "
            "with --postgres @FILE\n"
        )
        return EXIT_NOT_RUNNING
    anchors: Path | None = options.anchors
    if anchors is None and postgres_url == own:
        anchors = state.anchors
    program = [sys.executable, "-m", MODULE]
    if anchors is not None:
        program += ["--anchors", str(anchors.absolute())]
    if options.json:
        program.append("--json")
    environment = os.environ | {outside.POSTGRES_VARIABLE: postgres_url}
    return subprocess.run(program, env=environment, check=False).returncode  # noqa: S603 - no shell, our own program
