"""Positions and funds as the broker holds them, and whether they are what today's trades explain.

A difference may be a trade that one of two readings has not seen yet, so one odd reading halts nothing: drift is called when several in
a row show the same difference while nothing was traded, with the order book read in between.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from vyomo_broker_kit.limits import ReconcileLimits
from vyomo_broker_kit.port import BrokerPort, FundsEntry, PositionEntry, SessionOverError, UnreadableError
from vyomo_broker_kit.session_watch import session_refused
from vyomo_contracts.alerts import Alert, AlertCode
from vyomo_contracts.money import ZERO
from vyomo_contracts.portfolio import Funds, Position
from vyomo_contracts.topology import partition_of
from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.writing import Ledger, LedgerTransaction, raise_alert
from vyomo_service_kit.clock import INDIA, Clock
from vyomo_service_kit.errors import UnavailableError
from vyomo_service_kit.runtime import cancel_and_wait, repeat

log = structlog.get_logger()

TICK_SECONDS: Final = 0.25
LIST_SECONDS: Final = 1.0
READS_AT_ONCE: Final = 4

Key = tuple[str, str, str]
"""Exchange, symbol, product."""

_ACCOUNTS: Final = """
SELECT account_id FROM ledger.lanes WHERE broker = $1 AND lane = 'CLAIM' AND session_until > clock_timestamp()
"""
_POSITIONS: Final = "SELECT * FROM accounts.positions WHERE account_id = $1 FOR UPDATE"
_OWNER: Final = "SELECT user_id, funds_version FROM accounts.broker_accounts WHERE id = $1 FOR UPDATE"
_TRADED: Final = """
SELECT exchange, symbol, product, sum(CASE transaction_type WHEN 'BUY' THEN quantity ELSE -quantity END)::bigint AS quantity
FROM ledger.fills
WHERE account_id = $1 AND filled_at >= $2 AND basis IN ('derived', 'trade_book')
GROUP BY exchange, symbol, product
"""
_STANDING: Final = """
SELECT subject FROM ledger.alerts WHERE account_id = $1 AND code = 'POSITION_DRIFT' AND cleared_at IS NULL
"""
_CLEAR_OTHERS: Final = """
UPDATE ledger.alerts SET cleared_at = now()
WHERE account_id = $1 AND code = 'POSITION_DRIFT' AND cleared_at IS NULL AND NOT subject = ANY($2::text[])
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """`held` at the broker, `explained` by the day's opening and its trades."""

    held: int
    explained: int


def differences(entries: Sequence[PositionEntry], traded: Mapping[Key, int]) -> dict[Key, Difference]:
    """Where a broker's positions are not its day opening plus today's trades. Pure."""
    held: dict[Key, PositionEntry] = {
        (entry.exchange, entry.symbol, entry.product): entry for entry in entries
    }
    found: dict[Key, Difference] = {}
    for key in held.keys() | traded.keys():
        entry = held.get(key)
        quantity, opening = (0, 0) if entry is None else (entry.quantity, entry.overnight_quantity)
        explained = opening + traded.get(key, 0)
        if quantity != explained:
            found[key] = Difference(quantity, explained)
    return found


