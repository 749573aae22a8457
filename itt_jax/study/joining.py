"""A study and the results folder that it is to join: what both `plan` and `run` check before anything is made."""

import dataclasses
import pathlib

from itt_jax.config import Study
from itt_jax.store import Store
from itt_jax.store.cache import StageCache
from itt_jax.store.place import check_place
from itt_jax.study.absent import planned
from itt_jax.study.cost import Cost, missing_cost
from itt_jax.study.growth import changes
from itt_jax.study.inputs import Inputs, RowCount, inputs, row_counts
from itt_jax.study.material import Material
from itt_jax.study.plan import Plan
from itt_jax.study.precision import check_precision
from itt_jax.study.stages.workshop import most_together
from itt_jax.train.processes import first_then_others


@dataclasses.dataclass(frozen=True)
class Joined:
    """A study that fits its folder.

    Attributes:
        rows: numbers of rows of each target. inputs: the plan's inputs.
        changes: how study and inputs differ from those in the folder, one line each.
        cost: the cost of what the folder lacks.
    """

    material: Material
    plan: Plan
    rows: list[RowCount]
    inputs: Inputs
    changes: list[str]
    cost: Cost

    def given(self) -> list[str]:
        """What each given checkpoint was trained on, one line each."""
        specs = [spec for spec in self.plan.study.encoders if spec.checkpoint is not None]
        return [f"encoder {spec.name}: {spec.checkpoint} {self.material.seen(spec).note()}" for spec in specs]


def joined(
    study: Study,
    store: Store,
    data_root: str | pathlib.Path | None,
    stack: int | None = None,
    cache: StageCache | None = None,
) -> Joined:
    """Plan a study against a results folder, after fetching from a shared folder what it lacks. Nothing else is
    written.

    Damaged cells count as missing.

    Args:
        stack: as in `running.run`. cache: stages in it cost nothing.

    Raises:
        InputError: the study or its data is wrong, the folder holds something else or results in another precision, or
            the disk is too small.
    """
    material, plan = planned(study, data_root)
    read = inputs(plan, material)
    found = changes(store, plan, read)
    first_then_others(store.pull)
    store.check()
    check_precision(store, plan.study.precision, [spec.name for spec in plan.study.encoders], plan.stages)
    cost = missing_cost(plan, material, store, most_together(stack), cache)
    check_place(store.out, cost.disk.peak)
    return Joined(material, plan, row_counts(plan, material), read, found, cost)
