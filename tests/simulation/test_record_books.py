"""The same for what working with a broker's books, and risk, ask of the record: both implementations."""

from datetime import UTC, datetime, timedelta

import pytest
from record_under_test import RecordUnderTest

from vyomo_contracts.alerts import Alert, AlertCode
from vyomo_contracts.capabilities import RateWindow
from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.vocabulary import Broker, OrderState, Origin, PendingAction
from vyomo_ledger.writing import (
    Accepted,
    AccountClosed,
    Adoption,
    NewOrder,
    Outdated,
    PendingChange,
    Replayed,
    Step,
    Terms,
    TooFast,
    raise_alert,
    relay,
    stop_accepting,
)


def now() -> datetime:
    return datetime.now(UTC)


async def test_terms_are_those_of_the_moment_the_order_is_recorded(record: RecordUnderTest) -> None:
    await record.set_lanes(record.accounts[0], {"risk_version": 7})
    terms = {
        "O1": Terms(risk_version=6),
        "O2": Terms(risk_version=7, next_sequence=1),
        "O3": Terms(risk_version=7, next_sequence=2),
        "O4": Terms(next_sequence=1),
    }
    new = [NewOrder(record.order(name, now=now()), name, "a" * 64, each) for name, each in terms.items()]

    together = await record.ledger.accept(new)
    later = await record.ledger.accept([NewOrder(record.order("O5", now=now()), "O5", "a" * 64, terms["O3"])])

    assert [type(answer) for answer in together] == [Outdated, Accepted, Outdated, Accepted]
    assert [type(answer) for answer in later] == [Outdated]


async def test_account_gets_no_more_orders_in_a_second_than_its_terms_allow(record: RecordUnderTest) -> None:
    tomorrow = now().replace(microsecond=0) + timedelta(days=1)
    await record.set_lanes(record.accounts[0], {"rate_second": tomorrow, "rate_used": 2})
    states = [OrderState.NEW, OrderState.DENIED, OrderState.NEW, OrderState.DENIED, OrderState.NEW]
    new = [
        NewOrder(
            record.order(f"O{number}", now=now(), state=state),
            f"O{number}",
            "a" * 64,
            Terms(orders_per_second=4),
        )
        for number, state in enumerate(states)
    ]

    together = await record.ledger.accept(new)
    again = await record.ledger.accept([new[0], new[4]])

    assert [type(answer) for answer in together] == [Accepted, Accepted, Accepted, Accepted, TooFast]
    assert [type(answer) for answer in again] == [Replayed, TooFast]


@pytest.mark.parametrize("window", [RateWindow.MINUTE, RateWindow.HOUR, RateWindow.DAY])
async def test_longer_windows_are_counted_beside_the_second(
    record: RecordUnderTest, window: RateWindow
) -> None:
    tomorrow = now().replace(microsecond=0) + timedelta(days=1)
    await record.set_lanes(record.accounts[0], {"rate_second": tomorrow, f"{window}_used": 2})
    terms = Terms(orders_per_second=9, **{f"orders_per_{window}": 3})
    new = [NewOrder(record.order(name, now=now()), name, "a" * 64, terms) for name in ("O1", "O2")]

    answers = await record.ledger.accept(new)

    assert [type(answer) for answer in answers] == [Accepted, TooFast]
    assert answers[1] == TooFast(window)
    before = tomorrow - timedelta(days=2)
    await record.set_lanes(record.accounts[0], {"rate_second": before, f"{window}_used": 3})
    [anew] = await record.ledger.accept([NewOrder(record.order("O3", now=now()), "O3", "a" * 64, terms)])
    assert isinstance(anew, Accepted)


async def test_new_second_is_counted_anew(record: RecordUnderTest) -> None:
    await record.set_lanes(record.accounts[0], {"rate_second": now() - timedelta(minutes=1), "rate_used": 9})
    terms = Terms(orders_per_second=1)

    answers = await record.ledger.accept([NewOrder(record.order("O1", now=now()), "O1", "a" * 64, terms)])

    assert [type(answer) for answer in answers] == [Accepted]


