"""A WebSocket session from its first message to its last."""

import asyncio
from contextlib import suppress
from typing import Final

from msgspec import DecodeError
from starlette.websockets import WebSocket, WebSocketDisconnect

from vyomo_contracts.identifiers import instrument_key
from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.accounts.reads import ALL_ACCOUNTS, account_of
from vyomo_gateway.edge.errors import error_view
from vyomo_gateway.edge.problems import ApiError, InvalidRequestError, UnauthenticatedError
from vyomo_gateway.events.hub import SessionHub
from vyomo_gateway.events.messages import (
    ErrorMessage,
    Hello,
    Live,
    MarginMessage,
    Pong,
    PositionMessage,
    Subscribe,
    Subscribed,
    Unsubscribe,
    client_message_of,
    replayed,
)
from vyomo_gateway.events.reads import REPLAY_PAGE, EventRecord
from vyomo_gateway.events.session import TRY_AGAIN_LATER, ClientSession
from vyomo_gateway.identity.callers import Caller
from vyomo_gateway.market.quotes import MOST_KEYS, Quotes
from vyomo_gateway.market.service import checked_keys
from vyomo_gateway.portfolio.reads import POSITIONS_OF_USER, position_of
from vyomo_gateway.portfolio.schemas import MarginsView, PositionView
from vyomo_gateway.reading import Records
from vyomo_service_kit.database import RecordUnavailableError
from vyomo_service_kit.runtime import cancel_and_wait

_UNSUPPORTED_DATA: Final = 1003
_FAREWELL_SECONDS: Final = 1.0


class LiveService:
    """Subscribes first, then replays from the record, then goes live: nothing falls between, some may be told twice."""

    def __init__(self, hub: SessionHub, events: EventRecord, records: Records, quotes: Quotes) -> None:
        self._hub = hub
        self._events = events
        self._records = records
        self._quotes = quotes

    async def serve(self, socket: WebSocket, caller: Caller, authorization: str, since: int | None) -> None:
        await socket.accept()
        session = ClientSession(socket, caller, authorization)
        with suppress(WebSocketDisconnect, OSError):
            async with self._hub.joined(session):
                try:
                    if session.close_code is None:  # or there are too many of this user
                        await self._converse(socket, session, since)
                except UnauthenticatedError:
                    pass  # whoever found out has closed it
                except RecordUnavailableError:
                    session.close(TRY_AGAIN_LATER)
            if session.close_code is not None:
                # A client that reads no more cannot be told why it is let go.
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await socket.close(session.close_code)

    async def _converse(self, socket: WebSocket, session: ClientSession, since: int | None) -> None:
        """Talk and listen until the client leaves or the session is closed, whatever either is in the middle of."""
        talking = asyncio.create_task(self._talk(session, since))
        listening = asyncio.create_task(self._listen(socket, session))
        closing = asyncio.create_task(session.until_closed())
        tasks = (talking, listening, closing)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_and_wait(*tasks)
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def _talk(self, session: ClientSession, since: int | None) -> None:
        await self._catch_up(session, since)
        await session.send_queued()

    async def _catch_up(self, session: ClientSession, since: int | None) -> None:
        """What happened after `since`, then how things stand; what happens meanwhile queues up behind it."""
        cursor = await self._events.horizon_cursor(session.caller)
        await session.send_now(Hello(cursor=cursor if since is None else min(since, cursor)))
        if since is not None:
            await self._replay(session, since)
        await self._send_snapshots(session)
        await session.send_now(Live())

    async def _replay(self, session: ClientSession, since: int) -> None:
        while True:
            # A replay may take minutes: a key that is revoked meanwhile gets no further page.
            await self._hub.require_key(session)
            events, cursor = await self._events.page(session.caller, since, REPLAY_PAGE)
            for event in events:
                # Events arrive here in the order of their sequence, so each is a point to resume from.
                await session.send_now(replayed(event, event.sequence))
            if len(events) < REPLAY_PAGE:
                return
            since = cursor

    async def _send_snapshots(self, session: ClientSession) -> None:
        async with self._records.read(session.caller) as reader:
            position_rows = await reader.rows(POSITIONS_OF_USER, user_id=session.caller.user_id)
            account_rows = await reader.rows(ALL_ACCOUNTS, user_id=session.caller.user_id)
        positions = [position_of(row) for row in position_rows]
        keys = [instrument_key(position.exchange, position.symbol) for position in positions]
        quotes = await self._quotes.ask_if_possible(keys)
        for key, position in zip(keys, positions, strict=True):
            view = PositionView.of(position, quotes.get(key))
            await session.send_now(PositionMessage(position=view))
        for account in map(account_of, account_rows):
            margins = MarginsView.of(account.funds, unlimited=account.unlimited)
            await session.send_now(MarginMessage(account_id=account.id, margins=margins))
        await self._hub.watch_positions(session, positions)

    async def _listen(self, socket: WebSocket, session: ClientSession) -> None:
        """Serve what the client says, until it leaves."""
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                session.close(_UNSUPPORTED_DATA)
                return
            try:
                await self._answer(session, text)
            except ApiError as error:
                session.offer_message(ErrorMessage(error=error_view(error)))

    async def _answer(self, session: ClientSession, text: str) -> None:
        try:
            message = client_message_of(text)
        except (DecodeError, ValueError) as error:
            raise ApiError(
                ReasonCode.INVALID_FIELD, f"not a message that is understood here: {error}"
            ) from None
        match message:
            case Subscribe(instruments):
                keys = checked_keys(instruments, field="instruments")
                if len(set(session.subscribed).union(keys)) > MOST_KEYS:
                    raise InvalidRequestError.one(
                        ReasonCode.INVALID_FIELD,
                        "instruments",
                        f"at most {MOST_KEYS} instruments can be watched",
                    )
                await self._hub.subscribe(session, keys)
                session.offer_message(Subscribed(instruments=session.subscribed))
            case Unsubscribe(instruments):
                self._hub.unsubscribe(session, instruments)
                session.offer_message(Subscribed(instruments=session.subscribed))
            case _:
                session.offer_message(Pong())
