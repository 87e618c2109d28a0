"""Fill the disk under a server that is being written to: it must refuse, lose nothing it acknowledged, and work again afterwards."""

import asyncio
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vyomo_contracts.topology import DEAD_LETTERS
from vyomo_service_kit.bus import _stream_config  # pyright: ignore[reportPrivateUsage]
from vyomo_service_kit.database import RecordUnavailableError
from vyomo_service_kit.embedded import EmbeddedNats, EmbeddedPostgres
from vyomo_service_kit.migrations import migrate_async
from vyomo_service_kit.testing import eventually

from . import letters, record
from .disks import almost_filled, small_disk

POSTGRES_MEGABYTES: Final = 384
NATS_MEGABYTES: Final = 96
_MOST_LISTS: Final = 20_000
_MOST_LETTERS: Final = 4_000
_ROOM_AGAIN_SECONDS: Final = 30.0
_SPARE_BYTES: Final = 2 * 1024 * 1024


@dataclass(slots=True)
class FullResults:
    acknowledged: int = 0
    lost: int = 0
    torn: int = 0
    refused: int = 0
    """1 if it refused at last, as it must."""
    worked_again: int = 0
    restarted: int = 0
    """1 if the server had to be started again, as its supervisor does."""


async def fill_postgres(folder: Path, chance: random.Random) -> FullResults:
    results, place, written = FullResults(), folder / "full-postgres", record.Written()
    orders = record.Orders(written, chance)
    with small_disk(place, POSTGRES_MEGABYTES):
        server = EmbeddedPostgres(place / "data", log_path=folder / "full-postgres.log")
        with server:
            await migrate_async(server.url)
            await orders.place_one(server.url)
            with almost_filled(place, spare=_SPARE_BYTES):
                results.refused = int(await orders.place_until_refused(server.url, _MOST_LISTS))
                await asyncio.sleep(1)  # a server that cannot go on has this long to say so
            if not server.is_running:
                server.stop()
                server.start()
                results.restarted = 1

            async def works() -> bool:
                try:
                    await orders.place_one(server.url)
                except RecordUnavailableError:
                    return False
                return True

            results.worked_again = int(await eventually(works, timeout=_ROOM_AGAIN_SECONDS))
            found = await record.look_for(server.url, written)
    results.acknowledged = len(written.versions)
    results.lost, results.torn = found.lost, found.torn
    _say("postgresql", results)
    return results


async def fill_nats(folder: Path) -> FullResults:
    results, place, posted = FullResults(), folder / "full-nats", letters.Posted()
    with small_disk(place, NATS_MEGABYTES):
        server = EmbeddedNats(place / "data", log_path=folder / "full-nats.log")
        with server:
            async with letters.connected(server.url) as bus:
                await bus.stored.add_stream(
                    config=_stream_config(DEAD_LETTERS)
                )  # the others would not fit in here
                await letters.post(bus, posted)
            with almost_filled(place, spare=_SPARE_BYTES):
                results.refused = int(await letters.post_until_refused(server.url, posted, _MOST_LETTERS))
            # A stream that met a full disk stays as it is until the server starts anew, which the watchdog sees to.
            server.stop()
            server.start()
            results.restarted = 1
            async with letters.connected(server.url) as bus:
                await letters.post(bus, posted)
            results.worked_again = 1
            kept = await letters.look_for(server.url, posted)
    results.acknowledged = len(posted.letters)
    results.lost, results.torn = kept.lost, kept.torn
    _say("nats", results)
    return results


def _say(name: str, results: FullResults) -> None:
    sys.stderr.write(
        f"  {name} full: {results.acknowledged} acknowledged, {results.lost} lost, {results.torn} torn,"
        f" {'refused' if results.refused else 'NOT REFUSED'}, restarted {results.restarted} times\n"
    )
