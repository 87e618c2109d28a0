"""Addresses of an outside bus and database, which hold passwords: taken in so that no `ps` shows them."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

NATS_VARIABLE: Final = "VYOMO_NATS_URL"
POSTGRES_VARIABLE: Final = "VYOMO_POSTGRES_URL"
_OPTIONS: Final = {"--nats": NATS_VARIABLE, "--postgres": POSTGRES_VARIABLE}

EPILOG: Final = f"""\
examples:
  ./vyomo up --detach --port 3011
  ./vyomo up --postgres @/etc/vyomo/postgres-url

URLs hold passwords and everybody on the machine can read a command line: the recommended way for an outside bus
or database is a file that only you can read (--nats @FILE, --postgres @FILE) or the environment ({NATS_VARIABLE},
{POSTGRES_VARIABLE}). A URL on the command line is moved to the environment of the running supervisor, but is in
sight until then, and stays in your shell's history.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    for option, variable, what in (
        ("--nats", NATS_VARIABLE, "NATS server"),
        ("--postgres", POSTGRES_VARIABLE, "PostgreSQL database"),
    ):
        parser.add_argument(
            option,
            metavar="@FILE",
            type=_read,
            # Empty is unset, as everywhere in a shell.
            default=os.environ.get(variable) or None,
            help=f"use this {what} instead of an embedded one: its URL in a file, or the URL itself "
            f"(default: {variable}, if set)",
        )


def add_database_option(parser: argparse.ArgumentParser, summary: str) -> None:
    """`--postgres` alone, for what only reads the record."""
    parser.add_argument(
        "--postgres",
        metavar="@FILE",
        type=_read,
        default=os.environ.get(POSTGRES_VARIABLE) or None,
        help=f"{summary}: its URL in a file, or the URL itself (default: {POSTGRES_VARIABLE}, if set)",
    )


def hide_from_command_line(nats_url: str | None, postgres_url: str | None) -> None:
    """Start this process anew without the URLs among its arguments, if some are; the process id stays."""
    kept = _without_urls(sys.orig_argv)
    if len(kept) != len(sys.orig_argv):
        _become(kept, {NATS_VARIABLE: nats_url, POSTGRES_VARIABLE: postgres_url})


def _become(arguments: list[str], urls: dict[str, str | None]) -> NoReturn:
    told = {name: url for name, url in urls.items() if url is not None}
    os.execve(sys.executable, arguments, {**os.environ, **told})  # noqa: S606


def _without_urls(arguments: Sequence[str]) -> list[str]:
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        option, joined, value = argument.partition("=")
        if option not in _OPTIONS:
            kept.append(argument)
            continue
        given = [argument] if joined else [argument, next(rest, "")]
        # A file's name is no secret.
        if (value if joined else given[1]).startswith("@"):
            kept += given
    return kept


def _read(text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        url = Path(text[1:]).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise argparse.ArgumentTypeError(f"cannot read {text[1:]}: {error}") from None
    if not url or len(url.split()) != 1:
        raise argparse.ArgumentTypeError(f"{text[1:]} should hold one URL and nothing else")
    return url
