"""The OpenAPI document: complete, with examples that are what the API really answers."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.accounts.examples import EGRESSES, SWITCHES
from vyomo_gateway.app import create_app
from vyomo_gateway.edge import examples
from vyomo_gateway.edge.codes import ONLY_IN_ORDERS, SHOWN
from vyomo_gateway.edge.encoding import View
from vyomo_gateway.edge.errors import ErrorAnswer
from vyomo_gateway.orders.endpoints import CANCEL_REQUESTED
from vyomo_gateway.orders.schemas import CancelRequestedAnswer, OrderBody
from vyomo_gateway.system.service import UnhealthyAnswer

DOCUMENT: dict[str, Any] = json.loads(
    json.dumps(create_app(services=None).openapi())  # pyright: ignore[reportArgumentType] - only its routes are looked at
)
VIEWS = {view.__name__: view for view in View.__subclasses__()}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    if isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_operation_shows_an_answer_that_fits_its_type():
    for name, operation in operations():
        successes = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        assert successes, name
        content = successes[0]["content"].get("application/json")
        if content is None:
            assert "text/csv" in successes[0]["content"], name
            continue
        view = VIEWS[content["schema"]["$ref"].rpartition("/")[2]]
        decoded = msgspec.convert(content["example"], view, strict=False)
        assert content["example"]["success"] is True, name
        assert set(content["example"]) <= {field.encode_name for field in msgspec.structs.fields(decoded)}, (
            name
        )


def test_an_unconfirmed_cancellation_has_its_own_shape():
    answers = DOCUMENT["paths"]["/api/brokers/accounts/{accountId}/orders/{orderId}"]["delete"]["responses"]
    content = answers["202"]["content"]["application/json"]

    assert content["schema"]["$ref"].endswith(CancelRequestedAnswer.__name__)
    shown = msgspec.convert(content["example"], CancelRequestedAnswer, strict=False)
    assert (shown.code, shown.message) == ("CANCEL_UNCONFIRMED", CANCEL_REQUESTED)


def refusals(operation: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Status, code and answer of everything an operation says it may be refused with."""
    for status, response in operation["responses"].items():
        content = response["content"].get("application/json")
        if content is not None and content["schema"]["$ref"].endswith(f"/{ErrorAnswer.__name__}"):
            for code, shown in content["examples"].items():
                yield status, code, shown["value"]


def test_every_operation_shows_its_errors():
    for name, operation in operations():
        if operation.get("security") == []:
            continue
        assert {"401", "403", "500", "503"} <= {status for status, _, _ in refusals(operation)}, name
        for status, code, answer in refusals(operation):
            assert int(status) == ReasonCode(code).http_status
            assert msgspec.convert(answer, ErrorAnswer, strict=False).error.code == code
            assert answer["success"] is False


def test_health_is_never_refused_for_its_caller():
    responses = DOCUMENT["paths"]["/api/health"]["get"]["responses"]

    assert set(responses) == {"200", "503"}
    shown = responses["503"]["content"]["application/json"]
    assert shown["schema"]["$ref"].endswith(UnhealthyAnswer.__name__)
    msgspec.convert(shown["example"], UnhealthyAnswer, strict=False)


def test_every_code_is_explained_and_shown_where_it_may_occur():
    assert set(SHOWN) == set(ReasonCode)
    documented = {code for _, operation in operations() for _, code, _ in refusals(operation)}
    of_no_call = {"NOT_FOUND", "METHOD_NOT_ALLOWED", "CANCEL_UNCONFIRMED"}
    assert documented == set(ReasonCode) - ONLY_IN_ORDERS - of_no_call


def test_paths_name_their_parameters_as_errors_do():
    for name, operation in operations():
        declared = [item["name"] for item in operation.get("parameters", ()) if item["in"] == "path"]
        assert re.findall(r"{(\w+)}", name) == declared, name
        assert not any("_" in parameter for parameter in declared)


