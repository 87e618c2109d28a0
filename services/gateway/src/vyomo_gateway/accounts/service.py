"""Opening, listing and switching accounts."""

from base64 import b32encode
from collections.abc import Callable, Mapping
from decimal import Decimal
from secrets import randbelow, token_bytes, token_hex
from typing import Final, Literal

from pydantic import SecretStr

from vyomo_contracts.commands import (
    Account,
    AccountReply,
    CreateAccount,
    SealedSecret,
    SetAccountActive,
    SetAccountEgress,
)
from vyomo_contracts.messages import Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_gateway.accounts.egress import EgressBody
from vyomo_gateway.accounts.reads import ACCOUNT_PAGE, ONE_ACCOUNT, account_of
from vyomo_gateway.accounts.schemas import DEFAULT_CAPITAL, AccountBody, AccountsAnswer, AccountView
from vyomo_gateway.commands import Commands
from vyomo_gateway.edge.paging import Page, cursor_at
from vyomo_gateway.edge.problems import (
    AccountNotFoundError,
    InvalidRequestError,
    RefusedError,
    UserMismatchError,
)
from vyomo_gateway.edge.requests import LARGEST_ID
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.reading import Records
from vyomo_service_kit.sealing import Sealer, SecretPlace

SecretField = Literal["apiKey", "apiSecret", "password", "totpSecret"]

SECRETS_NEEDED: Final[Mapping[Broker, tuple[SecretField, ...]]] = {
    Broker.PAPER: (),
    Broker.ZERODHA: ("apiKey", "apiSecret"),
    Broker.ANGEL: ("apiKey", "password", "totpSecret"),
}