class PortfolioSync:
    """Reads each account's positions and funds every minute and soon after fills (`filled`).

    `look` is called when a difference makes the account's order book worth reading.
    """

    def __init__(
        self,
        ledger: Ledger,
        port: BrokerPort,
        clock: Clock,
        *,
        broker: Broker,
        partitions: int,
        owned: frozenset[int],
        limits: ReconcileLimits,
        look: Callable[[int], None],
    ) -> None:
        self._ledger = ledger
        self._port = port
        self._clock = clock
        self._broker = broker
        self._partitions = partitions
        self._owned = owned
        self._limits = limits
        self._look = look
        self.on_explained: Callable[[int], None] = lambda _: None
        """Called with each account whose positions were read and recorded, and are explained or have been called drift."""
        self._due_at: dict[int, float] = {}
        self._listed_at = float("-inf")
        self._reading: dict[int, asyncio.Task[None]] = {}
        self._odd: dict[tuple[int, Key], tuple[Difference, int]] = {}

    def filled(self, account_id: int) -> None:
        """A burst of fills is one reading."""
        soon = self._clock.elapsed() + self._limits.burst_seconds
        self._due_at[account_id] = min(soon, self._due_at.get(account_id, soon))

    def look(self, account_id: int) -> None:
        """Read the account at the next tick."""
        self._due_at[account_id] = self._clock.elapsed()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        ticking = asyncio.create_task(
            repeat(self._tick, every_seconds=TICK_SECONDS, name=f"portfolio.{self._broker}")
        )
        try:
            yield
        finally:
            await cancel_and_wait(ticking, *self._reading.values())

    async def _tick(self) -> None:
        now = self._clock.elapsed()
        if now - self._listed_at >= LIST_SECONDS:
            self._listed_at = now
            async with self._ledger.database.connection() as connection:
                rows = await connection.fetch(_ACCOUNTS, self._broker)
            live = {
                row["account_id"]
                for row in rows
                if partition_of(row["account_id"], self._partitions) in self._owned
            }
            self._due_at = {account_id: self._due_at.get(account_id, now) for account_id in live}
        for account_id, due_at in list(self._due_at.items()):
            if due_at <= now and account_id not in self._reading and len(self._reading) < READS_AT_ONCE:
                self._due_at[account_id] = now + self._limits.positions_seconds
                self._reading[account_id] = asyncio.create_task(self._read(account_id))

    async def _read(self, account_id: int) -> None:
        asked_at = self._clock.now()
        try:
            entries = await self._port.positions(account_id)
            funds = await self._port.funds(account_id)
            odd = await self._record(account_id, entries, funds)
            if odd <= self._called(account_id):
                self.on_explained(account_id)
            if odd:
                # The trades that would explain it may only be in the books yet.
                self._look(account_id)
                again = self._clock.elapsed() + self._limits.recheck_seconds
                self._due_at[account_id] = min(again, self._due_at.get(account_id, again))
        except SessionOverError:
            self._due_at.pop(account_id, None)  # until the list shows that somebody has signed in
            await session_refused(self._ledger, self._clock, account_id, asked_at=asked_at)
        except (UnreadableError, UnavailableError) as error:
            log.warning("portfolio.unreadable", account_id=account_id, why=str(error))
        except Exception:
            log.exception("portfolio.failed", account_id=account_id)
        finally:
            del self._reading[account_id]

    async def _record(self, account_id: int, entries: Sequence[PositionEntry], funds: FundsEntry) -> set[Key]:
        """Write what changed; answers where nothing explains what the broker holds."""
        now = self._clock.now()
        day = now.astimezone(INDIA).replace(hour=0, minute=0, second=0, microsecond=0)
        async with self._ledger.transaction() as transaction:
            connection = transaction.connection
            owner = await connection.fetchrow(_OWNER, account_id)
            assert owner is not None, "an account that is synced exists"
            known = [
                Position.model_validate(dict(row)) for row in await connection.fetch(_POSITIONS, account_id)
            ]
            held = [_position(entry, account_id, owner["user_id"], self._broker, now) for entry in entries]
            transaction.save_positions(_changed(known, held, now))
            transaction.save_funds(
                [
                    Funds(
                        account_id=account_id,
                        user_id=owner["user_id"],
                        broker=self._broker,
                        balance=funds.balance,
                        used=funds.used,
                        available=funds.available,
                        version=owner["funds_version"] + 1,
                        updated_at=now,
                    )
                ]
            )
            traded: dict[Key, int] = {
                (row["exchange"], row["symbol"], row["product"]): row["quantity"]
                for row in await connection.fetch(_TRADED, account_id, day)
            }
            odd = differences(entries, traded)
            await self._judge(transaction, account_id, owner["user_id"], odd)
        return set(odd)

    def _called(self, account_id: int) -> set[Key]:
        """Differences that a person was told of."""
        return {
            key
            for (account, key), (_, count) in self._odd.items()
            if account == account_id and count >= self._limits.drift_reads
        }

    async def _judge(
        self, transaction: LedgerTransaction, account_id: int, user_id: str, odd: dict[Key, Difference]
    ) -> None:
        for account_key in [each for each in self._odd if each[0] == account_id and each[1] not in odd]:
            del self._odd[account_key]
        standing = await transaction.connection.fetch(_STANDING, account_id) if odd else []
        told = {row["subject"] for row in standing}
        for key, difference in odd.items():
            # What a process before this one has called drift needs no second proof.
            first = (difference, self._limits.drift_reads if _subject(key) in told else 0)
            before, count = self._odd.get((account_id, key), first)
            # Whatever moved since the last reading begins the count anew.
            count = count + 1 if before == difference else 1
            self._odd[account_id, key] = (difference, count)
            if count >= self._limits.drift_reads:
                exchange, symbol, product = key
                alert = Alert(
                    account_id=account_id,
                    user_id=user_id,
                    broker=self._broker,
                    code=AlertCode.POSITION_DRIFT,
                    subject=_subject(key),
                    message=f"{exchange}:{symbol} {product}: the broker holds {difference.held}, the day's opening and its trades "
                    f"make {difference.explained}; the same in {count} readings",
                    raised_at=self._clock.now(),
                )
                await raise_alert(transaction, alert)
        await transaction.connection.execute(_CLEAR_OTHERS, account_id, [_subject(key) for key in odd])


def _subject(key: Key) -> str:
    return ":".join(key)


def _position(entry: PositionEntry, account_id: int, user_id: str, broker: Broker, at: datetime) -> Position:
    return Position(
        account_id=account_id,
        user_id=user_id,
        broker=broker,
        version=1,
        updated_at=at,
        **{name: getattr(entry, name) for name in PositionEntry.__dataclass_fields__},
    )


def _changed(known: Sequence[Position], held: Sequence[Position], at: datetime) -> list[Position]:
    """What is to be written; what the broker lists no longer is flat."""
    before = {(each.exchange, each.symbol, each.product): each for each in known}
    now = {(each.exchange, each.symbol, each.product): each for each in held}
    for key, each in before.items():
        if key not in now and each.quantity:
            now[key] = each.model_copy(update={"quantity": 0, "average_price": ZERO, "overnight_quantity": 0})
    changed: list[Position] = []
    for key, each in now.items():
        old = before.get(key)
        version = 1 if old is None else old.version + 1
        new = each.model_copy(update={"version": version, "updated_at": at})
        if old is None or _is_different(old, new):
            changed.append(new)
    return changed


def _is_different(old: Position, new: Position) -> bool:
    ignored = {"version", "updated_at", "last_price"}
    return any(
        getattr(old, name) != getattr(new, name) for name in Position.model_fields if name not in ignored
    )
