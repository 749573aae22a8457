"""A perturbed evaluation grid, from rows to scores: ours against nlpaug, a tokenizer and PyTorch, and each gain."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from itt_jax.bench import Request, ours, peers, torch_peer
from itt_jax.bench.choices import EMBEDDED, choices
from itt_jax.bench.measure import Timing, aims_table, alternating, heading, progress, table, verdicts
from itt_jax.bench.workload import Workload, workload
from itt_jax.models.hardware import multiplies_bfloat16

REPEATS, ROWS = 2, 100
SEVERITIES = (0.05, 0.1, 0.2)
AIM, STREAM_AIM = 4.0, 0.95
MEASURED = "all of these, measured"
ROUNDED = "bfloat16_products"  # the precision that processors with AMX gain from
SAMPLE = 4  # every fourth batch of the peer is timed in bfloat16
LANGUAGE = "en"


def measure(request: Request) -> dict:
    """The figures of this bench."""
    chosen = choices(request, ("bert",), ("sst2",), ("base",))
    ceilings = ours.ceilings()
    runs = []
    for choice in chosen:
        progress(f"evaluate: {choice}")
        work = workload(request, choice, "dev" if choice.data == EMBEDDED else "test")
        runs.append(choice.columns() | compared(work, request.sentences or ROWS, request.repeats))
    figures: dict[str, Any] = {"device": ours.device(), "ceilings": ceilings, "operators": list(peers.GRID)}
    figures |= {"severities": SEVERITIES, "runs": runs}
    if absent():
        figures["peer"] = absent()
    values = [("packing efficiency of the stream", min(run["packing_efficiency"] for run in runs), STREAM_AIM)]
    if not absent():
        values.append(("times nlpaug + tokenizer + PyTorch", min(run["ratio"] for run in runs), AIM))
    return figures | {"aims": verdicts(values)}


def absent() -> str:
    """A note on the peers that are not installed; empty if both are."""
    missing = ((peers.installed, peers.ABSENT), (torch_peer.installed, torch_peer.ABSENT))
    return "; ".join(note for installed, note in missing if not installed())


class Parts:
    """Functions called one after another, each with the result of the one before; records the seconds of each."""

    def __init__(self, *parts: tuple[str, Callable[[Any], Any]]):
        self._parts = parts
        self.seconds: dict[str, list[float]] = {name: [] for name, _ in parts}

    def __call__(self) -> None:
        """Call every part in order."""
        value = None
        for name, part in self._parts:
            begin = time.perf_counter()
            value = part(value)
            self.seconds[name].append(time.perf_counter() - begin)

    def medians(self) -> dict[str, float]:
        """Median seconds of each part."""
        return {name: statistics.median(seconds) for name, seconds in self.seconds.items()}


def compared(work: Workload, rows: int, repeats: int) -> dict:
    """The figures of one encoder on one data set."""
    grid = ours.PerturbedGrid(work, rows, peers.GRID, SEVERITIES)
    mine = Parts(("perturb", grid.perturb), ("encode", grid.encode), ("predict", grid.predict))
    works: dict[str, Callable[[], Any]] = {"ours": mine}
    if not absent():
        peer, theirs = peer_parts(work, grid.fields)
        works["peer"] = theirs
    forwards = forward_seconds(grid, repeats)
    timings = alternating(works, repeats)
    found: dict[str, Any] = {
        "rows": len(grid.fields[0]),
        "inputs": grid.inputs,
        "distinct": grid.distinct,
        "packing_efficiency": grid.packing_efficiency,
    }
    found |= {"ours": side(timings["ours"], mine, grid.inputs), "forward": forwards}
    if absent():
        return found
    seconds = {"ours": mine.medians(), "peer": theirs.medians()}
    found["peer"] = side(timings["peer"], theirs, grid.inputs)
    best = found["peer"]["seconds"]
    if multiplies_bfloat16():
        found["peer_bfloat16"] = peer_bfloat16(peer, grid, work.data.max_length, seconds["peer"])
        best = min(best, found["peer_bfloat16"])
    found["ratio"] = timings["peer"].wall / timings["ours"].wall
    found["ratio_processor"] = timings["peer"].processor / timings["ours"].processor
    steps = chain(seconds, forwards, timings["ours"].wall)
    own = min(step["seconds"] for step in steps if step["step"] in (MEASURED, ROUNDED))
    return found | {"chain": steps, "ratio_best": best / own}


def side(timing: Timing, parts: Parts, inputs: int) -> dict:
    """Total seconds, seconds of each part, and rows per second."""
    return {
        "seconds": timing.wall,
        "processor_seconds": timing.processor,
        "rows_per_second": inputs / timing.wall,
        "parts": parts.medians(),
    }


def peer_parts(work: Workload, fields: list[list[str]]) -> tuple[torch_peer.Peer, Parts]:
    """PyTorch's model, and its parts: nlpaug's texts for every operator and severity, their token ids, and scores."""
    peer = torch_peer.Peer(work.encoder, work.task.classes, work.tokenizer_folder)
    augmenters = [peers.augmenter(name, severity, LANGUAGE) for name in peers.GRID for severity in SEVERITIES]

    def augment(_: None) -> list[list[str]]:
        texts = [list(field) for field in fields]
        for augmenter in augmenters:
            for made, field in zip(texts, fields, strict=True):
                made += augmenter(field)
        return texts

    peer.predict(peer.encoded([field[:1] for field in fields], work.data.max_length))
    encode = lambda texts: peer.encoded(texts, work.data.max_length)  # noqa: E731
    return peer, Parts(("perturb", augment), ("encode", encode), ("predict", peer.predict))


def peer_bfloat16(peer: torch_peer.Peer, grid: Any, max_length: int, seconds: dict[str, float]) -> float:
    """The peer's seconds with forward passes in bfloat16; their gain is measured on a sample of the batches."""
    dataset = peer.encoded(grid.forms(), max_length)
    batches = [dataset[first : first + 32] for first in range(0, len(dataset), 32)]
    sample = [row for batch in batches[::SAMPLE] for row in batch]
    works = {
        "float32": lambda: peer.predict(sample),
        "bfloat16": lambda: peer.predict(sample, bfloat16=True),
    }
    timings = alternating(works, 1)
    gain = timings["float32"].wall / timings["bfloat16"].wall
    return seconds["perturb"] + seconds["encode"] + seconds["predict"] / gain


