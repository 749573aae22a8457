"""A results folder read for analysis: the rows and items of its present look, and the groups with signal."""

import dataclasses
import functools
import pathlib
from typing import Any

import pandas as pd

from itt_jax.analysis import claims, panels
from itt_jax.analysis.arms import arms_of
from itt_jax.analysis.looks import Looked, looked
from itt_jax.analysis.signal import PANEL, Signal, signals
from itt_jax.config import Claim
from itt_jax.store import Store
from itt_jax.store.results import KEY
from itt_jax.study.arms import Arm


@dataclasses.dataclass(frozen=True)
class Folder:
    """The data to analyse.

    Attributes:
        plan: the result of `Store.plan`, with records of only those seeds that count, and of pretraining.
        results: the rows of these seeds. cells: the items of every cell, and of those on dev rows.
        signals: (model, target, metric) -> the groups with signal. claims: those declared in the plan.
        missing_cells: number of cells of the plan, for the seeds that count, that the run has not made yet; without a
            plan, of cells that other arms or seeds have.
    """

    store: Store
    plan: dict[str, Any]
    results: pd.DataFrame
    cells: panels.Cells
    signals: dict[tuple[str, str, str], Signal]
    arms: tuple[Arm, ...]
    claims: tuple[Claim, ...]
    looked: Looked
    missing_cells: int

    @property
    def transfers(self) -> pd.DataFrame:
        """Scores on texts that attacks made on other models; both models are of seeds that count."""
        rows = self.store.transfers(self.plan.get("transfers", ()))
        if rows.empty or not self.looked.seeds:
            return rows
        return rows[rows[["seed", "made_on_seed"]].isin(self.looked.seeds).all(axis=1)]

    @functools.cached_property
    def main_metric(self) -> dict[str, str]:
        """Target -> the metric of its primary contrasts and claims."""
        return self.results.drop_duplicates("target").set_index("target")["metric"].to_dict()


def folder(out: pathlib.Path, seeds: int | None = None) -> Folder:
    """Read a results folder.

    Args:
        seeds: the look to take; None is the latest.

    Raises:
        InputError: no results, missing cells, or an unknown metric.
    """
    store = Store(pathlib.Path(out))
    plan, (results, selection, cells) = store.plan(), panels.read(store.out)
    expected, planned = int(plan.get("cells", 0)), looked(store, plan, results, seeds)
    if planned.seeds:
        expected = expected * len(planned.seeds) // len(plan["seeds"])  # every seed has the same cells
        results = results[results["seed"].isin(planned.seeds)]
        selection = None if selection is None else selection[selection["seed"].isin(planned.seeds)]
        records = plan.get("stages_done", ())
        # Pretraining belongs to no arm, and has its encoder's seed.
        counted = [own for own in records if not own.get("arms") or own.get("seed") in planned.seeds]
        plan |= {"stages_done": counted}
    missing = max(0, expected - len(results)) if expected else _uneven(results)
    found, arms = signals(results, selection, cells), arms_of(plan, dict.fromkeys(results["arm"]))
    return Folder(store, plan, results, cells, found, arms, claims.declared(plan), planned, missing)


def _uneven(results: pd.DataFrame) -> int:
    """The number of missing cells that another arm or seed of the same encoder, target and metric has."""
    missing = 0
    for _, rows in results.groupby(PANEL, sort=False):
        conditions = len(rows[KEY].drop_duplicates())
        missing += rows["arm"].nunique() * rows["seed"].nunique() * conditions - len(rows)
    return missing
