"""Scaling of training: processes on this machine, and a cost model of accelerators from compiled programs."""

import dataclasses
import json
import os
import socket
import statistics
import subprocess
import sys

from itt_jax.bench import Request
from itt_jax.bench.choices import choices
from itt_jax.bench.measure import heading, progress, table

REPEATS = 3
PROCESSES = (1, 2, 4)
SLICE = 8
# (runs, examples per step of each run): one run with its rows spread over the slice, and one run per device.
LAYOUTS = ((1, 32), (1, 256), (SLICE, 32))
# Published figures per chip: dense bfloat16 FLOP/s; bytes/s sent over its links (half the figure for both directions);
# bytes/s of its memory.
CHIPS = {
    "TPU v5e": (197e12, 200e9, 819e9),  # docs.cloud.google.com/tpu/docs/v5e
    "TPU v6e": (918e12, 400e9, 1600e9),  # docs.cloud.google.com/tpu/docs/v6e
    "H100 SXM": (989e12, 450e9, 3350e9),  # nvidia.com/en-us/data-center/h100
}
REACHED = 0.5  # assumed share of a chip's FLOP/s: the aim of `bench utilisation`


def measure(request: Request) -> dict:
    """The figures of this bench."""
    costs, runs = [], []
    for choice in choices(request, ("bert",), ("xnli",), ("base",)):
        arguments = [str(request.data_root or ""), *dataclasses.astuple(choice)]
        for layout in LAYOUTS:
            progress(f"scale: {choice}, runs and examples {layout} over {SLICE} devices")
            costs.append(choice.columns() | cost(layout, arguments))
        progress(f"scale: {choice}, processes")
        runs += [choice.columns() | row for row in processes(request, arguments)]
    return {"costs": costs, "processes": runs}


def cost(layout: tuple[int, int], arguments: list[str]) -> dict:
    """Costs of one layout's compiled program, and the predicted times on each chip."""
    found = child("step_cost", [str(SLICE), *map(str, layout), *arguments])
    return found | {"chips": {chip: predicted(found, *rates) for chip, rates in CHIPS.items()}}


def predicted(found: dict, flops: float, link: float, memory: float) -> dict:
    """Seconds that a chip computes, applies AdamW and communicates, without overlap, and the share spent computing.

    AdamW reads parameters, gradients and two moments and writes all but the gradients: 28 bytes per parameter. To sum b
    bytes over n devices in a ring, each device sends 2 (n - 1) / n b bytes.
    """
    moved = {"all-reduce": 2.0, "all-gather": 1.0, "reduce-scatter": 1.0, "all-to-all": 1.0, "collective-permute": 1.0}
    share = (SLICE - 1) / SLICE
    sent = sum(moved[kind] * share * result["bytes"] for kind, result in found["collectives"].items())
    computing, adamw = found["device_flops"] / (REACHED * flops), 28 * found["parameters"] / memory
    seconds = {"computing": computing, "adamw": adamw, "communicating": sent / link}
    return seconds | {"ratio": computing / sum(seconds.values())}


def processes(request: Request, arguments: list[str]) -> list[dict]:
    """Seconds per step of 32 examples in 1, 2 and 4 processes that share this machine's processors."""
    steps = str(request.steps or 2)
    seconds: dict[int, list[float]] = {count: [] for count in PROCESSES}
    losses = {}
    for _ in range(request.repeats):
        for count in PROCESSES:
            found = together(count, [steps, *arguments])
            seconds[count].append(found["seconds"])
            losses[count] = found["loss"]
    medians = {count: statistics.median(repeats) for count, repeats in seconds.items()}
    return [
        {"processes": count, "seconds": median, "loss": losses[count], "ratio": medians[PROCESSES[0]] / median}
        for count, median in medians.items()
    ]


def together(count: int, arguments: list[str]) -> dict:
    """The result of the first of `count` processes that train together."""
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
    return json.loads(printed[0][0].splitlines()[-1])  # after lines of the collectives library


def child(module: str, arguments: list[str]) -> dict:
    """The result of a module of this folder, run in its own process on CPU devices."""
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
    for cost in figures["costs"]:
        headers = [f"{SLICE} chips", "computing, s", "AdamW, s", "communicating, s", "share computing"]
        cells = [[chip, *seconds.values()] for chip, seconds in cost["chips"].items()]
        parts.append(f"{described(cost)}\n{table(headers, cells)}")
    return "\n\n".join(parts)


def described(cost: dict) -> str:
    """A layout and the compiler's costs of its step, in a few lines."""
    moved = [f"{kind}: {result['count']}, {result['bytes']:,} bytes" for kind, result in cost["collectives"].items()]
    lines = (
        f"{cost['encoder']} {cost['size']}, {cost['data']}: {cost['runs']} runs over {cost['devices']} devices, "
        f"steps of {cost['batch_size']} examples, {cost['parameters']:,} parameters",
        f"per device: {cost['device_flops']:.3g} FLOPs, {cost['device_bytes']:.3g} bytes of memory traffic, "
        f"{cost['held_bytes']:.3g} bytes held, {cost['temporary_bytes']:.3g} bytes temporary",
        ", ".join(moved) or "no collectives",
    )
    return "\n".join(lines)
