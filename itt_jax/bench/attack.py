"""Attack queries per second: rows in lock-step, compared with TextAttack and the same search row by row in PyTorch."""

import dataclasses
import math
import pathlib
import shutil
import tempfile
from collections.abc import Sequence

import jax
import numpy as np

from itt_jax.attack import Subject, attack_rows, get, subjects
from itt_jax.attack.asking import Victim
from itt_jax.attack.outcomes import wilson
from itt_jax.attack.victim import EncoderVictim
from itt_jax.bench import Request, attack_peers, ours, torch_peer
from itt_jax.bench.choices import EMBEDDED, choices
from itt_jax.bench.measure import Timing, aims_table, alternating, heading, progress, table, verdicts
from itt_jax.bench.workload import Workload, workload
from itt_jax.models import Head, export, make_head
from itt_jax.tasks.catalog import get as get_task

REPEATS, ROWS, BUDGET = 1, 64, 200
RECIPE = "deepwordbug"
AIMS = {"tiny": 25.0, "base": 4.0}
"""Aims as multiples of TextAttack's queries per second, by size; of PyTorch's if TextAttack is absent."""


def measure(request: Request) -> dict:
    """The figures of this bench."""
    chosen = choices(request, ("bert",), ("sst2",), ("tiny", "base"))
    without_torch = "" if torch_peer.installed() else torch_peer.ABSENT
    absent = without_torch or attack_peers.textattack_absent()
    runs = []
    for choice in chosen:
        progress(f"attack: {choice}")
        work = workload(request, choice, "dev" if choice.data == EMBEDDED else "test")
        found = compared(work, request.sentences or ROWS, request.repeats, bool(absent), bool(without_torch))
        runs.append(choice.columns() | found)
    figures = {"device": ours.device(), "recipe": RECIPE, "budget": BUDGET, "runs": runs}
    if absent:
        figures["peer"] = absent
    values = [
        (f"{run['size']}: times the queries/s of {peer}", run["sides"][peer]["ratio"], AIMS[run["size"]])
        for run in runs
        for peer in list(run["sides"])[-1:]
        if peer != "ours" and run["size"] in AIMS
    ]
    return figures | {"aims": verdicts(values)}


def compared(work: Workload, rows: int, repeats: int, without_textattack: bool, without_torch: bool) -> dict:
    """The figures of one victim on one data set.

    The victim has random weights. Its bias puts the boundary beside the rows, all of which have one label; some of them
    are near and others far.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        cases, victim = material(work, rows, folder)
        attack = dataclasses.replace(get(RECIPE), budget=BUDGET)
        goal = attack.goal_for(get_task(work.data.task))
        counts: dict[str, tuple[int, int]] = {}

        def run(side: str, model: Victim, live: int) -> None:
            found = attack_rows(attack, goal, cases, model, live=live)
            counts[side] = sum(own.queries for own in found), sum(own.result == "succeeded" for own in found)

        works = {"ours": lambda: run("ours", victim, len(cases))}
        if not without_torch:
            torch_victim = attack_peers.TorchVictim(folder, work.data.max_length)
            works["PyTorch, one row at a time"] = lambda: run("PyTorch, one row at a time", torch_victim, 1)
        if not (without_torch or without_textattack or len(cases[0].fields) > 1):
            peer = attack_peers.TextAttackPeer(torch_victim, BUDGET)
            texts, labels = [own.text for own in cases], [int(own.label) for own in cases]

            def by_textattack() -> None:
                counts["TextAttack"] = peer.attacked(texts, labels)

            works["TextAttack"] = by_textattack
        works["ours"]()  # compiles
        timings = alternating(works, repeats)
    sides = {name: side(timing, *counts[name], len(cases)) for name, timing in timings.items()}
    for own in sides.values():
        own["ratio"] = sides["ours"]["per_second"] / own["per_second"]
        own["ratio_processor"] = sides["ours"]["per_processor_second"] / own["per_processor_second"]
        own["equal_success"] = same_rate(sides["ours"]["succeeded"], own["succeeded"], len(cases))
    return {"rows": len(cases), "sides": sides}


def material(work: Workload, rows: int, folder: pathlib.Path) -> tuple[list[Subject], EncoderVictim]:
    """Rows labelled by the victim, and the victim, which is also written to `folder` for transformers."""
    task = get_task(work.data.task)
    head = make_head(work.encoder, "classification", len(task.labels), pooling="pretrained")
    keys = jax.random.split(jax.random.key(0), 2)
    params = {"encoder": work.encoder.init(keys[0]), "head": head.init(keys[1])}
    chosen = work.rows.select(np.arange(len(work.rows)) < rows)
    texts = list(zip(*chosen.fields.values(), strict=True))
    logits = np.stack(_victim(work, head, params).outputs(texts, chosen.language))
    centred = logits - logits.mean(1, keepdims=True)
    # The last class is predicted for every row, for the nearest by a margin that rounding cannot bridge.
    margin = 0.05 * np.ptp(centred, axis=0)
    shift = -np.append((centred + margin)[:, :-1].max(0), (centred - margin)[:, -1].min())
    output = params["head"]["output"]
    params["head"] = params["head"] | {"output": output | {"bias": output["bias"] + shift.astype(np.float32)}}
    labels = (logits + shift).argmax(1).astype(np.int32)
    for path in work.tokenizer_folder.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    export(folder, work.encoder, params, head)
    return subjects(task, dataclasses.replace(chosen, labels=labels)), _victim(work, head, params)


def _victim(work: Workload, head: Head, params: dict) -> EncoderVictim:
    return EncoderVictim(get_task(work.data.task), work.tokenizer, work.encoder, head, params, work.data.max_length)


def side(timing: Timing, queries: int, succeeded: int, rows: int) -> dict:
    """The figures of one side."""
    low, high = wilson(succeeded, rows)
    return {
        "seconds": timing.wall,
        "processor_seconds": timing.processor,
        "queries": queries,
        "succeeded": succeeded,
        "success_rate": succeeded / rows,
        "success_rate_low": low,
        "success_rate_high": high,
        **timing.rates(queries),
    }


def same_rate(first: int, second: int, rows: int) -> bool:
    """Whether two numbers of successes among as many rows differ by less than sampling error (95 %)."""
    share = (first + second) / (2 * rows)
    return abs(first - second) / rows <= 1.96 * math.sqrt(2 * share * (1 - share) / rows)


def text(figures: dict) -> str:
    """The figures as tables."""
    parts = [heading(figures), f"recipe {figures['recipe']}, at most {figures['budget']} queries a row"]
    headers: Sequence[str] = ("side", "queries/s", "per CPU second", "queries", "success", "ours / this", "by CPU time")
    for run in figures["runs"]:
        cells = [
            [
                name,
                own["per_second"],
                own["per_processor_second"],
                own["queries"],
                f"{own['success_rate']:.0%} ({own['success_rate_low']:.0%}-{own['success_rate_high']:.0%})",
                own["ratio"],
                own["ratio_processor"],
            ]
            for name, own in run["sides"].items()
        ]
        parts += [f"{run['encoder']} {run['size']}, {run['data']}: {run['rows']} rows", table(headers, cells)]
    if "peer" in figures:
        parts.append(figures["peer"])
    return "\n\n".join([*parts, aims_table(figures)])
