"""Leadership by a lease row with an expiry. A session lock would outlive a stopped process for as long as its connection does.

Two holders at once (a paused one that wakes) are harmless: what runs under a lease is idempotent.
"""

from datetime import timedelta

from vyomo_service_kit.database import Database

_TAKE = """
INSERT INTO ledger.leases AS l (name, holder, expires_at) VALUES ($1, $2, now() + $3)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
WHERE l.holder = excluded.holder OR l.expires_at < now()
RETURNING holder
"""


class Lease:
    def __init__(self, database: Database, *, name: str, holder: str, seconds: float = 5.0) -> None:
        self._database = database
        self._name = name
        self._holder = holder
        self._term = timedelta(seconds=seconds)

    async def hold(self) -> bool:
        """Take or renew the lease; False while another holder's has not expired."""
        async with self._database.connection() as connection:
            return await connection.fetchval(_TAKE, self._name, self._holder, self._term) is not None