def test_every_reference_is_defined():
    for reference in references(DOCUMENT):
        assert reference.rpartition("/")[2] in DOCUMENT["components"]["schemas"], reference


def test_prices_are_numbers_and_bodies_are_described():
    schemas = DOCUMENT["components"]["schemas"]

    assert schemas["OrderView"]["properties"]["price"]["type"] == "number"
    assert set(schemas["OrderBody"]["required"]) == {
        "symbol",
        "exchange",
        "transactionType",
        "orderType",
        "quantity",
        "product",
    }
    body = DOCUMENT["paths"]["/api/brokers/accounts/{accountId}/orders"]["post"]["requestBody"]
    for shown in body["content"]["application/json"]["examples"].values():
        OrderBody.model_validate(shown["value"])
    assert schemas["OrderBody"]["properties"]["price"]["anyOf"][0] == {"type": "number", "minimum": 0}
    assert "HTTPValidationError" not in schemas


def test_only_health_needs_no_key():
    open_operations = [name for name, operation in operations() if operation.get("security") == []]

    # A browser comes back from the broker without a key.
    assert open_operations == [
        "POST /api/auth/link",
        "GET /api/brokers/zerodha/callback",
        "GET /api/health",
    ]
    assert DOCUMENT["security"] == [{"ApiKey": []}]


async def test_documentation_is_served_without_a_key():
    app = create_app(services=None)  # pyright: ignore[reportArgumentType] - only its routes are looked at
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        assert (await client.get("/docs")).status_code == 200
        assert (await client.get("/openapi.json")).json() == DOCUMENT


async def test_docs_page_needs_no_key_and_nothing_from_elsewhere(edge: Any):
    async with httpx.AsyncClient(base_url=edge.url, trust_env=False) as anonymous:
        page = await anonymous.get("/docs")
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        answers = [await anonymous.get(path) for path in loaded if path.startswith("/")]

    assert page.status_code == 200
    assert len(answers) == len(loaded) == 3
    assert all(answer.status_code == 200 for answer in answers)


async def test_requests_that_are_shown_are_accepted_and_answered_as_shown(edge: Any):
    for shown in examples.ACCOUNT_REQUESTS.values():
        opened = await edge.client.post("/api/brokers/accounts", json=shown["value"])
        assert opened.status_code == 201, opened.text
        assert opened.json()["account"].keys() == examples.ACCOUNT_OPENED["account"].keys()
    for shown in examples.ORDER_REQUESTS.values():
        placed = await edge.client.post(f"{edge.account}/orders", json=shown["value"])
        assert placed.status_code == 202, placed.text
        assert placed.json().keys() == examples.ORDER_ACCEPTED.keys()
        assert placed.json()["order"].keys() == examples.ORDER_ACCEPTED["order"].keys()
    (newest, *_) = (await edge.client.get(f"{edge.account}/orders")).json()["orders"]
    path = f"{edge.account}/orders/{newest['orderId']}"
    for shown in examples.MODIFY_REQUESTS.values():
        assert (await edge.client.patch(path, json=shown["value"])).status_code == 202
    for shown in examples.CANCEL_REQUESTS.values():
        cancelled = await edge.client.request("DELETE", path, json=shown["value"])
        assert cancelled.json() == examples.CANCELLED
    body = {**examples.ACCOUNT_REQUESTS["zerodha, sandbox"]["value"], "clientId": "SB0002"}
    live = (await edge.client.post("/api/brokers/accounts", json=body)).json()
    path = f"/api/brokers/accounts/{live['account']['id']}"
    for shown in EGRESSES.values():
        changed = await edge.client.put(f"{path}/egress", json=shown["value"])
        assert changed.json().keys() == examples.ACCOUNT_SWITCHED.keys(), changed.text
    for shown in SWITCHES.values():
        switched = await edge.client.patch(edge.account, json=shown["value"])
        assert switched.json().keys() == examples.ACCOUNT_SWITCHED.keys()
