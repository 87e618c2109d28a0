"""Checked-in schemas: current, never broken, and a checker that sees what breaks."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vyomo_contracts import commands, events, messages, queries, risk_commands, session_commands
from vyomo_contracts.compatibility import breaking_changes
from vyomo_contracts.messages import Envelope
from vyomo_contracts.schemas import ENVELOPES, MESSAGES, breakage, path_of, refusal, text_of, write

Change = Callable[[dict[str, Any]], object]

BASE: dict[str, Any] = {
    "type": "object",
    "required": ["account_id"],
    "properties": {
        "account_id": {"type": "integer"},
        "note": {"anyOf": [{"type": "string", "maxLength": 64}, {"type": "null"}], "default": None},
        "side": {"$ref": "#/$defs/Side"},
        "items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Item"}},
        "event": {"oneOf": [{"$ref": "#/$defs/Order"}, {"$ref": "#/$defs/Funds"}]},
    },
    "$defs": {
        "Side": {"type": "string", "enum": ["BUY", "SELL"]},
        "Item": {"type": "object", "properties": {"quantity": {"type": "integer", "minimum": 1}}},
        "Order": {"type": "object", "properties": {"kind": {"const": "order"}, "id": {"type": "string"}}},
        "Funds": {"type": "object", "properties": {"kind": {"const": "funds"}, "used": {"type": "number"}}},
    },
}

BREAKING: dict[str, tuple[Change, str]] = {
    "removed field": (lambda s: s["properties"].pop("note"), "message.note: the field is gone"),
    "renamed field": (
        lambda s: s["properties"].update(remark=s["properties"].pop("note")),
        "message.note: the field is gone",
    ),
    "newly required field": (
        lambda s: s["required"].append("side"),
        "message.side: the field is newly required",
    ),
    "new required field": (
        lambda s: (s["properties"].update(key={"type": "string"}), s["required"].append("key")),
        "message.key: the field is newly required",
    ),
    "changed type": (
        lambda s: s["properties"]["account_id"].update(type="string"),
        "message.account_id: type integer became string",
    ),
    "no longer nullable": (
        lambda s: s["properties"]["note"]["anyOf"].pop(),
        "message.note: null is no longer taken",
    ),
    "choice became one type": (
        lambda s: s["properties"].update(note={"type": "string"}),
        "message.note: null is no longer taken",
    ),
    "shorter text": (
        lambda s: s["properties"]["note"]["anyOf"][0].update(maxLength=32),
        "message.note: maxLength 64 became 32",
    ),
    "narrowed enum": (lambda s: s["$defs"]["Side"]["enum"].pop(), "message.side: SELL is no longer taken"),
    "text became an enum": (
        lambda s: s["properties"]["note"]["anyOf"][0].update(enum=["a"]),
        "message.note: only a are taken now",
    ),
    "raised minimum inside a list": (
        lambda s: s["$defs"]["Item"]["properties"]["quantity"].update(minimum=2),
        "message.items[].quantity: minimum 1 became 2",
    ),
    "limit where there was none": (
        lambda s: s["properties"]["items"].update(maxItems=10),
        "message.items: maxItems none became 10",
    ),
    "removed alternative": (
        lambda s: s["properties"]["event"]["oneOf"].pop(),
        "message.event: funds is no longer taken",
    ),
    "removed field of an alternative": (
        lambda s: s["$defs"]["Order"]["properties"].pop("id"),
        "message.event.id: the field is gone",
    ),
    "unknown fields refused": (
        lambda s: s["$defs"]["Item"].update(additionalProperties=False),
        "message.items[]: unknown fields are refused now",
    ),
}

HARMLESS: dict[str, Change] = {
    "nothing": copy.deepcopy,
    "new optional field": lambda s: s["properties"].update(tag={"type": "string"}),
    "field no longer required": lambda s: s["required"].clear(),
    "wider enum": lambda s: s["$defs"]["Side"]["enum"].append("SHORT"),
    "longer text": lambda s: s["properties"]["note"]["anyOf"][0].update(maxLength=128),
    "lower minimum": lambda s: s["properties"]["items"].update(minItems=0),
    "new alternative": lambda s: s["properties"]["account_id"].update(
        anyOf=[{"type": "integer"}, {"type": "null"}]
    ),
    "definition of another name": lambda s: (
        s["$defs"].update(Part=s["$defs"].pop("Item")),
        s["properties"]["items"]["items"].update({"$ref": "#/$defs/Part"}),
    ),
    "new words": lambda s: s["properties"]["account_id"].update(description="Ours.", title="Account"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_checked_in_schema_is_the_message_as_it_is(name: str) -> None:
    path = path_of(name)

    assert path.exists(), f"{name} has no schema: python -m vyomo_contracts.schemas --write"
    assert path.read_text(encoding="utf-8") == text_of(MESSAGES[name]), (
        f"{name} differs from its schema: python -m vyomo_contracts.schemas --write"
    )


@pytest.mark.parametrize("name", MESSAGES)
def test_message_does_not_break_its_checked_in_schema(name: str) -> None:
    broken = breakage(name)

    assert not broken, refusal(name, broken)


def test_every_envelope_of_the_contracts_has_a_schema() -> None:
    defined = {
        each
        for module in (commands, events, messages, queries, risk_commands, session_commands)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Envelope) and each is not Envelope
    }

    assert defined == set(ENVELOPES)
    assert len({each.TYPE for each in ENVELOPES}) == len(ENVELOPES)


def test_every_schema_file_is_a_version_of_a_message() -> None:
    known = {name.rsplit(".v", 1)[0]: int(name.rsplit(".v", 1)[1]) for name in MESSAGES}

    for path in path_of("any").parent.iterdir():
        kind, version = path.stem.rsplit(".v", 1)
        assert int(version) <= known[kind], path.name


@pytest.mark.parametrize(("change", "sentence"), BREAKING.values(), ids=BREAKING)
def test_breaking_change_is_seen(change: Change, sentence: str) -> None:
    after = copy.deepcopy(BASE)
    change(after)

    assert breaking_changes(BASE, after) == [sentence]


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_growth_is_not_called_breaking(change: Change) -> None:
    after = copy.deepcopy(BASE)
    change(after)

    assert breaking_changes(BASE, after) == []


def test_writing_refuses_to_overwrite_a_schema_that_would_break(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    path = path_of("order.cancel.v1", tmp_path)
    promised = json.loads(path.read_text())
    promised["properties"]["priority"] = {"type": "integer"}
    path.write_text(json.dumps(promised))

    status = write(tmp_path)

    assert status == 1
    assert "priority" in path.read_text()
    assert "message.priority: the field is gone" in capsys.readouterr().err


def test_writing_brings_every_file_up_to_date(tmp_path: Path) -> None:
    status = write(tmp_path)

    assert status == 0
    assert {path.stem for path in tmp_path.iterdir()} == set(MESSAGES)
