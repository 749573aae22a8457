"""What a study would do: its stages and cells, what of them is done, and what the rest would cost."""

import dataclasses
import json
import pathlib
from collections import Counter
from typing import Any

from itt_jax.config import EncoderSpec, Study
from itt_jax.errors import InputError
from itt_jax.models import local_folder
from itt_jax.store.folder import Store
from itt_jax.study.absent import planned
from itt_jax.study.material import Material, Selection
from itt_jax.study.plan import Plan, Stage, study_id

CHARACTERS_PER_TOKEN = 3.5
"""Rough, over languages and vocabularies; only the cost estimate rests on it."""
GFLOPS = 30
"""What encoders of width 64 to 128 reached on two CPU cores."""


@dataclasses.dataclass(frozen=True)
class Description:
    """A plan in numbers.

    Attributes:
        stages: (model, purpose) -> (stages, done, FLOPs missing). cells, cells_done: of the grid.
        evaluation_flops: of the missing cells. dropped: source -> (rows, contaminated rows).
    """

    name: str
    stages: dict[tuple[str, str], tuple[int, int, float]]
    cells: int
    cells_done: int
    evaluation_flops: float
    dropped: dict[str, tuple[int, int]]
    skipped: list[str]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "name": self.name,
            "stages": [
                {"model": model, "purpose": purpose, "stages": n, "done": done, "flops_missing": flops}
                for (model, purpose), (n, done, flops) in self.stages.items()
            ],
            "cells": self.cells,
            "cells_done": self.cells_done,
            "evaluation_flops_missing": self.evaluation_flops,
            "overlap": [{"source": s, "rows": n, "dropped": d} for s, (n, d) in self.dropped.items()],
            "skipped": self.skipped,
        }

    def text(self) -> str:
        """For a terminal."""
        lines = [f"study {self.name}", "", f"{'model':<16} {'stage':<14} {'all':>5} {'done':>5} {'GFLOP to do':>13}"]
        for (model, purpose), (n, done, flops) in self.stages.items():
            lines.append(f"{model:<16} {purpose:<14} {n:>5} {done:>5} {flops / 1e9:>13,.0f}")
        lines.append(
            f"{'':<16} {'cells':<14} {self.cells:>5} {self.cells_done:>5} {self.evaluation_flops / 1e9:>13,.0f}"
        )
        total = self.evaluation_flops + sum(flops for _, _, flops in self.stages.values())
        hours = total / 3600 / (GFLOPS * 1e9)
        lines += ["", f"about {total / 1e12:,.1f} TFLOP to do: {hours:,.1f} hours at {GFLOPS} GFLOP/s, and compiling"]
        dropped = {source: counts for source, counts in self.dropped.items() if counts[1]}
        if dropped:
            lines += ["", "training rows dropped because their text is evaluated:"]
            lines += [f"  {source}: {d} of {n}" for source, (n, d) in dropped.items()]
        lines += [f"skipped: {reason}" for reason in self.skipped]
        return "\n".join(lines)


def describe(study: Study, out: str | pathlib.Path, data_root: str | pathlib.Path | None = None) -> Description:
    """Plan a study against the store at `out`; trains and writes nothing."""
    store = Store(pathlib.Path(out))
    material, plan = planned(study, data_root)
    study = plan.study
    store.open(study_id(study), study.name)
    specs = {spec.name: spec for spec in study.encoders}
    stages: dict[tuple[str, str], tuple[int, int, float]] = {}
    evaluation = 0.0
    for stage in plan.stages.values():
        size = matmul_parameters(specs[stage.model])
        done = stage.purpose == "given" or store.record(stage.id) is not None
        missing = 0.0 if done else 6 * size * training_tokens(stage, material)
        n, finished, flops = stages.get((stage.model, stage.purpose), (0, 0, 0.0))
        stages[stage.model, stage.purpose] = (n + 1, finished + done, flops + missing)
        evaluation += 2 * size * evaluation_tokens(plan, stage, material, store)
    cells = plan.all_cells()
    return Description(
        study.name,
        stages,
        len(cells),
        sum(store.has_cell(cell.cell) for cell in cells),
        evaluation,
        {entry.source: (entry.rows, entry.dropped) for entry in material.contamination.values()},
        plan.skipped,
    )


def matmul_parameters(spec: EncoderSpec) -> int:
    """Weights that every token is multiplied with: attention's four (XLNet's five) and the feed-forward matrices."""
    layers, width, inner = spec.layers, spec.width, spec.feed_forward
    if spec.checkpoint is not None:
        layers, width, inner = _sizes(local_folder(spec.checkpoint))
    return layers * ((5 if spec.family == "xlnet" else 4) * width * width + 2 * width * inner)


def _sizes(checkpoint: pathlib.Path) -> tuple[int, int, int]:
    """Layers, width and feed-forward width of a checkpoint, ours or Hugging Face's, read from its config alone."""
    own = checkpoint / "checkpoint.json"
    path = own if own.is_file() else checkpoint / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        if path == own:
            return tuple(config["config"][name] for name in ("layers", "width", "feed_forward"))
        if config.get("model_type") == "xlnet":
            return config["n_layer"], config["d_model"], config["d_inner"]
        return config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: expected the config of a checkpoint ({error})") from error


def training_tokens(stage: Stage, material: Material) -> float:
    """Estimated real tokens of a stage."""
    if stage.settings is not None:
        recipe = stage.settings.recipe
        return (recipe.steps or 0) * recipe.batch_size * recipe.max_length
    if stage.recipe is None:
        return 0.0
    lengths = [_tokens(material.training_rows(selection)) for selection in stage.training]
    mean = min(sum(lengths) / len(lengths), stage.recipe.max_length)
    return stage.recipe.steps * stage.recipe.batch_size * mean


def evaluation_tokens(plan: Plan, stage: Stage, material: Material, store: Store) -> float:
    """Estimated tokens of a stage's missing cells, before identical inputs are joined."""
    missing = Counter(cell.place for cell in plan.cells.get(stage.id, ()) if not store.has_cell(cell.cell))
    total = 0.0
    for (task, split, language), count in missing.items():
        rows = material.rows(Selection(task, split, language, plan.study.evaluation_rows))
        total += count * len(rows) * min(_tokens(rows), plan.study.max_length)
    return total


def _tokens(rows) -> float:
    """Estimated tokens of a mean row, special tokens included."""
    characters = sum(len(text) for texts in rows.fields.values() for text in texts)
    return characters / max(1, len(rows)) / CHARACTERS_PER_TOKEN + 1 + len(rows.fields)
