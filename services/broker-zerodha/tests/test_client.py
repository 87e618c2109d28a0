"""The port against a server on loopback: what is sent, how often, and what each answer comes to."""

from decimal import Decimal
from typing import Any

import pytest

from vyomo_broker_kit.outcomes import Accepted, NotSent, Outcome, RateLimited, Refused, Unknown
from vyomo_broker_kit.port import SessionOverError, UnreadableError
from vyomo_broker_kit.routes import Routes
from vyomo_broker_zerodha.client import KitePort
from vyomo_broker_zerodha.errors import REFUSALS, TOKEN_REFUSED
from vyomo_broker_zerodha.testing import ROW, KiteServer, SignedIn
from vyomo_contracts.orders import OrderModification
from vyomo_contracts.testing import sample_order
from vyomo_contracts.vocabulary import Broker, Environment, OrderState, TransactionType

ORDER = sample_order(broker=Broker.ZERODHA)
SENT = sample_order(OrderState.OPEN, broker=Broker.ZERODHA, broker_order_id="2603020000000000001")
CHANGES = OrderModification(price=Decimal(251))


async def call(port: KitePort, kind: str) -> Outcome:
    match kind:
        case "place":
            return await port.place(ORDER)
        case "modify":
            return await port.modify(SENT, CHANGES)
        case _:
            return await port.cancel(SENT)


CALLS = ("place", "modify", "cancel")


@pytest.mark.parametrize(
    ("kind", "method", "path"),
    [
        ("place", "POST", "/orders/regular"),
        ("modify", "PUT", "/orders/regular/2603020000000000001"),
        ("cancel", "DELETE", "/orders/regular/2603020000000000001"),
    ],
)
async def test_each_call_is_one_request_as_kite_documents_it(
    port: KitePort, kite: KiteServer, kind: str, method: str, path: str
) -> None:
    kite.succeed({"order_id": "2603020000000000001"})

    assert await call(port, kind) == Accepted("2603020000000000001")

    (asked,) = kite.asked
    assert (asked.method, asked.path) == (method, path)
    assert asked.headers["x-kite-version"] == "3"
    assert asked.headers["authorization"] == "token key:token"
    if kind != "cancel":
        assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
        assert asked.form["order_type"] == "LIMIT"


@pytest.mark.parametrize(("status", "error_type"), sorted(REFUSALS))
async def test_refusal_keeps_kites_own_words(
    port: KitePort, kite: KiteServer, status: int, error_type: str
) -> None:
    kite.fail(status, error_type, "Insufficient funds. Required margin is 100")

    assert await port.place(ORDER) == Refused(
        error_type,
        "Insufficient funds. Required margin is 100",
        ends_session=(status, error_type) == TOKEN_REFUSED,
    )


DOUBTFUL: list[tuple[int, Any]] = [
    (
        400,
        {"error_type": "InputException", "message": "Order request timed out. Please check the order book"},
    ),
    (400, {"error_type": "OrderException", "message": "no"}),
    (500, {"error_type": "OrderException", "message": "no"}),
    (500, {"error_type": "GeneralException", "message": "Something went wrong"}),
    (500, {"status": "success", "data": {"order_id": "1"}}),
    (503, {"error_type": "NetworkException", "message": "Request failed (kitetrade-oms)"}),
    (502, {"error_type": "DataException", "message": "no"}),
    (504, b"<html><body>Gateway Time-out</body></html>"),
    (403, b"Forbidden"),
    (403, {"error_type": "ExceptionOfTomorrow", "message": "no"}),
    (302, b""),
    (307, b""),
    (200, {"status": "success", "data": None}),
    (200, {"status": "success", "data": {"order_id": ""}}),
    (200, {"status": "success", "data": {"order_id": None}}),
    (200, {"status": "error", "data": {"order_id": "1"}}),
    (200, b'{"status":"success","data":{"order_id":"26030'),
    (200, b"[]"),
    (200, b""),
]


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize(("status", "body"), DOUBTFUL)
async def test_anything_else_is_unknown_and_was_asked_once(
    port: KitePort, kite: KiteServer, kind: str, status: int, body: Any
) -> None:
    kite.say(status, body)

    assert isinstance(await call(port, kind), Unknown)

    assert len(kite.asked) == 1


@pytest.mark.parametrize("kind", CALLS)
async def test_connection_closed_after_the_request_is_unknown(
    port: KitePort, kite: KiteServer, kind: str
) -> None:
    kite.answers = [None]

    assert isinstance(await call(port, kind), Unknown)

    assert len(kite.asked) == 1


async def test_answer_that_does_not_come_is_unknown(port: KitePort, kite: KiteServer) -> None:
    kite.silent = True

    assert isinstance(await port.place(ORDER), Unknown)

    assert len(kite.asked) == 1


