"""Which door listens on which port."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import structlog
from starlette.types import ASGIApp

from vyomo_ledger.writing import Ledger
from vyomo_paper_exchange.doors.kite.app import create_kite_app
from vyomo_paper_exchange.doors.orders import Door
from vyomo_paper_exchange.doors.record import DoorRecord
from vyomo_paper_exchange.doors.smartapi.app import create_smartapi_app
from vyomo_paper_exchange.doors.venue import DoorVenue, open_venue
from vyomo_paper_exchange.executor import PaperExecutor
from vyomo_paper_exchange.history import CandleHistory
from vyomo_paper_exchange.rounds import Rounds
from vyomo_paper_exchange.settings import PaperExchangeSettings
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.sealing import DOOR_KEY_FILE, PRIVATE_KEY_FILE, Opener
from vyomo_service_kit.serving import serve_http

log = structlog.get_logger()

AppFactory = Callable[[DoorVenue, PaperExchangeSettings], ASGIApp]


def _kite(venue: DoorVenue, settings: PaperExchangeSettings) -> ASGIApp:
    return create_kite_app(
        venue,
        admin_key=admin_key(settings),
        redirect_url=settings.kite_redirect_url,
        has_limits=settings.door_limits,
    )


def _smartapi(venue: DoorVenue, settings: PaperExchangeSettings) -> ASGIApp:
    return create_smartapi_app(venue, admin_key=admin_key(settings), has_limits=settings.door_limits)


def admin_key(settings: PaperExchangeSettings) -> str | None:
    """What opens a door's fault injection: in the state folder, for its owner's eyes."""
    file = settings.keys_dir / DOOR_KEY_FILE if settings.keys_dir else None
    return file.read_text(encoding="ascii").strip() if file is not None and file.exists() else None


APPS: Final[Mapping[Door, AppFactory]] = {"kite": _kite, "smartapi": _smartapi}
"""One ASGI application for each protocol that is spoken."""


@asynccontextmanager
async def open_doors(
    settings: PaperExchangeSettings,
    *,
    ledger: Ledger,
    executor: PaperExecutor,
    rounds: Rounds,
    record: DoorRecord,
    history: CandleHistory,
    clock: Clock,
) -> AsyncGenerator[None]:
    key_file = settings.keys_dir / PRIVATE_KEY_FILE if settings.keys_dir else None
    opener = Opener(key_file.read_bytes()) if key_file is not None and key_file.exists() else None
    ports: dict[Door, int | None] = {
        "kite": settings.kite_door_port,
        "smartapi": settings.smartapi_door_port,
    }
    async with AsyncExitStack() as stack:
        venue = await stack.enter_async_context(
            open_venue(
                ledger=ledger,
                executor=executor,
                rounds=rounds,
                record=record,
                history=history,
                clock=clock,
                opener=opener,
            )
        )
        for door, port in ports.items():
            if port is not None and door in APPS:
                app = APPS[door](venue, settings)
                try:
                    await stack.enter_async_context(serve_http(app, host=settings.door_host, port=port))
                except OSError as error:
                    # Somebody else has the port: the exchange itself must trade all the same.
                    log.warning("door.not_listening", door=door, port=port, why=str(error))
        yield
