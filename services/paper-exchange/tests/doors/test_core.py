"""What the doors have in common, on a real record: orders, books, money and credentials, in no protocol's words."""

from collections.abc import AsyncGenerator
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from vyomo_contracts.money import ZERO
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import (
    Exchange,
    OrderState,
    OrderType,
    Product,
    TransactionType,
)
from vyomo_paper_exchange.doors.orders import (
    DoorAccount,
    DoorOrder,
    OrderChange,
    Placed,
    Refused,
    Step,
)
from vyomo_paper_exchange.doors.venue import DoorVenue
from vyomo_paper_exchange.testing.doors import ROOT_KEYS, door_venue, give_login, make_sandbox, new_order
from vyomo_paper_exchange.testing.venue import Venue


@pytest.fixture
async def doors(venue: Venue) -> AsyncGenerator[DoorVenue]:
    async with door_venue(venue) as opened:
        yield opened


def account(venue: Venue, *, is_linked: bool = True) -> DoorAccount:
    return DoorAccount(
        account_id=venue.record.account, user_id="asha", client_id="PAPER1", is_linked=is_linked
    )


async def resting(venue: Venue, doors: DoorVenue, ticks_above: int = 20, **changes: Any) -> DoorOrder:
    price = await venue.last_price() + ticks_above * Decimal("0.10")
    terms = {"order_type": OrderType.LIMIT, "transaction_type": TransactionType.SELL, "price": price}
    placed = await doors.desk.place(account(venue), "kite", new_order(**(terms | changes)))
    return placed.order


async def test_market_order_trades_at_once_on_the_same_books(venue: Venue, doors: DoorVenue) -> None:
    placed = await doors.desk.place(
        account(venue), "kite", new_order(tag="t1", details={"variety": "regular"})
    )

    order = placed.order
    assert (order.working.state, order.working.filled_quantity) == (OrderState.FILLED, 10)
    assert order.filing.order_id.isdigit()
    (shown,) = await doors.books.orders(account(venue))
    assert (shown.filing.tag, shown.filing.details) == ("t1", {"variety": "regular"})
    (trade,) = await doors.books.trades(account(venue))
    assert (trade.order_id, trade.quantity) == (order.filing.order_id, 10)
    (position,) = await doors.books.positions(account(venue))
    assert (position.state.quantity, position.state.buy_value) == (10, trade.price * 10)
    (seen_by_vyomo,) = await venue.record.rows("SELECT quantity FROM accounts.positions")
    assert seen_by_vyomo["quantity"] == 10


async def test_history_has_every_step_on_the_way(venue: Venue, doors: DoorVenue) -> None:
    placed = await doors.desk.place(account(venue), "kite", new_order())
    rejected = await doors.desk.place(account(venue), "kite", new_order(quantity=100_000))

    steps = await doors.books.history(placed.order)
    assert [row.step for row in steps] == [
        Step.RECEIVED,
        Step.VALIDATING,
        Step.SENDING,
        Step.OPEN,
        Step.COMPLETE,
    ]
    assert [row.filled_quantity for row in steps] == [0, 0, 0, 0, 10]
    refused = await doors.books.history(rejected.order)
    assert [row.step for row in refused] == [Step.RECEIVED, Step.VALIDATING, Step.REJECTED]
    assert refused[-1].reason
    assert rejected.order.working.state is OrderState.REJECTED


async def test_resting_order_is_modified_cancelled_and_shown_at_each_step(
    venue: Venue, doors: DoorVenue
) -> None:
    order = await resting(venue, doors)
    order_id = order.filing.order_id
    price = order.working.price + Decimal("0.20")

    modified = await doors.desk.modify(account(venue), "kite", order_id, OrderChange(price=price))
    assert isinstance(modified, Placed)
    assert (modified.order.working.price, modified.order.filing.modifications) == (price, 1)
    cancelled = await doors.desk.cancel(account(venue), "kite", order_id)
    assert isinstance(cancelled, Placed)
    assert cancelled.order.working.state is OrderState.CANCELLED

    steps = [row.step for row in await doors.books.history(cancelled.order)]
    assert steps == [
        Step.RECEIVED,
        Step.VALIDATING,
        Step.SENDING,
        Step.OPEN,
        Step.MODIFY_VALIDATING,
        Step.MODIFYING,
        Step.MODIFIED,
        Step.OPEN,
        Step.CANCELLING,
        Step.CANCELLED,
    ]
    again = await doors.desk.cancel(account(venue), "kite", order_id)
    assert isinstance(again, Refused)
    assert again.refusal.code is ReasonCode.ORDER_NOT_PENDING


