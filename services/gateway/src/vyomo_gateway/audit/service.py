"""Pages of the audit trail, and the whole of it as CSV."""

from collections.abc import AsyncGenerator, Mapping
from typing import Final

from vyomo_gateway.audit.entries import AuditEntryView, csv_lines
from vyomo_gateway.audit.reads import arguments, events
from vyomo_gateway.edge.paging import Page
from vyomo_gateway.edge.requests import LARGEST_ID
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.reading import Records

CSV_PAGE: Final = 500


class AuditTrail:
    def __init__(self, records: Records) -> None:
        self._records = records

    async def page(
        self, caller: Caller, asked: Mapping[str, object], page: Page
    ) -> tuple[list[AuditEntryView], int | None]:
        """Newest first, and below what to go on, if there is more."""
        given, values = arguments(asked)
        async with self._records.read(caller) as reader:
            rows = await reader.rows(
                events(given), user_id=caller.user_id, before=page.before, limit=page.limit + 1, **values
            )
        entries = [AuditEntryView.of(row) for row in rows[: page.limit]]
        return entries, entries[-1].sequence if len(rows) > page.limit else None

    async def csv(self, caller: Caller, asked: Mapping[str, object]) -> AsyncGenerator[bytes]:
        """Page by page: an export of a year is never in memory, and holds no transaction open."""
        yield csv_lines(None)
        before: int | None = LARGEST_ID
        while before is not None:
            entries, before = await self.page(caller, asked, Page(CSV_PAGE, before))
            yield csv_lines(entries)
