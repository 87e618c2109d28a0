"""The OpenAPI document: complete, with examples that are what the API really answers."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from vyomo_gateway.app import create_app
from vyomo_gateway.edge.encoding import View
from vyomo_gateway.edge.errors import ErrorAnswer
from vyomo_gateway.orders.endpoints import CANCEL_REQUESTED
from vyomo_gateway.orders.schemas import CancelRequestedAnswer, OrderBody

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
        content = successes[0]["content"]["application/json"]
        view = VIEWS[content["schema"]["$ref"].rpartition("/")[2]]
        decoded = msgspec.convert(content["example"], view, strict=False)
        assert content["example"]["success"] is True, name
        assert set(content["example"]) <= {field.encode_name for field in msgspec.structs.fields(decoded)}, (
            name
        )


def test_an_unconfirmed_cancellation_has_its_own_shape():
    answers = DOCUMENT["paths"]["/api/brokers/accounts/{account_id}/orders/{order_id}"]["delete"]["responses"]
    content = answers["202"]["content"]["application/json"]

    assert content["schema"]["$ref"].endswith(CancelRequestedAnswer.__name__)
    shown = msgspec.convert(content["example"], CancelRequestedAnswer, strict=False)
    assert (shown.code, shown.message) == ("CANCEL_UNCONFIRMED", CANCEL_REQUESTED)


def test_every_operation_shows_its_errors():
    for name, operation in operations():
        for status in ("401", "403", "503", "422"):
            content = operation["responses"][status]["content"]["application/json"]
            assert content["schema"]["$ref"].endswith(ErrorAnswer.__name__), name
            assert content["example"]["success"] is False


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
    body = DOCUMENT["paths"]["/api/brokers/accounts/{account_id}/orders"]["post"]["requestBody"]
    OrderBody.model_validate(body["content"]["application/json"]["example"])
    assert "HTTPValidationError" not in schemas


def test_only_health_needs_no_key():
    open_operations = [name for name, operation in operations() if operation.get("security") == []]

    assert open_operations == ["GET /api/health"]
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
