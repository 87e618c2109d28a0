"""The OpenAPI document: answers are described from their View types, errors from the reason codes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.json_schema import models_json_schema

from vyomo_contracts.reasons import ReasonCode
from vyomo_gateway.edge.codes import SHOWN
from vyomo_gateway.edge.encoding import View
from vyomo_gateway.edge.errors import ErrorAnswer

_REFERENCE: Final = "#/components/schemas/{}"
COMMON_ERRORS: Final = (
    ReasonCode.UNAUTHENTICATED,
    ReasonCode.SCOPE_MISSING,
    ReasonCode.FOREIGN_PAGE,
    ReasonCode.USER_MISMATCH,
    ReasonCode.UNKNOWN_FIELD,
    ReasonCode.RECORD_UNAVAILABLE,
    ReasonCode.INTERNAL_ERROR,
)

# FastAPI drops every null from what it is given, also from examples; so it is given numbers, exchanged at the end.
_EXAMPLE_NUMBER: Final = "x-example"
_examples: Final[list[dict[str, Any]]] = []

BODY_ERRORS: Final = (
    ReasonCode.MALFORMED_JSON,
    ReasonCode.BODY_TOO_LARGE,
    ReasonCode.UNSUPPORTED_MEDIA_TYPE,
    ReasonCode.INVALID_FIELD,
    ReasonCode.MISSING_FIELD,
    ReasonCode.UNKNOWN_FIELD,
)
COMMAND_ERRORS: Final = (ReasonCode.BUS_UNAVAILABLE, ReasonCode.SERVICE_UNAVAILABLE)
PARAMETER_ERRORS: Final = (ReasonCode.INVALID_FIELD,)
ACCOUNT_ERRORS: Final = (ReasonCode.ACCOUNT_NOT_FOUND,)
ORDER_ERRORS: Final = (ReasonCode.ACCOUNT_NOT_FOUND, ReasonCode.ORDER_NOT_FOUND)


def answers(
    answer: type[View],
    example: Mapping[str, Any],
    *errors: ReasonCode,
    common: Sequence[ReasonCode] = COMMON_ERRORS,
    status: int = 200,
    otherwise: Mapping[int, tuple[type[View], Mapping[str, Any], str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[int | str, dict[str, Any]]:
    """A route's `responses`: the success with an example, `otherwise` other statuses with (type, example, description), and its
    errors.
    """
    success = _success(answer, example, "Success")
    if headers:
        success["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()
        }
    documented: dict[int | str, dict[str, Any]] = {status: success}
    for other, (view, shown, description) in (otherwise or {}).items():
        documented[other] = _success(view, shown, description)
    refusals: dict[int, list[ReasonCode]] = {}
    for code in dict.fromkeys((*common, *errors)):
        refusals.setdefault(int(code.http_status), []).append(code)
    return documented | {other: _refusal(codes) for other, codes in refusals.items()}


def _success(answer: type[View], example: Mapping[str, Any], description: str) -> dict[str, Any]:
    _examples.append(dict(example))
    shown = {_EXAMPLE_NUMBER: len(_examples) - 1}
    content = {"application/json": {"schema": {"$ref": _REFERENCE.format(answer.__name__)}, "example": shown}}
    return {"description": description, "content": content}


def _refusal(codes: Sequence[ReasonCode]) -> dict[str, Any]:
    """All codes of one status, each with what it looks like."""
    shown: dict[str, Any] = {}
    for code in codes:
        message, field = SHOWN[code]
        error = {"code": code, "message": message} | ({} if field is None else {"field": field})
        shown[code] = {"value": {"success": False, "error": error}}
    content = {
        "application/json": {
            "schema": {"$ref": _REFERENCE.format(ErrorAnswer.__name__)},
            "examples": shown,
        }
    }
    return {"description": " or ".join(codes), "content": content}


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
            paths = _with_examples(document["paths"])
            document["paths"] = {_public(path): _as_answered(item) for path, item in paths.items()}
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


def _public(path: str) -> str:
    """Path parameters by the names that errors call them: `{account_id}` -> `{accountId}`."""
    return re.sub(r"\w+(?=})", lambda name: to_camel(name[0]), path)


def _as_answered(operations: dict[str, Any]) -> dict[str, Any]:
    for operation in operations.values():
        if "HTTPValidationError" in str(operation["responses"].get("422")):
            del operation["responses"][
                "422"
            ]  # FastAPI expects it where ids are all there is; a wrong id is 404 here
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                parameter["name"] = to_camel(parameter["name"])
    return operations


def _require_key(document: dict[str, Any], public: tuple[str, ...]) -> None:
    document["components"]["securitySchemes"] = {
        "ApiKey": {"type": "http", "scheme": "bearer", "description": "Your API key: vy_live_..."}
    }
    document["security"] = [{"ApiKey": []}]
    for path in public:
        for operation in document["paths"].get(path, {}).values():
            operation["security"] = []
