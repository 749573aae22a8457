"""What the missing stages and cells of a plan cost, as far as it can be known beforehand."""

import dataclasses
import json
from collections import Counter

import jax

from itt_jax import families
from itt_jax.config import EncoderSpec
from itt_jax.errors import InputError
from itt_jax.models import Encoder, local_folder, make_encoder
from itt_jax.store import Store
from itt_jax.study.keeping import Keeping
from itt_jax.study.material import Material, Selection, mean_tokens
from itt_jax.study.plan import Plan
from itt_jax.study.stages import pretrain
from itt_jax.train.checkpoint import is_ours, saved_encoder

CHECKPOINT_BYTES = 1e6
"""Size of a checkpoint beside its parameters: tokenizer, digests of training text, head."""
CELL_BYTES, ROW_BYTES = 5e3, 30
"""Size of a cell's file, and of each of its rows."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of what a results folder lacks.

    Attributes:
        training, evaluation: id of a stage -> FLOPs to train it, and to predict its missing cells, where it has some.
        cells: number of missing cells.
        disk: bytes that will be added to the folder. Temporary files are included.
    """

    training: dict[str, float]
    evaluation: dict[str, float]
    cells: int
    disk: float

    @property
    def flops(self) -> float:
        """All FLOPs that are missing."""
        return sum(self.training.values()) + sum(self.evaluation.values())


def missing_cost(plan: Plan, material: Material, store: Store) -> Cost:
    """The cost of what the folder lacks of a plan."""
    keeping = Keeping(plan, store)
    encoders = {spec.name: sized_encoder(spec) for spec in plan.study.encoders}
    weights = {name: 4 * parameter_count(encoder) + CHECKPOINT_BYTES for name, encoder in encoders.items()}
    training, evaluation, cells, kept, temporary = {}, {}, 0, 0.0, 0.0
    for stage in plan.stages.values():
        size, own = encoders[stage.spec.name].config.matmul_parameters, weights[stage.spec.name]
        if keeping.must_make(stage):
            training[stage.id] = 6 * size * stage.training_tokens(material)
            kept += own if keeping.keeps(stage) else 0
            # A parent that is not kept, and two versions of the resumable state: parameters, two moments, the best.
            temporary = max(temporary, own + 2 * 4 * own * stage.resumable_runs)
        missing = Counter(cell.place for cell in keeping.missing_cells(stage))
        for (task, split, language), count in missing.items():
            rows = material.rows(Selection(task, split, language, plan.study.evaluation_rows))
            tokens = count * len(rows) * min(mean_tokens(rows), plan.study.max_length)
            evaluation[stage.id] = evaluation.get(stage.id, 0.0) + 2 * size * tokens
            cells += count
            kept += count * (CELL_BYTES + ROW_BYTES * len(rows))
    return Cost(training, evaluation, cells, kept + temporary)


def sized_encoder(spec: EncoderSpec) -> Encoder:
    """The encoder of a spec, from its sizes or the checkpoint's config alone; its vocabulary may turn out smaller."""
    if spec.checkpoint is None:
        sizes = {name: getattr(spec, name) for name in pretrain.SIZES}
        return make_encoder(spec.family, **sizes, vocabulary_size=spec.vocabulary_size)
    folder = local_folder(spec.checkpoint)
    if is_ours(folder):
        return saved_encoder(folder)
    path = folder / "config.json"
    try:
        return Encoder(families.from_huggingface(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: expected the config of a checkpoint ({error})") from error


def parameter_count(encoder: Encoder) -> int:
    """Number of parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(encoder.shapes()))
