"""Who may come in: the credentials of accounts that have a door, and the sessions that were opened with them.

A paper account's are in `accounts.door_logins`, a sandbox account's are the account's own. All are sealed to the workers' key; what was
opened once is remembered as long as its sealed form stays the same. Sessions are kept by the digest of their token, so they outlive a
restart and no token can be read from the database.
"""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import structlog
from pydantic import SecretStr

from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.door_logins import DoorSecret, door_secret_place
from vyomo_paper_exchange.doors.orders import Door, DoorAccount
from vyomo_service_kit.database import Database, Row
from vyomo_service_kit.sealing import Opener, SealError, SecretPlace

log = structlog.get_logger()

Profile = Literal["strict_2026", "legacy"]

BROKER_OF_DOOR: Final[Mapping[Door, Broker]] = {"kite": Broker.ZERODHA, "smartapi": Broker.ANGEL}
_REMEMBERED: Final = 4_096

_LOGINS: Final = """
SELECT a.id AS account_id, a.user_id, a.client_id, a.broker, true AS is_linked, l.profile, l.redirect_url,
       l.api_key, l.api_secret, l.pin, l.totp_secret
FROM accounts.door_logins l JOIN accounts.broker_accounts a ON a.id = l.account_id AND a.user_id = l.user_id
WHERE l.protocol = $1 AND a.is_active AND a.broker = 'paper'
UNION ALL
SELECT id, user_id, client_id, broker, false, 'strict_2026', NULL, api_key, api_secret, password, totp_secret
FROM accounts.broker_accounts
WHERE broker = $2 AND environment = 'sandbox' AND is_active AND api_key IS NOT NULL
ORDER BY account_id
"""
_OPEN_SESSION: Final = """
INSERT INTO venue.door_sessions (token_digest, account_id, door, kind, key_digest, created_at, valid_until)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_END_SESSIONS: Final = """
DELETE FROM venue.door_sessions
WHERE account_id = $1 AND door = $2 AND ($3::text IS NULL OR key_digest = $3) OR valid_until < $4
"""
_END_SESSION: Final = "DELETE FROM venue.door_sessions WHERE token_digest = $1 AND door = $2"
_SESSION: Final = """
SELECT account_id, key_digest FROM venue.door_sessions
WHERE token_digest = $1 AND door = $2 AND kind = $3 AND valid_until > $4
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorLogin:
    """Opened credentials. `pin` and `totp_secret` are of SmartAPI, `api_secret` of Kite."""

    account: DoorAccount
    profile: Profile
    redirect_url: str | None
    api_key: SecretStr
    api_secret: SecretStr | None = None
    pin: SecretStr | None = None
    totp_secret: SecretStr | None = None


class DoorLogins:
    def __init__(self, database: Database, opener: Opener | None) -> None:
        """Without an opener (no key folder) nobody comes in."""
        self._database = database
        self._opener = opener
        self._opened: OrderedDict[tuple[str, SecretPlace], SecretStr] = OrderedDict()

    async def of_key(self, door: Door, api_key: str) -> list[DoorLogin]:
        """Logins with this API key; more than one only where two users gave the same."""
        return [each for each in await self._all(door) if _same(each.api_key.get_secret_value(), api_key)]

    async def of_client(self, door: Door, client_id: str, api_key: str) -> list[DoorLogin]:
        return [each for each in await self.of_key(door, api_key) if each.account.client_id == client_id]

    async def of_account(self, door: Door, account_id: int) -> DoorLogin | None:
        found = (each for each in await self._all(door) if each.account.account_id == account_id)
        return next(found, None)

    async def _all(self, door: Door) -> list[DoorLogin]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(_LOGINS, door, BROKER_OF_DOOR[door])
        opened = [self._login(door, row) for row in rows]
        return [each for each in opened if each is not None]

    def _login(self, door: Door, row: Row) -> DoorLogin | None:
        try:
            api_key = self._open(door, row, "api_key", "apiKey")
            if api_key is None:
                return None
            return DoorLogin(
                account=DoorAccount(
                    account_id=row["account_id"],
                    user_id=row["user_id"],
                    client_id=row["client_id"],
                    is_linked=row["is_linked"],
                ),
                profile=row["profile"],
                redirect_url=row["redirect_url"],
                api_key=api_key,
                api_secret=self._open(door, row, "api_secret", "apiSecret"),
                pin=self._open(door, row, "pin", "pin"),
                totp_secret=self._open(door, row, "totp_secret", "totpSecret"),
            )
        except SealError as error:
            # One row that does not open must not close the door to the others.
            log.warning("door.login_unreadable", account_id=row["account_id"], why=str(error))
            return None

    def _open(self, door: Door, row: Row, column: str, field: DoorSecret) -> SecretStr | None:
        sealed: str | None = row[column]
        if sealed is None or self._opener is None:
            return None
        place = (
            door_secret_place(row["user_id"], row["account_id"], door, field)
            if row["is_linked"]
            else SecretPlace(
                user_id=row["user_id"],
                broker=row["broker"],
                client_id=row["client_id"],
                field="password" if field == "pin" else field,
            )
        )
        key = (sealed, place)
        known = self._opened.get(key)
        if known is None:
            known = self._opener.open(sealed, place)
            if len(self._opened) >= _REMEMBERED:
                self._opened.popitem(last=False)
            self._opened[key] = known
        return known


@dataclass(frozen=True, slots=True)
class DoorSession:
    account_id: int
    key_digest: str


class DoorSessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self,
        login: DoorLogin,
        door: Door,
        tokens: Mapping[str, str],
        *,
        at: datetime,
        valid_until: datetime,
        alone: bool,
    ) -> None:
        """Open a session with these tokens by kind. `alone` ends the earlier sessions of the same API key."""
        key_digest = digest(login.api_key.get_secret_value())
        async with self._database.transaction() as connection:
            if alone:
                await connection.execute(_END_SESSIONS, login.account.account_id, door, key_digest, at)
            for kind, token in tokens.items():
                await connection.execute(
                    _OPEN_SESSION,
                    digest(token),
                    login.account.account_id,
                    door,
                    kind,
                    key_digest,
                    at,
                    valid_until,
                )

    async def find(self, door: Door, kind: str, token: str, at: datetime) -> DoorSession | None:
        """The session that this token opens now."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_SESSION, digest(token), door, kind, at)
        return None if row is None else DoorSession(row["account_id"], row["key_digest"])

    async def end(self, door: Door, token: str) -> bool:
        """Whether there was one."""
        async with self._database.connection() as connection:
            return await connection.execute(_END_SESSION, digest(token), door) != "DELETE 0"

    async def end_all(self, door: Door, account_id: int, at: datetime) -> None:
        async with self._database.connection() as connection:
            await connection.execute(_END_SESSIONS, account_id, door, None, at)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
