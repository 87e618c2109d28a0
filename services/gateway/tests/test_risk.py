"""Limits, switches and exit-all over HTTP: what is asked of the router, and how its answers read."""

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from nats.aio.msg import Msg

from vyomo_contracts import subjects
from vyomo_contracts.messages import Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.risk import AccountTrading, Control, RiskDecision, RiskLimits
from vyomo_contracts.risk_commands import (
    Exit,
    ExitAllBatch,
    ExitReplies,
    ExitReply,
    ReadRiskBatch,
    RiskReplies,
    RiskReply,
    RiskView,
    SetRiskLimitsBatch,
    SwitchTradingBatch,
)
from vyomo_contracts.vocabulary import Broker, ControlCause, ControlScope, TradingState
from vyomo_ledger.testing import USER
from vyomo_ledger.writing import Controls, Switch

if TYPE_CHECKING:
    from conftest import Edge

AT = datetime(2026, 2, 12, 8, 7, tzinfo=UTC)
HALTED = RiskView(
    limits=RiskLimits(max_order_value=Decimal(500)),
    effective=RiskLimits(max_order_value=Decimal(500), orders_per_second=10),
    accounts=(
        AccountTrading(
            account_id=1, user_id=USER, broker=Broker.PAPER, trading=TradingState.HALTED, version=4
        ),
    ),
    controls=(
        Control(
            user_id="",
            scope=ControlScope.GLOBAL,
            scope_id="",
            cause=ControlCause.SWITCH,
            state=TradingState.HALTED,
            reason="exchange outage",
            actor="SECRETID",
            version=2,
            changed_at=AT,
        ),
    ),
)


