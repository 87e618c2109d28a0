"""`accounts.broker_accounts` and the lanes that go with each account: created, switched on and off, looked up."""

from typing import Final

from asyncpg.exceptions import UniqueViolationError

from vyomo_contracts.commands import (
    Account,
    AccountEgress,
    CreateAccount,
    SetAccountActive,
    SetAccountEgress,
    account_egress,
    account_session,
)
from vyomo_contracts.portfolio import Funds
from vyomo_contracts.vocabulary import TERMINAL_STATES, Broker
from vyomo_ledger.sequence import TRANSACTION_SQL
from vyomo_ledger.writing.controls import OPENING_AN_ACCOUNT, effective_trading
from vyomo_ledger.writing.trails import account_body
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Database, Row


class AccountExistsError(Exception):
    """The user has an account with this broker and client id already."""


class OpenOrdersError(Exception):
    """The account has orders that are not over."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} open orders")
        self.count = count


_COMPONENT: Final = "order-router"
_ACCOUNT: Final = """
    id, user_id, broker, client_id, environment, is_active, unlimited, balance, margin_used, margin_available, funds_version,
    last_synced, created_at, updated_at, egress_source, egress_relay, egress_relay_user
"""
_CREATE: Final = f"""
WITH account AS (
    INSERT INTO accounts.broker_accounts (
        user_id, broker, client_id, api_key, api_secret, password, totp_secret, unlimited, initial_capital, balance,
        margin_available, created_at, updated_at, environment
    )
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $9, $10, $10, $12)
    RETURNING {_ACCOUNT}
), lanes AS (
    INSERT INTO ledger.lanes (account_id, lane, user_id, broker, trading)
    SELECT id, lane, user_id, broker, {effective_trading("opened")}
    FROM (SELECT id, id AS account_id, user_id, broker FROM account) AS opened, unnest(ARRAY['ACCEPT', 'CLAIM']) AS lane
), recorded AS (
    INSERT INTO ledger.account_events (sequence, account_id, user_id, type, body, recorded_at)
    SELECT {TRANSACTION_SQL} | 1, id, user_id, 'account.opened', $11::jsonb, $10 FROM account
)
SELECT *, NULL AS session_state, NULL::timestamptz AS session_valid_until, NULL AS session_reason FROM account
"""
# The lane's lock keeps new orders out until the switch is committed, so none slips in behind the check.
_LOCK: Final = """
SELECT account_id FROM ledger.lanes WHERE lane = 'ACCEPT' AND account_id = $1 AND user_id = $2 FOR UPDATE
"""
_OPEN_ORDERS: Final = (
    "SELECT count(*) FROM ledger.broker_orders WHERE account_id = $1 AND state <> ALL($2::text[])"
)
_SWITCH_LANE: Final = "UPDATE ledger.lanes SET accepting = $2 WHERE account_id = $1 AND lane = 'ACCEPT'"
_SWITCH: Final = f"""
WITH account AS (
    UPDATE accounts.broker_accounts SET is_active = $2, updated_at = $3 WHERE id = $1 RETURNING {_ACCOUNT}
), recorded AS (
    INSERT INTO ledger.account_events (sequence, account_id, user_id, type, body, recorded_at)
    SELECT {TRANSACTION_SQL} | 1, id, user_id, 'account.switched', $4::jsonb, $3 FROM account
)
SELECT account.*, s.state AS session_state, s.valid_until AS session_valid_until, s.reason AS session_reason
FROM account LEFT JOIN accounts.broker_sessions s ON s.account_id = account.id
"""
_SET_EGRESS: Final = f"""
WITH account AS (
    UPDATE accounts.broker_accounts
    SET egress_source = $3, egress_relay = $4, egress_relay_user = $5, egress_relay_password = $6, updated_at = $7
    WHERE id = $1 AND user_id = $2 RETURNING {_ACCOUNT}
), recorded AS (
    INSERT INTO ledger.account_events (sequence, account_id, user_id, type, body, recorded_at)
    SELECT {TRANSACTION_SQL} | 1, id, user_id, 'account.egress_set', $8::jsonb, $7 FROM account
)
SELECT account.*, s.state AS session_state, s.valid_until AS session_valid_until, s.reason AS session_reason
FROM account LEFT JOIN accounts.broker_sessions s ON s.account_id = account.id
"""


class AccountStore:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, command: CreateAccount) -> Account:
        """Raises `AccountExistsError`."""
        sealed = {secret.field: secret.sealed for secret in command.secrets}
        is_paper = command.broker is Broker.PAPER
        try:
            async with self._database.transaction() as connection:
                await connection.execute(OPENING_AN_ACCOUNT)
                row = await connection.fetchrow(
                    _CREATE,
                    command.principal.user_id,
                    command.broker,
                    command.client_id,
                    sealed.get("apiKey"),
                    sealed.get("apiSecret"),
                    sealed.get("password"),
                    sealed.get("totpSecret"),
                    is_paper and command.initial_capital is None,
                    command.initial_capital if is_paper else None,
                    self._clock.now(),
                    account_body(
                        _COMPONENT,
                        command.principal,
                        broker=command.broker,
                        client_id=command.client_id,
                        environment=command.environment,
                        secrets=sorted(sealed),
                    ),
                    command.environment,
                )
        except UniqueViolationError as error:
            raise AccountExistsError from error
        assert row is not None
        return _account(row)

    async def set_active(self, command: SetAccountActive) -> Account | None:
        """The account after the change; None if it is not the user's. Raises `OpenOrdersError`."""
        async with self._database.transaction() as connection:
            if await connection.fetchval(_LOCK, command.account_id, command.principal.user_id) is None:
                return None
            if not command.active:
                count = await connection.fetchval(_OPEN_ORDERS, command.account_id, sorted(TERMINAL_STATES))
                if count:
                    raise OpenOrdersError(count)
            await connection.execute(_SWITCH_LANE, command.account_id, command.active)
            row = await connection.fetchrow(
                _SWITCH,
                command.account_id,
                command.active,
                self._clock.now(),
                account_body(_COMPONENT, command.principal, is_active=command.active),
            )
            assert row is not None
            return _account(row)

    async def set_egress(self, command: SetAccountEgress) -> Account | None:
        """The account after the change; None if it is not the user's."""
        egress = command.egress or AccountEgress()
        sealed = None if command.relay_password is None else command.relay_password.sealed
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(
                _SET_EGRESS,
                command.account_id,
                command.principal.user_id,
                egress.source_address,
                egress.relay,
                egress.relay_user,
                sealed,
                self._clock.now(),
                account_body(_COMPONENT, command.principal, egress=egress.model_dump(exclude_none=True)),
            )
        return None if row is None else _account(row)


def _account(row: Row) -> Account:
    broker = Broker(row["broker"])
    return Account(
        id=row["id"],
        user_id=row["user_id"],
        broker=broker,
        client_id=row["client_id"],
        environment=row["environment"],
        is_active=row["is_active"],
        unlimited=row["unlimited"],
        session=account_session(
            broker, row["session_state"], row["session_valid_until"], row["session_reason"]
        ),
        funds=Funds(
            account_id=row["id"],
            user_id=row["user_id"],
            broker=broker,
            balance=row["balance"],
            used=row["margin_used"],
            available=row["margin_available"],
            version=row["funds_version"],
            updated_at=row["updated_at"],
        ),
        last_synced=row["last_synced"],
        egress=account_egress(row["egress_source"], row["egress_relay"], row["egress_relay_user"]),
        created_at=row["created_at"],
    )
