"""The verdict as a table for people and one flat object for machines."""

import json
from collections.abc import Mapping
from typing import Final

Results = Mapping[str, int | float | str]

_MUST_BE_ZERO: Final = {
    "postgresql_lost": "acknowledged orders were gone after a power cut",
    "postgresql_torn": "commits were half there after a power cut",
    "nats_lost": "acknowledged messages were gone after a power cut",
    "nats_torn": "messages were not what was written after a power cut",
    "postgresql_full_lost": "acknowledged orders were gone after a full disk",
    "postgresql_full_torn": "commits were half there after a full disk",
    "nats_full_lost": "acknowledged messages were gone after a full disk",
    "nats_full_torn": "messages were not what was written after a full disk",
}
_MUST_NOT_BE_ZERO: Final = {
    "postgresql_acknowledged": "nothing was acknowledged before the cuts of PostgreSQL",
    "postgresql_control_lost": "PostgreSQL with synchronous_commit=off lost nothing: these cuts cut nothing",
    "nats_acknowledged": "nothing was acknowledged before the cuts of NATS",
    "nats_control_lost": "NATS that syncs when it likes lost nothing: these cuts cut nothing",
    "postgresql_full_refused": "PostgreSQL did not refuse on a full disk",
    "postgresql_full_worked_again": "PostgreSQL did not work again when there was room",
    "nats_full_refused": "NATS did not refuse on a full disk",
    "nats_full_worked_again": "NATS did not work again when there was room",
}


def violations(results: Results) -> list[str]:
    found = [f"{results[key]} {meaning}" for key, meaning in _MUST_BE_ZERO.items() if results.get(key)]
    return found + [
        meaning for key, meaning in _MUST_NOT_BE_ZERO.items() if key in results and not results[key]
    ]


def as_json(results: Results) -> str:
    return json.dumps(results, indent=2)


def as_table(results: Results) -> str:
    width = max(map(len, results))
    lines = [f"{key:<{width}}  {value}" for key, value in results.items()]
    found = violations(results)
    return "\n".join([*lines, "", *([f"BROKEN: {each}" for each in found] or ["every promise was kept"])])
