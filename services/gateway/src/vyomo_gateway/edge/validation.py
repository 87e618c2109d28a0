"""Pydantic's findings as problems of the API: public field names, sentences that say what would be right."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic.alias_generators import to_camel

from vyomo_contracts.messages import Problem
from vyomo_contracts.reasons import ReasonCode

_PARTS: Final = frozenset({"body", "query", "path", "header"})

_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "{field} is required",
    "extra_forbidden": "{field} is not a field of this request",
    "enum": "{field} must be one of {expected}",
    "literal_error": "{field} must be {expected}",
    "int_type": "{field} must be a whole number",
    "int_parsing": "{field} must be a whole number",
    "int_parsing_size": "{field} is too large a number",
    "int_from_float": "{field} must be a whole number",
    "decimal_type": "{field} must be a number",
    "decimal_parsing": "{field} must be a number",
    "decimal_max_places": "{field} must have at most {decimal_places} decimals",
    "decimal_max_digits": "{field} must have at most {max_digits} digits",
    "decimal_whole_digits": "{field} is too large a number",
    "finite_number": "{field} must be a number",
    "greater_than": "{field} must be greater than {gt}",
    "greater_than_equal": "{field} must be at least {ge}",
    "less_than": "{field} must be less than {lt}",
    "less_than_equal": "{field} must be at most {le}",
    "string_type": "{field} must be text",
    "string_too_short": "{field} must have at least {min_length} character(s)",
    "string_too_long": "{field} must have at most {max_length} characters",
    "string_pattern_mismatch": "{field} must {characters}",
    "string_unicode": "{field} must be valid Unicode text",
    "timezone_aware": "{field} must be a time with its offset, for example 2026-02-12T03:45:00Z (a + in an address is %2B)",
    "datetime_parsing": "{field} must be a time with its offset, for example 2026-02-12T03:45:00Z (a + in an address is %2B)",
    "datetime_from_date_parsing": "{field} must be a time with its offset, for example 2026-02-12T03:45:00Z (a + in an address is %2B)",
    "bool_type": "{field} must be true or false",
    "bool_parsing": "{field} must be true or false",
    "too_short": "{field} must have at least {min_length} entry",
    "too_long": "{field} must have at most {max_length} {entries}",
    "value_error": "{field} {error}",
}
_CODES: Final[Mapping[str, ReasonCode]] = {
    "missing": ReasonCode.MISSING_FIELD,
    "extra_forbidden": ReasonCode.UNKNOWN_FIELD,
}
_NOT_AN_OBJECT: Final = frozenset({"model_type", "model_attributes_type", "dict_type"})


def problems_of(findings: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """One problem a field; unknown fields last, they are often the misspelt name of a missing one."""
    found: dict[str, Problem] = {}
    for finding in sorted(findings, key=lambda item: item["type"] == "extra_forbidden"):
        problem = _problem(finding)
        found.setdefault(problem.field or "", problem)
    return list(found.values())


def _problem(finding: Mapping[str, Any]) -> Problem:
    kind = str(finding["type"])
    field = _public_name(finding["loc"])
    if not field or kind in _NOT_AN_OBJECT:
        code = ReasonCode.MISSING_FIELD if kind == "missing" else ReasonCode.INVALID_FIELD
        return Problem(code=code, field=field or None, message=f"{field or 'the body'} must be a JSON object")
    details = {name: value for name, value in finding.get("ctx", {}).items() if name != "field"}
    # Two kinds of patterns are in use: of what must not be in a text, and of all that may be.
    excludes = str(details.get("pattern", "")).startswith("^[^")
    details["characters"] = (
        "not contain control characters" if excludes else "be visible ASCII characters without spaces"
    )
    details["entries"] = "entries" if details.get("field_type") == "List" else "characters"
    sentence = _SENTENCES.get(kind)
    message = sentence.format(field=field, **details) if sentence else f"{field}: {finding['msg']}"
    return Problem(code=_CODES.get(kind, ReasonCode.INVALID_FIELD), field=field, message=message)


def _public_name(location: Iterable[int | str]) -> str:
    parts = [str(part) for part in location]
    if parts and parts[0] in _PARTS:
        parts = parts[1:]
    # Bodies are flat: what follows the name is a place in a list, or which kind of a union was tried.
    name = parts[0] if parts else ""
    return to_camel(name) if "_" in name else name