@pytest.mark.parametrize(
    "body", [{"error_type": "NetworkException", "message": "Too many requests"}, b"Too many requests"]
)
async def test_too_many_requests_is_said_so(port: KitePort, kite: KiteServer, body: Any) -> None:
    kite.say(429, body)

    assert await port.place(ORDER) == RateLimited("Too many requests")


async def test_nobody_there_is_not_sent(signed_in: SignedIn) -> None:
    async with Routes({Environment.LIVE: "http://127.0.0.1:1"}, call_seconds=1) as routes:
        assert isinstance(await KitePort(routes, signed_in).place(ORDER), NotSent)


@pytest.mark.parametrize("kind", CALLS)
async def test_without_a_session_nothing_is_sent(
    port: KitePort, kite: KiteServer, signed_in: SignedIn, kind: str
) -> None:
    signed_in.is_over = True

    assert await call(port, kind) == NotSent("no session")

    assert kite.asked == []


def row(**changes: Any) -> dict[str, Any]:
    return {**ROW, "price": 250.05, **changes}


async def test_order_book_is_exact(port: KitePort, kite: KiteServer) -> None:
    kite.succeed([row(), row(order_id="2", exchange="CDS")])

    (entry,) = await port.order_book(1)

    assert entry.price == Decimal("250.05")
    assert kite.asked[0].path == "/orders"


@pytest.mark.parametrize(
    "bad", [{"quantity": "many"}, {"order_timestamp": "soon"}, {"transaction_type": "HOLD"}, {"price": None}]
)
async def test_book_with_one_bad_row_is_no_book(
    port: KitePort, kite: KiteServer, bad: dict[str, Any]
) -> None:
    kite.succeed([row(), row(**bad)])

    with pytest.raises(UnreadableError):
        await port.order_book(1)


async def test_trades(port: KitePort, kite: KiteServer) -> None:
    kite.succeed(
        [
            {
                "trade_id": "10000000",
                "order_id": "2603020000000000001",
                "exchange": "NSE",
                "tradingsymbol": "RELIANCE",
                "transaction_type": "SELL",
                "quantity": 4,
                "average_price": 250.1,
                "fill_timestamp": "2026-03-02 12:00:02",
            }
        ]
    )

    (trade,) = await port.trades(1)

    assert (trade.trade_id, trade.quantity, trade.price) == ("10000000", 4, Decimal("250.1"))
    assert trade.transaction_type is TransactionType.SELL


async def test_trade_without_a_time_is_no_book(port: KitePort, kite: KiteServer) -> None:
    kite.succeed(
        [
            {
                "trade_id": "1",
                "order_id": "1",
                "tradingsymbol": "X",
                "transaction_type": "BUY",
                "quantity": 1,
                "average_price": 1,
            }
        ]
    )

    with pytest.raises(UnreadableError):
        await port.trades(1)


async def test_positions_are_the_net_ones(port: KitePort, kite: KiteServer) -> None:
    position = {
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "product": "MIS",
        "quantity": -4,
        "overnight_quantity": 0,
        "multiplier": 1,
        "average_price": 250.1,
        "sell_quantity": 4,
        "sell_value": 1000.4,
    }
    kite.succeed({"net": [position, {**position, "product": "MTF"}], "day": [position]})

    (found,) = await port.positions(1)

    assert (found.quantity, found.sell_value) == (-4, Decimal("1000.4"))


async def test_funds(port: KitePort, kite: KiteServer) -> None:
    kite.succeed({"equity": {"enabled": True, "net": 99725.05, "utilised": {"debits": 274.95}}})

    funds = await port.funds(1)

    assert (funds.balance, funds.available) == (Decimal(100_000), Decimal("99725.05"))


async def test_reading_with_a_dead_token_says_so(port: KitePort, kite: KiteServer) -> None:
    kite.fail(403, "TokenException", "Incorrect `api_key` or `access_token`.")

    with pytest.raises(SessionOverError):
        await port.order_book(1)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"error_type": "GeneralException", "message": "no"}),
        (200, b"<html></html>"),
        (200, b'{"status": "success", "data": [{"order_id"'),
        (200, b'{"status": "success"}'),
        (200, b'{"status": "success", "data": [NaN]}'),
        (200, b"[" * 100_000),
        (200, b"\xff\xfe"),
        (200, {"status": "error", "data": []}),
        (403, b"Forbidden"),
    ],
)
async def test_reading_that_is_no_book_concludes_nothing(
    port: KitePort, kite: KiteServer, status: int, body: Any
) -> None:
    kite.say(status, body)

    with pytest.raises(UnreadableError) as caught:
        await port.order_book(1)

    assert not isinstance(caught.value, SessionOverError)
