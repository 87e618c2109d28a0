"""The port against a server on loopback: what is sent, how often, and what each answer comes to."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from vyomo_broker_angel.client import ORDERS, SmartPort
from vyomo_broker_angel.naming import AngelNames
from vyomo_broker_angel.testing import ROW
from vyomo_broker_kit.access import Access, Tokens
from vyomo_broker_kit.outcomes import Accepted, NotSent, Outcome, RateLimited, Refused, Unknown
from vyomo_broker_kit.port import SessionOverError, UnreadableError
from vyomo_broker_kit.routes import Routes
from vyomo_broker_kit.testing.parrot import Parrot
from vyomo_contracts.orders import OrderModification
from vyomo_contracts.testing import NOON, sample_order
from vyomo_contracts.vocabulary import Broker, Environment, Exchange, OrderState, OrderType, Validity
from vyomo_service_kit.clock import SystemClock

ORDER = sample_order(broker=Broker.ANGEL)
SENT = sample_order(OrderState.OPEN, broker=Broker.ANGEL, broker_order_id="250411000548062")
MARKET = sample_order(broker=Broker.ANGEL, order_type=OrderType.MARKET, price=Decimal(0))
CHANGES = OrderModification(price=Decimal(251))
CALLS = ("place", "modify", "cancel")
SESSION_OVER = {"success": False, "message": "Invalid Token", "errorCode": "AG8001", "data": ""}
LISTED = [{"exchange": "NSE", "tradingsymbol": "RELIANCE-EQ", "symboltoken": "2885"}]


class SignedIn:
    is_over = False

    async def of_account(self, account_id: int) -> Access:
        if self.is_over:
            raise SessionOverError("nobody is signed in")
        return Access(
            account_id=account_id,
            environment=Environment.LIVE,
            client_id="A123",
            api_key=SecretStr("key"),
            tokens=Tokens(access_token=SecretStr("jwt"), valid_until=NOON + timedelta(hours=8)),
        )


def told(data: object) -> dict[str, Any]:
    return {"status": True, "message": "SUCCESS", "errorcode": "", "data": data}


def failed(code: str, message: str = "no") -> dict[str, Any]:
    return {"status": False, "message": message, "errorcode": code, "data": None}


PLACED = told({"script": "RELIANCE-EQ", "orderid": "250411000548062", "uniqueorderid": "u"})


def say_in_turn(angel: Parrot, answers: Sequence[object]) -> None:
    said: list[tuple[int, bytes] | None] = []
    for each in answers:
        angel.say(200, each)
        said += angel.answers
    angel.answers = said


@pytest.fixture
def signed_in() -> SignedIn:
    return SignedIn()


@pytest.fixture
async def fresh(routes: Routes, signed_in: SignedIn, names: AngelNames) -> SmartPort:
    """It has not asked for any number yet."""
    return SmartPort(routes, signed_in, names, SystemClock())


@pytest.fixture
async def port(fresh: SmartPort, angel: Parrot) -> SmartPort:
    """It knows RELIANCE's number."""
    say_in_turn(angel, [told(LISTED), failed("AB1008")])
    await fresh.place(ORDER)
    angel.asked.clear()
    return fresh


async def call(port: SmartPort, kind: str) -> Outcome:
    match kind:
        case "place":
            return await port.place(ORDER)
        case "modify":
            return await port.modify(SENT, CHANGES)
        case _:
            return await port.cancel(SENT)


@pytest.mark.parametrize("kind", CALLS)
async def test_each_call_is_one_request_as_angel_documents_it(
    port: SmartPort, angel: Parrot, kind: str
) -> None:
    angel.say(200, PLACED)

    assert await call(port, kind) == Accepted("250411000548062")

    (asked,) = angel.asked
    assert (asked.method, asked.path) == ("POST", f"{ORDERS}/{kind}Order")
    assert asked.headers["authorization"] == "Bearer jwt"
    assert asked.headers["x-privatekey"] == "key"
    assert asked.json["variety"] == "NORMAL"
    if kind != "cancel":
        assert (asked.json["tradingsymbol"], asked.json["symboltoken"]) == ("RELIANCE-EQ", "2885")


async def test_market_order_becomes_a_limit_order_at_the_protected_last_price(
    port: SmartPort, angel: Parrot
) -> None:
    say_in_turn(angel, [told({"ltp": 1400.0}), PLACED])

    assert isinstance(await port.place(MARKET), Accepted)

    read, placed = angel.asked
    assert read.path == f"{ORDERS}/getLtpData"
    assert (placed.json["ordertype"], placed.json["price"]) == ("LIMIT", "1407")


