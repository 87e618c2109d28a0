"""The OpenAPI document: answers are described from their View types, errors from the reason codes."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge.encoding import View
from vyomo_gateway.edge.errors import ErrorAnswer

_REFERENCE: Final = "#/components/schemas/{}"
_COMMON_ERRORS: Final = (ReasonCode.UNAUTHENTICATED, ReasonCode.SCOPE_MISSING, ReasonCode.RECORD_UNAVAILABLE)
_SENTENCES: Final = {
    ReasonCode.UNAUTHENTICATED: "this API key is not valid: unknown, revoked or expired",
    ReasonCode.SCOPE_MISSING: "this API key lacks the scope trade; use a key that has it",
    ReasonCode.RECORD_UNAVAILABLE: "the database does not answer; nothing is known to have been done, try again",
    ReasonCode.BUS_UNAVAILABLE: "the message bus does not answer; nothing is known to have been done, try again",
    ReasonCode.ACCOUNT_NOT_FOUND: "you have no account 7",
    ReasonCode.ORDER_NOT_FOUND: "this account has no order PAPER_06F2M7Q8Z5X3K9V1T4B6N0R2YA",
    ReasonCode.INVALID_FIELD: "quantity must be a whole number",
    ReasonCode.PRICE_REQUIRED: "price is required for LIMIT and must be greater than 0",
    ReasonCode.ACCOUNT_EXISTS: "you have this account already",
    ReasonCode.ACCOUNT_HAS_OPEN_ORDERS: "cancel the account's open orders first",
    ReasonCode.ACCOUNT_INACTIVE: "activate the account first",
    ReasonCode.ORDER_NOT_PENDING: "the order was filled completely before the cancellation took effect",
    ReasonCode.MALFORMED_JSON: "the body is not valid JSON: Input data was truncated",
    ReasonCode.BODY_TOO_LARGE: "the body must not be larger than 16384 bytes",
    ReasonCode.UNSUPPORTED_MEDIA_TYPE: "send a JSON body with the header Content-Type: application/json",
    ReasonCode.SESSION_NOT_FOUND: "you have no session 7",
}

# FastAPI drops every null from what it is given, also from examples; so it is given numbers, exchanged at the end.
_EXAMPLE_NUMBER: Final = "x-example"
_examples: Final[list[dict[str, Any]]] = []

BODY_ERRORS: Final = (
    ReasonCode.MALFORMED_JSON,
    ReasonCode.BODY_TOO_LARGE,
    ReasonCode.UNSUPPORTED_MEDIA_TYPE,
    ReasonCode.INVALID_FIELD,
)
ACCOUNT_ERRORS: Final = (ReasonCode.ACCOUNT_NOT_FOUND,)
ORDER_ERRORS: Final = (ReasonCode.ACCOUNT_NOT_FOUND, ReasonCode.ORDER_NOT_FOUND)


def answers(
    answer: type[View],
    example: Mapping[str, Any],
    *errors: ReasonCode,
    status: int = 200,
    also: Mapping[int, str] | None = None,
    otherwise: Mapping[int, tuple[type[View], Mapping[str, Any], str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[int | str, dict[str, Any]]:
    """A route's `responses`: the success with an example, `also` other statuses of the same shape, `otherwise` those of
    another (type, example, description), and its errors.
    """
    success = _success(answer, example, "Success")
    if headers:
        success["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()
        }
    documented: dict[int | str, dict[str, Any]] = {status: success}
    for other, description in (also or {}).items():
        documented[other] = success | {"description": description}
    for other, (view, shown, description) in (otherwise or {}).items():
        documented[other] = _success(view, shown, description)
    for code in (*_COMMON_ERRORS, *errors, ReasonCode.INVALID_FIELD):
        documented.setdefault(int(code.http_status), _error(code))
    return documented


def _success(answer: type[View], example: Mapping[str, Any], description: str) -> dict[str, Any]:
    _examples.append(dict(example))
    shown = {_EXAMPLE_NUMBER: len(_examples) - 1}
    content = {"application/json": {"schema": {"$ref": _REFERENCE.format(answer.__name__)}, "example": shown}}
    return {"description": description, "content": content}


def _error(code: ReasonCode) -> dict[str, Any]:
    example = {"success": False, "error": {"code": code, "message": _SENTENCES.get(code, code)}}
    return {
        "description": code.http_status.phrase,
        "content": {
            "application/json": {
                "schema": {"$ref": _REFERENCE.format(ErrorAnswer.__name__)},
                "example": example,
            }
        },
    }


def install_openapi(
    app: FastAPI, *, description: str, bodies: tuple[type[BaseModel], ...], public: tuple[str, ...]
) -> None:
    """Describe `bodies` that FastAPI does not see itself, every answer, and the bearer key."""
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(
                get_openapi(title=app.title, version=app.version, description=description, routes=app.routes)
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            _, extra = models_json_schema(
                [(body, "validation") for body in bodies], ref_template=_REFERENCE.format("{model}")
            )
            schemas.update(extra.get("$defs", {}))
            for name, schema in _view_schemas().items():
                schemas.setdefault(name, schema)
            document["paths"] = _with_examples(document["paths"])
            _require_key(document, public)
        return document

    app.openapi = openapi


def _view_schemas() -> dict[str, Any]:
    _, components = msgspec.json.schema_components(_leaves(View), ref_template=_REFERENCE.format("{name}"))
    return {name: _with_numbers(schema) for name, schema in components.items()}


def _leaves(view: type[View]) -> list[type[View]]:
    return [leaf for child in view.__subclasses__() for leaf in (child, *_leaves(child))]


def _with_numbers(schema: Any) -> Any:
    """Decimals travel as JSON numbers here; msgspec documents its default, strings."""
    if isinstance(schema, list):
        return [_with_numbers(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "decimal":
        return {**{key: value for key, value in schema.items() if key != "format"}, "type": "number"}
    return {key: _with_numbers(value) for key, value in schema.items()}


def _with_examples(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_examples(item) for item in node]
    if not isinstance(node, dict):
        return node
    if _EXAMPLE_NUMBER in node:
        return _examples[node[_EXAMPLE_NUMBER]]
    return {key: _with_examples(value) for key, value in node.items()}


def _require_key(document: dict[str, Any], public: tuple[str, ...]) -> None:
    document["components"]["securitySchemes"] = {
        "ApiKey": {"type": "http", "scheme": "bearer", "description": "Your API key: vy_live_..."}
    }
    document["security"] = [{"ApiKey": []}]
    for path in public:
        for operation in document["paths"].get(path, {}).values():
            operation["security"] = []
