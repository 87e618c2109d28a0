"""What changed between two JSON Schemas of one message that its present readers or writers would not survive.

Reported: a field that is gone (a renamed one is gone under its old name), a field that is newly required, a value that is no
longer taken (type, enum member, limit), and unknown fields that are newly refused. Growth is fine: a new optional field, a new
enum member, a wider limit.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

# Keyword: whether the new limit is tighter than the old one. None is "no limit".
_TIGHTER_WHEN_LOWER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_TIGHTER_WHEN_HIGHER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_TIGHTER_WHEN_DIFFERENT: Final = ("pattern", "format", "multipleOf")


def breaking_changes(before: Schema, after: Schema) -> list[str]:
    """One sentence each, naming the place; empty when `after` is safe to use beside `before`."""
    return list(dict.fromkeys(_Comparison(before, after).compare(before, after, "message")))


class _Comparison:
    def __init__(self, before_root: Schema, after_root: Schema) -> None:
        self._before_root = before_root
        self._after_root = after_root
        self._seen: set[tuple[str, str]] = set()

    def compare(self, before: Schema, after: Schema, where: str) -> Iterator[str]:
        if "$ref" in before and "$ref" in after:
            pair = (before["$ref"], after["$ref"])
            if pair in self._seen:  # said once already, and models may contain themselves
                return
            self._seen.add(pair)
        before, after = _resolve(self._before_root, before), _resolve(self._after_root, after)
        if "anyOf" in before or "oneOf" in before or "anyOf" in after or "oneOf" in after:
            yield from self._compare_choices(before, after, where)
            return
        if before.get("type") != after.get("type") and "type" in after:
            yield f"{where}: type {before.get('type', 'any')} became {after['type']}"
            return
        yield from _compare_values(before, after, where)
        yield from self._compare_fields(before, after, where)
        for keyword in ("items", "additionalProperties"):
            if isinstance(before.get(keyword), Mapping) and isinstance(after.get(keyword), Mapping):
                yield from self.compare(before[keyword], after[keyword], f"{where}[]")
        if after.get("additionalProperties", True) is False and before.get("additionalProperties", True):
            yield f"{where}: unknown fields are refused now"

    def _compare_fields(self, before: Schema, after: Schema, where: str) -> Iterator[str]:
        old: Schema = before.get("properties", {})
        new: Schema = after.get("properties", {})
        for name in old:
            if name not in new:
                yield f"{where}.{name}: the field is gone"
            else:
                yield from self.compare(old[name], new[name], f"{where}.{name}")
        for name in after.get("required", []):
            if name not in before.get("required", []):
                yield f"{where}.{name}: the field is newly required"

    def _compare_choices(self, before: Schema, after: Schema, where: str) -> Iterator[str]:
        """Each old alternative must still be taken; one that is compared gets the new one of its own kind."""
        new = {self._kind(self._after_root, each): each for each in _choices(after)}
        for each in _choices(before):
            kind = self._kind(self._before_root, each)
            if kind in new:
                yield from self.compare(each, new[kind], where)
            else:
                yield f"{where}: {kind} is no longer taken"

    @staticmethod
    def _kind(root: Schema, schema: Schema) -> str:
        """What tells one alternative from another: its discriminator, its name, or its type."""
        resolved = _resolve(root, schema)
        kind: Schema = resolved.get("properties", {}).get("kind", {})
        if "const" in kind:
            return str(kind["const"])
        return str(resolved.get("type", resolved.get("const", "any")))


def _compare_values(before: Schema, after: Schema, where: str) -> Iterator[str]:
    taken = _members(after)
    if taken is not None:
        old = _members(before)
        if old is None:
            yield f"{where}: only {', '.join(map(str, taken))} are taken now"
        else:
            yield from (f"{where}: {each} is no longer taken" for each in old if each not in taken)
    for keyword in (*_TIGHTER_WHEN_LOWER, *_TIGHTER_WHEN_HIGHER, *_TIGHTER_WHEN_DIFFERENT):
        if keyword in after and _is_tighter(keyword, before.get(keyword), after[keyword]):
            yield f"{where}: {keyword} {before.get(keyword, 'none')} became {after[keyword]}"


def _is_tighter(keyword: str, before: Any, after: Any) -> bool:
    if before is None:
        return True
    if keyword in _TIGHTER_WHEN_LOWER:
        return after < before
    if keyword in _TIGHTER_WHEN_HIGHER:
        return after > before
    return after != before


def _members(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _choices(schema: Schema) -> list[Schema]:
    return schema.get("anyOf") or schema.get("oneOf") or [schema]


def _resolve(root: Schema, schema: Schema) -> Schema:
    """Follow references; keywords beside one (a default, a description) do not matter here."""
    while "$ref" in schema:
        schema = root["$defs"][str(schema["$ref"]).removeprefix("#/$defs/")]
    return schema
