"""What the record keeps of an account's secrets, opened only here and only by workers: credentials, and the tokens of a sign-in."""

from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from vyomo_broker_kit.access import Access, Credentials, Egress, Tokens
from vyomo_broker_kit.port import SessionOverError
from vyomo_contracts.sessions import BrokerSession
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_ledger.writing import Ledger, open_session
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Row
from vyomo_service_kit.sealing import Opener, SealError, SecretPlace

FRESH_SECONDS: Final = 5.0
"""How long an opened session is used without a look at the record: another process may have signed in or out."""

_ACCOUNT: Final = """
SELECT id, user_id, broker, client_id, environment, is_active, api_key, api_secret, password, totp_secret
FROM accounts.broker_accounts WHERE id = $1
"""
_SESSION: Final = """
SELECT a.id, a.user_id, a.broker, a.client_id, a.environment, a.api_key, a.access_token, a.refresh_token, a.feed_token,
       a.egress_source, a.egress_relay, a.egress_relay_user, a.egress_relay_password, s.valid_until, s.opened_at
FROM accounts.broker_accounts a JOIN accounts.broker_sessions s ON s.account_id = a.id
WHERE a.id = $1 AND s.state IN ('ACTIVE', 'EXPIRING') AND s.valid_until > clock_timestamp()
"""
_KEEP: Final = """
UPDATE accounts.broker_accounts SET access_token = $2, refresh_token = $3, feed_token = $4, updated_at = $5 WHERE id = $1
"""


class UnreadableCredentialsError(Exception):
    """They were sealed for another installation's key, or altered: they must be given again."""


class UnknownAccountError(LookupError):
    """No such account at this broker."""


@dataclass(frozen=True, slots=True)
class _Known:
    access: Access
    looked_at: float


class Vault:
    """An `Accesses`. Secrets are opened just before use; of a session they are kept while it lasts."""

    def __init__(self, ledger: Ledger, opener: Opener, clock: Clock, *, broker: Broker) -> None:
        self._ledger = ledger
        self._opener = opener
        self._clock = clock
        self._broker = broker
        self._known: dict[int, _Known] = {}

    async def credentials(self, account_id: int) -> Credentials:
        """What the user gave us of the account.

        Raises:
            UnknownAccountError: it is not one of this broker's.
            UnreadableCredentialsError: what is stored does not open.
        """
        async with self._ledger.database.connection() as connection:
            row = await connection.fetchrow(_ACCOUNT, account_id)
        if row is None or row["broker"] != self._broker:
            raise UnknownAccountError(account_id)
        api_key = self._opened(row, "api_key", "apiKey")
        if api_key is None:
            raise UnreadableCredentialsError(account_id)
        return Credentials(
            account_id=account_id,
            user_id=row["user_id"],
            broker=self._broker,
            environment=Environment(row["environment"]),
            client_id=row["client_id"],
            api_key=api_key,
            api_secret=self._opened(row, "api_secret", "apiSecret"),
            password=self._opened(row, "password", "password"),
            totp_secret=self._opened(row, "totp_secret", "totpSecret"),
        )

    def open_input(self, credentials: Credentials, field: str, sealed: str) -> SecretStr:
        """Something typed or brought by a browser, sealed for this account alone. Raises `UnreadableCredentialsError`."""
        place = SecretPlace(credentials.user_id, credentials.broker, credentials.client_id, field)
        try:
            return self._opener.open(sealed, place)
        except SealError as error:
            raise UnreadableCredentialsError(credentials.account_id) from error

    async def keep(self, credentials: Credentials, tokens: Tokens) -> BrokerSession:
        """The account is signed in from this commit on: orders that waited may be sent."""
        now = self._clock.now()
        sealer = self._opener.sealer()

        def sealed(field: str, secret: SecretStr | None) -> str | None:
            place = SecretPlace(credentials.user_id, credentials.broker, credentials.client_id, field)
            return None if secret is None else sealer.seal(secret, place)

        async with self._ledger.transaction() as transaction:
            session = await open_session(
                transaction, credentials.account_id, valid_until=tokens.valid_until, at=now
            )
            await transaction.connection.execute(
                _KEEP,
                credentials.account_id,
                sealed("accessToken", tokens.access_token),
                sealed("refreshToken", tokens.refresh_token),
                sealed("feedToken", tokens.feed_token),
                now,
            )
        self._known.pop(credentials.account_id, None)
        return session

    async def of_account(self, account_id: int) -> Access:
        known = self._known.get(account_id)
        now = self._clock.elapsed()
        if known is None or now - known.looked_at >= FRESH_SECONDS:
            known = _Known(await self._read(account_id), now)
            self._known[account_id] = known
        if known.access.tokens.valid_until <= self._clock.now():
            raise SessionOverError("the session has expired")
        return known.access

    async def _read(self, account_id: int) -> Access:
        self._known.pop(account_id, None)
        async with self._ledger.database.connection() as connection:
            row = await connection.fetchrow(_SESSION, account_id)
        if row is None:
            raise SessionOverError("nobody is signed in")
        try:
            api_key = self._opened(row, "api_key", "apiKey")
            access_token = self._opened(row, "access_token", "accessToken")
            refresh_token = self._opened(row, "refresh_token", "refreshToken")
            feed_token = self._opened(row, "feed_token", "feedToken")
            relay_password = self._opened(row, "egress_relay_password", "relayPassword")
        except UnreadableCredentialsError:
            raise SessionOverError("the session's tokens cannot be opened") from None
        if api_key is None or access_token is None:
            raise SessionOverError("the session has no token")
        return Access(
            account_id=account_id,
            environment=Environment(row["environment"]),
            client_id=row["client_id"],
            api_key=api_key,
            tokens=Tokens(
                access_token=access_token,
                refresh_token=refresh_token,
                feed_token=feed_token,
                valid_until=row["valid_until"],
            ),
            egress=_egress(row, relay_password),
        )

    def _opened(self, row: Row, column: str, field: str) -> SecretStr | None:
        sealed = row[column]
        if sealed is None:
            return None
        place = SecretPlace(row["user_id"], row["broker"], row["client_id"], field)
        try:
            return self._opener.open(sealed, place)
        except SealError as error:
            raise UnreadableCredentialsError(row["id"]) from error


def _egress(row: Row, relay_password: SecretStr | None) -> Egress | None:
    if row["egress_source"] is None and row["egress_relay"] is None:
        return None
    return Egress(
        source_address=row["egress_source"],
        relay=row["egress_relay"],
        relay_user=row["egress_relay_user"],
        relay_password=relay_password,
    )
