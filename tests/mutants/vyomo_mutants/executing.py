"""What the paper venue must hold when two workers serve one account: a round starts from what the last one left."""

from vyomo_paper_exchange.adapters import statements
from vyomo_paper_exchange.adapters.store import AccountRows, VenueStore

from .stage import Stage, interrupted, is_free, started

_ACCOUNT = "SELECT true FROM venue.accounts WHERE account_id = $1"
_ROUND = "UPDATE venue.accounts SET version = version + 1, realised = 7 WHERE account_id = $1"
_BOUGHT = """
INSERT INTO venue.positions (account_id, exchange, symbol, product, multiplier, quantity, overnight_quantity, overnight_value,
                             buy_quantity, buy_value, sell_quantity, sell_value, realised, lots, version)
VALUES ($1, 'NSE', 'INFY', 'MIS', 1, 10, 0, 0, 10, 1000, 0, 0, 0, '[[10, "100"]]', 1)
"""


async def round_starts_from_what_the_last_one_left(stage: Stage) -> None:
    account_id = stage.accounts[0]
    await load(stage, account_id)

    async with stage.holding(_ROUND, account_id) as holder:
        await holder.execute(_BOUGHT, account_id)
        loading = started(load(stage, account_id))
        waits = await stage.has_come_to_wait(loading)

    loaded = await interrupted(loading)
    assert waits
    assert loaded is not None
    assert loaded[account_id].account.realised == 7
    assert [position.quantity for position in loaded[account_id].positions] == [10]


async def whoever_waits_for_a_venue_account_holds_no_later_one(stage: Stage) -> None:
    first, last = sorted(stage.accounts[:2])
    await load(stage, first, last)
    async with stage.holding(f"{_ACCOUNT} FOR UPDATE", first) as holder:
        loading = started(load(stage, last, first))
        waits = await stage.has_come_to_wait(loading)
        later_is_free = await is_free(holder, _ACCOUNT, last)

    await interrupted(loading)
    assert waits
    assert later_is_free


async def account_opened_by_two_at_once_is_opened_once(stage: Stage) -> None:
    account_id = stage.accounts[0]
    day = stage.clock.now().date()
    async with stage.holding(statements.OPEN_ACCOUNTS, [account_id], day):
        loading = started(load(stage, account_id))
        waits = await stage.has_come_to_wait(loading)

    assert waits
    assert await interrupted(loading) is not None


async def load(stage: Stage, *account_ids: int) -> dict[int, AccountRows]:
    async with stage.database.transaction() as connection:
        return await VenueStore().load(connection, account_ids, [], stage.clock.now().date())
