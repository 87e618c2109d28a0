"""Credentials for the paper exchange's front doors: made here, sealed at once for the workers, told to their owner once."""

import base64
import secrets
import string
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import UNSET
from pydantic import SecretStr

from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker
from vyomo_gateway.edge.problems import AccountNotFoundError, ApiError
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.sandbox.schemas import SandboxBody, SandboxView
from vyomo_ledger.door_logins import DoorProtocol, DoorSecret, door_secret_place
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Connection, Database
from vyomo_service_kit.sealing import Sealer

_KEY_CHARACTERS: Final = string.ascii_lowercase + string.digits
_TOTP_BYTES: Final = 20

_BIND: Final = "SELECT set_config('vyomo.user_id', $1, true)"
_ACCOUNT: Final = """
SELECT broker, client_id, is_active FROM accounts.broker_accounts WHERE id = $1 AND user_id = $2
"""
# Not `excluded`: to read from it takes the right to read the columns, and the gateway must not.
_SAVE: Final = """
INSERT INTO accounts.door_logins (
    account_id, protocol, user_id, profile, redirect_url, api_key, api_secret, pin, totp_secret, updated_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (account_id, protocol) DO UPDATE SET
    profile = $4, redirect_url = $5, api_key = $6, api_secret = $7, pin = $8, totp_secret = $9, updated_at = $10
"""


class SandboxService:
    def __init__(
        self, database: Database, sealer: Sealer, clock: Clock, roots: Mapping[DoorProtocol, str | None]
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._roots = roots

    async def open(self, caller: Caller, account_id: int, body: SandboxBody) -> SandboxView:
        """Make fresh credentials for a paper account; those made before stop working.

        Raises:
            AccountNotFoundError: no such account, or another user's.
            ApiError: the account is none of the paper exchange, or inactive; or this door does not run.
        """
        root = self._roots[body.protocol]
        if root is None:
            raise ApiError(
                ReasonCode.SERVICE_UNAVAILABLE, f"the paper exchange does not speak {body.protocol} here"
            )
        made = _made(body.protocol)
        async with self._database.transaction() as connection:
            await connection.execute(_BIND, caller.user_id)
            client_id = await _paper_account(connection, caller, account_id)
            await self._save(connection, caller, account_id, body, made)
        websocket = root.replace("http", "ws", 1)
        return SandboxView(
            account_id=account_id,
            protocol=body.protocol,
            profile=body.profile,
            root_url=root,
            # JavaScript's client appends the query to this text, Python's joins it: both can with the slash.
            ws_url=f"{websocket}/" if body.protocol == "kite" else f"{websocket}/smart-stream",
            api_key=made["apiKey"],
            api_secret=made.get("apiSecret", UNSET),
            client_code=client_id if body.protocol == "smartapi" else UNSET,
            pin=made.get("pin", UNSET),
            totp_secret=made.get("totpSecret", UNSET),
        )

    async def _save(
        self,
        connection: Connection,
        caller: Caller,
        account_id: int,
        body: SandboxBody,
        made: Mapping[DoorSecret, str],
    ) -> None:
        def sealed(field: DoorSecret) -> str | None:
            if field not in made:
                return None
            place = door_secret_place(caller.user_id, account_id, body.protocol, field)
            return self._sealer.seal(SecretStr(made[field]), place)

        now: datetime = self._clock.now()
        await connection.execute(
            _SAVE,
            account_id,
            body.protocol,
            caller.user_id,
            body.profile,
            body.redirect_url if body.protocol == "kite" else None,
            sealed("apiKey"),
            sealed("apiSecret"),
            sealed("pin"),
            sealed("totpSecret"),
            now,
        )


async def _paper_account(connection: Connection, caller: Caller, account_id: int) -> str:
    row = await connection.fetchrow(_ACCOUNT, account_id, caller.user_id)
    if row is None:
        raise AccountNotFoundError(account_id)
    if row["broker"] != Broker.PAPER:
        raise ApiError(
            ReasonCode.NOT_A_PAPER_ACCOUNT,
            f"account {account_id} is at {row['broker']}: only paper accounts get credentials of their own for the sandbox",
            field="accountId",
        )
    if not row["is_active"]:
        raise ApiError(
            ReasonCode.ACCOUNT_INACTIVE,
            f'account {account_id} is inactive; activate it with PATCH {{"isActive": true}} first',
            field="accountId",
        )
    client_id: str = row["client_id"]
    return client_id


def _made(protocol: DoorProtocol) -> dict[DoorSecret, str]:
    if protocol == "kite":
        return {"apiKey": _text(16), "apiSecret": _text(32)}
    return {
        "apiKey": _text(8),
        "pin": f"{secrets.randbelow(10_000):04d}",
        "totpSecret": base64.b32encode(secrets.token_bytes(_TOTP_BYTES)).decode(),
    }


def _text(length: int) -> str:
    return "".join(secrets.choice(_KEY_CHARACTERS) for _ in range(length))
