"""How benches measure and print: alternating repeats, medians, the machine, the peak memory of a process, tables."""

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
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

PACKAGES = ("numpy", "numba", "tokenizers", "sentencepiece", "nlpaug", "jax", "jaxlib", "torch", "transformers")

Name = TypeVar("Name", bound=Hashable)


@dataclasses.dataclass(frozen=True)
class Timing:
    """Median time of one piece of work, in seconds.

    Attributes:
        wall: elapsed time.
        processor: CPU time of this process on all processors; other load on the machine hardly affects it.
    """

    wall: float
    processor: float

    def rates(self, count: float) -> dict[str, float]:
        """`count` things per second of elapsed time and per second of CPU time."""
        return {"per_second": count / self.wall, "per_processor_second": count / self.processor}


def alternating(works: Mapping[Name, Callable[[], object]], repeats: int) -> dict[Name, Timing]:
    """Time every function `repeats` times, in turns, so that a change in the machine's load affects all of them."""
    walls: dict[Name, list[float]] = {name: [] for name in works}
    processor: dict[Name, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            begin, begin_processor = time.perf_counter(), time.process_time()
            work()
            walls[name].append(time.perf_counter() - begin)
            processor[name].append(time.process_time() - begin_processor)
    return {name: Timing(statistics.median(walls[name]), statistics.median(processor[name])) for name in works}


def machine() -> dict:
    """The machine and the package versions; `load` is the one-minute load average before the run."""
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


def progress(line: str) -> None:
    """Print a progress line to standard error; standard output holds only the figures."""
    print(line, file=sys.stderr, flush=True)


def verdicts(values: Sequence[tuple[str, float, float]]) -> list[dict]:
    """Rows of aims from (aim, value reached, minimum aimed at)."""
    return [{"aim": aim, "value": value, "target": target, "met": value >= target} for aim, value, target in values]


_PEAK = """
import pathlib, re, resource, sys
status = pathlib.Path("/proc/self/status")
found = re.search(r"VmHWM:\\s*([0-9]+)", status.read_text()) if status.exists() else None
print(int(found.group(1)) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_memory(code: str) -> float:
    """Peak resident memory, in MiB, of a new Python process that runs `code`; the code must not print."""
    done = subprocess.run([sys.executable, "-c", code + _PEAK], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


# --- Text


def heading(figures: dict) -> str:
    """One line: the machine and versions that the figures were measured with."""
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


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A plain-text table, the first column left-aligned and the others right-aligned."""
    lines = [list(headers), *([formatted(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def aims_table(figures: dict) -> str:
    """The rows that `verdicts` made, as a table."""
    return table(["aim", "value", "target", "met"], [[*row.values()] for row in figures["aims"]])


def formatted(value: object) -> str:
    """A float with three significant digits (no decimals from 100 on); "-" for None."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
