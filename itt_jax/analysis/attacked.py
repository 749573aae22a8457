"""Cost and transfer of attacks: scores by budget, and scores on texts that were made on other models."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from itt_jax import metrics
from itt_jax.analysis.clustering import clustered
from itt_jax.analysis.contrasts import Contrasts
from itt_jax.analysis.estimands import average
from itt_jax.analysis.fits import Fit, concat
from itt_jax.attack.outcomes import query_budgets
from itt_jax.store.results import CLEAN_TEXT, KEY, CellItems

TRANSFER = ["model", "target", "metric", "perturbation", "made_on_arm", "arm", "made_on"]
SCORES = ["score", "clean_text", "drop", "transferred"]
Pairs = dict[tuple[str, int], tuple[CellItems, CellItems]]
"""(arm, seed) -> clean cell and cell under attack."""


def budgets(own: Contrasts, cells: Mapping[str, CellItems]) -> pd.DataFrame:
    """Scores of each arm by the number of queries, or edits, that an attack may spend on a row.

    A row counts with its text under attack from the budget that its success took, and with its clean text below that.
    So the score at budget 0 is the clean one, and the score at the largest budget includes all successes. Runs with
    smaller budgets can end differently; see `attack.outcomes.summary`. Means over the kept groups, as everywhere.
    """
    panel, frames = own.panel, []
    columns = panel.columns
    arms, excluded = own.compared()
    kept = (columns["role"] == "attack") & (columns["twin"] >= 0) & ~np.isin(columns["group"], list(excluded))
    names = own.rows.set_index(["arm", "seed", *KEY])["cell"].to_dict() if kept.any() else {}
    for attack in dict.fromkeys(columns["perturbation"][kept]):
        rows = np.flatnonzero(kept & (columns["perturbation"] == attack))
        places = [_pairs(own, names, cells, row) for row in rows.tolist()]
        found = [pair for by_arm in places for pair in by_arm.values()]
        for kind in ("queries", "edits"):
            grid = _grid([under for _, under in found], kind)
            for arm in arms:
                fit = _fit(own, arm, rows, places, kind, grid)
                if fit is not None:
                    frame = pd.DataFrame(own.on_scale(fit.columns(False)))
                    about = {"model": panel.model, "target": panel.target, "metric": panel.metric, "arm": arm}
                    spent = {"perturbation": attack, "spent": kind, "budget": grid}
                    frames.append(pd.concat([pd.DataFrame(about | spent, index=frame.index), frame], axis=1))
    return concat(frames)


def _pairs(own: Contrasts, names: Mapping[tuple, str], cells: Mapping[str, CellItems], row: int) -> Pairs:
    """(arm, seed) -> clean cell and cell under attack of one condition."""
    conditions = own.panel.conditions
    found: Pairs = {}
    under = tuple(conditions.loc[row, KEY])
    clean = (*under[: KEY.index("perturbation")], CLEAN_TEXT, 0.0, 0)
    for arm in own.panel.arms:
        for seed in own.panel.seeds:
            before, after = names.get((arm, seed, *clean)), names.get((arm, seed, *under))
            if before is not None and after is not None:
                found[arm, seed] = cells[before], cells[after]
    return found


def _most(cell: CellItems, kind: str) -> int:
    """The cost of the costliest success."""
    taken = cell.values[kind][cell.values["succeeded"] > 0]
    return int(taken.max()) if len(taken) else 0


def _grid(cells: Sequence[CellItems], kind: str) -> list[int]:
    """Budgets from 0 to the first that is enough for every success, within the attack's own."""
    most = max((_most(cell, kind) for cell in cells), default=0)
    if kind == "edits":
        return list(range(most + 1))
    asked = max((int(cell.values["queries"].max(initial=0)) for cell in cells), default=0)
    return [0, *query_budgets(most, asked)] if most else [0]


def _fit(own: Contrasts, arm: str, rows: np.ndarray, places: list[Pairs], kind: str, grid: list[int]) -> Fit | None:
    """The mean over conditions, by budget; a seed that lacks one of them is missing."""
    panel, measure = own.panel, own.metric
    weights = average(panel.levels, rows)
    shape = (len(panel.seeds), len(grid))
    values, influence = np.zeros(shape), np.zeros((*shape, len(panel.clusters)), np.float32)
    shares, members = np.zeros((len(grid), len(panel.clusters))), np.zeros((len(grid), len(panel.items)), bool)
    for row, by_arm in zip(rows.tolist(), places, strict=True):
        shares += weights[row] * panel.shares[row]
        members |= panel.members[row]
        for s, seed in enumerate(panel.seeds):
            if (arm, seed) not in by_arm:
                values[s] = np.nan
                continue
            clean, under = by_arm[arm, seed]
            for q, value, part in _scores(measure, clean, under, kind, grid, panel.clusters):
                values[s, q] += weights[row] * measure.sign * value
                influence[s, q] += weights[row] * measure.sign * part
    if not np.isfinite(values).any():
        return None
    return Fit(values, influence, values, np.zeros(len(grid)), members, shares, np.full(len(grid), len(rows)))


def _scores(measure: metrics.Metric, clean: CellItems, under: CellItems, kind: str, grid: list[int], codes: np.ndarray):
    """For each budget, the number of items that count, their score, and the influences of the clusters."""
    order = np.argsort(clean.items)
    before = measure.read(clean.values)[order[np.searchsorted(clean.items[order], under.items)]]
    after, keep = measure.read(under.values), under.applicable
    where = np.searchsorted(codes, under.clusters[keep])
    for q, budget in enumerate(grid):
        reached = (under.values["succeeded"] > 0) & (under.values[kind] <= budget)
        statistic = np.where(reached.reshape(-1, *[1] * (after.ndim - 1)), after, before)
        value, part, _ = clustered(measure, statistic[keep], where, len(codes))
        yield q, value, part


def transfer(rows: pd.DataFrame) -> pd.DataFrame:
    """Scores of each arm on texts that an attack made on the models of an arm, and on the clean text of the same rows.

    made_on: the "same model" (arms may share their last stage), "another seed" of the same arm, or "another arm".
    Means over pairs of seeds, tasks and languages with equal weights; transferred: among the rows on which the attack
    succeeded and the reader is right, the share on which the text makes it wrong.
    """
    if rows.empty:
        return pd.DataFrame(columns=[*TRANSFER, *SCORES, "pairs"])
    same_arm = rows["arm"] == rows["made_on_arm"]
    same = rows["stage"] == rows["made_on_stage"]
    made_on = np.select([same, same_arm], ["same model", "another seed"], "another arm")
    frame = rows.assign(made_on=made_on, drop=rows["clean"] - rows["score"]).rename(columns={"clean": "clean_text"})
    groups = frame.groupby(TRANSFER, sort=False)
    found = groups[SCORES].mean()
    pairs = frame.groupby([*TRANSFER, "seed", "made_on_seed"], sort=False).size().groupby(TRANSFER, sort=False).size()
    return found.assign(pairs=pairs).reset_index()
