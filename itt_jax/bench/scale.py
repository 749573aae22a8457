"""How training scales: processes on this machine, and a model from what compiled programs say of themselves."""

import json
import os
import socket
import statistics
import subprocess
import sys

from itt_jax.bench import Request
from itt_jax.bench.measure import heading, say, table
from itt_jax.bench.workload import names

REPEATS = 3
PROCESSES = (1, 2, 4)
SLICE = 8
# (runs, examples of a step of each): one run with its rows over the slice, and one run a device.
LAYOUTS = ((1, 32), (1, 256), (SLICE, 32))
# Per chip, as their makers publish them: dense bfloat16 FLOP/s; bytes/s that its links send (half the figure for both
# directions); bytes/s of its memory.
CHIPS = {
    "TPU v5e": (197e12, 200e9, 819e9),  # docs.cloud.google.com/tpu/docs/v5e
    "TPU v6e": (918e12, 400e9, 1600e9),  # docs.cloud.google.com/tpu/docs/v6e
    "H100 SXM": (989e12, 450e9, 3350e9),  # nvidia.com/en-us/data-center/h100
}
REACHED = 0.5  # of a chip's rate, as the aim of `bench utilisation` is


def measure(request: Request) -> dict:
    """All figures of this bench."""
    chosen, costs, runs = names(request, ("bert",), ("xnli",), ("base",)), [], []
    for family in chosen["encoders"]:
        for size in chosen["sizes"]:
            for name in chosen["data"]:
                where = {"encoder": family, "size": size, "data": name}
                arguments = [str(request.data_root or ""), family, name, size]
                for layout in LAYOUTS:
                    say(f"scale: {family} {size} on {name}, runs and examples {layout} over {SLICE} devices")
                    costs.append(where | cost(layout, arguments))
                say(f"scale: {family} {size} on {name}, processes")
                runs += [where | row for row in processes(request, arguments)]
    return {"costs": costs, "processes": runs}


def cost(layout: tuple[int, int], arguments: list[str]) -> dict:
    """What the program of one layout costs, and what the model makes of it for each chip."""
    found = child("step_cost", [str(SLICE), *map(str, layout), *arguments])
    return found | {"chips": {chip: predicted(found, *rates) for chip, rates in CHIPS.items()}}


def predicted(found: dict, flops: float, link: float, memory: float) -> dict:
    """Seconds that a chip computes, applies AdamW and communicates, with nothing overlapped; and what share computes.

    AdamW reads parameters, gradients and two moments and writes all but the gradients: 28 bytes a parameter. A ring
    sums b bytes over n devices by sending 2 (n - 1) / n b from each.
    """
    moved = {"all-reduce": 2.0, "all-gather": 1.0, "reduce-scatter": 1.0, "all-to-all": 1.0, "collective-permute": 1.0}
    share = (SLICE - 1) / SLICE
    sent = sum(moved[kind] * share * own["bytes"] for kind, own in found["collectives"].items())
    computing, updating = found["device_flops"] / (REACHED * flops), 28 * found["parameters"] / memory
    seconds = {"computing": computing, "updating": updating, "communicating": sent / link}
    return seconds | {"ratio": computing / sum(seconds.values())}


def processes(request: Request, arguments: list[str]) -> list[dict]:
    """Seconds of a step of 32 examples in 1, 2 and 4 processes, which share this machine's processors."""
    steps = str(request.steps or 2)
    seconds: dict[int, list[float]] = {count: [] for count in PROCESSES}
    losses = {}
    for _ in range(request.repeats):
        for count in PROCESSES:
            found = together(count, [steps, *arguments])
            seconds[count].append(found["seconds"])
            losses[count] = found["loss"]
    medians = {count: statistics.median(own) for count, own in seconds.items()}
    return [
        {"processes": count, "seconds": own, "loss": losses[count], "ratio": medians[PROCESSES[0]] / own}
        for count, own in medians.items()
    ]


def together(count: int, arguments: list[str]) -> dict:
    """What the first of `count` processes says; the others work with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "itt_jax.bench.scale_process", address, str(count), str(index), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
        )
        for index in range(count)
    ]
    try:
        printed = [process.communicate() for process in started]
    finally:
        for process in started:
            process.kill()
    for process, (_, error) in zip(started, printed, strict=True):
        if process.returncode:
            raise RuntimeError(f"a process ended with {process.returncode}: {error[-2000:]}")
    return json.loads(printed[0][0].splitlines()[-1])  # before it the library of collectives says who is connected


def child(module: str, arguments: list[str]) -> dict:
    """What a module of this folder prints in a process of its own, on CPU devices."""
    command = [sys.executable, "-m", f"itt_jax.bench.{module}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"JAX_PLATFORMS": "cpu"})
    if done.returncode:
        raise RuntimeError(f"{module} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def text(figures: dict) -> str:
    """The figures as tables."""
    parts = [heading(figures)]
    headers = ["encoder", "size", "data", "processes", "s/step", "loss", "ratio"]
    parts.append(table(headers, [[*row.values()] for row in figures["processes"]]))
    for own in figures["costs"]:
        cells = [[chip, *one.values()] for chip, one in own["chips"].items()]
        own_table = table([f"{SLICE} chips", "computing, s", "AdamW, s", "communicating, s", "share computing"], cells)
        parts.append(f"{described(own)}\n{own_table}")
    return "\n\n".join(parts)


def described(own: dict) -> str:
    """What a compiled step of one layout says of itself, in a few lines."""
    moved = [f"{kind}: {one['count']} of {one['bytes']:,} bytes" for kind, one in own["collectives"].items()]
    lines = (
        f"{own['encoder']} {own['size']}, {own['data']}: {own['runs']} runs over {own['devices']} devices, steps of "
        f"{own['batch_size']} examples, {own['parameters']:,} parameters",
        f"a device: {own['device_flops']:.3g} FLOPs, {own['device_bytes']:.3g} bytes of memory read and written, "
        f"{own['held_bytes']:.3g} bytes held, {own['temporary_bytes']:.3g} temporary",
        ", ".join(moved) or "no collective",
    )
    return "\n".join(lines)
