"""What a study would do: its stages and cells, which of them are done, and what the rest would cost."""

import dataclasses
import json
import pathlib
from collections import Counter
from typing import Any

from itt_jax import families
from itt_jax.config import EncoderSpec, Study
from itt_jax.data.contamination import Contamination
from itt_jax.errors import InputError
from itt_jax.models import local_folder, make_encoder
from itt_jax.store import Store
from itt_jax.store.place import check_place
from itt_jax.study import growth
from itt_jax.study.absent import planned
from itt_jax.study.material import Material, Selection, mean_tokens
from itt_jax.study.plan import Plan
from itt_jax.study.provenance import check_precision
from itt_jax.study.stages import Stage, pretrain
from itt_jax.train.checkpoint import is_ours, saved_encoder

GFLOPS = 30
"""Speed of encoders of width 64 to 128 on two CPU cores."""


@dataclasses.dataclass(frozen=True)
class Description:
    """A plan in numbers.

    Attributes:
        stages: (encoder, kind) -> (stages, done, FLOPs to do). cells, cells_done: points of the evaluation grid.
        evaluation_flops: FLOPs of the missing cells.
        changed: the fields in which the study differs from the one that the folder holds.
        others: numbers of stages and cells in the folder that the study does not ask for; they stay, unreported.
        contamination: by source, the training and dev rows whose text is evaluated.
        left_out: by source, published label -> rows that the source's map of labels leaves out.
    """

    name: str
    stages: dict[tuple[str, str], tuple[int, int, float]]
    cells: int
    cells_done: int
    evaluation_flops: float
    changed: list[str]
    others: tuple[int, int]
    contamination: tuple[Contamination, ...]
    left_out: dict[str, dict[str, int]]
    skipped: list[str]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "name": self.name,
            "stages": [
                {"encoder": encoder, "kind": kind, "stages": n, "done": done, "flops_missing": flops}
                for (encoder, kind), (n, done, flops) in self.stages.items()
            ],
            "cells": self.cells,
            "cells_done": self.cells_done,
            "evaluation_flops_missing": self.evaluation_flops,
            "changed": self.changed,
            "stages_of_other_versions": self.others[0],
            "cells_of_other_versions": self.others[1],
            "contamination": [dataclasses.asdict(entry) for entry in self.contamination],
            "left_out": self.left_out,
            "skipped": self.skipped,
        }

    def text(self) -> str:
        """For a terminal."""
        lines = [f"study {self.name}", "", f"{'encoder':<16} {'stage':<14} {'all':>5} {'done':>5} {'GFLOP to do':>13}"]
        for (encoder, kind), (n, done, flops) in self.stages.items():
            lines.append(f"{encoder:<16} {kind:<14} {n:>5} {done:>5} {flops / 1e9:>13,.0f}")
        lines.append(
            f"{'':<16} {'cells':<14} {self.cells:>5} {self.cells_done:>5} {self.evaluation_flops / 1e9:>13,.0f}"
        )
        total = self.evaluation_flops + sum(flops for _, _, flops in self.stages.values())
        hours = total / 3600 / (GFLOPS * 1e9)
        lines += ["", f"about {total / 1e12:,.1f} TFLOP to do: {hours:,.1f} hours at {GFLOPS} GFLOP/s, plus compiling"]
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


def describe(study: Study, out: str | pathlib.Path, data_root: str | pathlib.Path | None = None) -> Description:
    """Plan a study against the results folder `out`; trains and writes nothing."""
    store = Store(pathlib.Path(out))
    check_place(store.out)
    material, plan = planned(study, data_root)
    study = plan.study
    changed = growth.changes(store, plan)
    check_precision(store, study.precision, [spec.name for spec in study.encoders], plan.stages)
    sizes = {spec.name: size_of(spec) for spec in study.encoders}
    stages: dict[tuple[str, str], tuple[int, int, float]] = {}
    evaluation = 0.0
    for stage in plan.stages.values():
        size, key = sizes[stage.spec.name], (stage.spec.name, stage.kind)
        done = stage.is_done(store)
        missing = 0.0 if done else 6 * size * stage.training_tokens(material)
        n, finished, flops = stages.get(key, (0, 0, 0.0))
        stages[key] = (n + 1, finished + done, flops + missing)
        evaluation += 2 * size * evaluation_tokens(plan, stage, material, store)
    cells = plan.all_cells()
    return Description(
        study.name,
        stages,
        len(cells),
        sum(store.has_cell(cell.cell) for cell in cells),
        evaluation,
        changed,
        store.others(plan.stages, (cell.cell for cell in cells)),
        tuple(material.contamination.values()),
        material.left_out,
        plan.skipped,
    )


def size_of(spec: EncoderSpec) -> int:
    """Weights that every token is multiplied with, from the spec's sizes or the checkpoint's config alone."""
    if spec.checkpoint is None:
        sizes = {name: getattr(spec, name) for name in pretrain.SIZES}
        return make_encoder(spec.family, **sizes).config.matmul_parameters
    folder = local_folder(spec.checkpoint)
    if is_ours(folder):
        return saved_encoder(folder).config.matmul_parameters
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return families.from_huggingface(config).matmul_parameters
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: expected the config of a checkpoint ({error})") from error


def evaluation_tokens(plan: Plan, stage: Stage, material: Material, store: Store) -> float:
    """Estimated tokens of a stage's missing cells, before identical inputs are joined."""
    missing = Counter(cell.place for cell in plan.cells.get(stage.id, ()) if not store.has_cell(cell.cell))
    total = 0.0
    for (task, split, language), count in missing.items():
        rows = material.rows(Selection(task, split, language, plan.study.evaluation_rows))
        total += count * len(rows) * min(mean_tokens(rows), plan.study.max_length)
    return total
