"""Keeps `auto_trades` equal to the positions of the accounts that were linked to a session."""

from collections.abc import Sequence

import structlog

from vyomo_contracts.commands import SyncPositions, SyncReply
from vyomo_contracts.messages import Problem
from vyomo_contracts.portfolio import Position
from vyomo_contracts.reasons import ReasonCode
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Connection, Database
from vyomo_sync.adapters import sessions, trades
from vyomo_sync.adapters.sessions import Link
from vyomo_sync.adapters.trades import Change, Key
from vyomo_sync.domain.following import follow

log = structlog.get_logger()


class Mirroring:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def sync(self, request: SyncPositions) -> SyncReply:
        """Link the account to the session and mirror its positions as they are now. Safe to repeat."""
        problem = await self._link(request)
        if problem is not None:
            return SyncReply(problem=problem)
        # In a second transaction: whoever changes a position after this reads it publishes an event to a consumer that already
        # sees the link, so nothing falls between the two.
        async with self._database.transaction() as connection:
            links = await sessions.lock_links(connection, [request.account_id], request.session_id)
            positions = await sessions.current_positions(
                connection, request.account_id, request.principal.user_id
            )
            await self._mirror(connection, links, positions)
            for link in links:
                await sessions.mark_synced(connection, link, self._clock.now())
        log.info(
            "sync.positions_mirrored",
            session_id=request.session_id,
            account_id=request.account_id,
            positions=len(positions),
        )
        return SyncReply(synced=len(positions))

    async def positions_changed(self, positions: Sequence[Position]) -> None:
        """Carry changed positions of linked accounts into their sessions' trades, all in one transaction."""
        account_ids = sorted({position.account_id for position in positions})
        async with self._database.connection() as connection:
            # Most accounts belong to no session: one statement, no transaction, no lock.
            if not await sessions.is_any_linked(connection, account_ids):
                return
        async with self._database.transaction() as connection:
            links = await sessions.lock_links(connection, account_ids)
            await self._mirror(connection, links, positions)

    async def _link(self, request: SyncPositions) -> Problem | None:
        user_id, now = request.principal.user_id, self._clock.now()
        async with self._database.transaction() as connection:
            if not await sessions.owns_account(connection, user_id, request.account_id):
                return Problem(
                    code=ReasonCode.ACCOUNT_NOT_FOUND,
                    message=f"you have no account {request.account_id}",
                    field="accountId",
                )
            if not await sessions.claim_session(connection, user_id, request.session_id, now):
                return Problem(
                    code=ReasonCode.SESSION_NOT_FOUND,
                    message=f"you have no session {request.session_id}",
                    field="sessionId",
                )
            await sessions.link_account(
                connection, Link(request.session_id, request.account_id, user_id), now
            )
        return None

    async def _mirror(
        self, connection: Connection, links: Sequence[Link], positions: Sequence[Position]
    ) -> None:
        pairs = [
            (Key.of(link, position), position)
            for position in positions
            for link in links
            if (link.account_id, link.user_id) == (position.account_id, position.user_id)
        ]
        known = await trades.load_followed(connection, {key for key, _ in pairs})
        changes: list[Change] = []
        for key, position in pairs:
            step = follow(known.get(key), position)
            if step is None:
                continue
            known[key] = step.followed
            changes.append(Change(key, position, step))
        if changes:
            await trades.save(connection, changes, self._clock.now())
