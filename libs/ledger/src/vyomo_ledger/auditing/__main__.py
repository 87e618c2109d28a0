"""Verify the audit chain from the command line; `./vyomo audit verify` runs this.

    VYOMO_POSTGRES_URL=... python -m vyomo_ledger.auditing --anchors FILE [--json]

Exit codes: 0 the chain is whole, 1 it is not, 2 the command was wrong, 3 it could not be verified.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from asyncpg import PostgresError

from vyomo_ledger.auditing import AnchorFile, AnchorsUnreadableError, Verification, verify
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.database import RecordUnavailableError, open_database

EXIT_WHOLE: Final = 0
EXIT_BROKEN: Final = 1
EXIT_UNVERIFIED: Final = 3
ROLE: Final = "vyomo_router"
_STATEMENT_SECONDS: Final = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="vyomo audit verify", description=__doc__)
    parser.add_argument(
        "--anchors", type=Path, metavar="FILE", help="the anchors written outside the database"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    try:
        verification = asyncio.run(_verify(os.environ["VYOMO_POSTGRES_URL"], options.anchors))
    except (AnchorsUnreadableError, PostgresError, RecordUnavailableError, OSError, ValueError) as error:
        why = str(error) or type(error).__name__
        _write(json.dumps({"intact": None, "error": why}) if options.json else f"not verified: {why}")
        return EXIT_UNVERIFIED
    _write(json.dumps(_document(verification), indent=2) if options.json else _sentences(verification))
    return EXIT_WHOLE if verification.is_intact else EXIT_BROKEN


async def _verify(postgres_url: str, anchors: Path | None) -> Verification:
    known = {} if anchors is None else AnchorFile(anchors).read()
    async with open_database(
        postgres_url,
        role=ROLE,
        application="audit-verify",
        max_size=1,
        statement_seconds=_STATEMENT_SECONDS,
        patience_seconds=0,
    ) as database:
        return await verify(database, SystemClock(), known)


def _document(verification: Verification) -> dict[str, Any]:
    finding = verification.finding
    return {
        "intact": verification.is_intact,
        "seals": verification.last.number,
        "events": verification.last.total,
        "hash": verification.last.hash.hex() if verification.last.number else None,
        "unsealed": verification.unsealed,
        "anchors": verification.anchors,
        "seconds": round(verification.seconds, 3),
        "finding": None
        if finding is None
        else {
            "kind": finding.kind,
            "seal": finding.seal,
            "sequence": finding.sequence,
            "event": finding.event,
            "detail": finding.detail,
        },
    }


def _sentences(verification: Verification) -> str:
    last, finding = verification.last, verification.finding
    checked = f"{last.number} seals over {last.total} events"
    if finding is None:
        return (
            f"whole: {checked}, {verification.anchors} anchors met, {verification.unsealed} events too young to be sealed, "
            f"in {verification.seconds:.1f} s"
        )
    lines = [f"NOT WHOLE: {finding.kind}: {finding.detail}"]
    if finding.seal is not None:
        lines.append(f"  seal      {finding.seal}")
    if finding.event is not None:
        lines.append(f"  event     {finding.event}")
    if finding.sequence is not None:
        lines.append(f"  sequence  {finding.sequence}")
    lines.append(f"  before it {checked} are right; docs/runbooks/audit-verify-failed.md says what to do")
    return "\n".join(lines)


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
