"""A results folder of a synthetic grid: written, its results made, checked, read, analysed, each in a new process."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from itt_jax.bench import Request
from itt_jax.bench.measure import heading, progress, table
from itt_jax.bench.store_steps import STEPS
from itt_jax.errors import InputError

REPEATS = 1
CELLS = (1_000, 10_000, 100_000)


def measure(request: Request) -> dict:
    """The figures of this bench; sizes are numbers of cells."""
    if wrong := [size for size in request.sizes if not size.isdecimal() or int(size) < 1]:
        raise InputError(f"--sizes: found {wrong[0]!r}, expected numbers of cells")
    rows = []
    for cells in [int(size) for size in request.sizes] or CELLS:
        found: dict[str, list[dict]] = {}
        for _ in range(request.repeats):
            with tempfile.TemporaryDirectory() as folder:
                for step in STEPS:
                    progress(f"store: {cells:,} cells, {step}")
                    found.setdefault(step, []).append(_child(step, folder, cells))
                held = sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file())
        for step, own in found.items():
            seconds, cpu = (statistics.median(one[name] for one in own) for name in ("seconds", "cpu"))
            number = own[0]["cells"]
            row = {"cells": number, "step": step, "seconds": seconds, "cpu_seconds": cpu}
            row |= {"cpu_ms_per_cell": 1000 * cpu / number}
            rows.append(row | {"peak_mib": max(one["mib"] for one in own), "kb_per_cell": held / number / 1000})
    return {"store": rows}


def _child(step: str, folder: str, cells: int) -> dict:
    """Time and memory of one step, in its own process."""
    command = [sys.executable, "-m", "itt_jax.bench.store_steps", step, folder, str(cells)]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    if done.returncode:
        raise RuntimeError(f"{step} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def text(figures: dict) -> str:
    """The figures as a table."""
    headers = ["cells", "step", "seconds", "CPU s", "CPU ms a cell", "peak MiB", "kB a cell"]
    return f"{heading(figures)}\n\n{table(headers, [[*row.values()] for row in figures['store']])}"
