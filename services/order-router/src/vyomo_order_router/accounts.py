"""Linking accounts and switching them on and off."""

from collections.abc import Sequence

import structlog

from vyomo_contracts.commands import AccountReply, CreateAccount, SetAccountActive, SetAccountEgress
from vyomo_contracts.messages import Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_order_router.adapters.accounts import AccountExistsError, AccountStore, OpenOrdersError
from vyomo_order_router.placing import account_missing, record_unavailable
from vyomo_service_kit.database import BUSY, RecordUnavailableError

log = structlog.get_logger()


class AccountService:
    def __init__(self, store: AccountStore) -> None:
        self._store = store

    async def create(self, commands: Sequence[CreateAccount]) -> list[AccountReply]:
        return [await self._create(command) for command in commands]

    async def set_active(self, commands: Sequence[SetAccountActive]) -> list[AccountReply]:
        return [await self._set_active(command) for command in commands]

    async def set_egress(self, commands: Sequence[SetAccountEgress]) -> list[AccountReply]:
        return [await self._set_egress(command) for command in commands]

    async def _set_egress(self, command: SetAccountEgress) -> AccountReply:
        try:
            account = await self._store.set_egress(command)
        except (RecordUnavailableError, *BUSY):
            return AccountReply(problem=record_unavailable())
        if account is None:
            return AccountReply(problem=account_missing(command.account_id))
        log.info("account.egress_set", account_id=account.id, is_straight=account.egress is None)
        return AccountReply(account=account)

    async def _create(self, command: CreateAccount) -> AccountReply:
        try:
            account = await self._store.create(command)
        except AccountExistsError:
            message = f"you have an account at {command.broker} with clientId {command.client_id} already"
            return AccountReply(
                problem=Problem(code=ReasonCode.ACCOUNT_EXISTS, field="clientId", message=message)
            )
        except RecordUnavailableError:
            return AccountReply(problem=record_unavailable())
        log.info("account.created", account_id=account.id, broker=account.broker)
        return AccountReply(account=account)

    async def _set_active(self, command: SetAccountActive) -> AccountReply:
        try:
            account = await self._store.set_active(command)
        except OpenOrdersError as error:
            message = f"account {command.account_id} has open orders ({error.count}); cancel them first"
            return AccountReply(
                problem=Problem(
                    code=ReasonCode.ACCOUNT_HAS_OPEN_ORDERS,
                    field="accountId",
                    message=message,
                    detail={"openOrders": error.count},
                )
            )
        except (RecordUnavailableError, *BUSY):
            return AccountReply(problem=record_unavailable())
        if account is None:
            return AccountReply(problem=account_missing(command.account_id))
        log.info("account.switched", account_id=account.id, active=account.is_active)
        return AccountReply(account=account)