@pytest.mark.parametrize(
    "answer", [failed("AB2001"), failed("AB1018"), told({"ltp": 0}), told(None), told({}), []]
)
async def test_market_order_without_a_price_is_not_sent(
    port: SmartPort, angel: Parrot, answer: object
) -> None:
    angel.say(200, answer)

    assert isinstance(await port.place(MARKET), NotSent)

    assert [each.path for each in angel.asked] == [f"{ORDERS}/getLtpData"]


async def test_price_that_does_not_come_keeps_the_order_here(port: SmartPort, angel: Parrot) -> None:
    angel.silent = True

    assert isinstance(await port.place(MARKET), NotSent)

    assert len(angel.asked) == 1


async def test_session_that_is_over_keeps_the_order_here(port: SmartPort, angel: Parrot) -> None:
    angel.say(403, SESSION_OVER)

    assert await port.place(MARKET) == NotSent("no session")

    assert len(angel.asked) == 1


async def test_token_is_looked_up_once_by_the_exact_name(fresh: SmartPort, angel: Parrot) -> None:
    others = [
        {"exchange": "BSE", "tradingsymbol": "RELIANCE-EQ", "symboltoken": "1"},
        {"exchange": "NSE", "tradingsymbol": "RELIANCE-BE", "symboltoken": "2"},
    ]
    say_in_turn(angel, [told(others + LISTED), PLACED])

    assert isinstance(await fresh.place(ORDER), Accepted)
    assert isinstance(await fresh.place(ORDER), Accepted)

    search, *placed = angel.asked
    assert search.json == {"exchange": "NSE", "searchscrip": "RELIANCE-EQ"}
    assert [each.json["symboltoken"] for each in placed] == ["2885", "2885"]


@pytest.mark.parametrize("listed", [None, [], [{**LISTED[0], "symboltoken": ""}]])
async def test_instrument_that_angel_does_not_list_is_refused(
    fresh: SmartPort, angel: Parrot, listed: object
) -> None:
    angel.say(200, told(listed))

    outcome = await fresh.place(ORDER)

    assert isinstance(outcome, Refused)
    assert outcome.code == "UNKNOWN_INSTRUMENT"
    assert len(angel.asked) == 1


@pytest.mark.parametrize(
    "order",
    [
        sample_order(validity=Validity.IOC, broker=Broker.ANGEL),
        sample_order(exchange=Exchange.MCX, broker=Broker.ANGEL),
    ],
)
async def test_what_is_not_offered_is_refused_here(port: SmartPort, angel: Parrot, order: Any) -> None:
    assert isinstance(await port.place(order), Refused)

    assert angel.asked == []


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, failed("AB1004", "Something went wrong")),
        (200, failed("AB1007", "AMX error")),
        (200, told(None)),
        (200, told({"orderid": None})),
        (500, failed("AB2020")),
        (502, b"<html>"),
        (302, b""),
        (200, b""),
    ],
)
async def test_anything_else_is_unknown_and_was_asked_once(
    port: SmartPort, angel: Parrot, kind: str, status: int, body: object
) -> None:
    angel.say(status, body)

    assert isinstance(await call(port, kind), Unknown)

    assert len(angel.asked) == 1


async def test_refusal_and_rate_keep_angels_words(port: SmartPort, angel: Parrot) -> None:
    angel.say(200, failed("AB2020", "Insufficient funds"))
    assert await port.place(ORDER) == Refused("AB2020", "Insufficient funds")

    angel.say(403, b"Access denied because of exceeding access rate")
    assert isinstance(await port.place(ORDER), RateLimited)


@pytest.mark.parametrize("kind", CALLS)
async def test_without_a_session_nothing_is_sent(
    port: SmartPort, angel: Parrot, signed_in: SignedIn, kind: str
) -> None:
    signed_in.is_over = True

    assert await call(port, kind) == NotSent("no session")

    assert angel.asked == []


async def test_books_with_nothing_in_them_are_null(port: SmartPort, angel: Parrot) -> None:
    angel.say(200, told(None))

    assert await port.order_book(1) == []
    assert await port.trades(1) == []
    assert await port.positions(1) == []


async def test_book_is_exact_or_not_read(port: SmartPort, angel: Parrot) -> None:
    row = {**ROW, "price": 1400.05}
    angel.say(200, told([row, {**row, "exchange": "CDS"}]))
    (entry,) = await port.order_book(1)
    assert (entry.symbol, entry.price) == ("RELIANCE", Decimal("1400.05"))

    angel.say(200, told([row, {**row, "updatetime": "soon"}]))
    with pytest.raises(UnreadableError):
        await port.order_book(1)
    angel.say(200, SESSION_OVER)
    with pytest.raises(SessionOverError):
        await port.order_book(1)
    angel.say(403, b"Access denied because of exceeding access rate")
    with pytest.raises(UnreadableError, match="too many"):
        await port.funds(1)
