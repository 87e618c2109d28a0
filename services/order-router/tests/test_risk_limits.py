"""Each limit refuses with its own code, leaves a DENIED order with its event, and says the same to a repeat."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from vyomo_contracts import subjects
from vyomo_contracts.commands import OrderReply
from vyomo_contracts.instruments import Quote
from vyomo_contracts.queries import QuoteReply, QuoteRequest
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import Broker, OrderState
from vyomo_ledger.testing import OTHER_USER
from vyomo_order_router.testing import Caller
from vyomo_service_kit.testing import eventually

OpenRouter = Callable[..., AbstractAsyncContextManager[Caller]]


def code_of(reply: OrderReply) -> ReasonCode | None:
    return None if reply.problem is None else reply.problem.code


async def serve_price(caller: Caller, price: str) -> None:
    """The market says so."""

    async def answer(message: Any) -> None:
        asked = QuoteRequest.model_validate_json(message.data)
        quotes = [
            Quote.model_validate(
                {
                    "exchange": key.partition(":")[0],
                    "symbol": key.partition(":")[2],
                    "at": asked.time,
                    "volume": 1,
                }
                | dict.fromkeys(
                    ("last_price", "previous_close", "open_price", "high_price", "low_price"), price
                )
            )
            for key in asked.keys
        ]
        reply = QuoteReply(
            id="q",
            type=QuoteReply.TYPE,
            time=asked.time,
            correlation_id="q",
            source="test",
            quotes=tuple(quotes),
        )
        await message.respond(reply.model_dump_json().encode())

    await caller.world.bus.client.subscribe(subjects.QUOTES, cb=answer)
    await caller.world.bus.client.flush()


async def nothing(_: Caller) -> None:
    pass


async def one_open(caller: Caller) -> None:
    await caller.placed()


async def price_at_240(caller: Caller) -> None:
    await serve_price(caller, "240")


@pytest.mark.parametrize(
    ("limits", "before", "code"),
    [
        ({"max_order_quantity": 9}, nothing, ReasonCode.RISK_ORDER_QUANTITY_ABOVE_LIMIT),
        ({"max_order_value": "2504.99"}, nothing, ReasonCode.RISK_ORDER_VALUE_ABOVE_LIMIT),
        ({"price_band_percent": 4}, price_at_240, ReasonCode.RISK_PRICE_FAR_FROM_LAST),
        ({"price_band_percent": 4}, nothing, ReasonCode.RISK_LAST_PRICE_UNKNOWN),
        ({"max_open_orders": 1}, one_open, ReasonCode.RISK_OPEN_ORDERS_ABOVE_LIMIT),
        ({"max_position_quantity": 19}, one_open, ReasonCode.RISK_POSITION_ABOVE_LIMIT),
        ({"max_exposure": 5009}, one_open, ReasonCode.RISK_EXPOSURE_ABOVE_LIMIT),
        ({"duplicate_window_seconds": 30}, one_open, ReasonCode.RISK_DUPLICATE_ORDER),
        ({"reduce_only": True}, nothing, ReasonCode.RISK_REDUCE_ONLY),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_limit_denies_records_and_says_the_same_again(
    caller: Caller, limits: dict[str, Any], before: Callable[[Caller], Any], code: ReasonCode
) -> None:
    await before(caller)
    await caller.limit(caller.account, **limits)

    denied = await caller.place(key="k")
    again = await caller.place(key="k")

    assert (code_of(denied), code_of(again), again.replayed) == (code, code, True)
    assert denied.order is not None
    assert (denied.order.state, denied.order.reason_code) == (OrderState.DENIED, code)
    assert await caller.event_types(denied.order) == ["order.denied"]
    assert denied.order == again.order
    # Another account of the same user has no such limit.
    assert code_of(await caller.place(account=caller.world.second_account)) is None


async def test_price_within_the_band_of_the_last_price_passes(caller: Caller) -> None:
    await serve_price(caller, "245")
    await caller.limit(price_band_percent=3)

    assert code_of(await caller.place(price="250")) is None
    assert code_of(await caller.place(price="252.35")) is None
    assert code_of(await caller.place(price="252.40")) is ReasonCode.RISK_PRICE_FAR_FROM_LAST
    assert code_of(await caller.place(order_type="MARKET", price=0)) is None


async def test_account_limit_goes_before_the_users_which_goes_before_the_default(
    open_router: OpenRouter,
) -> None:
    async with open_router(max_order_value=1000) as caller:
        await caller.limit(max_order_value=3000)
        await caller.limit(caller.account, max_order_value=2000, max_open_orders=7)

        view = (await caller.risk(caller.account)).risk
        assert view is not None
        assert (view.limits.max_order_value, view.effective.max_open_orders) == (2000, 7)
        assert code_of(await caller.place()) is ReasonCode.RISK_ORDER_VALUE_ABOVE_LIMIT
        assert code_of(await caller.place(account=caller.world.second_account)) is None
        foreign = caller.command(account=caller.world.foreign_account, user=OTHER_USER)
        [reply] = await caller.place_all(foreign)
        assert code_of(reply) is ReasonCode.RISK_ORDER_VALUE_ABOVE_LIMIT


async def test_limit_holds_for_the_very_next_order_of_a_router_that_knew_the_account(caller: Caller) -> None:
    await caller.placed()

    for limit in (5, 50, 5):
        await caller.limit(caller.account, max_order_quantity=limit)
        expected = ReasonCode.RISK_ORDER_QUANTITY_ABOVE_LIMIT if limit < 10 else None
        assert code_of(await caller.place()) is expected


async def test_orders_of_one_list_count_for_each_other(caller: Caller) -> None:
    await caller.limit(caller.account, max_open_orders=3)

    replies = await caller.place_all(*(caller.command() for _ in range(5)))

    assert [code_of(reply) for reply in replies] == [None] * 3 + [ReasonCode.RISK_OPEN_ORDERS_ABOVE_LIMIT] * 2


async def test_racing_callers_never_exceed_the_limit_together(caller: Caller) -> None:
    await caller.limit(caller.account, max_open_orders=3)

    replies = await asyncio.gather(*(caller.place() for _ in range(12)))

    assert sorted(str(code_of(reply)) for reply in replies).count("None") == 3


async def test_exits_are_not_held_up_by_limits_of_exposure_or_count(caller: Caller) -> None:
    await caller.hold(10)
    await caller.placed()
    await caller.limit(
        caller.account, max_open_orders=1, max_position_quantity=1, max_exposure=1, reduce_only=True
    )

    assert code_of(await caller.place(transaction_type="SELL")) is None
    # The position is sold already, as far as anybody knows.
    assert code_of(await caller.place(transaction_type="SELL", quantity=1)) is ReasonCode.RISK_REDUCE_ONLY


async def test_order_with_an_unknown_outcome_counts_as_filled(caller: Caller) -> None:
    order = await caller.bring_to(await caller.placed(), OrderState.SUBMITTING)
    await caller.bring_to(order, OrderState.UNCONFIRMED)
    await caller.limit(caller.account, max_position_quantity=15)

    assert code_of(await caller.place()) is ReasonCode.RISK_POSITION_ABOVE_LIMIT


async def test_modification_must_pass_the_limits_and_its_order_does_not_count_twice(caller: Caller) -> None:
    order = await caller.placed()
    await caller.limit(
        caller.account, max_position_quantity=20, max_open_orders=1, duplicate_window_seconds=60
    )

    assert code_of(await caller.modify(order, quantity=21)) is ReasonCode.RISK_POSITION_ABOVE_LIMIT
    assert code_of(await caller.modify(order, quantity=20)) is None


async def test_new_orders_leave_room_for_cancellations_within_a_second(open_router: OpenRouter) -> None:
    # None is what an installation has that was told nothing: paper is as slow as a real broker.
    async with open_router(paper_orders_per_second=None) as caller:
        refused: list[OrderReply] = []

        async def is_refused() -> bool:
            replies = await caller.place_all(*(caller.command() for _ in range(9)))
            refused.extend(reply for reply in replies if reply.problem)
            return bool(refused)

        await eventually(is_refused)
        problem = refused[0].problem
        assert problem is not None
        assert (problem.code, problem.detail, refused[0].order) == (
            ReasonCode.RATE_LIMITED,
            {"limit": 8, "window": "second", "retryAfterSeconds": 1},
            None,
        )
        # Who meets it is told how to go faster, by the very call that the next line makes.
        assert f'/api/risk/limits?accountId={caller.account} {{"ordersPerSecond": 1000}}' in problem.message
        await caller.limit(caller.account, orders_per_second=1000)
        replies = await caller.place_all(*(caller.command() for _ in range(50)))
        assert {code_of(reply) for reply in replies} == {None}


async def test_real_brokers_rate_cannot_be_raised(caller: Caller) -> None:
    created = await caller.create_account("AB1", broker=Broker.ZERODHA)
    assert created.account is not None

    reply = await caller.limit(created.account.id, orders_per_second=11)
    await caller.limit(orders_per_second=500)

    assert reply.problem is not None
    assert reply.problem.code is ReasonCode.LIMIT_ABOVE_BROKERS
    view = (await caller.risk(created.account.id)).risk
    assert view is not None
    assert view.effective.orders_per_second == 10


async def test_limit_of_a_foreign_account_cannot_be_set_or_read(caller: Caller) -> None:
    for reply in (
        await caller.limit(caller.world.foreign_account, max_open_orders=1),
        await caller.limit(caller.world.foreign_account, orders_per_second=1),
        await caller.risk(caller.world.foreign_account),
    ):
        assert reply.problem is not None
        assert reply.problem.code is ReasonCode.ACCOUNT_NOT_FOUND
    assert await caller.world.rows("SELECT 1 FROM ledger.risk_limits") == []


async def test_change_of_limits_is_an_event_that_tells_all(caller: Caller) -> None:
    await caller.limit(caller.account, max_open_orders=4)

    [event] = await caller.risk_events()

    assert (event["type"], event["actor"], event["scope_id"]) == (
        "risk.limits_changed",
        "k",
        str(caller.account),
    )
    assert event["limits"] == {"max_open_orders": 4}
    assert [each["account_id"] for each in event["accounts"]] == [caller.account]
