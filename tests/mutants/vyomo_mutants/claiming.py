"""What a claim must hold while others claim, cancel, switch or sign out."""

# Statements are private to their modules; their plans are part of what is promised of them.
# pyright: reportPrivateUsage=false

from vyomo_broker_kit import lanes
from vyomo_contracts.vocabulary import OrderState, TransactionType
from vyomo_ledger.writing import claiming, sweeper

from .stage import AT_A_BROKER, Stage, interrupted, is_free, started, utc

_LANE = "SELECT true FROM ledger.lanes WHERE account_id = $1 AND lane = 'CLAIM'"
_ORDER = "SELECT true FROM ledger.broker_orders WHERE order_id = $1"


async def nothing_is_claimed_once_a_halt_has_committed(stage: Stage) -> None:
    """The claim came first and found the lane held by the switch: what counts is what the switch has left."""
    order = await stage.accepted("O1")
    halt = "UPDATE ledger.lanes SET trading = 'HALTED' WHERE account_id = $1"
    async with stage.holding(halt, order.account_id):
        claiming_ = started(stage.claimed(order.account_id))
        waits = await stage.has_come_to_wait(claiming_)

    assert await interrupted(claiming_) == []
    assert waits


async def nothing_is_claimed_once_a_session_has_ended(stage: Stage) -> None:
    order = await stage.accepted("O1", account=AT_A_BROKER)
    assert await stage.claimed(order.account_id) == ["O1"]
    end = "UPDATE ledger.lanes SET session_until = now() - interval '1 s' WHERE account_id = $1 AND lane = 'CLAIM'"
    async with stage.holding(end, order.account_id):
        claiming_ = started(stage.claimed(order.account_id))
        await stage.has_come_to_wait(claiming_)

    assert await interrupted(claiming_) == []


async def claimer_waits_for_the_lane_and_takes_what_is_left(stage: Stage) -> None:
    order = await stage.accepted("O1")
    await stage.accepted("O2")
    async with stage.holding(f"{_LANE} FOR UPDATE", order.account_id) as holder:
        claiming_ = started(stage.claimed(order.account_id))
        waits = await stage.has_come_to_wait(claiming_)
        await holder.execute("UPDATE ledger.broker_orders SET state = 'SUBMITTING' WHERE order_id = 'O1'")

    assert await interrupted(claiming_) == ["O2"]
    assert waits


async def order_taken_while_a_claim_waited_drops_out_of_it(stage: Stage) -> None:
    order = await stage.accepted("O1")
    await stage.accepted("O2")
    cancelled = "UPDATE ledger.broker_orders SET state = 'CANCELLED' WHERE order_id = $1"
    async with stage.holding(cancelled, "O1"):
        claiming_ = started(stage.claimed(order.account_id))
        await stage.has_come_to_wait(claiming_)

    assert await interrupted(claiming_) == ["O2"]


async def order_that_somebody_looks_at_is_not_overtaken(stage: Stage) -> None:
    order = await stage.accepted("O1")
    await stage.accepted("O2")
    async with stage.holding(f"{_ORDER} FOR UPDATE", "O1"):
        claiming_ = started(stage.claimed(order.account_id))
        await stage.has_come_to_wait(claiming_)

    assert await interrupted(claiming_) == ["O1", "O2"]


async def whoever_waits_for_a_claim_lane_holds_no_later_one(stage: Stage) -> None:
    first, last = sorted(stage.accounts[:2])
    async with stage.holding(f"{_LANE} FOR UPDATE", first) as holder:
        claiming_ = started(stage.claimed(first, last))
        waits = await stage.has_come_to_wait(claiming_)
        later_is_free = await is_free(holder, _LANE, last)

    await interrupted(claiming_)
    assert waits
    assert later_is_free


