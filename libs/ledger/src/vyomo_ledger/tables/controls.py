from sqlalchemy import BigInteger, Boolean, Column, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from vyomo_ledger.tables.metadata import INSTANT, metadata

controls = Table(
    "controls",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("scope_id", Text, primary_key=True),
    Column("cause", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("until", INSTANT),
    Column("swept", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("changed_at", INSTANT, nullable=False),
    schema="ledger",
)

risk_limits = Table(
    "risk_limits",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("account_id", BigInteger, primary_key=True),
    Column("limits", JSONB, nullable=False),
    Column("actor", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("changed_at", INSTANT, nullable=False),
    schema="ledger",
)

account_events = Table(
    "account_events",
    metadata,
    Column("sequence", BigInteger, primary_key=True),
    Column("account_id", BigInteger, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("recorded_at", INSTANT, nullable=False),
    schema="ledger",
)

risk_events = Table(
    "risk_events",
    metadata,
    Column("sequence", BigInteger, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("recorded_at", INSTANT, nullable=False),
    schema="ledger",
)
