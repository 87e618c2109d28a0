"""Every refusal that the gateway itself decides: a stable code, the field's public name, nothing sent on."""

import json
import re
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

import httpx
from structlog.testing import capture_logs

from vyomo_contracts.messages import Problem
from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.app import create_app

if TYPE_CHECKING:
    from conftest import Edge

# Changes to a valid LIMIT order -> status, code, field.
BAD_ORDERS: list[tuple[dict[str, Any], int, str, str | None]] = [
    ({"symbol": ...}, 422, "MISSING_FIELD", "symbol"),
    ({"exchange": ...}, 422, "MISSING_FIELD", "exchange"),
    ({"transactionType": ...}, 422, "MISSING_FIELD", "transactionType"),
    ({"orderType": ...}, 422, "MISSING_FIELD", "orderType"),
    ({"quantity": ...}, 422, "MISSING_FIELD", "quantity"),
    ({"product": ...}, 422, "MISSING_FIELD", "product"),
    ({"price": ...}, 422, "PRICE_REQUIRED", "price"),
    ({"price": None}, 422, "PRICE_REQUIRED", "price"),
    ({"price": 0}, 422, "PRICE_REQUIRED", "price"),
    ({"orderType": "SL"}, 422, "TRIGGER_PRICE_REQUIRED", "triggerPrice"),
    ({"orderType": "SL-M", "price": ...}, 422, "TRIGGER_PRICE_REQUIRED", "triggerPrice"),
    ({"orderType": "SL", "price": ..., "triggerPrice": 245}, 422, "PRICE_REQUIRED", "price"),
    ({"symbol": ""}, 422, "INVALID_FIELD", "symbol"),
    ({"symbol": 7}, 422, "INVALID_FIELD", "symbol"),
    ({"symbol": "A" * 65}, 422, "INVALID_FIELD", "symbol"),
    ({"symbol": "NIF\u0000TY"}, 422, "INVALID_FIELD", "symbol"),
    ({"symbol": None}, 422, "INVALID_FIELD", "symbol"),
    ({"exchange": "NYSE"}, 422, "INVALID_FIELD", "exchange"),
    ({"exchange": "nse"}, 422, "INVALID_FIELD", "exchange"),
    ({"transactionType": "HOLD"}, 422, "INVALID_FIELD", "transactionType"),
    ({"orderType": "SLM"}, 422, "INVALID_FIELD", "orderType"),
    ({"product": "MTF"}, 422, "INVALID_FIELD", "product"),
    ({"validity": "GTC"}, 422, "INVALID_FIELD", "validity"),
    ({"quantity": 0}, 422, "QUANTITY_NOT_POSITIVE", "quantity"),
    ({"quantity": -5}, 422, "QUANTITY_NOT_POSITIVE", "quantity"),
    ({"quantity": "10"}, 422, "INVALID_FIELD", "quantity"),
    ({"quantity": 10.5}, 422, "INVALID_FIELD", "quantity"),
    ({"quantity": True}, 422, "INVALID_FIELD", "quantity"),
    ({"quantity": None}, 422, "INVALID_FIELD", "quantity"),
    ({"quantity": 2**31}, 422, "INVALID_FIELD", "quantity"),
    ({"quantity": 10**40}, 422, "INVALID_FIELD", "quantity"),
    ({"price": "250.5"}, 422, "INVALID_FIELD", "price"),
    ({"price": True}, 422, "INVALID_FIELD", "price"),
    ({"price": -1}, 422, "INVALID_FIELD", "price"),
    ({"price": 250.12345}, 422, "INVALID_FIELD", "price"),
    ({"price": 10**30}, 422, "INVALID_FIELD", "price"),
    ({"price": []}, 422, "INVALID_FIELD", "price"),
    ({"triggerPrice": {}}, 422, "INVALID_FIELD", "triggerPrice"),
    ({"tag": "x" * 65}, 422, "INVALID_FIELD", "tag"),
    ({"colour": "red"}, 422, "UNKNOWN_FIELD", "colour"),
    ({"transaction_type": "BUY"}, 422, "UNKNOWN_FIELD", "transactionType"),
]

