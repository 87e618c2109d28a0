"""Accounts as they are opened and as they are shown; credentials go in and never come out."""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import UNSET, UnsetType
from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    Strict,
    StringConstraints,
    WithJsonSchema,
)

from vyomo_contracts.commands import Account
from vyomo_contracts.money import Money
from vyomo_contracts.vocabulary import Broker, Environment
from vyomo_gateway.accounts.egress import EgressView
from vyomo_gateway.edge.bodies import Body, Text
from vyomo_gateway.edge.encoding import Time, View, number, optional_number, time_text
from vyomo_gateway.logins.schemas import SessionView

DEFAULT_CAPITAL = Decimal(100_000)


def _capital(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, str) and value != "unlimited"):
        raise ValueError('must be a number or "unlimited"')
    return value


Secret = Annotated[SecretStr, Field(max_length=512)]
"""An empty one counts as not given."""
_LARGEST_CAPITAL = 10**12
Capital = Annotated[
    Annotated[Money, Field(gt=0, le=Decimal(_LARGEST_CAPITAL))] | Literal["unlimited"],
    BeforeValidator(_capital),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": _LARGEST_CAPITAL},
                {"const": "unlimited"},
            ]
        }
    ),
]


class AccountBody(Body):
    """A link to a broker. zerodha needs `apiKey` and `apiSecret`; angel `apiKey`, `password` (the PIN) and `totpSecret`."""

    broker: Broker
    client_id: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")] = (
        Field(examples=["DEMO123"])
    )
    environment: Environment = Environment.LIVE
    """`sandbox`: the same protocol, spoken by the paper exchange; credentials are made up for you if you give none."""
    api_key: Secret | None = None
    api_secret: Secret | None = None
    password: Secret | None = None
    totp_secret: Secret | None = None
    initial_capital: Capital | None = Field(default=None, examples=[100000, "unlimited"])
    """Paper only: rupees to start with, 100000 unless said otherwise."""
    user_id: Text | None = None
    """Your own, or left out."""


class AccountChanges(Body):
    is_active: Annotated[bool, Strict()]
    """An inactive account takes no orders; one with open orders cannot be deactivated."""


class AccountView(View, frozen=True, kw_only=True):
    id: int
    user_id: str
    broker: Broker
    client_id: str
    environment: Environment
    is_active: bool
    session: SessionView | None
    """Whether the broker lets us in; null on paper, which always does."""
    egress: EgressView | None
    """The way that orders take to the broker; null for none of its own. A relay's password is never shown."""
    balance: Decimal | None
    """null when the capital is unlimited."""
    unlimited: bool
    margin_available: Decimal | None
    """balance - marginUsed."""
    margin_used: Decimal
    """Blocked for positions and pending orders, unrealised losses included."""
    last_synced: Time | None
    created_at: Time

    @classmethod
    def of(cls, account: Account) -> "AccountView":
        return cls(
            id=account.id,
            user_id=account.user_id,
            broker=account.broker,
            client_id=account.client_id,
            environment=account.environment,
            is_active=account.is_active,
            session=None if account.session is None else SessionView.of(account.session),
            egress=None if account.egress is None else EgressView.of(account.egress),
            balance=optional_number(account.funds.balance),
            unlimited=account.unlimited,
            margin_available=optional_number(account.funds.available),
            margin_used=number(account.funds.used),
            last_synced=None if account.last_synced is None else time_text(account.last_synced),
            created_at=time_text(account.created_at),
        )


class AccountAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    account: AccountView
    message: str | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET
    """What was sent and does not apply: it was ignored and is not stored."""


class AccountsAnswer(View, frozen=True, kw_only=True):
    success: Literal[True] = True
    accounts: list[AccountView]
    next_cursor: str | UnsetType = UNSET
