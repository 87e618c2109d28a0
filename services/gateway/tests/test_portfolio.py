"""Positions and holdings as REST and the WebSocket show them."""

import asyncio
import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from vyomo_contracts.portfolio import Holding, Position
from vyomo_contracts.vocabulary import Broker, Exchange, Product
from vyomo_gateway.market import quotes

if TYPE_CHECKING:
    from conftest import Edge


def position(edge: "Edge", symbol: str, **changes: Any) -> Position:
    bought = Position(
        account_id=edge.world.account,
        user_id="asha",
        broker=Broker.PAPER,
        exchange=Exchange.NSE,
        symbol=symbol,
        product=Product.MIS,
        quantity=10,
        average_price=Decimal(100),
        buy_quantity=10,
        buy_value=Decimal(1000),
        last_price=Decimal(101),
        version=1,
        updated_at=edge.world.clock.now(),
    )
    return bought.model_copy(update=changes)


def holding(edge: "Edge", symbol: str, quantity: int) -> Holding:
    return Holding(
        account_id=edge.world.account,
        exchange=Exchange.NSE,
        symbol=symbol,
        quantity=quantity,
        average_price=Decimal(100),
        last_price=Decimal(101),
        version=1,
        updated_at=edge.world.clock.now(),
    )


CLOSED_TODAY: dict[str, Any] = {"quantity": 0, "sell_quantity": 10, "sell_value": Decimal(1010)}
CLOSED_EARLIER: dict[str, Any] = {"quantity": 0, "buy_quantity": 0, "buy_value": Decimal(0)}


async def save(edge: "Edge", *things: Position | Holding) -> None:
    async with edge.behind.workers.transaction() as transaction:
        transaction.save_positions([thing for thing in things if isinstance(thing, Position)])
        transaction.save_holdings(
            [thing for thing in things if isinstance(thing, Holding)], user_id="asha", broker=Broker.PAPER
        )


async def read_all(edge: "Edge", what: str, limit: int) -> list[list[str]]:
    """The symbols of each page."""
    pages: list[list[str]] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        answer = (await edge.client.get(f"{edge.account}/{what}", params=query)).json()
        pages.append([shown["symbol"] for shown in answer[what]])
        if "nextCursor" not in answer:
            return pages
        query["cursor"] = answer["nextCursor"]


async def test_what_was_closed_on_an_earlier_day_is_not_shown(edge: "Edge"):
    await save(
        edge,
        position(edge, "INFY"),
        position(edge, "RELIANCE", **CLOSED_TODAY),
        position(edge, "TCS", **CLOSED_EARLIER),
        holding(edge, "SBIN", 5),
        holding(edge, "ITC", 0),
    )

    assert await read_all(edge, "positions", 500) == [["INFY", "RELIANCE"]]
    assert await read_all(edge, "holdings", 500) == [["SBIN"]]
    socket = await edge.connect()
    told: list[str] = []
    while (message := json.loads(await asyncio.wait_for(socket.recv(), 5)))["type"] != "live":
        if message["type"] == "position":
            told.append(message["position"]["symbol"])
    assert sorted(told) == ["INFY", "RELIANCE"]


async def test_positions_and_holdings_are_paged_and_come_all_at_once_by_default(edge: "Edge"):
    symbols = [f"S{number:03}" for number in range(150)]
    await save(
        edge,
        *(position(edge, symbol) for symbol in symbols),
        position(edge, "M&M", exchange=Exchange.BSE),
        position(edge, "S001", product=Product.NRML),
        *(holding(edge, symbol, 5) for symbol in symbols),
    )

    pages = await read_all(edge, "positions", 2)

    assert pages[:3] == [["M&M", "S000"], ["S001", "S001"], ["S002", "S003"]]
    assert [symbol for page in pages[2:] for symbol in page] == symbols[2:]
    assert [symbol for page in await read_all(edge, "holdings", 40) for symbol in page] == symbols
    for what, count in (("positions", 152), ("holdings", 150)):
        answer = (await edge.client.get(f"{edge.account}/{what}")).json()
        assert len(answer[what]) == count
        assert "nextCursor" not in answer


async def test_every_position_is_valued_however_many_questions_that_takes(
    edge: "Edge", monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(quotes, "MOST_KEYS", 3)
    symbols = [f"S{number}" for number in range(8)]
    edge.behind.prices |= {f"NSE:{symbol}": Decimal(90) for symbol in symbols}
    await save(edge, *(position(edge, symbol) for symbol in symbols))

    shown = (await edge.client.get(f"{edge.account}/positions")).json()["positions"]

    assert [(view["currentPrice"], view["stale"]) for view in shown] == [(90, False)] * 8


async def test_a_cursor_that_is_none_of_ours_is_refused(edge: "Edge"):
    orders = base64.urlsafe_b64encode(b"v1:42").decode()
    with_nul = base64.urlsafe_b64encode(b"k1:NSE\x1fT\x00CS\x1fMIS").decode()
    short = base64.urlsafe_b64encode(b"k1:NSE\x1fTCS").decode()
    for cursor in ("?", "k1", orders, with_nul, short, base64.urlsafe_b64encode(b"k1:\xff").decode()):
        for what in ("positions", "holdings"):
            response = await edge.client.get(f"{edge.account}/{what}", params={"cursor": cursor})
            assert response.status_code == 422, cursor
            assert response.json()["error"]["field"] == "cursor"
