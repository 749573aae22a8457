"""Updates of 32 examples: ours, packed, beside PyTorch with three kinds of padding; and how full our streams are."""

import functools
from collections.abc import Callable
from typing import Any

from itt_jax.bench import Request, torch_peer
from itt_jax.bench.measure import Timing, alternating, heading, say, table, verdicts
from itt_jax.bench.workload import DATA, EMBEDDED, Workload, names, workload

REPEATS = 3
FIXED = "padded to {}"
# What is aimed at on a CPU in float32, by data: times the peer's examples/s.
DYNAMIC_AIMS = {"sst2": 2.0, "xnli": 1.4}
FIXED_AIM, GROUPED_AIM, REAL_AIM, STREAM_AIM, CEILING_AIM = 5.0, 1.0, 0.85, 0.95, 0.65
LANGUAGE_BATCHES = (32, 256)
STREAMED_UPDATES = 20
COUNTED_UPDATES = 200  # for the share of real tokens, and those that are timed are as usual among them


def measure(request: Request) -> dict:
    """All figures of this bench."""
    from itt_jax.bench import ours

    chosen = names(request, ("bert", "roberta", "xlnet"), ("sst2", "xnli"), ("base",))
    device, ceilings, dtypes = ours.device(), ours.ceilings(), ours.training_dtypes()
    runs, streams = [], []
    for family in chosen["encoders"]:
        for size in chosen["sizes"]:
            for name in chosen["data"]:
                say(f"train: {family} {size} on {name}")
                work = workload(request, family, name, size)
                runs.append({"encoder": family, "size": size, "data": name} | one(work, request, dtypes, ceilings))
        for name in chosen["data"]:
            streams += stream_shares(workload(request, family, name, chosen["sizes"][0]), request)
    figures = {"device": device, "ceilings": ceilings, "runs": runs, "streams": streams}
    if not torch_peer.installed():
        figures["peer"] = torch_peer.ABSENT
    return figures | {"aims": aims(figures)}


def one(work: Workload, request: Request, dtypes: list[str], ceilings: dict[str, float]) -> dict:
    """An encoder on one data set: rows of methods, and the ratios between them."""
    from itt_jax.bench import ours

    steps: list[int] = []
    works, counts, made = {}, {}, {}
    for dtype in dtypes:
        trainer = ours.Trainer(ours.with_dtype(work, dtype))
        steps = steps or ours.usual_steps(work, trainer, request.steps or work.data.steps, COUNTED_UPDATES)
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
    return found | {"real_token_share": trainer.counts(range(COUNTED_UPDATES)).real_share}


def peer_works(work: Workload, batches: list[list[int]], counts: dict, made: dict) -> dict[tuple, Callable[[], Any]]:
    """What PyTorch does; adds the tokens of each method to `counts`, and to `made` its steps where they are fewer."""
    from itt_jax.bench import ours

    lengths, accumulate, most = work.task.examples.lengths, work.data.accumulate, work.data.max_length
    peer = torch_peer.Peer(work.encoder, work.task.labels, work.tokenizer_folder)
    dataset = torch_peer.rows_of(work.task.examples)
    grouped = torch_peer.length_grouped(lengths, ours.BATCH, len(batches))
    peer.train(dataset, batches[:1], accumulate=accumulate)
    methods = {"dynamic padding": (batches, None), "length grouping": (grouped, None)}
    methods[FIXED.format(most)] = (batches[:1], most)  # every such step costs the same
    works = {}
    for dtype in ("float32", "bfloat16"):
        for name, (own, fixed) in methods.items():
            if dtype == "bfloat16" and name != "dynamic padding":
                continue  # which is enough to know what it gains
            options = {"length": fixed, "accumulate": accumulate, "bfloat16": dtype == "bfloat16"}
            works[name, dtype] = functools.partial(peer.train, dataset, own, **options)
            parts = torch_peer.parts_of(own, accumulate)
            counts[name, dtype] = ours.padded_counts(work.encoder, lengths, parts, fixed)
            made[name, dtype] = len(own)
    return works


def row(method: tuple[str, str], timing: Timing, counts: Any, steps: int, ceilings: dict[str, float]) -> dict:
    """The figures of one method: rates, share of real tokens, shares of the measured matmul ceiling of its dtype."""
    name, dtype = method
    ceiling = 3 / (timing.wall * ceilings[dtype])  # the backward pass costs two forward passes
    return {
        "method": name,
        "dtype": dtype,
        "seconds_per_step": timing.wall / steps,
        "examples_per_second": 32 * steps / timing.wall,
        "examples_per_processor_second": 32 * steps / timing.processor,
        "tokens_per_second": counts.tokens / timing.wall,
        "real_token_share": counts.real_share,
        "ceiling_share": counts.flops * ceiling,
        "ceiling_share_positions": counts.position_flops * ceiling,
    }


