import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from vyomo_contracts import subjects
from vyomo_contracts.commands import OrderReply
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.topology import partition_of
from vyomo_contracts.vocabulary import Broker, OrderState
from vyomo_ledger.testing import OTHER_USER
from vyomo_order_router.testing import PARTITIONS, Caller
from vyomo_service_kit.testing import eventually

OpenRouter = Callable[..., AbstractAsyncContextManager[Caller]]


def code_of(reply: OrderReply) -> ReasonCode | None:
    return None if reply.problem is None else reply.problem.code


async def orders_in_record(caller: Caller) -> int:
    return len(await caller.world.rows("SELECT 1 FROM ledger.broker_orders"))


async def test_valid_order_is_recorded_and_answered_as_it_is(caller: Caller) -> None:
    reply = await caller.place()

    assert reply.problem is None
    assert reply.order is not None
    assert (reply.order.state, reply.order.version) == (OrderState.NEW, 1)
    assert await caller.world.stored(reply.order.order_id) == reply.order
    assert await caller.event_types(reply.order) == ["order.accepted"]


async def test_worker_is_rung_in_the_accounts_partition_after_the_commit(caller: Caller) -> None:
    committed: list[int] = []

    async def look(_: object) -> None:
        committed.append(await orders_in_record(caller))

    await caller.world.bus.client.subscribe(subjects.ALL_DOORBELLS, cb=look)
    await caller.world.bus.until_subscribed()

    await caller.place(account=caller.world.second_account)

    await eventually(lambda: committed == [1])
    partition = partition_of(caller.world.second_account, PARTITIONS)
    assert [(subject, bell.account_ids) for subject, bell in caller.doorbells] == [
        (subjects.doorbell("paper", partition), (caller.world.second_account,))
    ]


async def test_event_of_the_order_is_published(caller: Caller) -> None:
    order = await caller.placed()

    await eventually(lambda: len(caller.world.heard) == 1)

    [event] = caller.world.heard[0].items
    assert event.kind == "order"
    assert event.order == order


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"quantity": 0}, ReasonCode.QUANTITY_NOT_POSITIVE),
        ({"price": "250.51"}, ReasonCode.PRICE_OFF_TICK),
        ({"price": "400"}, ReasonCode.PRICE_OUTSIDE_BAND),
        ({"price": 0}, ReasonCode.PRICE_REQUIRED),
        ({"product": "NRML"}, ReasonCode.PRODUCT_NOT_ALLOWED),
        ({"symbol": "NOSUCH"}, ReasonCode.UNKNOWN_SYMBOL),
        ({"symbol": "ONLYBSE"}, ReasonCode.WRONG_EXCHANGE),
    ],
)
async def test_invalid_order_is_refused_and_leaves_no_row_and_no_used_key(
    caller: Caller, order: dict[str, object], code: ReasonCode
) -> None:
    refused = await caller.place(key="k", **order)

    assert (code_of(refused), refused.order) == (code, None)
    assert await orders_in_record(caller) == 0
    assert (await caller.place(key="k")).order is not None


async def test_risk_denial_is_recorded_and_repeated_on_replay(caller: Caller) -> None:
    future = {"symbol": "NIFTYFUT", "exchange": "NFO", "product": "NRML", "price": "25000", "quantity": 1820}

    first = await caller.place(key="k", **future)
    again = await caller.place(key="k", **future)

    assert code_of(first) is ReasonCode.RISK_QUANTITY_ABOVE_FREEZE
    assert first.order is not None
    assert first.order.state is OrderState.DENIED
    assert await caller.event_types(first.order) == ["order.denied"]
    assert (again.order, again.replayed, code_of(again)) == (first.order, True, code_of(first))
    assert again.problem == first.problem
    assert await orders_in_record(caller) == 1
    assert caller.doorbells == []


async def test_order_worth_too_much_is_denied(open_router: OpenRouter) -> None:
    async with open_router(max_order_value=2504) as caller:
        reply = await caller.place()

        assert code_of(reply) is ReasonCode.RISK_ORDER_VALUE_ABOVE_LIMIT
        assert reply.order is not None
        assert reply.order.status == "REJECTED"


async def test_replay_answers_with_the_order_as_it_now_is(caller: Caller) -> None:
    order = await caller.placed(key="k")
    cancelled = (await caller.cancel(order)).order

    replay = await caller.place(key="k")

    assert (replay.order, replay.replayed) == (cancelled, True)


async def test_key_used_for_another_order_is_refused_with_that_orders_id(caller: Caller) -> None:
    order = await caller.placed(key="k")

    reply = await caller.place(key="k", body="b", quantity=20)

    assert code_of(reply) is ReasonCode.IDEMPOTENCY_KEY_REUSED
    assert reply.problem is not None
    assert reply.problem.detail == {"orderId": order.order_id}


async def test_used_key_stands_for_its_order_though_that_could_not_be_placed_any_more(caller: Caller) -> None:
    order = await caller.placed(key="k", body="a")

    # The same request as far as its hash tells; meanwhile the rules would refuse it.
    same = await caller.place(key="k", body="a", symbol="GONE")
    other = await caller.place(key="k", body="b", symbol="GONE")

    assert (same.order, same.replayed, code_of(same)) == (order, True, None)
    assert code_of(other) is ReasonCode.IDEMPOTENCY_KEY_REUSED


async def test_foreign_account_looks_like_no_account(caller: Caller) -> None:
    foreign = await caller.place(account=caller.world.foreign_account)
    unknown = await caller.place(account=999_999)

    assert code_of(foreign) is code_of(unknown) is ReasonCode.ACCOUNT_NOT_FOUND
    assert foreign.problem is not None
    assert unknown.problem is not None
    assert foreign.problem.message.replace(str(caller.world.foreign_account), "N") == (
        unknown.problem.message.replace("999999", "N")
    )
    assert await orders_in_record(caller) == 0


