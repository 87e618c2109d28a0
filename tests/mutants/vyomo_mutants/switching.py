"""What switches and limits must hold while orders are accepted and claimed, and while other switches are thrown."""

# Statements are private to their modules; here they are run one by one, to stop between them.
# pyright: reportPrivateUsage=false

from typing import Any

from vyomo_contracts.commands import CreateAccount
from vyomo_contracts.messages import Principal
from vyomo_contracts.risk import RiskLimits
from vyomo_contracts.vocabulary import Broker, ControlScope, OrderState, TradingState
from vyomo_ledger.testing import USER
from vyomo_ledger.writing import Accepted, Controls, Halting, Outdated, Switch, Terms, controls
from vyomo_order_router.adapters.accounts import AccountStore

from .stage import FOREIGN, Stage, is_free, started, utc

_LANE = "SELECT true FROM ledger.lanes WHERE account_id = $1 AND lane = $2"


def switch(state: TradingState, **changes: Any) -> Switch:
    given: dict[str, Any] = {
        "user_id": USER,
        "scope": ControlScope.GLOBAL,
        "state": state,
        "reason": "drill",
        "actor": "key-1",
    }
    return Switch(**(given | changes))


async def throw(stage: Stage, state: TradingState, **changes: Any) -> None:
    await Controls(stage.database, stage.publisher).throw(switch(state, **changes), utc())


async def trading(stage: Stage, account_id: int) -> set[str]:
    rows = await stage.rows("SELECT trading FROM ledger.lanes WHERE account_id = $1", account_id)
    return {row["trading"] for row in rows}


async def switches_thrown_at_once_both_count(stage: Stage) -> None:
    """The second waited for the first, so it must see it: else it works out the accounts' state without it."""
    first = (USER, "global", "", "SWITCH")
    halt = (*first, "HALTED", "first", "key-1", None, utc())
    async with stage.holding(controls._ALONE) as holder:
        await holder.execute(controls._THROW, *halt)
        await holder.fetch(controls._WORK_IN, *first[:3])
        throwing = started(
            throw(
                stage,
                TradingState.REDUCING,
                scope=ControlScope.ACCOUNT,
                scope_id=str(stage.accounts[0]),
            )
        )
        await stage.has_come_to_wait(throwing)
    await throwing

    assert await trading(stage, stage.accounts[0]) == {"HALTED"}


async def whoever_waits_for_an_accept_lane_holds_no_claim_lane(stage: Stage) -> None:
    """A worker holds claim lanes while it waits for nothing of accepting's; a switch must not come between."""
    first, last = sorted(stage.accounts[:2])
    async with stage.holding(f"{_LANE} FOR UPDATE", last, "ACCEPT") as holder:
        throwing = started(throw(stage, TradingState.HALTED))
        waits = await stage.has_come_to_wait(throwing)
        claim_is_free = await is_free(holder, _LANE, first, "CLAIM")
    await throwing

    assert waits
    assert claim_is_free


async def switch_covers_its_users_accounts_and_no_others(stage: Stage) -> None:
    lanes = "SELECT * FROM ledger.lanes WHERE account_id = $1 ORDER BY lane"
    before = await stage.rows(lanes, stage.accounts[FOREIGN])
    await throw(stage, TradingState.HALTED)

    assert await trading(stage, stage.accounts[0]) == {"HALTED"}
    assert await stage.rows(lanes, stage.accounts[FOREIGN]) == before


async def account_opened_meanwhile_inherits_the_switch(stage: Stage) -> None:
    target = (USER, "global", "")
    command = CreateAccount(
        principal=Principal(user_id=USER, key_id="k"), broker=Broker.PAPER, client_id="NEW"
    )
    async with stage.holding(controls._ALONE) as holder:
        await holder.execute(controls._THROW, *target, "SWITCH", "HALTED", "drill", "key-1", None, utc())
        await holder.fetch(controls._WORK_IN, *target)
        opening = started(AccountStore(stage.database, stage.clock).create(command))
        waits = await stage.has_come_to_wait(opening)

    account = await opening
    assert await trading(stage, account.id) == {"HALTED"}
    assert waits


async def switch_outdates_every_decision_made_before_it(stage: Stage) -> None:
    await throw(stage, TradingState.HALTED)

    assert await stage.accept(stage.order("O1"), terms=Terms(risk_version=0)) == [Outdated()]
    [answer] = await stage.accept(stage.order("O1"), terms=Terms(risk_version=1))
    assert isinstance(answer, Accepted)


async def changed_limits_outdate_every_decision_made_before_them(stage: Stage) -> None:
    await Controls(stage.database, stage.publisher).set_limits(
        USER, None, RiskLimits(max_open_orders=1), actor="key-1", at=utc()
    )

    assert await stage.accept(stage.order("O1"), terms=Terms(risk_version=0)) == [Outdated()]


async def halt_thrown_again_while_the_first_is_swept_is_swept_as_well(stage: Stage) -> None:
    """Orders that came between the two would stay at the broker."""
    order = await stage.accepted("O1")
    await stage.learn(order, OrderState.SUBMITTING)
    await throw(stage, TradingState.HALTED)

    async def ring(_broker: str, _account_ids: list[int]) -> None:
        await throw(stage, TradingState.HALTED)

    await Halting(stage.ledger, stage.clock, ring).run_once()

    assert await stage.rows("SELECT version, swept FROM ledger.controls WHERE user_id = $1", USER) == [
        {"version": 2, "swept": False}
    ]


async def halt_denies_what_waits_and_asks_to_cancel_what_the_broker_has(stage: Stage) -> None:
    await stage.accepted("O1")
    working = await stage.accepted("O2")
    await stage.learn(working, OrderState.SUBMITTING)
    await throw(stage, TradingState.HALTED)
    rung: list[int] = []

    async def ring(_broker: str, account_ids: list[int]) -> None:
        rung.extend(account_ids)

    await Halting(stage.ledger, stage.clock, ring).run_once()

    orders = await stage.rows("SELECT state, pending_action FROM ledger.broker_orders ORDER BY id")
    assert [(each["state"], each["pending_action"]) for each in orders] == [
        ("DENIED", None),
        ("SUBMITTING", "CANCEL"),
    ]
    assert rung == [working.account_id]