async def test_strangers_order_is_not_found(venue: Venue, doors: DoorVenue) -> None:
    order = await resting(venue, doors)
    stranger = DoorAccount(
        account_id=venue.record.second_account, user_id="asha", client_id="X", is_linked=True
    )

    for order_id in (order.filing.order_id, "PAPER_NOSUCH"):
        result = await doors.desk.cancel(stranger, "kite", order_id)
        assert isinstance(result, Refused)
        assert result.refusal.code is ReasonCode.ORDER_NOT_FOUND
    assert (await doors.books.order(stranger, order.filing.order_id)) is None
    assert len(venue.resting) == 1


async def test_market_comes_to_a_resting_order_and_whoever_listens_hears_of_it(
    venue: Venue, doors: DoorVenue
) -> None:
    heard: list[tuple[str, Step]] = []
    stop = doors.record.listen(lambda order, step: heard.append((order.filing.order_id, step)))

    order = await resting(venue, doors, ticks_above=5)
    await venue.until_rest(0)
    stop()
    await doors.desk.place(account(venue), "kite", new_order())

    assert heard[0] == (order.filing.order_id, Step.OPEN)
    assert heard[-1] == (order.filing.order_id, Step.COMPLETE)
    assert {each[0] for each in heard} == {order.filing.order_id}


async def test_resting_door_order_survives_a_restart(venue: Venue, doors: DoorVenue) -> None:
    order = await resting(venue, doors, ticks_above=5)

    other = await venue.another()
    await other.executor.restore()
    await other.until_rest(0)

    stored = await doors.books.order(account(venue), order.filing.order_id)
    assert stored is not None
    assert stored.working.state is OrderState.FILLED


async def test_native_orders_and_door_orders_share_one_account(venue: Venue, doors: DoorVenue) -> None:
    await venue.execute()
    await doors.desk.place(
        account(venue), "kite", new_order(transaction_type=TransactionType.SELL, order_type=OrderType.MARKET)
    )

    (position,) = await doors.books.positions(account(venue))
    assert position.state.quantity == 0
    assert len(await doors.books.trades(account(venue))) == 2
    (known,) = await venue.record.rows("SELECT quantity, buy_quantity, sell_quantity FROM accounts.positions")
    assert (known["quantity"], known["buy_quantity"], known["sell_quantity"]) == (0, 10, 10)


async def test_orders_placed_through_vyomo_are_seen_and_cancelled_at_a_door(
    venue: Venue, doors: DoorVenue
) -> None:
    venue.executor.ring = lambda _: None
    native = await venue.passive(50, tag="mine")
    venue.clock.move(milliseconds=1)
    by_door = await resting(venue, doors)

    shown = await doors.books.orders(account(venue))
    assert [order.filing.order_id for order in shown] == [native.order_id, by_door.filing.order_id]
    assert shown[0].filing.tag == "mine"
    assert [row.step for row in await doors.books.history(shown[0])][-1] is Step.OPEN
    asked = await doors.desk.modify(account(venue), "kite", native.order_id, OrderChange(quantity=20))
    assert isinstance(asked, Placed)
    await venue.executor.run([native.account_id])
    assert (await venue.record.stored(native.order_id)).quantity == 20
    assert isinstance(await doors.desk.cancel(account(venue), "kite", native.order_id), Placed)
    twice = await doors.desk.cancel(account(venue), "kite", native.order_id)
    await venue.executor.run([native.account_id])

    assert isinstance(twice, Refused)
    assert twice.refusal.code is ReasonCode.ACTION_PENDING
    stored = await venue.record.stored(native.order_id)
    assert (stored.state, stored.reason) == (OrderState.CANCELLED, "cancelled at a front door")
    late = await doors.desk.cancel(account(venue), "kite", native.order_id)
    assert isinstance(late, Refused)
    assert late.refusal.code is ReasonCode.ORDER_NOT_PENDING


async def test_sandbox_account_is_the_venues_alone(venue: Venue, doors: DoorVenue, database_url: str) -> None:
    make_sandbox(database_url, venue.record.account)
    mine = account(venue, is_linked=False)

    placed = await doors.desk.place(mine, "kite", new_order())
    await resting(venue, doors, ticks_above=5)
    await venue.until_rest(0)

    assert placed.order.working.state is OrderState.FILLED
    assert [each.state.quantity for each in await doors.books.positions(mine)] == [0]
    assert await venue.record.rows("SELECT * FROM accounts.positions") == []
    (row,) = await venue.record.rows(
        "SELECT margin_used, funds_version FROM accounts.broker_accounts WHERE id = $1", mine.account_id
    )
    assert (row["margin_used"], row["funds_version"]) == (0, 0)