class Router:
    """Answers as it is told to and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.reply = RiskReply(risk=HALTED)
        self.exits: tuple[Exit, ...] = ()

    async def start(self, edge: "Edge") -> "Router":
        for subject, kind in (
            (subjects.SWITCH_TRADING, SwitchTradingBatch),
            (subjects.SET_RISK_LIMITS, SetRiskLimitsBatch),
            (subjects.READ_RISK, ReadRiskBatch),
            (subjects.EXIT_ALL, ExitAllBatch),
        ):

            async def answer(message: Msg, kind: type[Any] = kind) -> None:
                self.asked.extend(kind.model_validate_json(message.data).items)
                if kind is ExitAllBatch:
                    reply = ExitReplies(
                        **edge.behind.reply_head(ExitReplies), items=(ExitReply(exits=self.exits),)
                    )
                else:
                    reply = RiskReplies(**edge.behind.reply_head(RiskReplies), items=(self.reply,))
                await message.respond(reply.model_dump_json().encode())

            await edge.world.bus.client.subscribe(subject, cb=answer)
        await edge.world.bus.client.flush()
        return self


@pytest.fixture
async def router(edge: "Edge") -> Router:
    return await Router().start(edge)


async def test_limits_are_replaced_with_exact_numbers(edge: "Edge", router: Router):
    body = {"maxOrderValue": 500000.25, "priceBandPercent": 2.5, "maxOpenOrders": None, "reduceOnly": True}

    response = await edge.client.put("/api/risk/limits?accountId=7", json=body)

    assert response.status_code == 200, response.text
    [asked] = router.asked
    assert (asked.account_id, asked.principal.user_id) == (7, USER)
    assert asked.limits == RiskLimits(
        max_order_value=Decimal("500000.25"), price_band_percent=Decimal("2.5"), reduce_only=True
    )
    assert response.json()["limits"]["maxOrderValue"] == 500
    assert response.json()["effective"]["ordersPerSecond"] == 10


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"maxOrderValue": "500"}, "maxOrderValue"),
        ({"maxOrderValue": 0}, "maxOrderValue"),
        ({"maxOpenOrders": 1.5}, "maxOpenOrders"),
        ({"ordersPerSecond": 0}, "ordersPerSecond"),
        ({"reduceOnly": "yes"}, "reduceOnly"),
        ({"nosuch": 1}, "nosuch"),
    ],
)
async def test_limits_that_are_none_are_refused_by_name(
    edge: "Edge", router: Router, body: dict[str, Any], field: str
):
    response = await edge.client.put("/api/risk/limits", json=body)

    assert response.status_code == 422
    assert response.json()["error"]["field"] == field
    assert router.asked == []


async def test_state_tells_why_and_not_who_of_the_operators(edge: "Edge", router: Router):
    answer = (await edge.client.get("/api/risk/state")).json()

    assert answer["accounts"] == [{"accountId": 1, "broker": "paper", "state": "HALTED", "version": 4}]
    [control] = answer["controls"]
    assert (control["everyone"], control["actor"], control["reason"], control["id"]) == (
        True,
        "operator",
        "exchange outage",
        None,
    )


@pytest.mark.parametrize(
    ("scope", "asked_id"),
    [
        ({"scope": "global"}, ""),
        ({"scope": "broker", "id": "paper"}, "paper"),
        ({"scope": "account", "id": 7}, "7"),
    ],
)
async def test_kill_asks_for_what_it_names(
    edge: "Edge", router: Router, scope: dict[str, Any], asked_id: str
):
    body = scope | {"state": "HALTED", "reason": "went wild"}

    response = await edge.client.post("/api/risk/kill", json=body)

    assert response.status_code == 200, response.text
    [asked] = router.asked
    assert (asked.scope, asked.scope_id, asked.state, asked.reason) == (
        scope["scope"],
        asked_id,
        "HALTED",
        "went wild",
    )


@pytest.mark.parametrize(
    "scope",
    [
        {"scope": "global", "id": 1},
        {"scope": "broker"},
        {"scope": "broker", "id": 7},
        {"scope": "account"},
        {"scope": "account", "id": "paper"},
        {"scope": "account", "id": True},
    ],
)
async def test_kill_of_a_scope_with_the_wrong_id_is_refused(
    edge: "Edge", router: Router, scope: dict[str, Any]
):
    response = await edge.client.post("/api/risk/kill", json=scope | {"state": "HALTED", "reason": "r"})

    assert (response.status_code, response.json()["error"]["field"]) == (422, "id")
    assert router.asked == []


@pytest.mark.parametrize(("method", "path"), [("PUT", "limits"), ("POST", "kill"), ("POST", "exit-all")])
async def test_key_that_only_reads_may_change_nothing(edge: "Edge", router: Router, method: str, path: str):
    headers = {"Authorization": f"Bearer {edge.read_key}"}

    response = await edge.client.request(method, f"/api/risk/{path}", json={}, headers=headers)
    state = await edge.client.get("/api/risk/state", headers=headers)

    assert (response.status_code, response.json()["error"]["code"]) == (403, "SCOPE_MISSING")
    assert state.status_code == 200


async def test_refusal_of_the_router_is_told(edge: "Edge", router: Router):
    router.reply = RiskReply(
        problem=Problem(code=ReasonCode.ACCOUNT_NOT_FOUND, field="accountId", message="you have no account 9")
    )

    response = await edge.client.get("/api/risk/limits?accountId=9")

    assert (response.status_code, response.json()["error"]["code"]) == (404, "ACCOUNT_NOT_FOUND")


async def test_exit_all_says_what_is_left_to_do(edge: "Edge", router: Router):
    order = edge.world.order()
    place: dict[str, Any] = {
        "account_id": 1,
        "exchange": "NSE",
        "symbol": "RELIANCE",
        "product": "MIS",
        "quantity": 10,
    }
    router.exits = (
        Exit(**place, order=order),
        Exit(**place, problem=Problem(code=ReasonCode.RATE_LIMITED, message="too fast")),
    )

    response = await edge.client.post("/api/risk/exit-all", json={"key": "panic", "accountId": 1})

    answer = response.json()
    assert (response.status_code, answer["complete"]) == (200, False)
    assert answer["exits"][0]["order"]["orderId"] == order.order_id
    assert answer["exits"][1]["error"] == {"code": "RATE_LIMITED", "message": "too fast"}
    assert (router.asked[0].idempotency_key, router.asked[0].account_id) == ("panic", 1)


async def halt(edge: "Edge", user_id: str) -> None:
    switch = Switch(
        user_id=user_id, scope=ControlScope.GLOBAL, state=TradingState.HALTED, reason="drill", actor="k1"
    )
    await Controls(edge.world.database, edge.world.publisher).throw(switch, edge.world.clock.now())


async def test_decisions_stand_between_the_order_events_of_their_user(edge: "Edge"):
    await edge.place()
    await halt(edge, USER)
    await halt(edge, "bela")
    await edge.place()

    whole = (await edge.client.get("/api/events")).json()
    pages: list[dict[str, Any]] = []
    cursor = 0
    while len(page := (await edge.client.get(f"/api/events?since={cursor}&limit=1")).json()["events"]) == 1:
        pages += page
        cursor = page[-1]["sequence"]

    assert [event["kind"] for event in whole["events"]] == ["order", "risk", "order"]
    assert pages == whole["events"]
    event = whole["events"][1]
    assert (event["type"], event["state"], event["reason"], event["actor"]) == (
        "risk.switched",
        "HALTED",
        "drill",
        "k1",
    )
    assert [account["state"] for account in event["accounts"]] == ["HALTED", "HALTED"]


async def test_decisions_are_pushed_and_replayed(edge: "Edge"):
    async def until_risk(socket: Any) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while True:
                message = json.loads(await socket.recv())
                if message["type"] == "risk":
                    return message

    async def until_live(socket: Any) -> None:
        async with asyncio.timeout(10):
            while json.loads(await socket.recv())["type"] != "live":
                pass

    live = await edge.connect()
    await until_live(live)
    await halt(edge, USER)

    pushed = await until_risk(live)
    replayed = await until_risk(await edge.connect(since=0))

    assert pushed["event"] == replayed["event"]
    assert pushed["event"]["state"] == "HALTED"


async def test_decision_left_behind_is_published_by_the_relay_as_it_was(edge: "Edge"):
    from vyomo_ledger.writing.leases import Lease  # noqa: PLC0415
    from vyomo_ledger.writing.relay import Relay  # noqa: PLC0415

    class Silent:
        def publish(self, publications: object) -> None:
            """The process died before it could."""

    world = edge.world
    switch = Switch(
        user_id=USER, scope=ControlScope.GLOBAL, state=TradingState.HALTED, reason="drill", actor="k1"
    )
    controls = Controls(world.database, Silent())
    await controls.throw(switch, world.clock.now())
    await world.rows("UPDATE ledger.outbox SET created_at = now() - interval '1 minute'")

    await Relay(world.database, world.publisher, Lease(world.database, name="relay", holder="t")).run_once()

    async with asyncio.timeout(5):
        while not world.heard:
            await asyncio.sleep(0.01)
    [event] = world.heard[0].items
    assert event.kind == "risk"
    assert isinstance(event.decision, RiskDecision)
    assert event.decision.reason == "drill"
