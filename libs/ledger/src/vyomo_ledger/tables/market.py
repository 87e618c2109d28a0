from typing import Any

from sqlalchemy import BigInteger, Column, Date, Identity, Integer, Numeric, Table, Text, UniqueConstraint

from vyomo_ledger.tables.metadata import INSTANT, PRICE, metadata


def _attributes() -> list[Column[Any]]:
    """What is known of an instrument, whoever lists it."""
    return [
        Column("name", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("underlying", Text),
        Column("expiry", Date),
        Column("strike", PRICE),
        Column("option_type", Text),
        Column("lot_size", Integer, nullable=False),
        Column("tick_size", PRICE, nullable=False),
        Column("freeze_quantity", Integer),
        Column("multiplier", Integer, nullable=False),
        Column("reference_price", PRICE, nullable=False),
        Column("band_percent", Numeric(9, 4), nullable=False),
    ]


instruments = Table(
    "instruments",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("exchange", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    *_attributes(),
    Column("source", Text, nullable=False),
    Column("updated_at", INSTANT, nullable=False),
    UniqueConstraint("exchange", "symbol"),
    schema="market",
)

listings = Table(
    "listings",
    metadata,
    Column("broker", Text, primary_key=True),
    Column("exchange", Text, primary_key=True),
    Column("symbol", Text, primary_key=True),
    Column("trading_symbol", Text, nullable=False),
    Column("token", Text, nullable=False),
    *_attributes(),
    schema="market",
)

masters = Table(
    "masters",
    metadata,
    Column("broker", Text, primary_key=True),
    Column("loaded_at", INSTANT),
    Column("listed", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("problem", Text),
    Column("looked_at", INSTANT, nullable=False),
    schema="market",
)