class AccountService:
    def __init__(self, records: Records, commands: Commands, sealer: Sealer) -> None:
        self._records = records
        self._commands = commands
        self._sealer = sealer

    async def create(self, caller: Caller, body: AccountBody) -> tuple[Account, list[str]]:
        """The new account, and sentences about what was ignored.

        Raises:
            UserMismatchError: for another user.
            InvalidRequestError: a credential the broker needs is missing.
            RefusedError: the account exists already.
        """
        if body.user_id not in {None, caller.user_id}:
            raise UserMismatchError
        body, warnings = _for_sandbox(body)
        secrets, ignored = self._secrets(caller, body)
        warnings += ignored
        if body.initial_capital is not None and body.broker is not Broker.PAPER:
            warnings.append(f"initialCapital does not apply to {body.broker} accounts and was ignored")
        reply = await self._commands.create_account(
            CreateAccount(
                principal=caller.principal,
                broker=body.broker,
                client_id=body.client_id,
                environment=body.environment,
                secrets=secrets,
                initial_capital=_capital(body),
            )
        )
        return _account_in(reply), warnings

    async def set_active(self, caller: Caller, account_id: int, *, active: bool) -> Account:
        """Raises:
        RefusedError: no such account, or it has open orders.
        """
        command = SetAccountActive(principal=caller.principal, account_id=account_id, active=active)
        return _account_in(await self._commands.set_account_active(command))

    async def set_egress(self, caller: Caller, account_id: int, body: EgressBody | None) -> Account:
        """Raises:
        RefusedError: no such account.
        InvalidRequestError: a way that cannot be, or a paper account, whose orders go nowhere.
        """
        problem = None if body is None else body.problem()
        if problem is not None:
            raise InvalidRequestError([problem])
        account = await self.find(caller, account_id)
        if account.broker is Broker.PAPER:
            message = "accountId must be an account at a broker: paper's orders go nowhere"
            raise InvalidRequestError.one(ReasonCode.INVALID_FIELD, "accountId", message)
        password = None if body is None else body.relay_password
        place = SecretPlace(
            user_id=caller.user_id, broker=account.broker, client_id=account.client_id, field="relayPassword"
        )
        command = SetAccountEgress(
            principal=caller.principal,
            account_id=account_id,
            egress=None if body is None else body.told(),
            relay_password=None
            if password is None
            else SealedSecret(field="relayPassword", sealed=self._sealer.seal(password, place)),
        )
        return _account_in(await self._commands.set_account_egress(command))

    async def find(self, caller: Caller, account_id: int) -> Account:
        async with self._records.read(caller) as reader:
            row = await reader.row(ONE_ACCOUNT, account_id=account_id, user_id=caller.user_id)
        if row is None:
            raise AccountNotFoundError(account_id)
        return account_of(row)

    async def page(self, caller: Caller, page: Page) -> AccountsAnswer:
        """Oldest first: people know their accounts by the order they added them."""
        after = 0 if page.before == LARGEST_ID else page.before
        async with self._records.read(caller) as reader:
            rows = await reader.rows(ACCOUNT_PAGE, user_id=caller.user_id, after=after, limit=page.limit + 1)
        accounts = [AccountView.of(account_of(row)) for row in rows[: page.limit]]
        if len(rows) <= page.limit:
            return AccountsAnswer(accounts=accounts)
        return AccountsAnswer(accounts=accounts, next_cursor=cursor_at(accounts[-1].id))

    def _secrets(self, caller: Caller, body: AccountBody) -> tuple[tuple[SealedSecret, ...], list[str]]:
        given: dict[SecretField, SecretStr | None] = {
            "apiKey": body.api_key,
            "apiSecret": body.api_secret,
            "password": body.password,
            "totpSecret": body.totp_secret,
        }
        needed = SECRETS_NEEDED[body.broker]
        missing = [field for field in needed if not given[field]]
        if missing:
            raise InvalidRequestError(
                [
                    Problem(
                        code=ReasonCode.MISSING_FIELD,
                        field=field,
                        message=f"{field} is required for {body.broker} accounts",
                    )
                    for field in missing
                ]
            )
        sealed = tuple(
            SealedSecret(field=field, sealed=self._sealer.seal(secret, self._place(caller, body, field)))
            for field, secret in given.items()
            if field in needed and secret
        )
        ignored = [
            f"{field} does not apply to {body.broker} accounts and was ignored"
            for field, secret in given.items()
            if field not in needed and secret
        ]
        return sealed, ignored

    def _place(self, caller: Caller, body: AccountBody, field: SecretField) -> SecretPlace:
        return SecretPlace(user_id=caller.user_id, broker=body.broker, client_id=body.client_id, field=field)


def _for_sandbox(body: AccountBody) -> tuple[AccountBody, list[str]]:
    """The request with made-up credentials where a sandbox account was given none, and sentences about what was ignored."""
    if body.environment is Environment.LIVE:
        return body, []
    if body.broker is Broker.PAPER:
        return body.model_copy(update={"environment": Environment.LIVE}), [
            "environment does not apply to paper accounts and was ignored"
        ]
    made: dict[SecretField, tuple[str, SecretStr | None, Callable[[], str]]] = {
        "apiKey": ("api_key", body.api_key, lambda: token_hex(8)),
        "apiSecret": ("api_secret", body.api_secret, lambda: token_hex(16)),
        "password": ("password", body.password, lambda: f"{randbelow(10_000):04d}"),
        # Base32 of 160 bits, as authenticators take it.
        "totpSecret": ("totp_secret", body.totp_secret, lambda: b32encode(token_bytes(20)).decode()),
    }
    return body.model_copy(
        update={
            made[field][0]: SecretStr(made[field][2]())
            for field in SECRETS_NEEDED[body.broker]
            if not made[field][1]
        }
    ), []


def _capital(body: AccountBody) -> Decimal | None:
    """None stands for unlimited capital, and for brokers that keep the money themselves."""
    if body.broker is not Broker.PAPER or body.initial_capital == "unlimited":
        return None
    return body.initial_capital if body.initial_capital is not None else DEFAULT_CAPITAL


def _account_in(reply: AccountReply) -> Account:
    if reply.problem is not None:
        raise RefusedError(reply.problem)
    assert reply.account is not None
    return reply.account
