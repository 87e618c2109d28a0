"""Signing in at a broker: secrets are sealed here for the account's worker, which signs in and answers after its commit."""

from typing import Final

from pydantic import SecretStr

from vyomo_contracts import subjects
from vyomo_contracts.commands import Account
from vyomo_contracts.messages import Principal
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.session_commands import (
    AskLoginPage,
    AskLoginPages,
    SealedInput,
    SessionReplies,
    SessionReply,
    SignInAccount,
    SignInAccounts,
)
from vyomo_contracts.sessions import BrokerSession
from vyomo_contracts.topology import partition_of
from vyomo_contracts.vocabulary import Broker
from vyomo_gateway.accounts.service import AccountService
from vyomo_gateway.commands import Envelopes
from vyomo_gateway.edge.encoding import time_text
from vyomo_gateway.edge.problems import ApiError, RefusedError
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.logins.schemas import LoginBody, LoginPageAnswer
from vyomo_gateway.logins.states import LoginStates
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.sealing import Sealer, SecretPlace

SIGN_IN_SECONDS: Final = 12.0
"""A broker's login may take longer than anything else we ask of it."""


class LoginStateError(ApiError):
    def __init__(self) -> None:
        super().__init__(
            ReasonCode.LOGIN_STATE_INVALID,
            "this login is not known, was finished before, or took longer than ten minutes; begin it anew",
            field="state",
        )


class LoginService:
    def __init__(
        self,
        accounts: AccountService,
        states: LoginStates,
        bus: Bus,
        envelopes: Envelopes,
        sealer: Sealer,
        *,
        partitions: int,
        timeout_seconds: float,
    ) -> None:
        self._accounts = accounts
        self._states = states
        self._bus = bus
        self._envelopes = envelopes
        self._sealer = sealer
        self._partitions = partitions
        self._timeout_seconds = timeout_seconds

    async def page(self, caller: Caller, account_id: int) -> LoginPageAnswer:
        """Raises:
        RefusedError: the account needs no login, or not by browser; its worker's reasons.
        """
        account = await self._account(caller, account_id)
        state, expires_at = await self._states.begin(
            caller.principal, account_id=account_id, broker=account.broker, client_id=account.client_id
        )
        message = AskLoginPages(
            **self._envelopes.head(AskLoginPages),
            items=(AskLoginPage(principal=caller.principal, account_id=account_id, state=state),),
        )
        subject = subjects.login_page(account.broker, partition_of(account_id, self._partitions))
        replies = await self._bus.request(
            subject, message, SessionReplies, timeout_seconds=self._timeout_seconds
        )
        url = _answered(replies.items[0]).login_url
        assert url is not None
        return LoginPageAnswer(login_url=url, expires_at=time_text(expires_at))

    async def sign_in(self, caller: Caller, account_id: int, body: LoginBody) -> BrokerSession:
        account = await self._account(caller, account_id)
        given = {"requestToken": body.request_token, "password": body.password, "totp": body.totp}
        return await self._sign_in(caller.principal, account_id, account.broker, account.client_id, given)

    async def come_back(
        self, broker: Broker, *, state: str, request_token: SecretStr
    ) -> tuple[int, BrokerSession]:
        """A browser is back from the broker: the account, and its session.

        Raises:
            LoginStateError: nobody was sent away with this state, or it is used up.
            RefusedError: the broker said no.
        """
        pending = await self._states.take(state, broker)
        if pending is None:
            raise LoginStateError
        session = await self._sign_in(
            pending.principal, pending.account_id, broker, pending.client_id, {"requestToken": request_token}
        )
        return pending.account_id, session

    async def _account(self, caller: Caller, account_id: int) -> Account:
        account = await self._accounts.find(caller, account_id)
        if account.broker is Broker.PAPER:
            raise ApiError(
                ReasonCode.SIGN_IN_NOT_NEEDED, "paper accounts need no login: orders can be placed at once"
            )
        return account

    async def _sign_in(
        self,
        principal: Principal,
        account_id: int,
        broker: Broker,
        client_id: str,
        given: dict[str, SecretStr | None],
    ) -> BrokerSession:
        inputs = tuple(
            SealedInput.model_validate(
                {
                    "field": field,
                    "sealed": self._sealer.seal(
                        secret, SecretPlace(principal.user_id, broker, client_id, field)
                    ),
                }
            )
            for field, secret in given.items()
            if secret is not None
        )
        message = SignInAccounts(
            **self._envelopes.head(SignInAccounts),
            items=(SignInAccount(principal=principal, account_id=account_id, inputs=inputs),),
        )
        subject = subjects.sign_in(broker, partition_of(account_id, self._partitions))
        replies = await self._bus.request(subject, message, SessionReplies, timeout_seconds=SIGN_IN_SECONDS)
        session = _answered(replies.items[0]).session
        assert session is not None
        return session


def _answered(reply: SessionReply) -> SessionReply:
    if reply.problem is not None:
        raise RefusedError(reply.problem)
    return reply