BAD_BODIES: list[tuple[bytes, int, str]] = [
    (b"", 422, "INVALID_FIELD"),
    (b"{", 400, "MALFORMED_JSON"),
    (b"{'symbol': 1}", 400, "MALFORMED_JSON"),
    (b'{"price": NaN}', 400, "MALFORMED_JSON"),
    (b"\xff\xfe", 400, "MALFORMED_JSON"),
    (b'{"symbol": "\\ud800"}', 400, "MALFORMED_JSON"),
    (b'{"price": Infinity}', 400, "MALFORMED_JSON"),
    (b'{"price": 1e999999999999999999999}', 400, "MALFORMED_JSON"),
    (b'{"quantity": 1' + b"0" * 5_000 + b"}", 400, "MALFORMED_JSON"),
    (b"[" * 16_000, 400, "MALFORMED_JSON"),
    (b'{"a":' * 3_000, 400, "MALFORMED_JSON"),
    (b"[]", 422, "INVALID_FIELD"),
    (b"null", 422, "INVALID_FIELD"),
    (b'"text"', 422, "INVALID_FIELD"),
    (b"7", 422, "INVALID_FIELD"),
    (b" " * 16_385, 413, "BODY_TOO_LARGE"),
]

BAD_ACCOUNTS: list[tuple[dict[str, Any], int, str, str | None]] = [
    ({"clientId": "X"}, 422, "MISSING_FIELD", "broker"),
    ({"broker": "paper"}, 422, "MISSING_FIELD", "clientId"),
    ({"broker": "ibkr", "clientId": "X"}, 422, "INVALID_FIELD", "broker"),
    ({"broker": "paper", "clientId": ""}, 422, "INVALID_FIELD", "clientId"),
    ({"broker": "paper", "clientId": "a b"}, 422, "INVALID_FIELD", "clientId"),
    ({"broker": "paper", "clientId": "X", "initialCapital": -1}, 422, "INVALID_FIELD", "initialCapital"),
    ({"broker": "paper", "clientId": "X", "initialCapital": 0}, 422, "INVALID_FIELD", "initialCapital"),
    ({"broker": "paper", "clientId": "X", "initialCapital": "lots"}, 422, "INVALID_FIELD", "initialCapital"),
    ({"broker": "paper", "clientId": "X", "initialCapital": True}, 422, "INVALID_FIELD", "initialCapital"),
    ({"broker": "paper", "clientId": "X", "balance": 1}, 422, "UNKNOWN_FIELD", "balance"),
    ({"broker": "paper", "clientId": "X", "userId": "bela"}, 403, "USER_MISMATCH", "userId"),
    ({"broker": "zerodha", "clientId": "X"}, 422, "MISSING_FIELD", "apiKey"),
    ({"broker": "zerodha", "clientId": "X", "apiKey": ""}, 422, "MISSING_FIELD", "apiKey"),
    ({"broker": "paper", "clientId": "X", "apiKey": "k" * 513}, 422, "INVALID_FIELD", "apiKey"),
    ({"broker": "zerodha", "clientId": "X", "apiKey": "k"}, 422, "MISSING_FIELD", "apiSecret"),
    ({"broker": "angel", "clientId": "X", "apiKey": "k"}, 422, "MISSING_FIELD", "password"),
    (
        {"broker": "angel", "clientId": "X", "apiKey": "k", "password": "1"},
        422,
        "MISSING_FIELD",
        "totpSecret",
    ),
    ({"broker": "paper", "clientId": "A1"}, 409, "ACCOUNT_EXISTS", "clientId"),
]


DOCUMENT: dict[str, Any] = create_app(services=None).openapi()  # pyright: ignore[reportArgumentType] - only its routes are looked at
OF_NO_CALL = {"NOT_FOUND", "METHOD_NOT_ALLOWED"}


def documented_codes(request: httpx.Request, status: int) -> set[str]:
    """What the OpenAPI document says such a call may be refused with."""
    for path, operations in DOCUMENT["paths"].items():
        operation = operations.get(request.method.lower())
        if operation and re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), request.url.path):
            return set(operation["responses"][str(status)]["content"]["application/json"]["examples"])
    raise AssertionError(f"{request.method} {request.url.path} is not documented")


