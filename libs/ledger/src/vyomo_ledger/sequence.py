"""The order of all order events: transaction number and place within the transaction, in one 64-bit integer.

A plain counter is drawn before the commit, so a slow transaction makes a smaller number visible after a larger one and a reader
that remembers the larger one misses it. Transaction numbers have the same fault, but PostgreSQL also tells the oldest one still
open: below that horizon nothing can appear any more. Readers stay below it (docs/decisions/0004).
"""

from typing import Final

PLACE_BITS: Final = 16
MAX_EVENTS_PER_TRANSACTION: Final = 1 << PLACE_BITS

HORIZON_SQL: Final = f"(pg_snapshot_xmin(pg_current_snapshot())::text::bigint << {PLACE_BITS})"
"""Every event with a smaller sequence is visible now, for good."""

TRANSACTION_SQL: Final = f"(pg_current_xact_id()::text::bigint << {PLACE_BITS})"
"""Sequence of this transaction's first event."""
