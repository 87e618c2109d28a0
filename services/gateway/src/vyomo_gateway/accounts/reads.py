"""What the record says of accounts, without anything secret: the gateway's role cannot read those columns."""

from sqlalchemy import bindparam, select

from vyomo_contracts.commands import Account, account_egress, account_session
from vyomo_contracts.portfolio import Funds
from vyomo_contracts.vocabulary import Broker
from vyomo_gateway.reading import Statement
from vyomo_ledger.tables import broker_accounts, broker_sessions
from vyomo_service_kit.database import Row

_c = broker_accounts.c
_s = broker_sessions.c
_ACCOUNT = select(
    _c.id,
    _c.user_id,
    _c.broker,
    _c.client_id,
    _c.environment,
    _c.is_active,
    _c.unlimited,
    _c.balance,
    _c.margin_used,
    _c.margin_available,
    _c.funds_version,
    _c.last_synced,
    _c.created_at,
    _c.updated_at,
    _c.egress_source,
    _c.egress_relay,
    _c.egress_relay_user,
    _s.state.label("session_state"),
    _s.valid_until.label("session_valid_until"),
    _s.reason.label("session_reason"),
).outerjoin_from(broker_accounts, broker_sessions, _s.account_id == _c.id)

ONE_ACCOUNT = Statement(_ACCOUNT.where(_c.id == bindparam("account_id"), _c.user_id == bindparam("user_id")))

ACCOUNT_PAGE = Statement(
    _ACCOUNT.where(_c.user_id == bindparam("user_id"), _c.id > bindparam("after"))
    .order_by(_c.id)
    .limit(bindparam("limit"))
)

ALL_ACCOUNTS = Statement(_ACCOUNT.where(_c.user_id == bindparam("user_id")).order_by(_c.id))


def account_of(row: Row) -> Account:
    return Account(
        id=row["id"],
        user_id=row["user_id"],
        broker=row["broker"],
        client_id=row["client_id"],
        environment=row["environment"],
        is_active=row["is_active"],
        unlimited=row["unlimited"],
        session=account_session(
            Broker(row["broker"]), row["session_state"], row["session_valid_until"], row["session_reason"]
        ),
        egress=account_egress(row["egress_source"], row["egress_relay"], row["egress_relay_user"]),
        funds=funds_of(row),
        last_synced=row["last_synced"],
        created_at=row["created_at"],
    )


def funds_of(row: Row) -> Funds:
    return Funds(
        account_id=row["id"],
        user_id=row["user_id"],
        broker=row["broker"],
        balance=row["balance"],
        used=row["margin_used"],
        available=row["margin_available"],
        version=row["funds_version"],
        updated_at=row["updated_at"],
    )