def refusal(response: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and field of a refusal of the right shape that is documented for its call."""
    answer = response.json()
    if answer["error"]["code"] not in OF_NO_CALL:
        assert answer["error"]["code"] in documented_codes(response.request, response.status_code)
    assert answer["success"] is False
    assert answer["error"]["message"]
    assert set(answer["error"]) <= {"code", "message", "field", "detail"}
    return response.status_code, answer["error"]["code"], answer["error"].get("field")


async def test_bad_orders_are_refused_with_their_field(edge: "Edge"):
    for changes, *expected in BAD_ORDERS:
        response = await edge.client.post(f"{edge.account}/orders", json=edge.order_body(**changes))

        assert list(refusal(response)) == expected, changes
        assert response.headers["idempotency-key"]

    assert edge.behind.placed == []


async def test_bad_bodies_are_refused_wherever_a_body_is_taken(edge: "Edge"):
    order = f"{edge.account}/orders/PAPER_1"
    for method, path in (
        ("POST", f"{edge.account}/orders"),
        ("POST", "/api/brokers/accounts"),
        ("PATCH", edge.account),
        ("PATCH", order),
    ):
        for body, *expected in BAD_BODIES:
            response = await edge.client.request(
                method, path, content=body, headers={"Content-Type": "application/json"}
            )
            status, code, _ = refusal(response)
            if not body or body == b"null":
                assert status == 422, (method, path, body)
            else:
                assert [status, code] == expected, (method, path, body[:20])


async def test_a_body_that_is_not_declared_as_json_is_refused(edge: "Edge"):
    for path in (f"{edge.account}/orders", "/api/brokers/accounts"):
        for headers in (
            {},
            {"Content-Type": "text/plain"},
            {"Content-Type": "application/x-www-form-urlencoded"},
        ):
            response = await edge.client.post(path, content=json.dumps(edge.order_body()), headers=headers)

            assert refusal(response)[:2] == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_streamed_body_cannot_pass_the_limit(edge: "Edge"):
    async def chunks() -> AsyncGenerator[bytes]:
        for _ in range(20):
            yield b" " * 1024

    headers = {"Content-Type": "application/json"}
    for path in (f"{edge.account}/orders", "/api/brokers/accounts"):
        response = await edge.client.post(path, content=chunks(), headers=headers)

        assert refusal(response)[:2] == (413, "BODY_TOO_LARGE")


async def test_bad_accounts_are_refused_with_their_field(edge: "Edge"):
    for body, *expected in BAD_ACCOUNTS:
        response = await edge.client.post("/api/brokers/accounts", json=body)

        assert list(refusal(response)) == expected, body


async def test_empty_credentials_count_as_not_given(edge: "Edge"):
    body = {"broker": "paper", "clientId": "X", "apiKey": "", "apiSecret": None, "password": "p"}

    answer = (await edge.client.post("/api/brokers/accounts", json=body)).json()

    assert answer["warnings"] == ["password does not apply to paper accounts and was ignored"]


async def test_a_field_that_is_there_twice_is_refused_not_chosen_from(edge: "Edge"):
    headers = {"Content-Type": "application/json"}
    order = json.dumps(edge.order_body(tag='a "quoted" tag'))
    for path, body, field in (
        (f"{edge.account}/orders", order[:-1] + ', "quantity": 1000}', "quantity"),
        (f"{edge.account}/orders", order[:-1] + ', "strategyId": "s", "strategyId": "s"}', "strategyId"),
        (f"{edge.account}/orders", order[:-1] + ', "quant\\u0069ty": 1000}', "quantity"),
        ("/api/brokers/accounts", '{"broker": "paper", "clientId": "X", "clientId": "Y"}', "clientId"),
    ):
        response = await edge.client.post(path, content=body, headers=headers)

        assert refusal(response) == (422, "INVALID_FIELD", field)
    assert edge.behind.placed == []
    assert edge.behind.created == []
    assert (await edge.client.post(f"{edge.account}/orders", content=order, headers=headers)).is_success


async def test_numbers_are_told_what_would_be_right(edge: "Edge"):
    headers = {"Content-Type": "application/json"}
    order = json.dumps(edge.order_body(price=...))[:-1]
    for number, said in (
        ("1e400", "price must have at most 18 digits"),
        ("0.00001", "price must have at most 4 decimals"),
        ("-0.0", "price is required for LIMIT and must be greater than 0"),
    ):
        response = await edge.client.post(
            f"{edge.account}/orders", content=f'{order}, "price": {number}}}', headers=headers
        )

        assert response.json()["error"]["message"] == said


async def test_two_idempotency_keys_are_none(edge: "Edge"):
    response = await edge.client.post(
        f"{edge.account}/orders",
        json=edge.order_body(),
        headers=[("Authorization", f"Bearer {edge.key}"), *[("Idempotency-Key", key) for key in ("a", "b")]],
    )

    assert refusal(response) == (422, "IDEMPOTENCY_KEY_INVALID", "Idempotency-Key")
    assert edge.behind.placed == []


async def test_all_wrong_fields_are_listed(edge: "Edge"):
    body = edge.order_body(symbol=..., quantity="x", colour="red")

    error = (await edge.client.post(f"{edge.account}/orders", json=body)).json()["error"]

    assert [problem["field"] for problem in error["detail"]["problems"]] == ["symbol", "quantity", "colour"]


async def test_bad_parameters_are_refused(edge: "Edge"):
    for path, *expected in (
        (f"{edge.account}/orders?limit=0", 422, "INVALID_FIELD", "limit"),
        (f"{edge.account}/orders?limit=501", 422, "INVALID_FIELD", "limit"),
        (f"{edge.account}/orders?limit=ten", 422, "INVALID_FIELD", "limit"),
        (f"{edge.account}/orders?cursor=xyz", 422, "INVALID_FIELD", "cursor"),
        ("/api/events?since=-1", 422, "INVALID_FIELD", "since"),
        ("/api/events?since=99999999999999999999", 422, "INVALID_FIELD", "since"),
        ("/api/instruments?q=" + "x" * 65, 422, "INVALID_FIELD", "q"),
        ("/api/instruments?exchange=NYSE", 422, "INVALID_FIELD", "exchange"),
        ("/api/quotes", 422, "MISSING_FIELD", "i"),
        ("/api/quotes?i=RELIANCE", 422, "INVALID_FIELD", "i"),
        ("/api/quotes?i=NYSE:IBM", 422, "INVALID_FIELD", "i"),
        ("/api/brokers/accounts?userId=bela", 403, "USER_MISMATCH", "userId"),
        (f"{edge.account}/orders?userId=", 403, "USER_MISMATCH", "userId"),
        ("/api/brokers/accounts/99999999999999999999/orders", 404, "ACCOUNT_NOT_FOUND", "accountId"),
        ("/api/brokers/accounts/0/orders", 404, "ACCOUNT_NOT_FOUND", "accountId"),
        (f"{edge.account}/orders/PAPER_1", 404, "ORDER_NOT_FOUND", "orderId"),
        (f"{edge.account}/orders/PAPER_1/events", 404, "ORDER_NOT_FOUND", "orderId"),
        (f"{edge.account}/orders/%00", 404, "ORDER_NOT_FOUND", "orderId"),
        (f"{edge.account}/orders/{'x' * 65}", 404, "ORDER_NOT_FOUND", "orderId"),
        (f"{edge.account}/orders/a%20b/events", 404, "ORDER_NOT_FOUND", "orderId"),
        ("/api/brokers/accounts/abc/orders", 404, "NOT_FOUND", None),
        ("/api/nothing", 404, "NOT_FOUND", None),
        (f"{edge.account}/orders?status=OPEN", 422, "UNKNOWN_FIELD", "status"),
        (f"{edge.account}/orders?limit=5&Limit=6", 422, "UNKNOWN_FIELD", "Limit"),
        ("/api/risk/limits?accountId=1&account_id=2", 422, "UNKNOWN_FIELD", "account_id"),
        (f"{edge.account}/positions?x", 422, "UNKNOWN_FIELD", "x"),
    ):
        assert list(refusal(await edge.client.get(path))) == expected, path


async def test_unknown_parameters_are_told_with_those_there_are(edge: "Edge"):
    listed = await edge.client.get("/api/instruments?query=RELIANCE&kind=EQUITY")
    placed = await edge.client.post(f"{edge.account}/orders?wait=5", json={})
    known = await edge.client.get("/api/instruments?q=RELIANCE&userId=asha")

    error = listed.json()["error"]
    assert "it takes q, " in error["message"]
    assert [each["field"] for each in error["detail"]["problems"]] == ["query", "kind"]
    assert (placed.status_code, placed.json()["error"]["field"]) == (422, "wait")
    assert placed.json()["error"]["message"].endswith("it takes none")
    assert known.status_code == 200
    assert (await edge.client.get("/api/health?verbose=1")).status_code in {200, 503}


async def test_other_refusals(edge: "Edge"):
    for method, path, body, *expected in (
        ("PUT", f"{edge.account}/orders", {}, 405, "METHOD_NOT_ALLOWED", None),
        ("POST", f"{edge.account}/sync/0", None, 422, "INVALID_FIELD", "sessionId"),
        ("POST", f"{edge.account}/sync/{2**31}", None, 422, "INVALID_FIELD", "sessionId"),
        (
            "POST",
            "/api/brokers/accounts/99999999999999999999/orders",
            {},
            404,
            "ACCOUNT_NOT_FOUND",
            "accountId",
        ),
        ("PATCH", f"{edge.account}/orders/PAPER_1", {}, 422, "NOTHING_TO_MODIFY", None),
        (
            "PATCH",
            f"{edge.account}/orders/PAPER_1",
            {"quantity": 0},
            422,
            "QUANTITY_NOT_POSITIVE",
            "quantity",
        ),
        ("PATCH", f"{edge.account}/orders/PAPER_1", {"symbol": "X"}, 422, "UNKNOWN_FIELD", "symbol"),
        ("PATCH", f"{edge.account}/orders/PAPER_1", {"quantity": 5}, 404, "ORDER_NOT_FOUND", None),
        ("PATCH", edge.account, {}, 422, "MISSING_FIELD", "isActive"),
        ("PATCH", edge.account, {"isActive": "yes"}, 422, "INVALID_FIELD", "isActive"),
        ("DELETE", f"{edge.account}/orders/PAPER_1", None, 404, "ORDER_NOT_FOUND", None),
        ("DELETE", f"{edge.account}/orders/a%00b", None, 404, "ORDER_NOT_FOUND", "orderId"),
        ("PATCH", f"{edge.account}/orders/a%00b", {"quantity": 5}, 404, "ORDER_NOT_FOUND", "orderId"),
        ("DELETE", f"{edge.account}/orders/PAPER_1", {"why": "x"}, 422, "UNKNOWN_FIELD", "why"),
        ("DELETE", f"{edge.account}/orders/PAPER_1", {"reason": "x" * 257}, 422, "INVALID_FIELD", "reason"),
    ):
        response = await edge.client.request(method, path, json=body)

        assert list(refusal(response)) == expected, (method, path, body)


async def test_foreign_accounts_do_not_exist(edge: "Edge"):
    for method, path, body in (
        ("GET", "", None),
        ("DELETE", "", None),
        ("PATCH", "", {"isActive": False}),
        ("GET", "/orders", None),
        ("POST", "/orders", edge.order_body()),
        ("GET", "/orders/PAPER_1", None),
        ("PATCH", "/orders/PAPER_1", {"quantity": 5}),
        ("DELETE", "/orders/PAPER_1", None),
        ("GET", "/orders/PAPER_1/events", None),
        ("GET", "/trades", None),
        ("GET", "/positions", None),
        ("GET", "/holdings", None),
        ("GET", "/margins", None),
        ("POST", "/sync/7", None),
    ):
        response = await edge.client.request(method, edge.foreign_account + path, json=body)

        assert refusal(response) == (404, "ACCOUNT_NOT_FOUND", "accountId"), (method, path)


async def test_amounts_in_details_are_numbers(edge: "Edge"):
    detail = {"tickSize": "0.0500", "limit": 1800, "allowed": ["CNC"]}
    edge.behind.refusal = Problem(code=ReasonCode.PRICE_OFF_TICK, message="off", field="price", detail=detail)

    response = await edge.client.post(f"{edge.account}/orders", json=edge.order_body())

    assert response.json()["error"]["detail"] == {"tickSize": 0.05, "limit": 1800, "allowed": ["CNC"]}


async def test_a_method_that_is_not_possible_is_told_all_that_are(edge: "Edge"):
    response = await edge.client.put(f"{edge.account}/orders", json={})

    assert refusal(response) == (405, "METHOD_NOT_ALLOWED", None)
    assert response.headers["allow"] == "GET, POST"
    assert response.json()["error"]["message"].endswith("allowed: GET, POST")


async def test_head_is_answered_like_get_without_a_body(edge: "Edge"):
    for path in ("/api/health", f"{edge.account}/orders", "/docs"):
        assert (await edge.client.head(path)).status_code == 200
    assert (await edge.client.head(f"{edge.foreign_account}/orders")).status_code == 404
    assert (await edge.client.head("/api/health")).content == b""


async def test_a_failure_of_ours_is_500_without_details(edge: "Edge", monkeypatch: Any):
    async def fail(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("vyomo_gateway.portfolio.service.PortfolioService.margins", fail)
    monkeypatch.setattr("vyomo_gateway.orders.service.OrderService.place", fail)

    with capture_logs() as logged:
        responses = [
            await edge.client.get(f"{edge.account}/margins"),
            await edge.client.post(f"{edge.account}/orders", json=edge.order_body()),
        ]

    assert len(logged) == 2
    assert responses[1].headers["idempotency-key"], "else a repeat would be a second order"
    for response in responses:
        assert refusal(response)[:2] == (500, "INTERNAL_ERROR")
        assert "secret" not in response.text
