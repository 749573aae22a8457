"""How long it takes to begin: `--help`, and a first step with an empty and with a filled folder of programs."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from itt_jax.bench import Request
from itt_jax.bench.measure import heading, table
from itt_jax.bench.workload import names

REPEATS = 3
PARTS = ("imports", "data", "parameters", "first step", "second step")


def measure(request: Request) -> dict:
    """All figures of this bench."""
    chosen = names(request, ("bert",), ("sst2",), ("base",))
    figures: dict = {"help": helped(request.repeats), "first": []}
    for family in chosen["encoders"]:
        for size in chosen["sizes"]:
            for name in chosen["data"]:
                own = {"encoder": family, "size": size, "data": name}
                figures["first"].append(own | first_step(request, family, name, size))
    return figures


def helped(repeats: int) -> dict:
    """Seconds of `--help`, beside those of a Python that does nothing."""
    seconds: dict[str, list[float]] = {"help": [], "python": []}
    for _ in range(repeats):
        for name, arguments in (("help", ["-m", "itt_jax.main", "--help"]), ("python", ["-c", ""])):
            begin = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - begin)
    found = {name: statistics.median(values) for name, values in seconds.items()}
    return found | {"ratio": found["help"] / found["python"]}


def first_step(request: Request, family: str, name: str, size: str) -> dict:
    """Seconds from the start of a process to its first step and the next, cold and warm."""
    runs: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for _ in range(request.repeats):
        with tempfile.TemporaryDirectory() as programs:
            for kind in runs:
                runs[kind].append(child(pathlib.Path(programs), request, family, name, size))
    found = {
        kind: {part: statistics.median(run[part] for run in own) for part in (*PARTS, "to the first step")}
        for kind, own in runs.items()
    }
    return found | {
        "ratio": found["cold"]["to the first step"] / found["warm"]["to the first step"],
        "ratio_step": found["cold"]["first step"] / found["warm"]["first step"],
    }


def child(programs: pathlib.Path, request: Request, family: str, name: str, size: str) -> dict[str, float]:
    """What a new process took, with its compiled programs in `programs`."""
    root = str(request.data_root or "")
    arguments = [sys.executable, "-m", "itt_jax.bench.first_step", repr(time.time()), root, family, name, size]
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(programs)}
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout)


def text(figures: dict) -> str:
    """The figures as tables."""
    own = figures["help"]
    parts = [
        heading(figures),
        f"--help: {own['help']:.3g} s; a Python that does nothing: {own['python']:.3g} s",
    ]
    for run in figures["first"]:
        rows = [[part, run["cold"][part], run["warm"][part]] for part in run["cold"]]
        title = f"{run['encoder']} {run['size']}, {run['data']}: seconds in a new process"
        parts.append(f"{title}\n{table(['', 'cold', 'warm'], rows)}")
        parts.append(f"ratio cold / warm: {run['ratio']:.3g} to the first step, {run['ratio_step']:.3g} the step alone")
    return "\n\n".join(parts)