async def test_check_finds_what_a_broker_finds_before_it_takes_an_order(
    venue: Venue, doors: DoorVenue
) -> None:
    wrong = {
        ReasonCode.UNKNOWN_SYMBOL: new_order(symbol="NOSUCH"),
        ReasonCode.PRICE_OFF_TICK: new_order(order_type=OrderType.LIMIT, price=Decimal("250.503")),
        ReasonCode.PRODUCT_NOT_ALLOWED: new_order(product=Product.NRML),
        ReasonCode.QUANTITY_NOT_LOT_MULTIPLE: new_order(
            exchange=Exchange.NFO, symbol="", product=Product.NRML
        ),
    }
    symbols = [
        each.instrument.symbol
        async for page in doors.instruments.listed(Exchange.NFO)
        for each in page
        if each.instrument.lot_size > 10
    ]
    wrong[ReasonCode.QUANTITY_NOT_LOT_MULTIPLE] = new_order(
        exchange=Exchange.NFO, symbol=symbols[0], product=Product.NRML
    )

    for code, order in wrong.items():
        refusal = await doors.desk.check(account(venue), order)
        assert refusal is not None
        assert refusal.code is code
    assert await doors.desk.check(account(venue), new_order()) is None


async def test_money_and_the_margin_of_one_more_order(venue: Venue, doors: DoorVenue) -> None:
    before = await doors.books.money(account(venue))
    placed = await doors.desk.place(account(venue), "kite", new_order())
    after = await doors.books.money(account(venue))

    assert before.used == ZERO
    assert before.available == before.balance == Decimal(100_000)
    assert after.used > 0
    assert after.available == Decimal(100_000) - after.used
    group = placed.order.working.group
    margin = await doors.books.margin_of(account(venue), group, TransactionType.BUY, 10, ZERO)
    assert 0 < margin <= after.used


async def test_instruments_have_numbers_that_stay(venue: Venue, doors: DoorVenue) -> None:
    del venue
    listed = [each async for page in doors.instruments.listed() for each in page]

    by_key = {each.instrument.key: each.token for each in listed}
    assert by_key["NSE:RELIANCE"] == 2885
    assert len(set(by_key.values())) == len(listed) > 50
    assert max(by_key.values()) < 1 << 24
    assert (await doors.instruments.tokens([("NSE", "INFY"), ("NSE", "NOSUCH")])) == {"NSE:INFY": 1594}
    assert (await doors.instruments.keys([1594, 7])) == {1594: "NSE:INFY"}


async def test_credentials_open_only_for_the_account_they_were_sealed_for(
    venue: Venue, doors: DoorVenue, database_url: str
) -> None:
    give_login(database_url, venue.record.account, "kite", {"apiKey": "k1", "apiSecret": "s1"})
    give_login(database_url, venue.record.second_account, "kite", {"apiKey": "k2", "apiSecret": "s2"})

    (found,) = await doors.logins.of_key("kite", "k1")
    assert found.account.account_id == venue.record.account
    assert found.api_secret == SecretStr("s1")
    assert await doors.logins.of_key("kite", "k3") == []
    assert await doors.logins.of_key("smartapi", "k1") == []
    assert ROOT_KEYS.public != ROOT_KEYS.private


async def test_sessions_end_by_logout_by_time_and_by_a_second_login(
    venue: Venue, doors: DoorVenue, database_url: str
) -> None:
    give_login(database_url, venue.record.account, "kite", {"apiKey": "k1", "apiSecret": "s1"})
    (login,) = await doors.logins.of_key("kite", "k1")
    at, until = venue.clock.now(), venue.clock.now().replace(hour=23)

    async def begin(token: str, *, alone: bool) -> None:
        await doors.sessions.begin(login, "kite", {"access": token}, at=at, valid_until=until, alone=alone)

    await begin("one", alone=True)
    assert await doors.sessions.find("kite", "access", "one", at) is not None
    assert await doors.sessions.find("kite", "refresh", "one", at) is None
    assert await doors.sessions.find("kite", "access", "one", until) is None
    await begin("two", alone=False)
    assert await doors.sessions.find("kite", "access", "one", at) is not None
    await begin("three", alone=True)
    assert await doors.sessions.find("kite", "access", "one", at) is None
    assert await doors.sessions.end("kite", "three")
    assert not await doors.sessions.end("kite", "three")
