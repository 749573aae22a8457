"""Training steps of 32 examples: ours, packed, against PyTorch with three kinds of padding; and packing efficiency."""

import functools
from collections.abc import Callable
from typing import Any

from itt_jax.bench import Request, ours, torch_peer
from itt_jax.bench.choices import DATA, EMBEDDED, TOKENIZERS, Choice, choices
from itt_jax.bench.measure import Timing, aims_table, alternating, heading, progress, table, verdicts
from itt_jax.bench.workload import Workload, workload
from itt_jax.models.hardware import multiplies_bfloat16

Method = tuple[str, str]
"""A side's name, and the dtype that it computes in."""

REPEATS = 3
FIXED = "padded to {}"
# Aims on a CPU in float32; by data: ratio of our examples/s to the peer's.
DYNAMIC_AIMS = {"sst2": 2.0, "xnli": 1.4}
FIXED_AIM, GROUPED_AIM, PACKING_AIM, STREAM_AIM, CEILING_AIM = 5.0, 1.0, 0.85, 0.95, 0.65
LANGUAGE_BATCHES = (32, 256)
STREAMED_STEPS = 20
COUNTED_STEPS = 200  # for packing efficiency; the timed steps are typical among these


def measure(request: Request) -> dict:
    """The figures of this bench."""
    chosen = choices(request, tuple(TOKENIZERS), ("sst2", "xnli"), ("base",))
    device, ceilings, dtypes = ours.device(), ours.ceilings(), ours.training_precisions()
    runs, streams = [], []
    for choice in chosen:
        progress(f"train: {choice}")
        runs.append(choice.columns() | compared(workload(request, choice), request, dtypes, ceilings))
    first_sizes = {(choice.encoder, choice.data): choice for choice in reversed(chosen)}
    for choice in reversed(first_sizes.values()):
        streams += stream_efficiencies(request, choice)
    figures = {"device": device, "ceilings": ceilings, "runs": runs, "streams": streams}
    if not torch_peer.installed():
        figures["peer"] = torch_peer.ABSENT
    return figures | {"aims": aims(figures)}


def compared(work: Workload, request: Request, dtypes: list[str], ceilings: dict[str, float]) -> dict:
    """The figures of one encoder on one data set: a row per method, and the ratios between them."""
    steps: list[int] = []
    works: dict[Method, Callable[[], Any]] = {}
    counts: dict[Method, ours.Counts] = {}
    made: dict[Method, int] = {}
    for dtype in dtypes:
        trainer = ours.Trainer(ours.with_dtype(work, dtype))
        steps = steps or ours.typical_steps(work, trainer, request.steps or work.data.steps, COUNTED_STEPS)
        trainer.run(trainer.shapes(steps))  # compiles
        method = ("ours", dtype)
        works[method], counts[method] = functools.partial(trainer.run, steps), trainer.counts(steps)
    if torch_peer.installed():
        works |= peer_works(work, ours.batches_of(work, steps), counts, made)
    timings = alternating(works, request.repeats)
    rows = [row(method, timings[method], counts[method], made.get(method, len(steps)), ceilings) for method in timings]
    feeding = alternating({"feed": functools.partial(trainer.feed, steps)}, request.repeats)["feed"]
    fed = {"seconds": feeding.wall / len(steps), "share": feeding.wall / timings["ours", dtypes[-1]].wall}
    found = {"steps": len(steps), "methods": rows, "feeding": fed, "ratios": ratios(rows)}
    return found | {"packing_efficiency": trainer.counts(range(COUNTED_STEPS)).packing_efficiency}


def peer_works(
    work: Workload, batches: list[list[int]], counts: dict[Method, ours.Counts], made: dict[Method, int]
) -> dict[Method, Callable[[], Any]]:
    """PyTorch's methods; adds the tokens of each to `counts`, and the number of steps that it makes to `made`."""
    lengths, accumulate, most = work.task.examples.lengths, work.data.accumulate, work.data.max_length
    peer = torch_peer.Peer(work.encoder, work.task.classes, work.tokenizer_folder)
    dataset = torch_peer.rows_of(work.task.examples)
    grouped = torch_peer.length_grouped(lengths.tolist(), ours.BATCH, len(batches))
    peer.train(dataset, batches[:1], accumulate=accumulate)
    methods: dict[str, tuple[list[list[int]], int | None]] = {
        "dynamic padding": (batches, None),
        "length grouping": (grouped, None),
        FIXED.format(most): (batches[:1], most),  # one step is enough: all cost the same
    }
    works: dict[Method, Callable[[], Any]] = {}
    for dtype in ("float32", "bfloat16") if multiplies_bfloat16() else ("float32",):
        for name, (steps, fixed) in methods.items():
            if dtype == "bfloat16" and name != "dynamic padding":
                continue  # one method shows the gain of bfloat16
            works[name, dtype] = functools.partial(
                peer.train, dataset, steps, length=fixed, accumulate=accumulate, bfloat16=dtype == "bfloat16"
            )
            parts = torch_peer.parts_of(steps, accumulate)
            counts[name, dtype] = ours.padded_counts(work.encoder, lengths, parts, fixed)
            made[name, dtype] = len(steps)
    return works


