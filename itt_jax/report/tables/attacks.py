"""Arms under attack: each attack alone, never averaged with perturbations."""

import numpy as np
import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.report.tables.explored import interaction_table
from itt_jax.report.tables.shown import overall, points, with_interval

PLACE = ["model", "target", "arm", "perturbation"]
NAMES = ["encoder", "target", "arm", "attack"]
MOST_EDITS = 10
FIGURES = ["attacked", "succeeded", "success_rate", "queries", "edits", "words_changed", "similarity"]


def attacks(analysis: Analysis) -> pd.DataFrame:
    """Each arm's score on clean text and under each attack, all languages, and what the attacks spent."""
    frame = overall(analysis.attacks, baseline="")
    if frame.empty:
        return pd.DataFrame()
    columns = {
        title: with_interval(part.set_index(PLACE))
        for quantity, title in (("clean", "clean"), ("score", "under attack"), ("relative_drop", "relative drop"))
        if len(part := frame[frame["quantity"] == quantity])
    }
    cells = analysis.attack_cells
    cells = cells.assign(succeeded=cells["success_rate"] * cells["attacked"]).groupby(PLACE, sort=False)[FIGURES]
    spent = {
        "success %": cells.apply(_mean, "success_rate", "attacked").map(lambda value: _shown(100 * value)),
        "queries": cells.apply(_mean, "queries", "attacked").map(_shown),
        "edits": cells.apply(_mean, "edits", "succeeded").map(_shown),
        "words changed": cells.apply(_mean, "words_changed", "succeeded").map(_shown),
    }
    if (similarity := cells.apply(_mean, "similarity", "succeeded")).notna().any():
        spent["similarity"] = similarity.map(lambda value: "–" if pd.isna(value) else f"{value:.3f}")
    order = pd.MultiIndex.from_frame(frame[PLACE].drop_duplicates())
    table = pd.DataFrame(columns | spent).reindex(order)
    return table.rename_axis(NAMES).reset_index().fillna("–")


def contrasts(analysis: Analysis) -> pd.DataFrame:
    """How much less than its baseline an arm loses under each attack."""
    frame = overall(analysis.attack_contrasts)
    return interaction_table(frame, {"perturbation": "attack"})


def budgets(analysis: Analysis) -> pd.DataFrame:
    """Scores by budget, a column for each; of long grids every budget of queries, and up to ten edits."""
    frame = analysis.budgets
    frame = frame[(frame["spent"] == "queries") | (frame["budget"] <= MOST_EDITS)] if len(frame) else frame
    if frame.empty:
        return pd.DataFrame()
    wide = frame.assign(text=frame["estimate"].map(points)).pivot_table(
        index=[*PLACE, "spent"], columns="budget", values="text", aggfunc="first", sort=False
    )
    wide = wide[sorted(wide.columns)].rename(columns=lambda budget: f"{budget:,.0f}")
    return wide.rename_axis(columns=None).rename_axis([*NAMES, "spent"]).reset_index().fillna("–")


def transfer(analysis: Analysis) -> pd.DataFrame:
    """Drops under texts that were made on other models; own texts apart."""
    frame = analysis.transfer
    if frame.empty:
        return pd.DataFrame()
    order = list(dict.fromkeys(frame["arm"]))
    key = ["model", "target", "perturbation", "made_on_arm"]
    parts = []
    for own, name in ((True, "the reader itself"), (False, "other models")):
        part = frame[(frame["made_on"] == "same model") == own]
        if len(part):
            wide = part.pivot_table(index=key, columns="arm", values="drop", sort=False).reindex(columns=order)
            parts.append(wide.map(points).assign(models=name).set_index("models", append=True))
    table = pd.concat(parts).rename_axis(["encoder", "target", "attack", "made on", "models"])
    return table.rename_axis(columns=None).reset_index().fillna("–")


def _mean(cells: pd.DataFrame, name: str, rows: str) -> float:
    """The mean over the rows of all cells, from the cells' means and their numbers of rows."""
    counted = cells[cells[name].notna() & (cells[rows] > 0)]
    return np.average(counted[name], weights=counted[rows]) if len(counted) else np.nan


def _shown(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:,.1f}"
