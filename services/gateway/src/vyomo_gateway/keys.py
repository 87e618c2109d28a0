"""Makes, lists and revokes API keys.

    VYOMO_POSTGRES_URL=... VYOMO_KEYS_DIR=... python -m vyomo_gateway.keys new bot --scope read --days 30

A new key goes to the standard output, alone and this once; everything said about it goes to the standard error.
"""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import asyncpg

from vyomo_contracts.vocabulary import Scope
from vyomo_gateway.identity.authentication import CACHE_SECONDS
from vyomo_gateway.identity.keys import ApiKey
from vyomo_gateway.identity.store import ListedKey, add_key, list_keys, revoke_key
from vyomo_gateway.provision import PEPPER_FILE
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import Connection

SCOPES: Final = {"read": (Scope.READ,), "trade": (Scope.READ, Scope.TRADE)}
"""What a key may do, by the word it is asked for with: who trades must also see."""
_CONNECT_SECONDS: Final = 10
_USER: Final = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
_LONGEST_DAYS: Final = 3650
_COLUMNS: Final = ("ID", "NAME", "USER", "SCOPES", "CREATED", "LAST USED", "EXPIRES", "STATE")


async def new(postgres_url: str, options: argparse.Namespace, pepper: bytes) -> int:
    key = ApiKey.generate()
    expires_at = None if options.days is None else SystemClock().now() + timedelta(days=options.days)
    async with _connected(postgres_url) as connection, connection.transaction():
        await add_key(
            connection,
            key,
            user_id=options.user,
            pepper=pepper,
            scopes=SCOPES[options.scope],
            name=options.name,
            expires_at=expires_at,
        )
    sys.stdout.write(f"{key.text}\n")
    until = "" if expires_at is None else f", until {_shown(expires_at)}"
    sys.stderr.write(
        f"key {key.key_id} ({options.name}) of {options.user} may {' and '.join(SCOPES[options.scope])}{until}; "
        "keep it now, it is not shown again\n"
    )
    return 0


async def show(postgres_url: str) -> int:
    async with _connected(postgres_url) as connection:
        keys = await list_keys(connection)
    now = SystemClock().now()
    rows = [_COLUMNS, *(_row(key, now) for key in keys)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")
    return 0


async def revoke(postgres_url: str, key_id: str) -> int:
    async with _connected(postgres_url) as connection:
        name = await revoke_key(connection, key_id, SystemClock().now())
    if name is None:
        sys.stderr.write(f"there is no key {key_id}\n")
        return 1
    sys.stdout.write(f"revoked {key_id} ({name}); it is refused in {CACHE_SECONDS:g} seconds at the latest\n")
    return 0


@asynccontextmanager
async def _connected(postgres_url: str) -> AsyncGenerator[Connection]:
    connection = await asyncpg.connect(
        postgres_url, timeout=_CONNECT_SECONDS, server_settings={"role": "vyomo_gateway", "search_path": ""}
    )
    try:
        yield connection
    finally:
        await connection.close()


def _row(key: ListedKey, now: datetime) -> tuple[str, ...]:
    return (
        key.key_id,
        key.name,
        key.user_id,
        ",".join(key.scopes),
        _shown(key.created_at),
        _shown(key.last_used_at),
        _shown(key.expires_at),
        key.state_at(now),
    )


def _shown(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%MZ}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vyomo_gateway.keys", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("new", help="make a key and print it, once")
    made.add_argument("name", type=_matching(_NAME, "a name has 1 to 64 characters"), help="what it is for")
    made.add_argument("--scope", required=True, choices=SCOPES, help="trade implies read")
    made.add_argument("--days", type=_days, help="how long it is valid (default: until revoked)")
    made.add_argument(
        "--user",
        type=_matching(_USER, "a user id has 1 to 64 letters, digits, or one of _ . @ -"),
        default="default_user",
        help="whose key it is (default: %(default)s)",
    )
    commands.add_parser("list", help="all keys, without their secrets")
    revoked = commands.add_parser("revoke", help="refuse a key from now on")
    revoked.add_argument("key_id", metavar="ID", help="as `list` shows it")
    return parser


def _matching(pattern: re.Pattern[str], expected: str):  # noqa: ANN202 - an argparse type
    def check(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise argparse.ArgumentTypeError(expected)
        return text

    return check


def _days(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= _LONGEST_DAYS):
        raise argparse.ArgumentTypeError(f"between 1 and {_LONGEST_DAYS} days, not {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    postgres_url = os.environ["VYOMO_POSTGRES_URL"]
    try:
        match options.command:
            case "new":
                pepper = (Path(os.environ["VYOMO_KEYS_DIR"]) / PEPPER_FILE).read_bytes()
                return asyncio.run(new(postgres_url, options, pepper))
            case "list":
                return asyncio.run(show(postgres_url))
            case _:
                return asyncio.run(revoke(postgres_url, options.key_id))
    except (OSError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"the key store cannot be used: {error or type(error).__name__}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
