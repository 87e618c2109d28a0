"""What a campaign came to: a flat JSON object, or the same for people."""

import platform
from hashlib import blake2b
from typing import Any

import orjson

from .campaign import Campaign


def figures(campaign: Campaign) -> dict[str, Any]:
    outcomes = campaign.outcomes
    orders = sum(outcome.orders for outcome in outcomes)
    histories = "".join(outcome.history for outcome in outcomes)
    return {
        "orders": orders,
        "seeds": len(outcomes),
        "first_seed": campaign.first_seed,
        "promised": sum(outcome.promised for outcome in outcomes),
        "sent": sum(outcome.sent for outcome in outcomes),
        "ambiguous": sum(outcome.unknown_outcomes for outcome in outcomes),
        "ambiguous_commits": sum(outcome.record.ambiguous for outcome in outcomes),
        "kills": sum(outcome.faults.kills for outcome in outcomes),
        "pauses": sum(outcome.faults.pauses for outcome in outcomes),
        "stops": sum(outcome.faults.stops for outcome in outcomes),
        "record_crashes": sum(outcome.faults.record_crashes for outcome in outcomes),
        "bus_outages": sum(outcome.faults.bus_outages for outcome in outcomes),
        "placed_elsewhere": sum(outcome.elsewhere for outcome in outcomes),
        "sessions_ended": sum(outcome.sessions_ended for outcome in outcomes),
        "switches": sum(outcome.switches for outcome in outcomes),
        "wipes": sum(outcome.wipes for outcome in outcomes),
        "lost": sum(len(outcome.findings.lost) for outcome in outcomes),
        "duplicated": sum(len(outcome.findings.duplicated) for outcome in outcomes),
        "stuck": sum(len(outcome.findings.stuck) for outcome in outcomes),
        "other_findings": sum(len(outcome.findings.other) for outcome in outcomes),
        "failing_seeds": len(campaign.unsound),
        "control_orders": campaign.control_orders,
        "control_duplicated": campaign.control_duplicated,
        "control_duplicated_percent": round(100 * campaign.control_duplicated / campaign.control_orders, 1),
        "virtual_seconds": round(sum(outcome.virtual_seconds for outcome in outcomes), 1),
        "jobs": campaign.jobs,
        "cpu_seconds": round(campaign.cpu_seconds, 2),
        "orders_per_s": round(orders / campaign.cpu_seconds, 1),
        "history": blake2b(histories.encode(), digest_size=8).hexdigest(),
        "python": platform.python_version(),
    }


def as_json(campaign: Campaign) -> str:
    return orjson.dumps(figures(campaign) | {"problems": campaign.problems}).decode()


def as_text(campaign: Campaign) -> str:
    lines = [f"{name.replace('_', ' '):<28} {value}" for name, value in figures(campaign).items()]
    return "\n".join([*lines, *(f"FAILED  {problem}" for problem in campaign.problems)])
