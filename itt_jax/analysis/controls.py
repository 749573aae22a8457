"""Operators that may change the gold label: not noise to be robust against, but edits that a model should notice."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from itt_jax.analysis.clustering import clustered
from itt_jax.analysis.estimands import average
from itt_jax.analysis.fits import Fit
from itt_jax.metrics import metric
from itt_jax.store.results import CLEAN_TEXT, KEY, CellItems

GROUPED = ["model", "target", "arm", "perturbation", "severity"]
STATISTICS = [
    "estimate",
    "ci_low",
    "ci_high",
    "std_err",
    "seed_error",
    "item_error",
    "df",
    "seeds",
    "items",
    "clusters",
]
LEVELS = ["domain", "language", "task", "split", "replicate"]
"""The levels of the average, from the outermost."""
PLACE = ["model", "target", "arm", "seed", *KEY[: KEY.index("perturbation")]]
SHARE = metric("accuracy")
"""The share of items is a mean of zeros and ones, as accuracy is."""


def noticed(results: pd.DataFrame, cells: Mapping[str, CellItems] | None) -> pd.DataFrame:
    """The share, among items changed by such an operator, whose predicted class changes with the text.

    One row per model, target, arm, operator and severity: the mean over domains, languages, tasks and replicates, with
    an interval over seeds and items as everywhere. Conditions in which the operator changes fewer than two items are
    left out. There is no such share for regression, or if the items are absent.
    """
    if cells is None:
        return pd.DataFrame(columns=[*GROUPED, *STATISTICS])
    of_classes = [name for name in results["metric"].unique() if "class" in metric(name).outcomes]
    results = results[results["metric"].isin(of_classes)]
    clean = results[results["perturbation"] == CLEAN_TEXT]
    clean = dict(zip(clean[PLACE].itertuples(index=False, name=None), clean["cell"], strict=True))
    rows = []
    for group, part in results[results["changes_label"].astype(bool)].groupby(GROUPED, sort=False):
        places = part[PLACE].itertuples(index=False, name=None)
        levels = part[LEVELS].itertuples(index=False, name=None)
        pairs = [
            (seed, own, cells[clean[place]], cells[name])
            for seed, own, place, name in zip(part["seed"], levels, places, part["cell"], strict=True)
            if place in clean
        ]
        rows.append(dict(zip(GROUPED, group, strict=True)) | _share(pairs))
    return pd.DataFrame(rows, columns=[*GROUPED, *STATISTICS])


def _share(pairs: list[tuple[int, tuple, CellItems, CellItems]]) -> dict[str, float]:
    """STATISTICS of the share, from (seed, LEVELS, clean cell, edited cell) of every condition and seed."""
    found = {(levels, seed): _differs(clean, edited) for seed, levels, clean, edited in pairs}
    few = {levels for (levels, _), own in found.items() if len(own[0]) < 2}
    levels = [own for own in dict.fromkeys(own for own, _ in found) if own not in few]
    if not levels:
        return {"seeds": 0, "items": 0, "clusters": 0}
    seeds = sorted({seed for _, seed in found})
    items, clusters = (np.unique(np.concatenate([own[at] for own in found.values()])) for at in (1, 2))
    values, influence = np.full((len(seeds), 1), np.nan), np.zeros((len(seeds), 1, len(clusters)))
    shares, members = np.zeros((1, len(clusters))), np.zeros((1, len(items)), dtype=bool)
    weights = average(levels, np.arange(len(levels)))
    for row, seed in enumerate(seeds):
        if any((own, seed) not in found for own in levels):
            continue
        values[row] = 0.0
        for at, weight in weights.items():
            differs, own_items, own_clusters = found[levels[at], seed]
            where = np.searchsorted(clusters, own_clusters)
            value, part, share = clustered(SHARE, differs, where, len(clusters))
            values[row] += weight * value
            influence[row, 0] += weight * part
            shares[0] += weight * share / len(seeds)
            members[0, np.searchsorted(items, own_items)] = True
    fit = Fit(values, influence, values, np.zeros(1), members, shares, np.array([len(levels)]))
    frame = fit.table(is_mean=False)
    frame[["ci_low", "ci_high"]] = frame[["ci_low", "ci_high"]].clip(0.0, 1.0)
    return frame.iloc[0][STATISTICS].to_dict()


def _differs(clean: CellItems, edited: CellItems) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For the items that were edited, [n] each: whether the prediction differs from that for the clean text; codes of
    items and clusters."""
    before = pd.Series(clean.values["prediction"], clean.items)
    kept = edited.applicable & edited.changed
    items = edited.items[kept]
    return (before.reindex(items).to_numpy() != edited.values["prediction"][kept]) * 1.0, items, edited.clusters[kept]