async def test_without_a_session_new_orders_stay_and_changes_are_told(record: RecordUnderTest) -> None:
    account_id, broker = record.accounts[4], Broker.ZERODHA
    await record.accepted("O1", account=4, broker=broker)
    await record.accepted("O2", account=4, broker=broker, state=OrderState.OPEN)
    async with record.ledger.transaction() as transaction:
        locked = await transaction.lock([(account_id, "O2")])
        transaction.ask(PendingChange(order=locked["O2"], action=PendingAction.CANCEL), now())
    await record.set_session(account_id, now() - timedelta(seconds=1))

    async with record.ledger.transaction() as transaction:
        without = await transaction.claim([account_id], per_account=5)
    await record.set_session(account_id, now() + timedelta(hours=1))
    async with record.ledger.transaction() as transaction:
        with_one = await transaction.claim([account_id], per_account=5)

    assert (without.orders, without.without_session) == ([], {account_id})
    assert [each.order.order_id for each in without.actions] == ["O2"]
    assert [each.order_id for each in with_one.orders] == ["O1"]
    assert with_one.without_session == set()
    assert with_one.at is not None


async def test_trades_replace_the_fills_that_were_derived(record: RecordUnderTest) -> None:
    order = await record.accepted("O1", state=OrderState.OPEN)
    for basis, superseded in (("derived", ()), ("trade_book", ("derived-1", "depth-1"))):
        async with record.ledger.transaction() as transaction:
            locked = await transaction.lock([(order.account_id, "O1")])
            update = OrderUpdate(state=OrderState.PARTIALLY_FILLED, at=now(), filled_quantity=4)
            step = Step(
                order=locked["O1"],
                update=update,
                fills=(record.fill(order, f"{basis}-1", basis=basis),),
                superseded_fills=superseded,
            )
            transaction.refill(step)

    stored = await record.stored("O1")
    assert [trade_id for trade_id, *_ in stored["fills"]] == ["trade_book-1"]
    assert stored["events"][-1][2]["superseded_fills"] == ["derived-1", "depth-1"]


async def test_order_placed_elsewhere_is_taken_up_once(record: RecordUnderTest) -> None:
    order = record.order("X1", now=now(), state=OrderState.OPEN, broker_order_id="B1", origin=Origin.EXTERNAL)
    adoption = Adoption(order, (record.fill(order, "T1", basis="trade_book"),))
    other = Adoption(record.order("X2", now=now(), state=OrderState.FILLED, broker_order_id="B2"))

    first = await record.ledger.adopt(order.account_id, [adoption])
    again = await record.ledger.adopt(order.account_id, [adoption, other])
    after = await record.accepted("O1")

    assert [each.order_id for each in (*first, *again)] == ["X1", "X2"]
    stored = await record.stored("X1")
    assert (stored["sequence"], stored["origin"], stored["broker_order_id"]) == (1, "external", "B1")
    assert [type_ for _, type_, _ in stored["events"]] == ["order.adopted"]
    assert [trade_id for trade_id, *_ in stored["fills"]] == ["T1"]
    assert (await record.stored(after.order_id))["sequence"] == 4
    assert len(await record.outbox()) == 3


async def test_alert_stands_once_and_closes_the_account(record: RecordUnderTest) -> None:
    order = await record.accepted("O1")
    alert = Alert(
        account_id=order.account_id,
        user_id=order.user_id,
        broker=order.broker,
        code=AlertCode.TAG_USED_TWICE,
        subject="T1",
        message="twice",
        raised_at=now(),
    )
    raised: list[bool] = []
    for _ in range(2):
        async with record.ledger.transaction() as transaction:
            raised.append(await raise_alert(transaction, alert))
            await stop_accepting(transaction.connection, order.account_id)

    [answer] = await record.ledger.accept([NewOrder(record.order("O2", now=now()), "key 2", "a" * 64)])

    assert raised == [True, False]
    # The outbox points at it, so that the relay can tell it again.
    [pointed] = [ids for row in await record.outbox() if (ids := row["alert_ids"])]
    async with record.database.connection() as connection:
        [told] = await connection.fetch(relay._ALERTS, pointed)  # pyright: ignore[reportPrivateUsage]
    assert Alert.model_validate({name: told[name] for name in Alert.model_fields}) == alert
    assert isinstance(answer, AccountClosed)
