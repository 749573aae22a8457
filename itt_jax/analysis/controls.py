"""Operators that may change the gold label: no noise to be robust against, but edits that a model should notice."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from itt_jax.metrics import metric
from itt_jax.store.results import CLEAN_TEXT, KEY, CellItems

GROUPED = ["model", "target", "arm", "perturbation", "severity"]
COLUMNS = [*GROUPED, "estimate", "ci_low", "ci_high", "items"]
PLACE = ["model", "target", "arm", "seed", *KEY[: KEY.index("perturbation")]]


def noticed(results: pd.DataFrame, cells: Mapping[str, CellItems] | None) -> pd.DataFrame:
    """The share of the items changed by such an operator whose predicted class changes with the text.

    One row per model, target, arm, operator and severity. An item counts with its mean over languages, replicates and
    seeds, and the interval is Student's over items. Regressions have no such share, and there is none where the items
    are absent.
    """
    if cells is None:
        return pd.DataFrame(columns=COLUMNS)
    of_classes = [name for name in results["metric"].unique() if "class" in metric(name).outcomes]
    results = results[results["metric"].isin(of_classes)]
    clean = results[results["perturbation"] == CLEAN_TEXT]
    clean = dict(zip(clean[PLACE].itertuples(index=False, name=None), clean["cell"], strict=True))
    rows = []
    for group, part in results[results["changes_label"].astype(bool)].groupby(GROUPED, sort=False):
        found = []
        for place, name in zip(part[PLACE].itertuples(index=False, name=None), part["cell"], strict=True):
            if place in clean:
                found.append(_differs(cells[clean[place]], cells[name]))
        by_item = pd.concat(found).groupby(level=0).mean() if found else pd.Series(dtype=float)
        rows.append([*group, *_mean(by_item.to_numpy()), len(by_item)])
    return pd.DataFrame(rows, columns=COLUMNS)


def _differs(clean: CellItems, edited: CellItems) -> pd.Series:
    """Item -> whether its prediction differs between the edited and the clean text."""
    before = pd.Series(clean.values["prediction"], clean.items)
    kept = edited.applicable & edited.changed
    after = pd.Series(edited.values["prediction"][kept], edited.items[kept])
    return (before.reindex(after.index) != after).astype(float)


def _mean(values: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % interval; NaN where there are fewer than two values."""
    if len(values) < 2:
        return np.nan, np.nan, np.nan
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(values.mean()), float(max(0.0, values.mean() - half)), float(min(1.0, values.mean() + half))
