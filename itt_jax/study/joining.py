"""A study beside the results folder that it is to join: what both `plan` and `run` check before anything is made."""

import dataclasses
import pathlib

from itt_jax.config import Study
from itt_jax.store import Store
from itt_jax.store.place import check_place
from itt_jax.study.absent import planned
from itt_jax.study.cost import Cost, missing_cost
from itt_jax.study.growth import changes
from itt_jax.study.material import Material
from itt_jax.study.plan import Plan
from itt_jax.study.provenance import check_precision


@dataclasses.dataclass(frozen=True)
class Joined:
    """A study that fits its folder.

    Attributes:
        changes: the fields in which it differs from the study that the folder holds, a line each.
        cost: of what the folder lacks.
    """

    material: Material
    plan: Plan
    changes: list[str]
    cost: Cost


def joined(study: Study, store: Store, data_root: str | pathlib.Path | None) -> Joined:
    """Plan a study against a results folder; writes nothing.

    Raises:
        InputError: the study or its data is wrong, the folder holds something else or results in another precision, or
            the disk is too small.
    """
    material, plan = planned(study, data_root)
    found = changes(store, plan)
    check_precision(store, plan.study.precision, [spec.name for spec in plan.study.encoders], plan.stages)
    cost = missing_cost(plan, material, store)
    check_place(store.out, cost.disk)
    return Joined(material, plan, found, cost)
