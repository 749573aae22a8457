"""Writes plan.json and results.parquet of a results folder, while a study runs and at its end."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from itt_jax.config import canonical
from itt_jax.store import Store
from itt_jax.study import arms, growth
from itt_jax.study.joining import Joined
from itt_jax.study.plan import study_id
from itt_jax.study.transfer import transfers

PUBLISH_SECONDS = 60
"""Seconds between two writings of results.parquet during a run; more if writing takes long."""


class Publisher:
    """Writes the plan and the results of one study; only the process that leads a run calls it.

    Args:
        own: the study with its plan. declaration: the study's declaration before its first target stage.
    """

    def __init__(self, store: Store, own: Joined, declaration: dict[str, Any]):
        self.store, self.own, self.declaration = store, own, declaration
        self.plan, self.material = own.plan, own.material
        self.published = self.publishing = 0.0

    def holds(self) -> bool:
        """Whether the folder still describes this study; another worker may have changed it."""
        return self.store.holds(study_id(self.plan.study))

    def take_over(self, changed: Sequence[str]) -> None:
        """Reduce the results of the folder's former study to the cells of this one."""
        growth.carry_precision(self.store, self.plan)
        self.store.log("changed", fields=changed)
        self.write_results()

    def publish(self) -> None:
        """Write plan and results from time to time, so that they can be reported during the run."""
        began = time.monotonic()
        if began - self.published >= max(PUBLISH_SECONDS, 10 * self.publishing) and self.holds():
            self.write_results()
            self.write_plan()
            self.published = time.monotonic()
            self.publishing = self.published - began

    def write_plan(self) -> None:
        """Write the plan: the study, what was dropped and skipped, and the records of finished stages."""
        study = self.plan.study
        names, cells = [spec.name for spec in study.encoders], self.plan.all_cells()
        records = [
            self.plan.renamed(stage, record, self.material)
            for stage in self.plan.stages.values()
            if (record := self.store.record(stage.id))
        ]
        self.store.write_plan(
            {
                "study_id": study_id(study),
                "name": study.name,
                "description": study.description,
                "study": canonical(study),
                "encoders": names,
                "arms": [arms.as_row(arm) for arm in arms.resolved(study.arms)],
                "targets": [target.name for target in study.running_targets()],
                "seeds": list(study.seeds),
                "smallest_effect": study.smallest_effect,
                "declared": self.declaration,
                "stages": [self.plan.described(stage) for stage in self.plan.stages.values()],
                "cells": len(cells),
                "cell_ids": [cell.cell for cell in cells],
                "transfers": [own.id for own in transfers(self.plan)],
                "precision": {"asked": study.precision, "evaluation": self.store.agreed.precisions(names)},
                "rows": [dataclasses.asdict(own) for own in self.own.rows],
                "inputs": self.own.inputs,
                "left_out": self.material.left_out,
                "skipped": self.plan.skipped,
                "contaminated": [spec.name for spec in study.encoders if self.material.is_contaminated(spec)],
                "contamination": [dataclasses.asdict(entry) for entry in self.material.contamination.values()],
                "stages_done": records,
            },
        )

    def write_results(self) -> None:
        """Write the rows of the plan's cells that are there."""
        self.store.write_results(
            (cell.row({}) for cell in self.plan.all_cells()), (cell.row({}) for cell in self.plan.signal_cells())
        )
