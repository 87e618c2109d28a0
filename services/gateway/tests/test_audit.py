"""The audit trail as its owner looks through it: newest first, narrowed, as CSV, and nobody else's."""

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest

from vyomo_contracts.reasons import ReasonCode
from vyomo_contracts.vocabulary import OrderState

if TYPE_CHECKING:
    from conftest import Edge


async def entries(edge: "Edge", **asked: Any) -> list[dict[str, Any]]:
    answer = await edge.client.get("/api/audit/events", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["entries"]


async def placed(edge: "Edge", **changes: Any) -> str:
    order = {
        "symbol": "RELIANCE",
        "exchange": "NSE",
        "transactionType": "BUY",
        "orderType": "LIMIT",
        "price": 1400.05,
        "quantity": 5,
        "product": "MIS",
        **changes,
    }
    answer = await edge.client.post(f"{edge.account}/orders", json=order)
    assert answer.status_code == 202, answer.text
    return answer.json()["order"]["orderId"]


async def test_newest_comes_first_page_by_page(edge: "Edge"):
    orders = [await placed(edge) for _ in range(5)]
    first = (await edge.client.get("/api/audit/events", params={"limit": 3})).json()
    rest = (
        await edge.client.get("/api/audit/events", params={"limit": 3, "cursor": first["nextCursor"]})
    ).json()

    assert [each["orderId"] for each in first["entries"] + rest["entries"]] == orders[::-1]
    assert "nextCursor" not in rest
    entry = first["entries"][0]
    assert (entry["type"], entry["state"], entry["price"], entry["averagePrice"]) == (
        "order.accepted",
        "NEW",
        1400.05,
        None,
    )


async def test_each_filter_narrows(edge: "Edge"):
    mine, other = await placed(edge), await placed(edge, symbol="TCS", tag="t")
    await edge.behind.step(mine, OrderState.OPEN)
    await edge.world.rows(
        "INSERT INTO ledger.account_events VALUES (1, $1, $2, 'account.switched', $3, now())",
        edge.world.account,
        "asha",
        '{"by": {"component": "order-router", "key_id": "k9", "address": "203.0.113.7"}, "account": {"is_active": false}}',
    )

    async def of(**asked: Any) -> list[tuple[str, str | None]]:
        return [(each["type"], each["orderId"]) for each in await entries(edge, **asked)]

    assert await of(orderId=mine) == [("order.open", mine), ("order.accepted", mine)]
    assert await of(symbol="TCS") == [("order.accepted", other)]
    assert await of(type="order.open") == [("order.open", mine)]
    assert await of(actor="k9") == [("account.switched", None)]
    assert len(await of(accountId=edge.world.account)) == 4
    assert await of(accountId=edge.world.second_account) == []
    assert await of(to="2020-01-01T00:00:00Z") == []
    assert len(await of(**{"from": "2020-01-01T00:00:00Z"})) == 4
    [switched] = await entries(edge, type="account")
    assert (switched["detail"], switched["address"], switched["accountId"]) == (
        "is_active: false",
        "203.0.113.7",
        edge.world.account,
    )


async def test_export_has_every_line_and_runs_no_formula(edge: "Edge"):
    order = await placed(edge)
    await edge.behind.step(
        order, OrderState.CANCELLED, reason_code=ReasonCode.USER_CANCELLED, reason="=cmd()"
    )
    for _ in range(3):
        await placed(edge, symbol="TCS")

    answer = await edge.client.get("/api/audit/events.csv")

    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(lines) == len(await entries(edge))
    assert {line["price"] for line in lines} == {"1400.05"}
    assert [line["reason"] for line in lines if line["reason"]] == ["'=cmd()"]
    only = await edge.client.get("/api/audit/events.csv", params={"symbol": "TCS"})
    assert len(list(csv.DictReader(io.StringIO(only.text)))) == 3


async def test_others_see_nothing_of_it(edge: "Edge"):
    order = await placed(edge)
    other = {"Authorization": f"Bearer {edge.other_key}"}

    for path in (
        "/api/audit/events",
        f"/api/audit/events?orderId={order}",
        f"/api/audit/events?accountId={edge.world.account}",
    ):
        assert (await edge.client.get(path, headers=other)).json()["entries"] == []


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"accountId": 0}, "accountId"),
        ({"from": "yesterday"}, "from"),
        ({"symbol": ""}, "symbol"),
        ({"orderid": "x"}, "orderid"),
    ],
)
async def test_wrong_question_is_told_with_its_field(edge: "Edge", asked: dict[str, Any], field: str):
    answer = await edge.client.get("/api/audit/events", params=asked)

    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
