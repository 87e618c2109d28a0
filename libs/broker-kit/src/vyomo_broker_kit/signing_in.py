"""Signing in: what the gateway asks of an account's worker, and the sign-ins that the worker makes by itself.

A sign-in is one request to the broker and is never repeated by us: request tokens and one-time codes can be used once.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final, TypeVar

import structlog

from vyomo_broker_kit.access import Credentials, SignIn, SignInRefusedError
from vyomo_broker_kit.port import UnreadableError
from vyomo_broker_kit.vault import UnknownAccountError, UnreadableCredentialsError, Vault
from vyomo_broker_kit.worker import WorkerParts
from vyomo_contracts import subjects
from vyomo_contracts.messages import Envelope, Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.session_commands import (
    AskLoginPage,
    AskLoginPages,
    SessionReplies,
    SessionReply,
    SignInAccount,
    SignInAccounts,
)
from vyomo_contracts.topology import partition_of
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_service_kit.errors import UnavailableError
from vyomo_service_kit.runtime import cancel_and_wait, repeat

log = structlog.get_logger()

SignIns = Callable[[Environment], SignIn | None]
"""How this broker is signed in at; None where this installation does not reach that environment."""

Command = TypeVar("Command", AskLoginPage, SignInAccount)

RENEW_BEFORE: Final = timedelta(minutes=15)
RENEW_LOOK_SECONDS: Final = 30.0
_ENDING: Final = """
SELECT s.account_id FROM accounts.broker_sessions s JOIN accounts.broker_accounts a ON a.id = s.account_id
WHERE s.broker = $1 AND a.is_active AND s.state IN ('ACTIVE', 'EXPIRING')
  AND s.valid_until BETWEEN clock_timestamp() AND clock_timestamp() + $2::interval
ORDER BY s.account_id
"""
_ENDED: Final = """
SELECT s.account_id FROM accounts.broker_sessions s JOIN accounts.broker_accounts a ON a.id = s.account_id
WHERE s.broker = $1 AND a.is_active AND s.state = 'EXPIRED' AND a.totp_secret IS NOT NULL
ORDER BY s.account_id
"""


class SigningIn:
    def __init__(self, vault: Vault, sign_ins: SignIns, *, broker: Broker) -> None:
        self._vault = vault
        self._sign_ins = sign_ins
        self._broker = broker
        self._refused: set[int] = set()
        """Accounts whose stored credentials the broker refused: tried again, it would lock them."""

    async def login_page(self, command: AskLoginPage) -> SessionReply:
        credentials, sign_in = await self._prepared(command.account_id, command.principal.user_id)
        url = sign_in.login_url(credentials, command.state)
        if url is None:
            raise _RefusalError(
                ReasonCode.LOGIN_NOT_BY_BROWSER,
                f"{self._broker} accounts sign in without a browser: POST to the same path",
            )
        return SessionReply(login_url=url)

    async def sign_in(self, command: SignInAccount) -> SessionReply:
        credentials, sign_in = await self._prepared(command.account_id, command.principal.user_id)
        given = {
            each.field: self._vault.open_input(credentials, each.field, each.sealed)
            for each in command.inputs
        }
        if "password" in given:
            credentials = replace(credentials, password=given["password"])
        if "totp" in given:
            credentials = replace(credentials, totp_code=given["totp"])
        tokens = await sign_in.sign_in(credentials, given.get("requestToken"))
        session = await self._vault.keep(credentials, tokens)
        self._refused.discard(command.account_id)
        log.info("session.opened", account_id=command.account_id, valid_until=tokens.valid_until.isoformat())
        return SessionReply(session=session)

    async def renew(self, account_id: int) -> None:
        """Let a session go on that ends soon, where the broker has such a thing; a person signs in anew otherwise."""
        try:
            credentials = await self._vault.credentials(account_id)
            sign_in = self._sign_ins(credentials.environment)
            if sign_in is None:
                return
            access = await self._vault.of_account(account_id)
            tokens = await sign_in.renew(credentials, access.tokens)
            if tokens is not None and tokens.valid_until > access.tokens.valid_until:
                await self._vault.keep(credentials, tokens)
                log.info("session.renewed", account_id=account_id, valid_until=tokens.valid_until.isoformat())
        except (SignInRefusedError, UnreadableCredentialsError, UnknownAccountError) as error:
            log.warning("session.not_renewed", account_id=account_id, why=type(error).__name__)
        except UnreadableError as error:
            log.warning("session.not_renewed", account_id=account_id, why=str(error))

    async def begin_again(self, account_id: int) -> None:
        """A new session after the day's end, where the stored credentials are enough for one."""
        if account_id in self._refused:
            return
        try:
            credentials = await self._vault.credentials(account_id)
            sign_in = self._sign_ins(credentials.environment)
            if sign_in is None or sign_in.login_url(credentials, "") is not None:
                return
            tokens = await sign_in.sign_in(credentials, None)
            await self._vault.keep(credentials, tokens)
            log.info("session.begun_again", account_id=account_id, valid_until=tokens.valid_until.isoformat())
        except SignInRefusedError as error:
            self._refused.add(account_id)
            log.warning("session.not_begun_again", account_id=account_id, why=error.code)
        except (UnreadableCredentialsError, UnknownAccountError) as error:
            self._refused.add(account_id)
            log.warning("session.not_begun_again", account_id=account_id, why=type(error).__name__)
        except UnreadableError as error:
            log.warning("session.not_begun_again", account_id=account_id, why=str(error))

    async def answer(
        self, act: Callable[[Command], Awaitable[SessionReply]], command: Command
    ) -> SessionReply:
        """What `act` makes of the command, or why not in words for its user."""
        try:
            return await act(command)
        except (
            _RefusalError,
            SignInRefusedError,
            UnreadableCredentialsError,
            UnknownAccountError,
            UnreadableError,
            UnavailableError,
        ) as error:
            return SessionReply(problem=self._problem_of(error, command.account_id))

    def _problem_of(self, error: Exception, account_id: int) -> Problem:
        match error:
            case _RefusalError():
                code, message = error.code, error.message
            case SignInRefusedError():
                code = ReasonCode.SIGN_IN_REFUSED
                message = f"{self._broker} refused the sign-in: {error.code}: {error.text}"
            case UnreadableCredentialsError():
                code = ReasonCode.CREDENTIALS_UNREADABLE
                message = "the stored credentials were sealed for another key; give them again"
            case UnknownAccountError():
                code, message = ReasonCode.ACCOUNT_NOT_FOUND, f"you have no account {account_id}"
            case UnreadableError():
                code = ReasonCode.BROKER_UNREACHABLE
                message = f"{self._broker} could not be asked ({error}); whether the sign-in happened is unknown, begin anew"
            case _:
                code = ReasonCode.RECORD_UNAVAILABLE
                message = "the record cannot be reached right now; try again"
        return Problem(code=code, message=message)

    async def _prepared(self, account_id: int, user_id: str) -> tuple[Credentials, SignIn]:
        credentials = await self._vault.credentials(account_id)
        if credentials.user_id != user_id:
            raise UnknownAccountError(account_id)
        sign_in = self._sign_ins(credentials.environment)
        if sign_in is None:
            raise _RefusalError(
                ReasonCode.SANDBOX_NOT_RUNNING,
                f"this installation has no sandbox of {self._broker}; start it with its doors open",
            )
        return credentials, sign_in


