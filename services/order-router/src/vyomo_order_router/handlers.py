"""What the router serves over the bus. Requests are core NATS in a queue group: any router may serve any account."""

from collections.abc import Sequence
from typing import Any, Final

from faststream.nats import NatsBroker

from vyomo_contracts import subjects
from vyomo_contracts.commands import (
    AccountReplies,
    AccountReply,
    CancelOrders,
    CreateAccounts,
    ModifyOrders,
    OrderReplies,
    OrderReply,
    PlaceOrders,
    SetAccountEgresses,
    SetAccountsActive,
)
from vyomo_contracts.messages import Envelope
from vyomo_contracts.risk_commands import ExitReplies, ExitReply, RiskReplies, RiskReply
from vyomo_order_router.accounts import AccountService
from vyomo_order_router.changing import OrderChanging
from vyomo_order_router.placing import OrderPlacing
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.identifiers import IdentifierFactory

SOURCE: Final = "order-router"
_LISTS_AT_ONCE: Final = 4


class Replying:
    """Makes reply envelopes that point back at their request."""

    def __init__(self, clock: Clock, identifiers: IdentifierFactory) -> None:
        self._clock = clock
        self._identifiers = identifiers

    def orders(self, request: Envelope, items: Sequence[OrderReply]) -> OrderReplies:
        return OrderReplies(**self._head(request, OrderReplies), items=tuple(items))

    def accounts(self, request: Envelope, items: Sequence[AccountReply]) -> AccountReplies:
        return AccountReplies(**self._head(request, AccountReplies), items=tuple(items))

    def risk(self, request: Envelope, items: Sequence[RiskReply]) -> RiskReplies:
        return RiskReplies(**self._head(request, RiskReplies), items=tuple(items))

    def exits(self, request: Envelope, items: Sequence[ExitReply]) -> ExitReplies:
        return ExitReplies(**self._head(request, ExitReplies), items=tuple(items))

    def _head(self, request: Envelope, reply: type[Envelope]) -> dict[str, Any]:
        return {
            "id": self._identifiers.message_id(),
            "type": reply.TYPE,
            "time": self._clock.now(),
            "correlation_id": request.correlation_id,
            "causation_id": request.id,
            "source": SOURCE,
        }


def register_handlers(
    bus: NatsBroker,
    placing: OrderPlacing,
    changing: OrderChanging,
    accounts: AccountService,
    replying: Replying,
) -> None:
    @bus.subscriber(subjects.PLACE_ORDERS, queue=SOURCE, title="Place orders")
    async def on_place_orders(message: PlaceOrders) -> OrderReplies:
        """Validate, check, record; the reply follows the commit."""
        return replying.orders(message, await placing.place(message.items))

    @bus.subscriber(subjects.CANCEL_ORDERS, queue=SOURCE, max_workers=_LISTS_AT_ONCE, title="Cancel orders")
    async def on_cancel_orders(message: CancelOrders) -> OrderReplies:
        """Note the cancellation; the broker's verdict comes as an event."""
        return replying.orders(message, await changing.cancel(message.items))

    @bus.subscriber(subjects.MODIFY_ORDERS, queue=SOURCE, max_workers=_LISTS_AT_ONCE, title="Modify orders")
    async def on_modify_orders(message: ModifyOrders) -> OrderReplies:
        """Note the modification; the broker's verdict comes as an event."""
        return replying.orders(message, await changing.modify(message.items))

    @bus.subscriber(subjects.CREATE_ACCOUNTS, queue=SOURCE, title="Create accounts")
    async def on_create_accounts(message: CreateAccounts) -> AccountReplies:
        """Link accounts; credentials arrive sealed to the workers."""
        return replying.accounts(message, await accounts.create(message.items))

    @bus.subscriber(subjects.SET_ACCOUNTS_ACTIVE, queue=SOURCE, title="Switch accounts on or off")
    async def on_set_accounts_active(message: SetAccountsActive) -> AccountReplies:
        """An account with open orders stays on."""
        return replying.accounts(message, await accounts.set_active(message.items))

    @bus.subscriber(subjects.SET_ACCOUNT_EGRESSES, queue=SOURCE, title="Set the way of accounts' orders")
    async def on_set_account_egresses(message: SetAccountEgresses) -> AccountReplies:
        """From the next order call on; a relay's password arrives sealed to the workers."""
        return replying.accounts(message, await accounts.set_egress(message.items))
