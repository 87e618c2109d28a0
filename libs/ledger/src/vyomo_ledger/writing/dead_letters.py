"""Dead letters after they are kept: their orders are seen to, and those a person wants to go again go again.

Replaying is safe because everything on the bus may come twice: doorbells are hints, events are snapshots with versions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, cast

import orjson
import structlog

from vyomo_contracts.alerts import Alert, AlertCode
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.topology import DOORBELLS
from vyomo_contracts.vocabulary import Broker, OrderState
from vyomo_ledger.dead_letters import keep
from vyomo_ledger.writing.alerts import raise_alert
from vyomo_ledger.writing.exits import alert_unsent_exits
from vyomo_ledger.writing.leases import Lease
from vyomo_ledger.writing.ledger import Ledger
from vyomo_ledger.writing.transaction import LedgerTransaction, Step
from vyomo_service_kit.bus import Bus
from vyomo_service_kit.clock import Clock
from vyomo_service_kit.consuming import DeadLetter
from vyomo_service_kit.database import Connection, Row
from vyomo_service_kit.identifiers import IdentifierFactory

log = structlog.get_logger()

OUTBOX: Final = "outbox"
"""As a letter's consumer and stream: a row of the outbox that the relay could not read."""
AT_ONCE: Final = 100

State = Literal["OPEN", "REPLAYING", "REPLAYED", "DISCARDED"]

_COLUMNS: Final = (
    "id, consumer, stream, stream_sequence, stored_at, subject, digest, why, deliveries, state, kept_at"
)
_UNATTENDED: Final = """
SELECT id, stream, stored_at, payload, why FROM ledger.dead_letters WHERE attended_at IS NULL ORDER BY id LIMIT $1
"""
_ATTENDED: Final = "UPDATE ledger.dead_letters SET attended_at = now() WHERE id = $1"
_OWNERS: Final = """
SELECT account_id, user_id, broker FROM ledger.lanes WHERE lane = 'CLAIM' AND account_id = ANY($1::bigint[]) ORDER BY account_id
"""
# What was accepted after the message has a doorbell of its own.
_WAITING: Final = """
SELECT account_id, order_id FROM ledger.broker_orders
WHERE state = 'NEW' AND account_id = ANY($1::bigint[]) AND created_at <= $2
"""
_TO_REPLAY: Final = """
SELECT id, stream, subject, payload FROM ledger.dead_letters WHERE state = 'REPLAYING' ORDER BY id LIMIT $1
"""
_REPLAYED: Final = "UPDATE ledger.dead_letters SET state = 'REPLAYED', changed_at = now() WHERE id = $1 AND state = 'REPLAYING'"
_BACK_TO_OUTBOX: Final = """
INSERT INTO ledger.outbox (
    broker, partition, order_ids, versions, position_keys, holding_keys, account_ids, risk_sequences, alert_ids,
    session_account_ids
)
SELECT broker, partition, order_ids, versions, position_keys, holding_keys, account_ids, risk_sequences, alert_ids,
       session_account_ids
FROM json_populate_record(NULL::ledger.outbox, $1::json)
"""
_TAKE_FROM_OUTBOX: Final = "DELETE FROM ledger.outbox WHERE id = $1"
_LIST: Final = (
    f"SELECT {_COLUMNS} FROM ledger.dead_letters WHERE $1 OR state IN ('OPEN', 'REPLAYING') ORDER BY id"
)
_SHOW: Final = f"SELECT {_COLUMNS}, payload, traceback FROM ledger.dead_letters WHERE id = $1"
_CHANGE: Final = """
WITH changed AS (
    UPDATE ledger.dead_letters SET state = $2, changed_at = now() WHERE id = $1 AND state = ANY($3::text[]) RETURNING id
), cleared AS (
    UPDATE ledger.alerts SET cleared_at = now()
    WHERE code = 'DEAD_LETTER' AND subject = $4 AND cleared_at IS NULL AND EXISTS (SELECT FROM changed)
)
SELECT count(*) FROM changed
"""
_KNOWN: Final = """
SELECT true FROM ledger.dead_letters
WHERE consumer = $1 AND stream = $2 AND stream_sequence = $3 AND kept_at > now() - interval '1 hour' LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it is listed; `payload` and `traceback` only where it is shown."""

    id: int
    consumer: str
    stream: str
    stream_sequence: int
    stored_at: datetime
    subject: str
    digest: str
    why: str
    deliveries: int
    state: State
    kept_at: datetime
    payload: bytes | None = None
    traceback: str | None = None