def forward_seconds(grid: Any, repeats: int) -> dict[str, float]:
    """Seconds of our forward passes over the grid, with and without packing and de-duplication.

    Batches of one shape take the same time: one of each shape is timed and multiplied by their number.
    """
    packed = grid.packed_batches()
    ways = {
        "padded, all rows": grid.padded_batches(),
        "packed, all rows": {shape: (batch, grid.all_batches) for shape, (batch, _) in packed.items()},
        "packed, distinct": packed,
    }
    works: dict[tuple[tuple, str], Callable[[], Any]] = {
        (shape, "float32"): grid.runner(batch, "float32")
        for shape, (batch, _) in (ways["padded, all rows"] | packed).items()
    }
    rounded = packed if multiplies_bfloat16() else {}
    works |= {(shape, ROUNDED): grid.runner(batch, ROUNDED) for shape, (batch, _) in rounded.items()}
    for work in works.values():
        work()  # compiles
    timings = alternating(works, max(3, repeats))
    found: dict[str, float] = {
        name: sum(count * timings[shape, "float32"].wall for shape, (_, count) in batches.items())
        for name, batches in ways.items()
    }
    if rounded:
        found[ROUNDED] = sum(count * timings[shape, ROUNDED].wall for shape, (_, count) in rounded.items())
    return found


def chain(seconds: dict[str, dict[str, float]], forwards: dict[str, float], measured: float) -> list[dict]:
    """Total seconds and gain of each change on the way from the peer's method to ours."""
    ours, peer = seconds["ours"], seconds["peer"]
    input_seconds = ours["perturb"] + ours["encode"]
    totals = {
        "nlpaug + tokenizer + PyTorch": sum(peer.values()),
        "our perturbation and token ids": input_seconds + peer["predict"],
        "our forward pass, same padding": input_seconds + forwards["padded, all rows"],
        "packing": input_seconds + forwards["packed, all rows"],
        "de-duplication": input_seconds + forwards["packed, distinct"],
        MEASURED: measured,
    }
    if ROUNDED in forwards:
        totals[ROUNDED] = input_seconds + forwards[ROUNDED]
    previous, steps = None, []
    for name, total in totals.items():
        steps.append({"step": name, "seconds": total, "ratio": previous / total if previous else 1.0})
        previous = total
    return steps


def text(figures: dict) -> str:
    """The figures as tables."""
    grid = f"{' '.join(figures['operators'])} at {', '.join(map(str, figures['severities']))}"
    parts = [heading(figures), grid]
    for run in figures["runs"]:
        parts.append(
            f"{run['encoder']} {run['size']}, {run['data']}: {run['rows']} rows, {run['inputs']} inputs, "
            f"{run['distinct']} of them distinct; packing efficiency of our stream: {run['packing_efficiency']:.3g}"
        )
        sides = [name for name in ("ours", "peer") if name in run]
        cells = [
            [name, run[name]["rows_per_second"], run[name]["seconds"], *run[name]["parts"].values()] for name in sides
        ]
        parts.append(table(["side", "inputs/s", "seconds", "perturb", "encode", "predict"], cells))
        if "chain" in run:
            steps = [[*step.values()] for step in run["chain"]]
            parts.append(table(["change", "seconds", "gain"], steps))
            parts.append(
                f"ratio {run['ratio']:.3g}, CPU time ratio {run['ratio_processor']:.3g}, "
                f"ratio of each side's best {run['ratio_best']:.3g}"
            )
    if "peer" in figures:
        parts.append(figures["peer"])
    return "\n\n".join([*parts, aims_table(figures)])
