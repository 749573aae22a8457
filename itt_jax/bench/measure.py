"""How benches measure: alternating repeats, medians, the machine, a child's memory, tables."""

import dataclasses
import importlib.metadata
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

PACKAGES = ("numpy", "numba", "tokenizers", "sentencepiece", "nlpaug", "jax", "jaxlib", "torch", "transformers")


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds that a piece of work took: medians over the repeats.

    Attributes:
        wall: by the clock; processor: of this process on all processors, which other load on the machine hardly moves.
    """

    wall: float
    processor: float

    def rates(self, count: float) -> dict[str, float]:
        """How many of `count` things a second, by the clock and by processor time."""
        return {"per_second": count / self.wall, "per_processor_second": count / self.processor}


def alternating(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Timing]:
    """The timing of each work; they take turns, so that a change of the machine's load meets all of them alike."""
    walls: dict[str, list[float]] = {name: [] for name in works}
    processor: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            begin, own = time.perf_counter(), time.process_time()
            work()
            walls[name].append(time.perf_counter() - begin)
            processor[name].append(time.process_time() - own)
    return {name: Timing(statistics.median(walls[name]), statistics.median(processor[name])) for name in works}


def machine() -> dict:
    """What the figures were taken on; `load` is the number of running tasks, averaged over a minute, before the run."""
    found = re.search(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "absent"
    return {
        "processor": found.group(1) if found else platform.processor() or platform.machine(),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
        "python": platform.python_version(),
        "versions": versions,
    }


def _read(path: str) -> str:
    return pathlib.Path(path).read_text(encoding="utf-8") if pathlib.Path(path).exists() else ""


def say(line: str) -> None:
    """A line of progress, beside what is printed in the end."""
    print(line, file=sys.stderr, flush=True)


def heading(figures: dict) -> str:
    """A line of text: what the figures were taken on."""
    machine = figures["machine"]
    device = [f"device {figures['device']}"] if "device" in figures else []
    return ", ".join(
        [
            f"{machine['processor']}, {machine['processors']} processors, load {machine['load']:.1f}",
            *device,
            f"Python {machine['python']}",
            *(f"{name} {found}" for name, found in machine["versions"].items()),
            f"medians of {figures['repeats']}",
        ]
    )


def verdicts(values: Sequence[tuple[str, float, float]]) -> list[dict]:
    """Aims with the value reached and whether that is enough; (aim, value, the least that is aimed at) each."""
    return [{"aim": aim, "value": value, "target": target, "met": value >= target} for aim, value, target in values]


_PEAK = """
import pathlib, re, resource, sys
status = pathlib.Path("/proc/self/status")
found = re.search(r"VmHWM:\\s*([0-9]+)", status.read_text()) if status.exists() else None
print(int(found.group(1)) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_memory(code: str) -> float:
    """MiB that a new Python process held at most while it ran `code`, which must print nothing."""
    done = subprocess.run([sys.executable, "-c", code + _PEAK], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns of text: the first to the left, the others to the right; numbers with three digits that count."""
    lines = [list(headers), *([shown(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def shown(value: object) -> str:
    """A number with three digits that count; "-" for None."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
