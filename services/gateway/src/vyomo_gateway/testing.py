"""For tests: API keys of several users and scopes."""

from collections.abc import Sequence
from pathlib import Path

from vyomo_contracts.vocabulary import Scope
from vyomo_gateway.identity.keys import ApiKey
from vyomo_gateway.identity.store import add_key
from vyomo_service_kit.database import open_database
from vyomo_service_kit.sealing import PEPPER_FILE, ensure_keys


async def add_keys(
    postgres_url: str, keys_dir: Path, wanted: Sequence[tuple[str, Sequence[Scope]]]
) -> list[str]:
    """A key for each (user, scopes), as its owner would send it."""
    ensure_keys(keys_dir)
    pepper = (keys_dir / PEPPER_FILE).read_bytes()
    keys = [ApiKey.generate() for _ in wanted]
    async with (
        open_database(postgres_url, role="vyomo_gateway", application="test") as database,
        database.transaction() as connection,
    ):
        for key, (user_id, scopes) in zip(keys, wanted, strict=True):
            await add_key(connection, key, user_id=user_id, pepper=pepper, scopes=scopes, name="test")
    return [key.text for key in keys]