class _RefusalError(Exception):
    def __init__(self, code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@asynccontextmanager
async def signing_in(
    parts: WorkerParts,
    vault: Vault,
    sign_ins: SignIns,
    *,
    broker: Broker,
    partitions: int,
    owned: frozenset[int],
) -> AsyncGenerator[None]:
    """Serve sign-ins of the owned partitions, and let sessions go on without their user where that can be. Enter it before the bus opens."""
    service = SigningIn(vault, sign_ins, broker=broker)

    def replies(request: Envelope, items: Sequence[SessionReply]) -> SessionReplies:
        return SessionReplies(
            id=parts.identifiers.message_id(),
            type=SessionReplies.TYPE,
            time=parts.clock.now(),
            correlation_id=request.correlation_id,
            causation_id=request.id,
            source=f"worker-{broker}",
            items=tuple(items),
        )

    for partition in sorted(owned):

        @parts.bus.broker.subscriber(subjects.login_page(broker, partition), queue=f"worker-{broker}")
        async def on_login_pages(message: AskLoginPages) -> SessionReplies:
            """Where the account's owner signs in with a browser."""
            return replies(
                message, [await service.answer(service.login_page, each) for each in message.items]
            )

        @parts.bus.broker.subscriber(
            subjects.sign_in(broker, partition), queue=f"worker-{broker}", max_workers=4
        )
        async def on_sign_ins(message: SignInAccounts) -> SessionReplies:
            """Open a session; the reply follows its commit."""
            return replies(message, [await service.answer(service.sign_in, each) for each in message.items])

    async def renew() -> None:
        async with parts.database.connection() as connection:
            ending = await connection.fetch(_ENDING, broker, RENEW_BEFORE)
            ended = await connection.fetch(_ENDED, broker)
        for rows, act in ((ending, service.renew), (ended, service.begin_again)):
            for row in rows:
                if partition_of(row["account_id"], partitions) in owned:
                    await act(row["account_id"])

    renewing = asyncio.create_task(
        repeat(renew, every_seconds=RENEW_LOOK_SECONDS, name=f"sessions.renew.{broker}")
    )
    try:
        yield
    finally:
        await cancel_and_wait(renewing)
