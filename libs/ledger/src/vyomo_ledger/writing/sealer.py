"""Sealing the record's events soon after their commit, and recomputing the whole chain every hour.

One router does it, under a lease. Nothing on an order's way waits for it: it reads what lies below the horizon (docs/decisions/0004),
where nothing can appear any more, and adds a seal over it. Two at once are harmless: a seal's number is the first one's.
"""

from typing import Final

import structlog

from vyomo_contracts.alerts import AlertCode
from vyomo_ledger.auditing import records
from vyomo_ledger.auditing.anchors import AnchorFile, AnchorsUnreadableError
from vyomo_ledger.auditing.chain import Anchor, Finding, FindingKind, Link, next_seal
from vyomo_ledger.auditing.verifying import Verification, verify
from vyomo_ledger.writing.alerts import INSTALLATION, clear_alert, raise_installation_alert
from vyomo_ledger.writing.leases import Lease
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.database import Connection, Database

log = structlog.get_logger()

LEASE: Final = "audit"
EVENTS_A_SEAL: Final = 1000
SEALS_A_ROUND: Final = 16
VERIFY_SECONDS: Final = 3600.0
RETRY_SECONDS: Final = 60.0
REST: Final = 4.0
"""Verifying rests this many times as long as it works: orders have the machine first."""
CHAIN: Final = "chain"
"""An alert about what a pass can see: the next clean pass takes it back."""
WITNESSED: Final = "witnessed"
"""An alert about what happened under the sealer's eyes and leaves no trace in the chain: a person takes it back."""


class AuditSealer:
    def __init__(self, database: Database, clock: Clock, lease: Lease) -> None:
        self._database = database
        self._clock = clock
        self._lease = lease
        self._known: Link | None = None
        """The last seal this process saw: one that is gone or another now was tampered with."""
        self.has_caught_up = False

    async def run_once(self) -> None:
        """Seal what can be sealed, at most so much that other work has its turn."""
        if not await self._lease.hold():
            self._known, self.has_caught_up = None, False
            return
        for _ in range(SEALS_A_ROUND):
            async with self._database.connection() as connection:
                if not await self._seal_next(connection):
                    self.has_caught_up = True
                    return

    async def _seal_next(self, connection: Connection) -> bool:
        """Whether there may be more."""
        last = await records.last_link(connection)
        await self._compare(connection, last)
        found = await records.unsealed(connection, last.through, EVENTS_A_SEAL)
        horizon, events = found["horizon"], found["events"]
        if last.number and horizon - 1 < last.through:
            await report(
                connection,
                self._clock,
                Finding(
                    kind=FindingKind.SEAL_REWRITTEN,
                    seal=last.number,
                    detail=f"it reaches to {last.through}, and the database has come to {horizon} only: it was restored without "
                    "raising its transaction number, or the seal was forged",
                ),
            )
            return False
        if not events:
            return False
        is_full = events >= EVENTS_A_SEAL
        seal = next_seal(
            last,
            through=found["last"] if is_full else horizon - 1,
            events=events,
            entries=found["entries"],
            sealed_at=self._clock.now(),
        )
        if not await records.add_seal(connection, seal):
            log.warning("audit.sealed_by_another", seal=seal.number)
            return True
        self._known = Link.of(seal)
        return is_full

    async def _compare(self, connection: Connection, last: Link) -> None:
        known, self._known = self._known, last
        if known is None or last.number > known.number or last == known:
            return
        kind = FindingKind.SEAL_MISSING if last.number < known.number else FindingKind.SEAL_REWRITTEN
        finding = Finding(
            kind=kind,
            seal=known.number,
            detail=f"the chain ended with seal {known.number} a moment ago and ends with seal {last.number} now",
        )
        await report(connection, self._clock, finding, WITNESSED)


class AuditWatch:
    """The hourly pass, by the sealer that holds the lease; it anchors the chain where it was found whole."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sealer: AuditSealer,
        anchors: AnchorFile | None,
        *,
        every_seconds: float = VERIFY_SECONDS,
        rest: float = REST,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sealer = sealer
        self._anchors = anchors
        self._every_seconds = every_seconds
        self._rest = self._usual_rest = rest
        self._due_at = 0.0

    async def run_once(self) -> Verification | None:
        """None while it is not this process's turn."""
        now = self._clock.elapsed()
        if not self._sealer.has_caught_up or now < self._due_at:
            return None
        self._due_at = now + min(self._every_seconds, RETRY_SECONDS)  # unless it gets through
        try:
            anchors = {} if self._anchors is None else self._anchors.read()
        except AnchorsUnreadableError as error:
            async with self._database.connection() as connection:
                await report(
                    connection,
                    self._clock,
                    Finding(kind=FindingKind.ANCHOR_BROKEN, seal=None, detail=str(error)),
                )
            return None
        verification = await verify(self._database, self._clock, anchors, rest=self._rest)
        # An empty chain has nothing to anchor: its first seals must not wait an hour for that.
        self._due_at = now + (self._every_seconds if verification.last.number else 0.0)
        self._pace(verification.seconds)
        async with self._database.connection() as connection:
            if verification.finding is not None:
                await report(connection, self._clock, verification.finding)
                return verification
            await clear_alert(connection, INSTALLATION, AlertCode.AUDIT_BROKEN, CHAIN)
        if not verification.last.number:
            return verification
        self._anchor(verification.last)
        log.info(
            "audit.verified",
            seals=verification.last.number,
            events=verification.last.total,
            hash=verification.last.hash.hex(),
            waiting=verification.unsealed,
            took_seconds=round(verification.seconds, 3),
        )
        return verification

    def _pace(self, seconds: float) -> None:
        """A record that has grown large is verified with less rest, so that a fault is still found within the hour."""
        if seconds * 2 < self._every_seconds:
            self._rest = self._usual_rest
            return
        self._rest /= 2
        log.warning("audit.slow", took_seconds=round(seconds), every_seconds=self._every_seconds)

    def _anchor(self, last: Link) -> None:
        if self._anchors is None:
            return
        anchor = Anchor(number=last.number, total=last.total, hash=last.hash, at=self._clock.now())
        try:
            if anchor.number not in self._anchors.read():
                self._anchors.add(anchor)
        except (OSError, AnchorsUnreadableError) as error:
            # The line in the log is an anchor too.
            log.error("audit.not_anchored", why=str(error))  # noqa: TRY400 - the disk's word says it all


async def report(connection: Connection, clock: Clock, finding: Finding, subject: str = CHAIN) -> None:
    """Loud each time, one standing alert."""
    log.error(
        "audit.broken",
        kind=finding.kind,
        seal=finding.seal,
        sequence=finding.sequence,
        audited=finding.event,
        detail=finding.detail,
    )
    where = ", ".join(
        part for part in (f"seal {finding.seal}" if finding.seal else "", finding.event or "") if part
    )
    await raise_installation_alert(
        connection,
        AlertCode.AUDIT_BROKEN,
        subject,
        f"the record's events were tampered with or damaged: {finding.kind}"
        f"{f' ({where})' if where else ''}: {finding.detail}",
        clock.now(),
    )