def ratios(rows: list[dict]) -> list[dict]:
    """Ours over each method of the peer at float32, and a last row with each side's best on the same examples."""
    ours = {row["dtype"]: row for row in rows if row["method"] == "ours"}
    others = [row for row in rows if row["method"] != "ours"]
    if not others:
        return []
    found = [ratio(ours["float32"], other, other["method"]) for other in others if other["dtype"] == "float32"]
    best, rate = [row for row in others if row["method"] == "dynamic padding"], "tokens_per_second"
    own, other = (max(among, key=lambda row: row[rate]) for among in (ours.values(), best))
    return [*found, ratio(own, other, "each side's best")]


def ratio(own: dict, other: dict, name: str) -> dict:
    """Ours over another method, by examples and by real tokens (length grouping has other examples than ours)."""
    keys = ("examples_per_second", "examples_per_processor_second", "tokens_per_second")
    by = dict(zip(("ratio", "ratio_processor", "ratio_tokens"), (own[key] / other[key] for key in keys), strict=True))
    return {"against": name, "ours": own["dtype"], "peer": f"{other['method']}, {other['dtype']}"} | by


def stream_shares(work: Workload, request: Request) -> list[dict]:
    """Share of real tokens in streams of evaluation (held-out rows) and of language models (the training texts)."""
    from itt_jax.bench import ours

    held_out = workload(request, work.encoder.family, work.name, "toy", "test" if work.name != EMBEDDED else "dev")
    shares = {f"evaluation, {work.name}": ours.evaluation_share(held_out.task.examples)}
    for size in LANGUAGE_BATCHES:
        name = f"language model, {work.name}, steps of {size}"
        shares[name] = ours.language_share(work, size, STREAMED_UPDATES)
    return [{"encoder": work.encoder.family, "stream": name, "real_token_share": v} for name, v in shares.items()]


def aims(figures: dict) -> list[dict]:
    """Each aim with the value reached; of several encoders the one furthest from it."""
    values: dict[tuple[str, float], list[float]] = {}
    for run in figures["runs"]:
        where = run["data"]
        own = next(row for row in run["methods"] if row["method"] == "ours")
        fixed = FIXED.format(DATA[where].max_length)
        against = {"dynamic padding": DYNAMIC_AIMS.get(where), "length grouping": GROUPED_AIM}
        against |= {fixed: FIXED_AIM} if where in DYNAMIC_AIMS else {}
        for one in run["ratios"]:
            aim = against.get(one["against"])
            key = "ratio_tokens" if one["against"] == "length grouping" else "ratio"
            if aim is not None:
                values.setdefault((f"{where}: times {one['against']}", aim), []).append(one[key])
        values.setdefault((f"{where}: real tokens in a step", REAL_AIM), []).append(run["real_token_share"])
        values.setdefault((f"{where}: share of the matmul ceiling", CEILING_AIM), []).append(own["ceiling_share"])
    for stream in figures["streams"]:
        values.setdefault((f"{stream['stream']}: real tokens", STREAM_AIM), []).append(stream["real_token_share"])
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
            "real tokens/s": "tokens_per_second",
            "real": "real_token_share",
            "of the ceiling": "ceiling_share",
            "with padding": "ceiling_share_positions",
        }
        cells = [[one[key] for key in columns.values()] for one in run["methods"]]
        parts.append(f"{title}\n{table(list(columns), cells)}")
        headers = ["ours over", "ours", "peer", "ratio", "processor", "tokens"]
        if run["ratios"]:
            parts.append(table(headers, [[*one.values()] for one in run["ratios"]]))
        fed = run["feeding"]
        parts.append(
            f"making the input: {fed['seconds'] * 1e3:.3g} ms a step, {fed['share']:.2%} of its time; "
            f"real tokens over {COUNTED_UPDATES} steps: {run['real_token_share']:.3g}"
        )
    if "peer" in figures:
        parts.append(figures["peer"])
    parts.append(table(["encoder", "stream", "real tokens"], [[*one.values()] for one in figures["streams"]]))
    parts.append(table(["aim", "value", "target", "met"], [[*row.values()] for row in figures["aims"]]))
    return "\n\n".join(parts)
