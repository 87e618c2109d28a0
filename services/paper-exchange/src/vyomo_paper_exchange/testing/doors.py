"""For tests of the doors: a venue with its desk open, credentials sealed for it, sandbox accounts."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple, get_args

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import SecretStr

from vyomo_contracts.vocabulary import Exchange, OrderType, Product, TransactionType, Validity
from vyomo_ledger.door_logins import DoorProtocol, DoorSecret, door_secret_place
from vyomo_paper_exchange.doors.kite.app import create_kite_app
from vyomo_paper_exchange.doors.logins import Profile
from vyomo_paper_exchange.doors.orders import NewOrder
from vyomo_paper_exchange.doors.smartapi.app import create_smartapi_app
from vyomo_paper_exchange.doors.venue import DoorVenue, open_venue
from vyomo_paper_exchange.history import CandleHistory
from vyomo_paper_exchange.testing.venue import Venue
from vyomo_service_kit.sealing import Opener, Sealer
from vyomo_service_kit.serving import serve_http
from vyomo_service_kit.testing.databases import execute


class KeyPair(NamedTuple):
    private: bytes
    public: bytes


def _made() -> KeyPair:
    key = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    return KeyPair(key.private_bytes_raw(), key.public_key().public_bytes_raw())


ROOT_KEYS: Final = _made()
ADMIN_KEY: Final = "the-doors-key"
_COLUMNS: Final[Mapping[DoorSecret, str]] = {
    "apiKey": "api_key",
    "apiSecret": "api_secret",
    "pin": "pin",
    "totpSecret": "totp_secret",
}


def new_order(**changes: Any) -> NewOrder:
    """To buy ten RELIANCE at the market."""
    terms: dict[str, Any] = {
        "exchange": Exchange.NSE,
        "symbol": "RELIANCE",
        "transaction_type": TransactionType.BUY,
        "order_type": OrderType.MARKET,
        "product": Product.MIS,
        "validity": Validity.DAY,
        "quantity": 10,
    }
    return NewOrder(**(terms | changes))


@asynccontextmanager
async def door_venue(venue: Venue) -> AsyncGenerator[DoorVenue]:
    async with open_venue(
        ledger=venue.ledger,
        executor=venue.executor,
        rounds=venue.rounds,
        record=venue.door_record,
        clock=venue.clock,
        history=CandleHistory(venue.rounds, venue.clock, 1),
        opener=Opener(ROOT_KEYS.private),
    ) as opened:
        yield opened


def give_login(
    database_url: str,
    account_id: int,
    protocol: DoorProtocol,
    secrets: Mapping[DoorSecret, str],
    *,
    user_id: str = "asha",
    profile: Profile = "strict_2026",
    redirect_url: str | None = None,
) -> None:
    """As the gateway does for a paper account."""
    sealer = Sealer(ROOT_KEYS.public)
    sealed = {
        _COLUMNS[field]: sealer.seal(
            SecretStr(secrets[field]), door_secret_place(user_id, account_id, protocol, field)
        )
        for field in get_args(DoorSecret)
        if field in secrets
    }
    values = {"redirect_url": redirect_url, **sealed}
    names = ", ".join(values)
    texts = ", ".join("NULL" if value is None else f"'{value}'" for value in values.values())
    execute(
        database_url,
        f"INSERT INTO accounts.door_logins (account_id, protocol, user_id, profile, updated_at, {names}) "
        f"VALUES ({account_id}, '{protocol}', '{user_id}', '{profile}', now(), {texts})",
    )


def make_sandbox(database_url: str, account_id: int, broker: str = "zerodha") -> None:
    """A paper account becomes one of a broker that lives at the doors; only before it has traded."""
    execute(
        database_url,
        f"UPDATE accounts.broker_accounts SET broker = '{broker}', environment = 'sandbox' "
        f"WHERE id = {account_id}",
    )


@asynccontextmanager
async def kite_server(
    doors: DoorVenue, *, redirect_url: str | None = None, has_limits: bool = False
) -> AsyncGenerator[str]:
    """The Kite door on a loopback port; its root URL."""
    app = create_kite_app(doors, admin_key=ADMIN_KEY, redirect_url=redirect_url, has_limits=has_limits)
    async with serve_http(app, host="127.0.0.1", port=0) as port:
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def smartapi_server(doors: DoorVenue, *, has_limits: bool = False) -> AsyncGenerator[str]:
    """The SmartAPI door on a loopback port; its root URL."""
    app = create_smartapi_app(doors, admin_key=ADMIN_KEY, has_limits=has_limits)
    async with serve_http(app, host="127.0.0.1", port=0) as port:
        yield f"http://127.0.0.1:{port}"