async def what_has_expired_is_not_claimed(stage: Stage) -> None:
    await stage.accepted("O1", expires_at=utc(-1))
    await stage.accepted("O2")

    assert await stage.claimed(stage.accounts[0]) == ["O2"]


async def what_was_accepted_first_is_claimed_first(stage: Stage) -> None:
    for name in ("O1", "O2", "O3"):
        await stage.accepted(name)

    assert await stage.claimed(stage.accounts[0], per_account=2) == ["O1", "O2"]


async def full_lane_starves_no_other_account(stage: Stage) -> None:
    for name in ("O1", "O2", "O3"):
        await stage.accepted(name)
    await stage.accepted("P1", account=1)

    assert await stage.claimed(*stage.accounts[:2], per_account=2) == ["O1", "O2", "P1"]


async def account_that_may_only_reduce_sends_no_entry(stage: Stage) -> None:
    account_id = stage.accounts[0]
    await hold(stage, 10)
    await stage.accepted("O1")
    await stage.accepted("O2", transaction_type=TransactionType.SELL)
    await stage.accepted("O3", transaction_type=TransactionType.SELL)
    reduce = "UPDATE ledger.lanes SET trading = 'REDUCING' WHERE account_id = $1 RETURNING 1"
    await stage.rows(reduce, account_id)

    assert await stage.claimed(account_id) == ["O2"]


async def call_that_may_be_on_the_wire_takes_its_room_until_its_deadline(stage: Stage) -> None:
    for name, deadline in (("O1", utc(60)), ("O2", utc(-1))):
        order = await stage.accepted(name)
        await stage.learn(order, OrderState.SUBMITTING, send_deadline=deadline)

    async with stage.ledger.transaction() as transaction:
        in_flight = await transaction.sends_in_flight([stage.accounts[0]])

    assert in_flight == {stage.accounts[0]: 1}


async def answer_to_an_earlier_claim_does_not_stand(stage: Stage) -> None:
    order = await stage.accepted("O1")
    earlier, later = utc(1), utc(2)
    await stage.learn(order, OrderState.SUBMITTING, send_deadline=earlier)
    await stage.learn(order, OrderState.NEW)
    await stage.learn(order, OrderState.SUBMITTING, send_deadline=later)

    async with stage.ledger.transaction() as transaction:
        stands = [
            await transaction.standing_claims([(order.account_id, "O1", deadline)])
            for deadline in (earlier, later)
        ]

    assert stands == [{}, {"O1": None}]


async def looking_for_what_waits_reads_the_small_index(stage: Stage) -> None:
    """A condition the index does not know reads every order there ever was, twice a second and at each claim."""
    with_claim = await plan_of(stage, claiming._CLAIM_EXITS_FIRST, stage.accounts, 5, False, [])
    with_look = await plan_of(stage, lanes._WAITING, "paper")
    with_sweep = await plan_of(stage, sweeper._EXPIRED, 5)

    assert "using broker_orders_waiting on broker_orders o" in with_claim
    assert "using broker_orders_waiting on broker_orders" in with_look
    assert "using broker_orders_waiting on broker_orders" in with_sweep


async def plan_of(stage: Stage, statement: str, *values: object) -> str:
    """How the server would run it if reading a whole table were dear, as it is when there are many rows."""
    async with stage.database.transaction() as connection:
        for name in ("enable_seqscan", "enable_bitmapscan"):
            await connection.execute(f"SET LOCAL {name} = off")
        lines = await connection.fetch(f"EXPLAIN {statement}", *values)
    return "\n".join(line[0] for line in lines)


async def hold(stage: Stage, quantity: int) -> None:
    await stage.rows(
        "INSERT INTO accounts.positions (account_id, user_id, broker, exchange, symbol, product, quantity, average_price,"
        " version, updated_at) VALUES ($1, 'asha', 'paper', 'NSE', 'RELIANCE', 'MIS', $2, 250, 1, now()) RETURNING 1",
        stage.accounts[0],
        quantity,
    )
