from sqlalchemy import BigInteger, Column, Identity, Integer, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import BYTEA

from vyomo_ledger.tables.metadata import INSTANT, metadata

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("consumer", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("stream_sequence", BigInteger, nullable=False),
    Column("stored_at", INSTANT, nullable=False),
    Column("subject", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("payload", BYTEA),
    Column("why", Text, nullable=False),
    Column("traceback", Text),
    Column("deliveries", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("kept_at", INSTANT, nullable=False),
    Column("attended_at", INSTANT),
    Column("changed_at", INSTANT, nullable=False),
    UniqueConstraint("consumer", "stream", "stream_sequence", "stored_at"),
    schema="ledger",
)