class DeadLetterCare:
    """What the router does about dead letters, under a lease."""

    def __init__(
        self, ledger: Ledger, bus: Bus, clock: Clock, identifiers: IdentifierFactory, lease: Lease
    ) -> None:
        self._ledger = ledger
        self._bus = bus
        self._clock = clock
        self._identifiers = identifiers
        self._lease = lease

    async def run_once(self) -> None:
        if not await self._lease.hold():
            return
        async with self._ledger.database.connection() as connection:
            unattended = await connection.fetch(_UNATTENDED, AT_ONCE)
            replaying = await connection.fetch(_TO_REPLAY, AT_ONCE)
        for row in unattended:
            await self._attend(row)
        for row in replaying:
            await self._replay(row)

    async def _attend(self, row: Row) -> None:
        """Whose orders it was about is told; orders that waited for a doorbell nobody could answer end, unless they were claimed."""
        account_ids = sorted(set(accounts_named(row["payload"])))
        async with self._ledger.transaction() as transaction:
            owners = await transaction.connection.fetch(_OWNERS, account_ids)
            if row["stream"] == DOORBELLS.name:
                await self._deny_waiting(transaction, account_ids, row)
            for owner in owners:
                await raise_alert(transaction, self._alert(row, owner))
            await transaction.connection.execute(_ATTENDED, row["id"])

    async def _deny_waiting(self, transaction: LedgerTransaction, account_ids: list[int], row: Row) -> None:
        rows = await transaction.connection.fetch(_WAITING, account_ids, row["stored_at"])
        orders = await transaction.lock((each["account_id"], each["order_id"]) for each in rows)
        # Claimed meanwhile: only the broker's book can tell what became of it.
        unsent = [order for order in orders.values() if order.state is OrderState.NEW]
        update = OrderUpdate(
            state=OrderState.DENIED,
            at=self._clock.now(),
            reason_code=ReasonCode.WORKER_FAILED,
            reason=f"the broker's worker failed on it time after time; nothing was sent (dead letter {row['id']})",
        )
        transaction.step([Step(order=order, update=update) for order in unsent])
        await alert_unsent_exits(transaction, unsent, update.at)

    def _alert(self, row: Row, owner: Row) -> Alert:
        return Alert(
            account_id=owner["account_id"],
            user_id=owner["user_id"],
            broker=Broker(owner["broker"]),
            code=AlertCode.DEAD_LETTER,
            subject=_subject_of(row["id"]),
            message=f"a message about this account was given up ({row['why']}); ./vyomo dead-letters show {row['id']}",
            raised_at=self._clock.now(),
        )

    async def _replay(self, row: Row) -> None:
        """Again, should this process die before it has noted that it did; twice is harmless."""
        if row["stream"] == OUTBOX:
            async with self._ledger.database.transaction() as connection:
                await connection.execute(_BACK_TO_OUTBOX, row["payload"].decode())
                await connection.execute(_REPLAYED, row["id"])
        else:
            # An id of its own: the stream would drop one that it knows.
            message_id = f"dead-letter-{row['id']}-{self._identifiers.message_id()}"
            await self._bus.store(row["subject"], row["payload"] or b"", message_id=message_id)
            async with self._ledger.database.connection() as connection:
                await connection.execute(_REPLAYED, row["id"])
        log.warning("dead_letter.replayed", letter=row["id"], subject=row["subject"])


async def bury_outbox_row(connection: Connection, row: Row, why: str) -> None:
    """An outbox row nobody can publish must not stand there for ever: its age is what new orders are held back by."""
    content: Mapping[str, Any] = dict(row)
    async with connection.transaction():
        letter = DeadLetter(
            consumer=OUTBOX,
            stream=OUTBOX,
            stream_sequence=row["id"],
            stored_at=row["created_at"],
            subject=f"{row['broker']}.{row['partition']}",
            payload=orjson.dumps(content),
            why=why,
            deliveries=1,
        )
        await keep(connection, letter)
        await connection.execute(_TAKE_FROM_OUTBOX, row["id"])


def accounts_named(payload: bytes | None) -> Iterator[int]:
    """The accounts a message is about, whatever kind it is; none if it cannot be read."""
    try:
        content = orjson.loads(payload or b"null")
    except orjson.JSONDecodeError:
        return
    yield from _accounts_in(content)


def _accounts_in(content: object) -> Iterator[int]:
    if isinstance(content, dict):
        for name, value in cast("dict[str, object]", content).items():
            if name == "account_id" and isinstance(value, int):
                yield value
            elif name == "account_ids" and isinstance(value, list):
                yield from (each for each in cast("list[object]", value) if isinstance(each, int))
            else:
                yield from _accounts_in(value)
    elif isinstance(content, list):
        for each in cast("list[object]", content):
            yield from _accounts_in(each)


async def is_kept(connection: Connection, consumer: str, stream: str, stream_sequence: int) -> bool:
    """Whether this message became a dead letter in the last hour."""
    return await connection.fetchval(_KNOWN, consumer, stream, stream_sequence) is not None


async def list_letters(connection: Connection, *, everything: bool) -> list[Letter]:
    """Those that wait for somebody, or all, oldest first."""
    return [_letter(row) for row in await connection.fetch(_LIST, everything)]


async def find_letter(connection: Connection, letter_id: int) -> Letter | None:
    row = await connection.fetchrow(_SHOW, letter_id)
    return None if row is None else _letter(row)


async def ask_for_replay(connection: Connection, letter_id: int) -> bool:
    """The router sends it again; False if it is not there or is being replayed already."""
    return await _change(connection, letter_id, "REPLAYING", ("OPEN", "REPLAYED", "DISCARDED"))


async def discard(connection: Connection, letter_id: int) -> bool:
    """Kept, but nobody is asked to look at it any more; False if it is not there or has been seen to."""
    return await _change(connection, letter_id, "DISCARDED", ("OPEN",))


async def _change(connection: Connection, letter_id: int, state: State, before: Sequence[State]) -> bool:
    changed: int | None = await connection.fetchval(
        _CHANGE, letter_id, state, list(before), _subject_of(letter_id)
    )
    return changed == 1


def _subject_of(letter_id: int) -> str:
    return f"dead letter {letter_id}"


def _letter(row: Row) -> Letter:
    return Letter(**dict(row))
