"""Start-up time: `--help`, and the first training step with an empty and with a filled compilation cache."""

import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from itt_jax.bench import Request
from itt_jax.bench.choices import Choice, choices
from itt_jax.bench.measure import heading, table

REPEATS = 3
PARTS = ("imports", "data", "parameters", "first step", "second step")


def measure(request: Request) -> dict:
    """The figures of this bench."""
    chosen = choices(request, ("bert",), ("sst2",), ("base",))
    figures: dict = {"help": help_seconds(request.repeats), "first": []}
    for choice in chosen:
        figures["first"].append(choice.columns() | first_step(request, choice))
    return figures


def help_seconds(repeats: int) -> dict:
    """Seconds of `--help`, and of a Python that does nothing."""
    seconds: dict[str, list[float]] = {"help": [], "python": []}
    for _ in range(repeats):
        for name, arguments in (("help", ["-m", "itt_jax.main", "--help"]), ("python", ["-c", ""])):
            begin = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - begin)
    found = {name: statistics.median(values) for name, values in seconds.items()}
    return found | {"ratio": found["help"] / found["python"]}


def first_step(request: Request, choice: Choice) -> dict:
    """Seconds from the start of a process to its first two steps, cold (empty compilation cache) and warm."""
    runs: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for _ in range(request.repeats):
        with tempfile.TemporaryDirectory() as cache:
            for kind in runs:
                runs[kind].append(child(pathlib.Path(cache), request, choice))
    found = {
        kind: {part: statistics.median(run[part] for run in own) for part in (*PARTS, "to the first step")}
        for kind, own in runs.items()
    }
    return found | {
        "ratio": found["cold"]["to the first step"] / found["warm"]["to the first step"],
        "ratio_step": found["cold"]["first step"] / found["warm"]["first step"],
    }


def child(cache: pathlib.Path, request: Request, choice: Choice) -> dict[str, float]:
    """Seconds of each part in a new process that keeps its compiled programs in `cache`."""
    given = [repr(time.time()), str(request.data_root or ""), *dataclasses.astuple(choice)]
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-m", "itt_jax.bench.first_step", *given],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return json.loads(done.stdout)


def text(figures: dict) -> str:
    """The figures as tables."""
    seconds = figures["help"]
    parts = [
        heading(figures),
        f"--help: {seconds['help']:.3g} s; a Python that does nothing: {seconds['python']:.3g} s",
    ]
    for run in figures["first"]:
        rows = [[part, run["cold"][part], run["warm"][part]] for part in run["cold"]]
        title = f"{run['encoder']} {run['size']}, {run['data']}: seconds in a new process"
        parts.append(f"{title}\n{table(['', 'cold', 'warm'], rows)}")
        parts.append(
            f"cold / warm: {run['ratio']:.3g} times up to the first step, {run['ratio_step']:.3g} times the step alone"
        )
    return "\n\n".join(parts)
