"""Cut the power under a server that is being written to, start it on what the disk held, and look for everything it acknowledged.

One cut after the other on the same data: each copy is the disk of the next. Then the control: the same server with its syncs
turned off must lose something, or the cuts cut nothing.
"""

import asyncio
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from vyomo_service_kit.embedded import EmbeddedNats, EmbeddedPostgres
from vyomo_service_kit.migrations import migrate_async

from . import letters, record
from .disks import Image
from .servers import Freezer, destroy

POSTGRES_MEGABYTES: Final = 1024
NATS_MEGABYTES: Final = 1792
"""Sparse. The streams together reserve more than a gigabyte, and a server offers them four fifths of what is free."""
CONTROL_CUTS: Final = 4
"""A cut may fall just after a sync; the control is given as many before it counts as blind."""


@dataclass(slots=True)
class CutResults:
    cuts: int = 0
    acknowledged: int = 0
    lost: int = 0
    torn: int = 0
    control_acknowledged: int = 0
    control_lost: int = 0
    control_cuts: int = 0
    unsynced_events_lost: int = 0
    """Of the bus: events are stored without a sync each, because the record has them."""


async def cut_postgres(folder: Path, cuts: int, chance: random.Random) -> CutResults:
    results = CutResults()
    place, written = folder / "postgres", record.Written()
    image = Image.made(folder / "postgres-0.img", POSTGRES_MEGABYTES)
    server = EmbeddedPostgres(place / "data", log_path=folder / "postgres.log")
    with image.mounted(place), server:
        await migrate_async(server.url)
    is_control = False
    for number in range(1, cuts + CONTROL_CUTS + 1):
        is_control = number > cuts
        orders = record.Orders(written, chance)
        with image.mounted(place):
            server = EmbeddedPostgres(place / "data", log_path=folder / "postgres.log")
            server.start()
            try:
                if number == cuts + 1:
                    await _acknowledge_early(server.url)  # M15
                before = len(written.versions)
                async with orders.going(server.url):
                    await asyncio.sleep(chance.uniform(1.0, 3.0))
                    freezer = Freezer(server)
                    await orders.answer()
                    freezer.freeze()
                    copy = image.cut(place, folder / f"postgres-{number}.img")
                    destroy(server)
            finally:
                server.stop()
        image.path.unlink()
        image = copy
        with (
            image.mounted(place),
            EmbeddedPostgres(place / "data", log_path=folder / "postgres.log") as again,
        ):
            found = await record.look_for(again.url, written)
        acknowledged = len(written.versions) - before
        _say(
            f"postgresql cut {number}: {acknowledged} orders acknowledged, {found.lost} lost, {found.torn} torn"
        )
        _count(results, acknowledged, found.lost, found.torn, is_control=is_control)
        if is_control and found.lost:
            break
    return results


async def cut_nats(folder: Path, cuts: int, chance: random.Random) -> CutResults:
    results = CutResults()
    place, posted = folder / "nats", letters.Posted()
    image = Image.made(folder / "nats-0.img", NATS_MEGABYTES)
    for number in range(1, cuts + CONTROL_CUTS + 1):
        is_control = number > cuts
        if number == cuts + 1:
            # M16: as the server comes out of the box, on a young stream. And on an empty disk, or the letters above would count.
            image.path.unlink()
            image = Image.made(folder / f"nats-{number - 1}.img", NATS_MEGABYTES)
            posted = letters.Posted()
        with image.mounted(place):
            server = EmbeddedNats(place / "data", durable=not is_control, log_path=folder / "nats.log")
            server.start()
            try:
                before = len(posted.letters)
                async with letters.being_posted(server.url, posted):
                    await asyncio.sleep(chance.uniform(1.0, 3.0))
                    freezer = Freezer(server)
                    await letters.answer(posted)
                    freezer.freeze()
                    copy = image.cut(place, folder / f"nats-{number}.img")
                    destroy(server)
            finally:
                server.stop()
        image.path.unlink()
        image = copy
        with image.mounted(place), EmbeddedNats(place / "data", log_path=folder / "nats.log") as again:
            kept = await letters.look_for(again.url, posted)
        acknowledged = len(posted.letters) - before
        _say(
            f"nats cut {number}: {acknowledged} letters acknowledged, {kept.lost} lost, {kept.torn} torn,"
            f" {kept.events_lost} of {len(posted.events)} unsynced events lost"
        )
        _count(results, acknowledged, kept.lost, kept.torn, is_control=is_control)
        if not is_control:
            results.unsynced_events_lost = kept.events_lost
        elif kept.lost:
            break
    return results


async def _acknowledge_early(url: str) -> None:
    """Commits are answered before they are synced, up to three times the delay earlier: a busy machine shall not close that window."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("ALTER SYSTEM SET synchronous_commit = off")
        await connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


def _count(results: CutResults, acknowledged: int, lost: int, torn: int, *, is_control: bool) -> None:
    if is_control:
        results.control_cuts += 1
        results.control_acknowledged += acknowledged
        results.control_lost += lost
        return
    results.cuts += 1
    results.acknowledged += acknowledged
    results.lost += lost
    results.torn += torn


def _say(line: str) -> None:
    sys.stderr.write(f"  {line}\n")
    sys.stderr.flush()
