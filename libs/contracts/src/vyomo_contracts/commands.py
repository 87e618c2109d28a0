"""Commands: imperative, frozen, strict. Each message is an envelope around a list; replies are lists in the same order."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vyomo_contracts.identifiers import IDEMPOTENCY_KEY_MAX_LENGTH
from vyomo_contracts.messages import Envelope, Instant, Principal, Reply, Strict, Tolerant
from vyomo_contracts.money import Money
from vyomo_contracts.orders import Order, OrderModification, OrderRequest
from vyomo_contracts.portfolio import Funds
from vyomo_contracts.sessions import AccountSession, SessionState
from vyomo_contracts.vocabulary import Broker, Environment


class PlaceOrder(Strict):
    principal: Principal
    account_id: int
    idempotency_key: str = Field(min_length=1, max_length=IDEMPOTENCY_KEY_MAX_LENGTH)
    body_hash: str = Field(min_length=64, max_length=64)
    """SHA-256 of the canonical request: the same key with another hash is refused."""
    deadline: Instant
    """The gateway stops waiting then; a router that reads the command later leaves it alone."""
    order: OrderRequest


class PlaceOrders(Envelope):
    TYPE: ClassVar[str] = "order.place"
    items: tuple[PlaceOrder, ...] = Field(min_length=1)


class OrderReply(Reply):
    """`order` is set when the order is recorded, also together with a `problem` when it was DENIED."""

    order: Order | None = None
    replayed: bool = False
    """True when the idempotency key was used before: `order` is that order as it now is."""


class CancelOrder(Strict):
    principal: Principal
    account_id: int
    order_id: str
    reason: str | None = Field(default=None, max_length=256)


class CancelOrders(Envelope):
    TYPE: ClassVar[str] = "order.cancel"
    items: tuple[CancelOrder, ...] = Field(min_length=1)


class ModifyOrder(Strict):
    principal: Principal
    account_id: int
    order_id: str
    changes: OrderModification


class ModifyOrders(Envelope):
    TYPE: ClassVar[str] = "order.modify"
    items: tuple[ModifyOrder, ...] = Field(min_length=1)


class OrderReplies(Envelope):
    TYPE: ClassVar[str] = "order.replies"
    items: tuple[OrderReply, ...]


class SealedSecret(Strict):
    """A credential only broker workers can open; the gateway seals it and forgets the clear text."""

    field: Literal["apiKey", "apiSecret", "password", "totpSecret", "relayPassword"]
    sealed: str
    version: int = 1


class CreateAccount(Strict):
    principal: Principal
    broker: Broker
    client_id: str = Field(min_length=1, max_length=64)
    environment: Environment = Environment.LIVE
    secrets: tuple[SealedSecret, ...] = ()
    initial_capital: Annotated[Money, Field(ge=0)] | None = None
    """Paper only; None means unlimited."""


class CreateAccounts(Envelope):
    TYPE: ClassVar[str] = "account.create"
    items: tuple[CreateAccount, ...] = Field(min_length=1)


class SetAccountActive(Strict):
    principal: Principal
    account_id: int
    active: bool


class SetAccountsActive(Envelope):
    TYPE: ClassVar[str] = "account.set_active"
    items: tuple[SetAccountActive, ...] = Field(min_length=1)


class AccountEgress(Tolerant):
    """The way that an account's order calls take to a broker that takes them from one address alone; one of the two is set."""

    source_address: str | None = None
    """One of the machine's own addresses."""
    relay: str | None = None
    """`http://host:port` or `socks5://host:port`, without credentials."""
    relay_user: str | None = None


class SetAccountEgress(Strict):
    principal: Principal
    account_id: int
    egress: AccountEgress | None = None
    """None: straight, from whatever address the machine has."""
    relay_password: SealedSecret | None = None


class SetAccountEgresses(Envelope):
    TYPE: ClassVar[str] = "account.set_egress"
    items: tuple[SetAccountEgress, ...] = Field(min_length=1)


class Account(Tolerant):
    """A row of `broker_accounts` without its secrets."""

    id: int
    user_id: str
    broker: Broker
    client_id: str
    environment: Environment = Environment.LIVE
    is_active: bool
    unlimited: bool = False
    session: AccountSession | None = None
    """None on paper, which lets everybody in."""
    egress: AccountEgress | None = None
    funds: Funds
    last_synced: Instant | None = None
    created_at: Instant


def account_egress(source: str | None, relay: str | None, relay_user: str | None) -> AccountEgress | None:
    """From the columns of `broker_accounts`."""
    if source is None and relay is None:
        return None
    return AccountEgress(source_address=source, relay=relay, relay_user=relay_user)


def account_session(
    broker: Broker, state: str | None, valid_until: Instant | None, reason: str | None
) -> AccountSession | None:
    """From what the record has of it: nothing, before somebody signs in for the first time."""
    if broker is Broker.PAPER:
        return None
    known = SessionState.NO_SESSION if state is None else SessionState(state)
    return AccountSession(state=known, valid_until=valid_until, reason=reason)


class AccountReply(Reply):
    account: Account | None = None


class AccountReplies(Envelope):
    TYPE: ClassVar[str] = "account.replies"
    items: tuple[AccountReply, ...]


class SyncPositions(Strict):
    """Mirror an account's positions into an auto-trader session and keep following them."""

    principal: Principal
    account_id: int
    session_id: int = Field(gt=0, le=2_147_483_647)


class SyncPositionsBatch(Envelope):
    TYPE: ClassVar[str] = "account.sync"
    items: tuple[SyncPositions, ...] = Field(min_length=1)


class SyncReply(Reply):
    synced: int = 0
    """Positions mirrored."""


class SyncReplies(Envelope):
    TYPE: ClassVar[str] = "account.sync_replies"
    items: tuple[SyncReply, ...]


class RingDoorbell(Envelope):
    """These accounts have new orders or pending actions. A hint: it carries no order and may be lost, repeated or late."""

    TYPE: ClassVar[str] = "broker.doorbell"
    account_ids: tuple[int, ...]
