"""A plan in numbers: its stages and cells, how many are done, and the cost of the rest."""

import dataclasses
import pathlib
from typing import Any

from itt_jax.config import Study
from itt_jax.data.contamination import Contamination
from itt_jax.store import Store
from itt_jax.store.place import check_place
from itt_jax.study.caching import stage_cache
from itt_jax.study.cost import Disk, Matched, matched_controls
from itt_jax.study.inputs import RowCount, row_lines
from itt_jax.study.joining import joined
from itt_jax.study.progress import counted, duration, flop

GFLOPS = 30
"""Speed of encoders of width 64 to 128 on two CPU cores."""


@dataclasses.dataclass(frozen=True)
class Description:
    """A plan in numbers.

    Attributes:
        stages: (encoder, kind) -> (stages, done, FLOPs to do), without given checkpoints.
        cells, cells_done: points of the evaluation grid.
        cached: number of missing stages that are in the cache, and the FLOPs that this saves.
        evaluation_flops: FLOPs of the missing cells.
        matched: the compute controls, with their steps.
        queries: rough number of queries of the attacks among them. at_most: whether some of these attacks count as if
            no row ended early, because no model in the folder has undergone them.
        disk: bytes that the missing stages and cells will take.
        rows: the rows of each target. given: what each given checkpoint was trained on.
        changed: how the study and its inputs differ from those from which the folder was written.
        others: numbers of stages and cells in the folder that are not in the study; they stay, unreported.
        contamination: by source, the training and dev rows whose text is evaluated.
        left_out: by source, published label -> rows that the source's map of labels leaves out.
    """

    name: str
    stages: dict[tuple[str, str], tuple[int, int, float]]
    cells: int
    cells_done: int
    cached: tuple[int, float]
    evaluation_flops: float
    matched: list[Matched]
    queries: float
    at_most: bool
    disk: Disk
    rows: list[RowCount]
    given: list[str]
    changed: list[str]
    others: tuple[int, int]
    contamination: tuple[Contamination, ...]
    left_out: dict[str, dict[str, int]]
    skipped: list[str]

    def as_dict(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return {
            "name": self.name,
            "stages": [
                {"encoder": encoder, "kind": kind, "stages": n, "done": done, "flops_missing": flops}
                for (encoder, kind), (n, done, flops) in self.stages.items()
            ],
            "cells": self.cells,
            "cells_done": self.cells_done,
            "stages_cached": self.cached[0],
            "flops_cached": self.cached[1],
            "evaluation_flops_missing": self.evaluation_flops,
            "matched_compute": [dataclasses.asdict(own) for own in self.matched],
            "attack_queries_missing": self.queries,
            "disk_bytes": dataclasses.asdict(self.disk),
            "rows": [dataclasses.asdict(count) for count in self.rows],
            "given": self.given,
            "changed": self.changed,
            "stages_of_other_versions": self.others[0],
            "cells_of_other_versions": self.others[1],
            "contamination": [dataclasses.asdict(entry) for entry in self.contamination],
            "left_out": self.left_out,
            "skipped": self.skipped,
        }

    def text(self) -> str:
        """The numbers as text for a terminal."""
        lines = [f"study {self.name}", "", f"{'encoder':<16} {'stage':<14} {'all':>5} {'done':>5} {'to do':>13}"]
        for (encoder, kind), (n, done, flops) in self.stages.items():
            lines.append(f"{encoder:<16} {kind:<14} {n:>5} {done:>5} {flop(flops):>13}")
        evaluation = flop(self.evaluation_flops)
        lines.append(f"{'':<16} {'cells':<14} {self.cells:>5} {self.cells_done:>5} {evaluation:>13}")
        total = self.evaluation_flops + sum(flops for _, _, flops in self.stages.values())
        time = duration(total / (GFLOPS * 1e9))
        lines += ["", f"about {flop(total)} to do: {time} at {GFLOPS} GFLOP/s, plus compiling"]
        if self.cached[0]:
            lines += [f"{counted(self.cached[0], 'stage')} found in the cache, which saves {flop(self.cached[1])}"]
        if self.queries:
            most = "at most " * self.at_most
            lines += [f"attacks: {most}about {self.queries:,.0f} queries, each a forward pass of one row"]
        if self.matched:
            lines += ["controls for compute, from the lengths of texts:", *(f"  {own}" for own in self.matched)]
        lines += [f"disk: about {self.disk}", "", "rows:", *row_lines(self.rows)]
        lines += ["", *self.given] if self.given else []
        if self.changed:
            lines += ["", "changed since the folder was written:", *(f"  {line}" for line in self.changed)]
        if any(self.others):
            stages, cells = self.others
            lines += [f"also there, not asked for and not reported: {stages} stages and {cells} cells"]
        found = [entry for entry in self.contamination if entry.dropped or any(entry.fields.values())]
        if found:
            lines += ["", "training and dev rows whose text is evaluated:"]
            lines += [f"  {entry.summary()}" for entry in found]
        lines += [f"warning: {warning}" for entry in found if (warning := entry.warning())]
        if self.left_out:
            lines += ["", "rows left out by their label (it maps to None):"]
            lines += [
                f"  {source}: {', '.join(f'{count} of {label!r}' for label, count in counts.items())}"
                for source, counts in self.left_out.items()
            ]
        lines += [f"skipped: {reason}" for reason in self.skipped]
        return "\n".join(lines)


def describe(
    study: Study,
    out: str | pathlib.Path,
    data_root: str | pathlib.Path | None = None,
    cache: str | pathlib.Path | None = None,
) -> Description:
    """Plan a study against the results folder `out`, and the stages of `cache`; trains and writes nothing."""
    store = Store(pathlib.Path(out))
    check_place(store.out)
    own = joined(study, store, data_root, cache=stage_cache(cache, study))
    material, plan, changed, cost = own.material, own.plan, own.changes, own.cost
    study = plan.study
    stages: dict[tuple[str, str], tuple[int, int, float]] = {}
    for stage in plan.made():
        n, finished, flops = stages.get((stage.spec.name, stage.kind), (0, 0, 0.0))
        done = stage.id not in cost.training and stage.id not in cost.cached
        stages[stage.spec.name, stage.kind] = (n + 1, finished + done, flops + cost.training.get(stage.id, 0.0))
    cells = plan.all_cells()
    return Description(
        study.name,
        stages,
        len(cells),
        len(cells) - cost.cells,
        (len(cost.cached), sum(cost.cached.values())),
        cost.evaluation_flops,
        matched_controls(plan, material),
        cost.queries,
        bool(cost.at_most),
        cost.disk,
        own.rows,
        own.given(),
        changed,
        store.others(plan.stages, (cell.cell for cell in (*cells, *plan.signal_cells()))),
        tuple(material.contamination.values()),
        material.left_out,
        plan.skipped,
    )
