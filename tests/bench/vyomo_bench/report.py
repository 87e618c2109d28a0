"""The results as a table for people, one flat object for machines, and a page for the documentation."""

import json
from collections.abc import Mapping, Sequence

from .figures import FIGURES, Figure, Value

_HEADINGS = ("", "measured", "", "goal", "x floor", "")


def as_json(results: Mapping[str, Value]) -> str:
    return json.dumps(results, indent=2)


def as_table(results: Mapping[str, Value]) -> str:
    rows = [_HEADINGS, *(_row(figure, results) for figure in _measured(results))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(
            text.ljust(width) if column in {0, 2, 5} else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    rule = "-" * max(map(len, lines))
    return "\n".join(
        [lines[0], rule, *lines[1:], rule, *_memory(results), *_conditions(results), *_missed(results)]
    )


def as_markdown(results: Mapping[str, Value]) -> str:
    rows = [
        "| Figure | Measured | Goal | Times its floor |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {name} | {measured} {unit} | {goal} | {ratio} |"
            for name, measured, unit, goal, ratio, _ in (
                _row(figure, results) for figure in _measured(results)
            )
        ),
    ]
    notes = [f"- {line}" for line in (*_memory(results), *_conditions(results), *_missed(results))]
    return "\n".join(
        ["# Performance", "", "Made by `./vyomo bench --markdown FILE`.", "", *rows, "", *notes, ""]
    )


def missed(results: Mapping[str, Value]) -> list[Figure]:
    return [figure for figure in _measured(results) if figure.is_reached(results) is False]


def _measured(results: Mapping[str, Value]) -> list[Figure]:
    return [figure for figure in FIGURES if figure.key in results]


def _row(figure: Figure, results: Mapping[str, Value]) -> tuple[str, ...]:
    ratio = results.get(figure.name_of_ratio) if figure.floor else None
    verdict = {True: "ok", False: "MISSED", None: ""}[figure.is_reached(results)]
    return (
        figure.title,
        _number(float(results[figure.key])),
        figure.unit,
        figure.goal,
        "" if ratio is None else f"{float(ratio):.2f}",
        verdict,
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _memory(results: Mapping[str, Value]) -> Sequence[str]:
    prefix = "memory_pss_mb_"
    parts = [
        f"{key.removeprefix(prefix)} {value}" for key, value in results.items() if key.startswith(prefix)
    ]
    return [f"memory by process, MB: {', '.join(parts)}"] if parts else []


def _conditions(results: Mapping[str, Value]) -> Sequence[str]:
    return (
        (
            f"machine: {results['machine_cpus']} x {results['machine_cpu']}, {results['machine_memory_mb']} MB, "
            f"Linux {results['machine_kernel']}, Python {results['python_version']}"
        ),
        (
            f"others on it: {results['background_cpu_percent']} % of one core before the start, load "
            f"{results['load_average_before']}, {results['steal_percent']} % of one core taken by the hypervisor"
        ),
        (
            f"checked: {results['orders_verified']} orders, each recorded once and filled once with two events; "
            f"{results['instruments']} instruments loaded; the run took {results['run_s']} s"
        ),
    )


def _missed(results: Mapping[str, Value]) -> Sequence[str]:
    keys = ", ".join(figure.key for figure in missed(results))
    told = (
        ("goals missed", keys),
        ("left out for want of time", results.get("left_out")),
        ("FAILED", results.get("failed")),
    )
    return [f"{what}: {which}" for what, which in told if which]
