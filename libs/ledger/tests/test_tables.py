"""The tables that queries are written against are the tables that the migrations make."""

import pytest
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import dialect

from vyomo_ledger.tables import metadata
from vyomo_ledger.testing import RecordWorld

COLUMNS = """
SELECT attname AS name, format_type(atttypid, atttypmod) AS type, NOT attnotnull AS nullable
FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
"""


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=str)
async def test_table_is_as_migrated(world: RecordWorld, table: Table) -> None:
    migrated = {
        row["name"]: (row["type"], row["nullable"]) for row in await world.rows(COLUMNS, table.fullname)
    }

    described = {
        column.name: (
            column.type.compile(dialect()).lower().replace(", ", ","),
            bool(column.nullable) and not column.primary_key,
        )
        for column in table.columns
    }
    assert described == migrated
