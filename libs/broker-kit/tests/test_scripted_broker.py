"""The scripted broker does what it is told, and tells the truth about it: the judge of every other test here."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from vyomo_broker_kit.http import OrderTransport
from vyomo_broker_kit.outcomes import Accepted, NotSent, Outcome, RateLimited, Refused, Unknown
from vyomo_broker_kit.port import SessionOverError, UnreadableError
from vyomo_broker_kit.testing import Behaviour, FaultMix, ScriptedBroker, ScriptedBrokerPort
from vyomo_contracts.testing import sample_order
from vyomo_contracts.vocabulary import OrderState
from vyomo_service_kit.clock import SystemClock
from vyomo_service_kit.testing import eventually

ORDER = sample_order(OrderState.SUBMITTING)
ACCOUNT = ORDER.account_id


@asynccontextmanager
async def spoken_to(broker: ScriptedBroker, total_seconds: float = 2.0) -> AsyncGenerator[ScriptedBrokerPort]:
    async with broker.serving(), OrderTransport(broker.url, total_seconds=total_seconds) as transport:
        yield ScriptedBrokerPort(transport, SystemClock())


async def placed(behaviour: Behaviour) -> tuple[Outcome, int]:
    """The outcome of one call, and how many orders there are afterwards."""
    broker = ScriptedBroker(default=behaviour)
    async with spoken_to(broker, total_seconds=0.5) as port:
        outcome = await port.place(ORDER)
        return outcome, len(broker.orders)


@pytest.mark.parametrize(
    ("behaviour", "kind", "orders"),
    [
        (Behaviour(), Accepted, 1),
        (Behaviour(placing="answer_twice"), Accepted, 1),
        (Behaviour(copies=2), Accepted, 2),
        (Behaviour(placing="refuse"), Refused, 0),
        (Behaviour(placing="refuse", code="MarginException"), Refused, 0),
        (Behaviour(placing="refuse", code="NetworkException"), Unknown, 0),
        (Behaviour(placing="rate_limited"), RateLimited, 0),
        (Behaviour(placing="drop_before"), Unknown, 0),
        (Behaviour(placing="drop_after"), Unknown, 1),
        (Behaviour(placing="server_error"), Unknown, 0),
        (Behaviour(placing="server_error_after"), Unknown, 1),
        (Behaviour(placing="html"), Unknown, 0),
        (Behaviour(placing="truncate"), Unknown, 1),
        (Behaviour(placing="timed_out_text"), Unknown, 1),
        (Behaviour(placing="timed_out_text", appears_after_seconds=5), Unknown, 0),
        (Behaviour(delay_seconds=5), Unknown, 0),
        (Behaviour(answer_delay_seconds=5), Unknown, 1),
    ],
)
async def test_each_behaviour_is_heard_and_done_as_scripted(
    behaviour: Behaviour, kind: type[Outcome], orders: int
) -> None:
    outcome, made = await placed(behaviour)

    assert isinstance(outcome, kind)
    assert made == orders


async def test_nobody_listening_is_the_one_proof_that_nothing_was_sent() -> None:
    async with OrderTransport("http://127.0.0.1:9", total_seconds=1) as transport:
        assert isinstance(await ScriptedBrokerPort(transport, SystemClock()).place(ORDER), NotSent)


async def test_answer_given_twice_does_not_spoil_the_next_call() -> None:
    broker = ScriptedBroker()
    broker.script(Behaviour(placing="answer_twice"))
    async with spoken_to(broker) as port:
        outcomes = [await port.place(ORDER) for _ in range(2)]

    assert outcomes == [Accepted("B000000001"), Accepted("B000000002")]


async def test_order_called_timed_out_appears_seconds_later() -> None:
    broker = ScriptedBroker(default=Behaviour(placing="timed_out_text", appears_after_seconds=0.3))
    async with spoken_to(broker) as port:
        await port.place(ORDER)
        at_once = await port.order_book(ACCOUNT)

        async def appeared() -> bool:
            return len(await port.order_book(ACCOUNT)) == 1

        await eventually(appeared, timeout=10)

    assert at_once == []


async def test_book_and_trades_lag_behind_what_happened() -> None:
    broker = ScriptedBroker(book_lag_seconds=0.3)
    async with spoken_to(broker) as port:
        await port.place(ORDER)
        broker.orders["B000000001"].fill_next()
        behind = (await port.order_book(ACCOUNT), await port.trades(ACCOUNT))
        await asyncio.sleep(0.35)
        book, trades = await port.order_book(ACCOUNT), await port.trades(ACCOUNT)

    assert behind == ([], [])
    assert [(entry.state, entry.filled_quantity) for entry in book] == [(OrderState.FILLED, ORDER.quantity)]
    assert [trade.quantity for trade in trades] == [ORDER.quantity]


async def test_fills_in_parts_are_trades_positions_and_money() -> None:
    broker = ScriptedBroker(default=Behaviour(fills=(4, 2)))
    async with spoken_to(broker) as port:
        await port.place(ORDER)
        await port.order_book(ACCOUNT)
        book = await port.order_book(ACCOUNT)
        trades = await port.trades(ACCOUNT)
        positions = await port.positions(ACCOUNT)
        funds = await port.funds(ACCOUNT)

    assert [entry.filled_quantity for entry in book] == [6]
    assert [(trade.trade_id, trade.quantity) for trade in trades] == [("T000001", 4), ("T000002", 2)]
    assert [position.quantity for position in positions] == [6]
    assert funds.balance == 100000 - 6 * ORDER.price


async def test_mute_broker_takes_requests_and_does_nothing() -> None:
    broker = ScriptedBroker()
    async with spoken_to(broker, total_seconds=0.3) as port:
        broker.go_mute()
        outcome = await port.place(ORDER)
        with pytest.raises(UnreadableError):
            await port.order_book(ACCOUNT)
        broker.speak()
        assert isinstance(await port.place(ORDER), Accepted)

    assert isinstance(outcome, Unknown)
    assert len(broker.orders) == 1
    assert len(broker.arrivals) == 2


async def test_expired_session_refuses_everything_of_that_account_alone() -> None:
    broker = ScriptedBroker(expired_sessions={ACCOUNT})
    async with spoken_to(broker) as port:
        outcome = await port.place(ORDER)
        with pytest.raises(SessionOverError):
            await port.order_book(ACCOUNT)
        other = await port.place(ORDER.model_copy(update={"account_id": ACCOUNT + 1}))

    assert outcome == Refused("TokenException", "the session has expired", ends_session=True)
    assert isinstance(other, Accepted)


async def test_book_errors_end_after_the_number_asked_for() -> None:
    broker = ScriptedBroker(failing_reads={"orders": 1})
    async with spoken_to(broker) as port:
        with pytest.raises(UnreadableError):
            await port.order_book(ACCOUNT)
        assert await port.order_book(ACCOUNT) == []


def test_same_seed_draws_the_same_faults_and_most_calls_go_plainly() -> None:
    first, second = FaultMix(7), FaultMix(7)
    draws = [first.draw() for _ in range(2000)]

    assert draws == [second.draw() for _ in range(2000)]
    assert draws != [FaultMix(8).draw() for _ in range(2000)]
    counts = Counter(draw.placing for draw in draws)
    assert 0.6 < counts["accept"] / 2000 < 0.9
    assert len(counts) >= 9


async def test_another_process_steers_and_reads_the_truth() -> None:
    broker = ScriptedBroker()
    async with spoken_to(broker) as port, httpx.AsyncClient(base_url=broker.url) as harness:
        await said(harness, "script", behaviours=[{"placing": "drop_after", "fills": [2]}])
        await said(harness, "steer", book_lag_seconds=0, mix={"seed": 5, "weights": {"rate_limited": 1}})
        outcomes = [await port.place(ORDER), await port.place(ORDER)]
        await said(harness, "place", account_id=ACCOUNT, symbol="TCS", quantity=3)
        await said(harness, "steer", muted=True)
        truth = (await harness.get("/admin/truth")).json()
        wrong = await harness.post("/admin/steer", json={"weather": "fine"})

    assert [type(outcome) for outcome in outcomes] == [Unknown, RateLimited]
    assert [row["quantity"] for row in truth["orders_by_tag"][ORDER.broker_tag]] == [ORDER.quantity]
    assert [row["symbol"] for row in truth["orders_by_tag"][""]] == ["TCS"]
    assert [arrival["key"] for arrival in truth["arrivals"]] == [ORDER.broker_tag] * 2
    assert truth["arrivals"][0]["at"] <= truth["arrivals"][1]["at"]
    assert wrong.status_code == 400


async def said(harness: httpx.AsyncClient, what: str, **content: Any) -> None:
    answer = await harness.post(f"/admin/{what}", json=content)
    assert answer.status_code == 200, answer.text


async def test_books_of_a_long_run_forget_what_ended_and_positions_and_funds_do_not() -> None:
    broker = ScriptedBroker()
    venue = broker.venue
    for side, quantity in (("BUY", 5), ("SELL", 2)):
        broker.place_elsewhere(ACCOUNT, side=side, quantity=quantity)
    venue.fill_next()
    still_open = broker.place_elsewhere(ACCOUNT, quantity=1, fills=())
    positions, funds = venue.positions(ACCOUNT), venue.funds(ACCOUNT)
    assert positions[0]["quantity"] == 3
    venue.book_seconds = 0.05
    assert len(venue.book(ACCOUNT)) == 3  # they ended just now

    await asyncio.sleep(0.1)

    assert [row["order_id"] for row in venue.book(ACCOUNT)] == [still_open.order_id]
    assert venue.trades(ACCOUNT) == []
    assert (venue.positions(ACCOUNT), venue.funds(ACCOUNT)) == (positions, funds)
    assert len(broker.orders) == 3