def row(method: Method, timing: Timing, counts: Any, steps: int, ceilings: dict[str, float]) -> dict:
    """The figures of one method: rates, packing efficiency, and shares of the measured matmul rate of its dtype."""
    name, dtype = method
    ceiling = 3 / (timing.wall * ceilings[dtype])  # the backward pass costs two forward passes
    return {
        "method": name,
        "dtype": dtype,
        "seconds_per_step": timing.wall / steps,
        "examples_per_second": 32 * steps / timing.wall,
        "examples_per_processor_second": 32 * steps / timing.processor,
        "tokens_per_second": counts.tokens / timing.wall,
        "packing_efficiency": counts.packing_efficiency,
        "ceiling_share": counts.flops * ceiling,
        "ceiling_share_positions": counts.position_flops * ceiling,
    }


def ratios(rows: list[dict]) -> list[dict]:
    """Ours over each float32 method of the peer; the last row compares each side's best on the same examples."""
    own = {row["dtype"]: row for row in rows if row["method"] == "ours"}
    others = [row for row in rows if row["method"] != "ours"]
    if not others:
        return []
    found = [ratio(own["float32"], other, other["method"]) for other in others if other["dtype"] == "float32"]
    same = [row for row in others if row["method"] == "dynamic padding"]  # has our examples; length grouping has not
    best, best_other = (max(among, key=lambda row: row["tokens_per_second"]) for among in (own.values(), same))
    return [*found, ratio(best, best_other, "each side's best")]


def ratio(own: dict, other: dict, name: str) -> dict:
    """Ours over another method, by examples and by tokens (length grouping trains on different examples)."""
    keys = ("examples_per_second", "examples_per_processor_second", "tokens_per_second")
    by = dict(zip(("ratio", "ratio_processor", "ratio_tokens"), (own[key] / other[key] for key in keys), strict=True))
    return {"against": name, "ours": own["dtype"], "peer": f"{other['method']}, {other['dtype']}"} | by


def stream_efficiencies(request: Request, choice: Choice) -> list[dict]:
    """Packing efficiency of an evaluation (on held-out rows) and of language models (on the training texts)."""
    held_out = workload(request, choice, "test" if choice.data != EMBEDDED else "dev")
    found = {f"evaluation, {choice.data}": ours.evaluation_efficiency(held_out.task.examples)}
    work = workload(request, choice)
    for batch_size in LANGUAGE_BATCHES:
        name = f"language model, {choice.data}, steps of {batch_size}"
        found[name] = ours.language_efficiency(work, batch_size, STREAMED_STEPS)
    return [{"encoder": choice.encoder, "stream": name, "packing_efficiency": value} for name, value in found.items()]


def aims(figures: dict) -> list[dict]:
    """Each aim with the value reached, the lowest of several encoders."""
    values: dict[tuple[str, float], list[float]] = {}
    for run in figures["runs"]:
        data = run["data"]
        own = next(row for row in run["methods"] if row["method"] == "ours")
        fixed = FIXED.format(DATA[data].max_length)
        against = {"dynamic padding": DYNAMIC_AIMS.get(data), "length grouping": GROUPED_AIM}
        against |= {fixed: FIXED_AIM} if data in DYNAMIC_AIMS else {}
        for one in run["ratios"]:
            aim = against.get(one["against"])
            key = "ratio_tokens" if one["against"] == "length grouping" else "ratio"
            if aim is not None:
                values.setdefault((f"{data}: times {one['against']}", aim), []).append(one[key])
        values.setdefault((f"{data}: packing efficiency", PACKING_AIM), []).append(run["packing_efficiency"])
        values.setdefault((f"{data}: share of the matmul rate", CEILING_AIM), []).append(own["ceiling_share"])
    for stream in figures["streams"]:
        values.setdefault((f"{stream['stream']}: packing efficiency", STREAM_AIM), []).append(
            stream["packing_efficiency"]
        )
    return verdicts([(aim, min(found), target) for (aim, target), found in values.items()])


def text(figures: dict) -> str:
    """The figures as tables."""
    parts = [heading(figures)]
    for run in figures["runs"]:
        title = f"{run['encoder']} {run['size']}, {run['data']}: {run['steps']} steps of 32 examples"
        columns = {
            "method": "method",
            "dtype": "dtype",
            "s/step": "seconds_per_step",
            "examples/s": "examples_per_second",
            "tokens/s": "tokens_per_second",
            "packing efficiency": "packing_efficiency",
            "share of the matmul rate": "ceiling_share",
            "with padding": "ceiling_share_positions",
        }
        cells = [[one[key] for key in columns.values()] for one in run["methods"]]
        parts.append(f"{title}\n{table(list(columns), cells)}")
        headers = ["ours over", "ours", "peer", "ratio", "CPU time ratio", "token ratio"]
        if run["ratios"]:
            parts.append(table(headers, [[*one.values()] for one in run["ratios"]]))
        fed = run["feeding"]
        parts.append(
            f"making the input: {fed['seconds'] * 1e3:.3g} ms per step, {fed['share']:.2%} of its time; "
            f"packing efficiency over {COUNTED_STEPS} steps: {run['packing_efficiency']:.3g}"
        )
    if "peer" in figures:
        parts.append(figures["peer"])
    streams = [[*stream.values()] for stream in figures["streams"]]
    parts.append(table(["encoder", "stream", "packing efficiency"], streams))
    return "\n\n".join([*parts, aims_table(figures)])
