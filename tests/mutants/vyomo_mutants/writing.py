"""What a step of an order, its fills and the portfolio must hold while others write the same rows."""

import asyncio
from decimal import Decimal

from vyomo_contracts.lifecycle import OrderUpdate
from vyomo_contracts.orders import Fill
from vyomo_contracts.portfolio import Funds, Holding, Position
from vyomo_contracts.vocabulary import Broker, Exchange, OrderState, Product
from vyomo_ledger.testing import USER
from vyomo_ledger.writing import LostRaceError, Step

from .stage import Stage, interrupted, is_free, started, utc

_ORDER = "SELECT true FROM ledger.broker_orders WHERE order_id = $1"
_POSITION = "SELECT true FROM accounts.positions WHERE symbol = $1"


async def whoever_locks_an_order_sees_it_as_its_last_holder_left_it(stage: Stage) -> None:
    order = await stage.accepted("O1")
    sent = "UPDATE ledger.broker_orders SET state = 'SUBMITTING', version = 2 WHERE order_id = $1"

    async def look() -> list[tuple[str, int]]:
        async with stage.ledger.transaction() as transaction:
            orders = await transaction.lock([(order.account_id, "O1")])
            return [(each.state, each.version) for each in orders.values()]

    async with stage.holding(sent, "O1"):
        looking = started(look())
        waits = await stage.has_come_to_wait(looking)

    assert await interrupted(looking) == [("SUBMITTING", 2)]
    assert waits


async def whoever_waits_for_an_order_holds_no_later_one(stage: Stage) -> None:
    first = await stage.accepted("O1")
    last = await stage.accepted("O2")

    async def lock() -> None:
        async with stage.ledger.transaction() as transaction:
            await transaction.lock([(last.account_id, "O2"), (first.account_id, "O1")])

    async with stage.holding(f"{_ORDER} FOR UPDATE", "O1") as holder:
        locking = started(lock())
        waits = await stage.has_come_to_wait(locking)
        later_is_free = await is_free(holder, _ORDER, "O2")

    await interrupted(locking)
    assert waits
    assert later_is_free


async def decision_on_an_older_version_is_not_written(stage: Stage) -> None:
    order = await stage.accepted("O1")
    await stage.learn(order, OrderState.SUBMITTING)

    async def decide_on_what_was() -> None:
        async with stage.ledger.transaction() as transaction:
            transaction.step([Step(order=order, update=OrderUpdate(state=OrderState.CANCELLED, at=utc()))])

    lost = False
    try:
        await decide_on_what_was()
    except LostRaceError:
        lost = True

    assert lost
    assert await stage.value("SELECT state FROM ledger.broker_orders") == "SUBMITTING"


async def each_version_has_one_event_and_its_row_in_the_outbox(stage: Stage) -> None:
    order = await stage.accepted("O1")
    for state in (OrderState.SUBMITTING, OrderState.ACKNOWLEDGED, OrderState.CANCELLED):
        await stage.learn(order, state)

    events = await stage.rows("SELECT version FROM ledger.order_events ORDER BY version")
    announced = await stage.rows("SELECT order_ids, versions FROM ledger.outbox ORDER BY id")
    assert [each["version"] for each in events] == [1, 2, 3, 4]
    assert [(each["order_ids"], each["versions"]) for each in announced] == [
        (["O1"], [version]) for version in (1, 2, 3, 4)
    ]


async def trade_told_twice_is_one_fill(stage: Stage) -> None:
    order = await stage.accepted("O1")
    await stage.learn(order, OrderState.SUBMITTING)
    trade = stage.fill(order, "T1")
    await partly_filled(stage, 4, (trade,))
    await partly_filled(stage, 6, (trade, stage.fill(order, "T2", quantity=2)))

    fills = await stage.rows("SELECT trade_id, quantity FROM ledger.fills ORDER BY trade_id")
    assert [(each["trade_id"], each["quantity"]) for each in fills] == [("T1", 4), ("T2", 2)]


async def real_trade_is_never_replaced(stage: Stage) -> None:
    order = await stage.accepted("O1")
    await stage.learn(order, OrderState.SUBMITTING)
    await partly_filled(stage, 4, (stage.fill(order, "T1"),))
    await partly_filled(stage, 6, (stage.fill(order, "T2", quantity=2, basis="derived"),))

    await partly_filled(stage, 8, (stage.fill(order, "T3"),), superseded_fills=("T1", "T2"))

    fills = await stage.rows("SELECT trade_id FROM ledger.fills ORDER BY trade_id")
    assert [each["trade_id"] for each in fills] == ["T1", "T3"]


