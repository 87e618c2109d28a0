"""The verdict as a table for people and one flat object for machines."""

import json
from collections.abc import Mapping
from typing import Final

from . import lag
from .evidence import table

Value = str | int | float

MUST_BE_ZERO: Final = {
    "lost": "accepted orders without a row",
    "duplicated": "orders the broker holds more than once",
    "stuck": "orders without an end after the settle time",
    "orphaned": "orders of ours at the broker that no row knows",
    "wrongly_ended": "orders called dead that the broker holds",
    "event_gaps": "histories with a gap",
    "not_replayed": "rows that their last event does not say",
    "fills_off": "orders whose fills are not their filled quantity",
    "outbox_left": "events that were never published",
    "keys_broken": "idempotency keys with more than one answer",
    "without_verdict": "orders that got no answer in 150 s of asking",
    "sent_expired": "calls that reached the broker after expiry",
    "claims_after_kill": "claims that committed while a kill switch stood",
    "secrets_found": "secrets in logs, streams or tables",
}
CONTROL_SHARE: Final = 0.05
"""A run whose control doubles fewer of the orders it sent has not tested anything."""
_ENOUGH_FOR_A_SHARE: Final = 200
"""Orders of the control from which its share of doubled ones says something: 5 % of 70 are three or four, which chance alone halves."""
_ENOUGH_FOR_ONE: Final = 60
"""Orders of the control of which at least one must have been doubled. Fewer prove nothing either way."""


def violations(results: Mapping[str, Value]) -> list[str]:
    found = [f"{results[key]} {meaning}" for key, meaning in MUST_BE_ZERO.items() if results.get(key)]
    sent, doubled = int(results["control_sent"]), int(results["control_duplicated"])
    due = CONTROL_SHARE * sent if sent >= _ENOUGH_FOR_A_SHARE else 1
    if sent >= _ENOUGH_FOR_ONE and doubled < due:
        found.append(f"the control doubled only {doubled} of {sent} orders: these faults test nothing")
    return found


def as_json(results: Mapping[str, Value]) -> str:
    return json.dumps(results, indent=2)


def as_table(results: Mapping[str, Value]) -> str:
    shown = {key: value for key, value in results.items() if not key.endswith("_hits")}
    width = max(map(len, shown))
    lines = [
        f"{key:<{width}}  {value}" + (f"   {MUST_BE_ZERO[key]}" if key in MUST_BE_ZERO else "")
        for key, value in shown.items()
    ]
    found = violations(results)
    verdict = [f"BROKEN: {each}" for each in found] or ["every promise was kept"]
    if float(results.get("harness_late_p99_ms", 0)) > lag.MOST_MS:
        verdict.append("the machine had no time for this run itself: its times say nothing of the system")
    return "\n".join([*lines, "", *table(results), "", *verdict])
