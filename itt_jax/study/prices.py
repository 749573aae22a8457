"""The cost of designs of a study (seeds, evaluated rows, operators) in FLOPs and in time on this machine."""

import dataclasses
import pathlib
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

import jax

from itt_jax.config import Study
from itt_jax.evaluate.forms import Place
from itt_jax.store import Store
from itt_jax.store.results import CLEAN_TEXT
from itt_jax.study.absent import planned
from itt_jax.study.cost import missing_cost, sized_encoder
from itt_jax.study.material import Selection
from itt_jax.train.ceiling import matmul_rate
from itt_jax.train.precision import Arithmetic, training_arithmetic
from itt_jax.train.provenance import provenance

WIDE = 256
"""The width from which on encoders keep a processor busy."""
NARROW_SHARE, WIDE_SHARE = 0.1, 0.3
"""Expected shares of the matmul rate for encoders below and above that width, until their speed is known; they include
the time for compiling and for texts."""


@dataclasses.dataclass(frozen=True)
class Prices:
    """The cost of a study from its start, by design.

    Attributes:
        once: FLOPs of stages that all seeds share. seed: FLOPs to train one seed. form: FLOPs to evaluate one row,
            clean or in one draw of one operator, for one seed.
        forms: mean number of forms of an operator (severities x replicates). operators: number of the study's.
        rows: number of rows of each place. speed: FLOP/s.
    """

    once: float
    seed: float
    form: float
    forms: float
    operators: int
    rows: Mapping[Place, int]
    speed: float

    def flops(self, seeds: int, rows: int, operators: int) -> float:
        """FLOPs of a design with at most this number of rows of each task and language."""
        evaluated = sum(min(rows, there) for there in self.rows.values())
        return self.once + seeds * (self.seed + self.form * evaluated * (1 + operators * self.forms))

    def languages(self) -> dict[str, int]:
        """The number of rows of each language, in the task that has most."""
        found: dict[str, int] = {}
        for (_, _, language), rows in self.rows.items():
            found[language] = max(rows, found.get(language, 0))
        return found


def prices(study: Study, data_root: str | pathlib.Path | None, done: Iterable[Mapping[str, Any]] = ()) -> Prices:
    """The prices of a study.

    Args:
        done: records of stages, whose speed counts if they were made on such a machine.

    Raises:
        InputError: the study or its data is wrong.
    """
    study = dataclasses.replace(study, attacks=())  # they do not decide primary questions
    material, plan = planned(study, data_root)
    with tempfile.TemporaryDirectory() as empty:
        cost = missing_cost(plan, material, Store(pathlib.Path(empty) / "none"))
    stages, seeds = plan.stages.values(), len(plan.study.seeds)
    shared = sum(cost.training.get(stage.id, 0.0) for stage in stages if stage.parent is None)
    cells = plan.all_cells()
    places = {cell.place for cell in cells}
    whole = {place: len(material.rows(Selection(*place, None))) for place in places}
    used = sum(len(material.rows(Selection(*place, plan.study.evaluation_rows))) for place in places)
    clean = sum(cell.perturbation == CLEAN_TEXT for cell in cells)
    operators = len(plan.study.perturbations)
    forms = (len(cells) / clean - 1) / operators if operators else 0.0
    evaluation = sum(cost.evaluation.values()) / seeds / used / (1 + operators * forms)
    training = (sum(cost.training.values()) - shared) / seeds
    speed = expected_speed(done, training_arithmetic(plan.study.precision), widest(plan.study))
    return Prices(shared, training, evaluation, forms, operators, whole, speed)


def widest(study: Study) -> int:
    """The width of the widest encoder, which takes most of the time."""
    return max(sized_encoder(spec).width for spec in study.encoders)


def expected_speed(records: Iterable[Mapping[str, Any]], arithmetic: Arithmetic, width: int) -> float:
    """The FLOP/s to expect of an encoder: that of finished stages on such a machine, or a share of the matmul rate."""
    device = provenance(arithmetic)["device"]
    same = [record for record in records if record.get("device") == device and record.get("flops")]
    if seconds := sum(record.get("wall_seconds", 0.0) for record in same):
        return sum(record.get("flops_of_grid", record["flops"]) for record in same) / seconds
    share = WIDE_SHARE if width >= WIDE else NARROW_SHARE
    return share * matmul_rate(arithmetic.factor) * jax.device_count()
