"""Broker sessions on both records: opened, ageing, ended once, and what claims make of them."""

from datetime import UTC, datetime, timedelta

from record_under_test import RecordUnderTest

from vyomo_contracts.sessions import SessionState
from vyomo_contracts.vocabulary import Broker
from vyomo_ledger.writing import ageing_sessions, end_session, lock_sessions, mark_expiring, open_session

HOUR = timedelta(hours=1)


async def opened(record: RecordUnderTest, valid_for: timedelta) -> None:
    now = datetime.now(UTC)
    async with record.ledger.transaction() as transaction:
        await open_session(transaction, record.accounts[4], valid_until=now + valid_for, at=now)


async def ended(record: RecordUnderTest) -> SessionState | None:
    async with record.ledger.transaction() as transaction:
        await lock_sessions(transaction, [record.accounts[4]])
        session = await end_session(transaction, record.accounts[4], reason="over", at=datetime.now(UTC))
    return None if session is None else session.state


async def ageing(record: RecordUnderTest) -> list[tuple[int, SessionState, bool]]:
    async with record.ledger.transaction() as transaction:
        found = await ageing_sessions(transaction, Broker.ZERODHA)
    return [(record.place_of(session.account_id), session.state, is_over) for session, is_over in found]


async def claimed(record: RecordUnderTest) -> list[str]:
    async with record.ledger.transaction() as transaction:
        claimed = await transaction.claim([record.accounts[4]], per_account=9, exits_first=True)
    return [order.order_id for order in claimed.orders]


async def test_session_ends_once_and_nothing_is_claimed_until_somebody_signs_in(
    record: RecordUnderTest,
) -> None:
    await opened(record, HOUR)
    await record.accepted("O1", account=4, broker=Broker.ZERODHA)
    assert await claimed(record) == ["O1"]

    assert [await ended(record), await ended(record)] == [SessionState.EXPIRED, None]
    assert await claimed(record) == []

    await opened(record, HOUR)
    assert await claimed(record) == ["O1"]


async def test_sessions_that_grow_old_are_found_and_told_apart(record: RecordUnderTest) -> None:
    await opened(record, HOUR)
    assert await ageing(record) == []

    await opened(record, timedelta(minutes=5))
    assert await ageing(record) == [(4, SessionState.ACTIVE, False)]

    async with record.ledger.transaction() as transaction:
        [(session, _)] = await ageing_sessions(transaction, Broker.ZERODHA)
        await mark_expiring(transaction, session, datetime.now(UTC))
    assert await ageing(record) == []

    await opened(record, timedelta(seconds=-1))
    assert await ageing(record) == [(4, SessionState.ACTIVE, True)]


async def test_end_is_announced_and_raises_one_alert_that_signing_in_takes_back(
    record: RecordUnderTest,
) -> None:
    for _ in range(2):
        await opened(record, HOUR)
        before = len(await record.outbox())
        await ended(record)
        # The session's news and the alert, in one row.
        assert len(await record.outbox()) == before + 1
