"""The shared tables for SQLAlchemy Core queries. Migrations define them; a test holds both against each other."""

from vyomo_ledger.tables.accounts import broker_accounts, broker_sessions, holdings, positions
from vyomo_ledger.tables.controls import account_events, controls, risk_events, risk_limits
from vyomo_ledger.tables.dead_letters import dead_letters
from vyomo_ledger.tables.ledger import alerts, broker_orders, fills, lanes, leases, order_events, outbox
from vyomo_ledger.tables.market import instruments, listings, masters
from vyomo_ledger.tables.metadata import metadata

__all__ = [
    "account_events",
    "alerts",
    "broker_accounts",
    "broker_orders",
    "broker_sessions",
    "controls",
    "dead_letters",
    "fills",
    "holdings",
    "instruments",
    "lanes",
    "leases",
    "listings",
    "masters",
    "metadata",
    "order_events",
    "outbox",
    "positions",
    "risk_events",
    "risk_limits",
]