async def partly_filled(stage: Stage, filled: int, fills: tuple[Fill, ...], **given: tuple[str, ...]) -> None:
    await stage.learn(
        stage.order("O1"),
        OrderState.PARTIALLY_FILLED,
        filled_quantity=filled,
        average_price=Decimal("250.25"),
        fills=fills,
        **given,
    )


async def send_deadline_outlives_what_is_learnt_later(stage: Stage) -> None:
    """It says from when on absence from the broker's book counts."""
    order = await stage.accepted("O1")
    deadline = utc(8)
    await stage.learn(order, OrderState.SUBMITTING, send_deadline=deadline)
    await stage.learn(order, OrderState.UNCONFIRMED)

    assert await stage.value("SELECT send_deadline FROM ledger.broker_orders") == deadline


async def older_portfolio_never_replaces_a_newer_one(stage: Stage) -> None:
    await save(stage, version=5, quantity=50)
    await save(stage, version=4, quantity=40)

    assert await portfolio(stage) == [50, 50, 50]
    await save(stage, version=6, quantity=60)
    assert await portfolio(stage) == [60, 60, 60]


async def portfolio(stage: Stage) -> list[int]:
    """Units of the position and of the holding, and the balance in rupees."""
    return [
        int(await stage.value(query))
        for query in (
            "SELECT quantity FROM accounts.positions",
            "SELECT quantity FROM accounts.holdings",
            f"SELECT balance FROM accounts.broker_accounts WHERE id = {stage.accounts[0]}",
        )
    ]


async def save(stage: Stage, *, version: int, quantity: int) -> None:
    account_id, at = stage.accounts[0], utc()
    holding = Holding(
        account_id=account_id,
        exchange=Exchange.NSE,
        symbol="INFY",
        quantity=quantity,
        average_price=Decimal(1),
        version=version,
        updated_at=at,
    )
    funds = Funds(
        account_id=account_id,
        user_id=USER,
        broker=Broker.PAPER,
        balance=Decimal(quantity),
        used=Decimal(0),
        available=Decimal(quantity),
        version=version,
        updated_at=at,
    )
    async with stage.ledger.transaction() as transaction:
        transaction.save_positions([position(stage, "INFY", version=version, quantity=quantity)])
        transaction.save_holdings([holding], user_id=USER, broker=Broker.PAPER)
        transaction.save_funds([funds])


async def whoever_waits_for_a_position_holds_no_later_one(stage: Stage) -> None:
    async def write(version: int) -> None:
        async with stage.ledger.transaction() as transaction:
            transaction.save_positions(
                [position(stage, symbol, version=version, quantity=1) for symbol in ("ZEEL", "ACC")]
            )

    await write(1)
    async with stage.holding(f"{_POSITION} FOR UPDATE", "ACC") as holder:
        writing = started(write(2))
        waits = await stage.has_come_to_wait(writing)
        later_is_free = await is_free(holder, _POSITION, "ZEEL")

    await interrupted(writing)
    assert waits
    assert later_is_free


def position(stage: Stage, symbol: str, *, version: int, quantity: int) -> Position:
    return Position(
        account_id=stage.accounts[0],
        user_id=USER,
        broker=Broker.PAPER,
        exchange=Exchange.NSE,
        symbol=symbol,
        product=Product.MIS,
        quantity=quantity,
        average_price=Decimal(1),
        version=version,
        updated_at=utc(),
    )


async def claimers_of_one_account_never_share_an_order(stage: Stage) -> None:
    for number in range(6):
        await stage.accepted(f"O{number}")
    taken: list[str] = []

    async def take() -> None:
        async with stage.ledger.transaction() as transaction:
            claimed = await transaction.claim([stage.accounts[0]], per_account=2)
            await asyncio.sleep(0)
            update = OrderUpdate(state=OrderState.SUBMITTING, at=utc())
            transaction.step([Step(order=order, update=update) for order in claimed.orders])
            taken.extend(order.order_id for order in claimed.orders)

    await asyncio.gather(take(), take(), take())

    assert taken == [f"O{number}" for number in range(6)]