async def test_command_read_after_its_deadline_is_left_alone(caller: Caller) -> None:
    reply = await caller.place(key="k", late_by=0.5)

    assert code_of(reply) is ReasonCode.SERVICE_UNAVAILABLE
    assert await orders_in_record(caller) == 0
    assert (await caller.place(key="k")).replayed is False


async def test_mixed_list_is_answered_each_in_its_place(caller: Caller) -> None:
    replies = await caller.place_all(
        caller.command(key="k1"),
        caller.command(quantity=0),
        caller.command(account=caller.world.foreign_account),
        caller.command(account=caller.world.second_account),
        caller.command(late_by=1),
        caller.command(symbol="NIFTYFUT", exchange="NFO", product="NRML", price="25000", quantity=1820),
        caller.command(key="k1"),
        caller.command(key="k1", body="b"),
        caller.command(account=caller.world.foreign_account, user=OTHER_USER),
    )

    assert [code_of(reply) for reply in replies] == [
        None,
        ReasonCode.QUANTITY_NOT_POSITIVE,
        ReasonCode.ACCOUNT_NOT_FOUND,
        None,
        ReasonCode.SERVICE_UNAVAILABLE,
        ReasonCode.RISK_QUANTITY_ABOVE_FREEZE,
        None,
        ReasonCode.IDEMPOTENCY_KEY_REUSED,
        None,
    ]
    assert replies[6].replayed
    assert replies[6].order == replies[0].order
    assert await orders_in_record(caller) == 4


async def test_row_the_database_refuses_fails_alone(caller: Caller) -> None:
    replies = await caller.place_all(
        caller.command(tag="first"), caller.command(tag="nul \x00 byte"), caller.command(tag="last")
    )

    assert [code_of(reply) for reply in replies] == [None, ReasonCode.INTERNAL_ERROR, None]
    assert await orders_in_record(caller) == 2


async def test_busy_account_fails_alone_and_may_be_tried_again(caller: Caller) -> None:
    async with caller.world.database.transaction() as connection:
        await connection.execute(
            "SELECT 1 FROM ledger.lanes WHERE account_id = $1 AND lane = 'ACCEPT' FOR UPDATE", caller.account
        )

        replies = await caller.place_all(
            caller.command(), caller.command(account=caller.world.second_account)
        )

    assert [code_of(reply) for reply in replies] == [ReasonCode.RECORD_UNAVAILABLE, None]


async def test_many_orders_of_a_busy_account_cost_their_neighbours_one_wait(caller: Caller) -> None:
    neighbours = [caller.world.second_account, caller.account, caller.world.second_account]
    async with caller.world.database.transaction() as connection:
        await connection.execute(
            "SELECT 1 FROM ledger.lanes WHERE account_id = $1 AND lane = 'ACCEPT' FOR UPDATE", caller.account
        )
        began = time.monotonic()
        replies = await caller.place_all(
            *(caller.command() for _ in range(5)), *(caller.command(account=each) for each in neighbours)
        )

    assert time.monotonic() - began < 3
    assert [code_of(reply) for reply in replies] == [
        *[ReasonCode.RECORD_UNAVAILABLE] * 5,
        None,
        ReasonCode.RECORD_UNAVAILABLE,
        None,
    ]


async def test_many_callers_at_once_each_get_their_own_order(caller: Caller) -> None:
    replies = await asyncio.gather(*(caller.place(tag=str(number)) for number in range(50)))

    assert [reply.order.tag for reply in replies if reply.order] == [str(number) for number in range(50)]
    rows = await caller.world.rows("SELECT sequence FROM ledger.broker_orders ORDER BY sequence")
    assert [row["sequence"] for row in rows] == list(range(1, 51))


async def test_live_account_trades_what_its_broker_lists(caller: Caller) -> None:
    created = await caller.create_account("AB1", broker=Broker.ZERODHA)
    assert created.account is not None
    live = created.account.id
    # What is a good order is held back here all the same: the tests' record is not durable.
    good = ReasonCode.NOT_DURABLE
    newly = {"symbol": "NEWLY", "price": "10.25"}
    # Until the broker's list is there, it is checked against the built-in market.
    assert code_of(await caller.place(account=live)) is good
    assert code_of(await caller.place(account=live, **newly)) is ReasonCode.UNKNOWN_SYMBOL
    await caller.world.rows(
        "INSERT INTO market.listings (broker, exchange, symbol, trading_symbol, token, name, kind, lot_size, tick_size)"
        " VALUES ('zerodha', 'NSE', 'NEWLY', 'NEWLY', '1', 'Newly listed', 'EQUITY', 1, 0.25)"
    )
    await caller.world.rows(
        "INSERT INTO market.masters (broker, loaded_at, looked_at) VALUES ('zerodha', now(), now())"
    )

    async def is_in_use() -> bool:
        return code_of(await caller.place(account=live, **newly)) is good

    await eventually(is_in_use)
    assert code_of(await caller.place(account=live)) is ReasonCode.UNKNOWN_SYMBOL
    assert (
        code_of(await caller.place(account=live, symbol="NEWLY", price="10.30")) is ReasonCode.PRICE_OFF_TICK
    )
    # Paper goes on in its own market.
    assert code_of(await caller.place()) is None
    assert code_of(await caller.place(**newly)) is ReasonCode.UNKNOWN_SYMBOL
