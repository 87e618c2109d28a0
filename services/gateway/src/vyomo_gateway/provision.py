"""Makes sure that a user exists and that a file holds a working API key of theirs. Safe to repeat.

    VYOMO_POSTGRES_URL=... VYOMO_KEYS_DIR=... python -m vyomo_gateway.provision --user default_user --key-file FILE

Imports little: it runs at every start.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import asyncpg

from vyomo_contracts.vocabulary import Scope
from vyomo_gateway.identity.keys import ApiKey
from vyomo_gateway.identity.store import add_key, find_key
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import Connection

PEPPER_FILE: Final = "api-key-pepper"
_SCOPES: Final = (Scope.READ, Scope.TRADE)
_CONNECT_SECONDS: Final = 10


async def provision(postgres_url: str, *, user_id: str, key_file: Path, pepper: bytes) -> bool:
    """Write a new key to `key_file` unless the one there works; True when a new one was made."""
    connection = await asyncpg.connect(
        postgres_url, timeout=_CONNECT_SECONDS, server_settings={"role": "vyomo_gateway", "search_path": ""}
    )
    try:
        known = _read_key(key_file)
        if known is not None and await _works(connection, known, user_id, pepper):
            return False
        key = ApiKey.generate()
        async with connection.transaction():
            await add_key(connection, key, user_id=user_id, pepper=pepper, scopes=_SCOPES, name="local")
            # Inside the transaction: a file that cannot be written leaves no key behind.
            _write_private(key_file, key.text + "\n")
        return True
    finally:
        await connection.close()


async def _works(connection: Connection, key: ApiKey, user_id: str, pepper: bytes) -> bool:
    stored = await find_key(connection, key.key_id)
    return (
        stored is not None
        and stored.user_id == user_id
        and stored.scopes.issuperset(_SCOPES)
        and stored.is_valid_at(SystemClock().now())
        and key.matches(stored.digest, pepper)
    )


def _read_key(key_file: Path) -> ApiKey | None:
    try:
        return ApiKey.parse(key_file.read_text().strip())
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _write_private(path: Path, text: str) -> None:
    """Written beside and renamed, readable by its owner alone from the first byte on."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vyomo_gateway.provision", description=__doc__)
    parser.add_argument("--user", required=True, help="the user the key belongs to")
    parser.add_argument(
        "--key-file", required=True, type=Path, help="where the key is kept, for its owner alone"
    )
    options = parser.parse_args(arguments)
    pepper = (Path(os.environ["VYOMO_KEYS_DIR"]) / PEPPER_FILE).read_bytes()
    made = asyncio.run(
        provision(
            os.environ["VYOMO_POSTGRES_URL"], user_id=options.user, key_file=options.key_file, pepper=pepper
        )
    )
    sys.stdout.write(f"{'new key in' if made else 'the key is valid:'} {options.key_file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
