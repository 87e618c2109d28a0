"""What the machine did meanwhile: processor time by whom, memory by process. Linux only, from /proc."""

import os
import platform
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """Seconds of all processors together since boot."""

    at: float
    busy: float
    stolen: float
    """Taken by the hypervisor for others."""

    @classmethod
    def now(cls) -> Self:
        fields = [
            int(field) / _TICKS for field in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]
        ]
        user, nice, system, _, _, interrupt, soft_interrupt, stolen = fields
        busy = user + nice + system + interrupt + soft_interrupt
        return cls(time.monotonic(), busy, stolen)

    def busy_percent_since(self, before: "ProcessorTime") -> float:
        """Of one processor."""
        return (self.busy - before.busy) / (self.at - before.at) * 100

    def stolen_percent_since(self, before: "ProcessorTime") -> float:
        return (self.stolen - before.stolen) / (self.at - before.at) * 100


def descendants(pid: int) -> list[int]:
    """The process and all its children's children that live now."""
    children: dict[int, list[int]] = defaultdict(list)
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            fields = _stat(int(folder.name))
            if fields is not None:
                children[int(fields[1])].append(int(folder.name))
    found = [pid]
    for parent in found:
        found.extend(children[parent])
    return found


def used_seconds(pids: list[int]) -> float:
    """Processor time the processes used so far, that of their ended children included."""
    total = 0
    for pid in pids:
        fields = _stat(pid)
        if fields is not None:
            total += sum(int(field) for field in fields[11:15])
    return total / _TICKS


def proportional_memory_mb(pid: int) -> float:
    """PSS: pages shared by several processes count for each in part, so that sums are true."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def facts() -> dict[str, str | int | float]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in (_PROC / "cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory_kb = int((_PROC / "meminfo").read_text().split(maxsplit=2)[1])
    return {
        "machine_cpu": model,
        "machine_cpus": len(os.sched_getaffinity(0)),
        "machine_memory_mb": memory_kb // 1024,
        "machine_kernel": platform.release(),
        "python_version": platform.python_version(),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat after the name: state, parent, ..."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
