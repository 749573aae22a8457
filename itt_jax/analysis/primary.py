"""The primary family: for each model, metric and treatment, one interaction over everything that the study varies."""

import numpy as np
import pandas as pd

from itt_jax.analysis.contrasts import TargetContrast
from itt_jax.analysis.fits import Fit, concat

STATISTICS = ["estimate", "ci_low", "ci_high", "std_err", "seed_error", "item_error", "interaction_error", "df", "p"]
KEY = ["model", "metric", "arm", "baseline"]
COUNTS = ["groups", "groups_left_out", "groups_unchecked"]

JUDGED = ["p_design", "look", "p_adjusted", "p_bound", "agree", "leaning", "verdict", "clear", "detectable"]
"""Columns of a judgement."""
DECIDED = [*STATISTICS, "test", "seeds", "items", "clusters", "log_odds", *JUDGED]
"""Columns of a verdict and of the figures on which it rests, which may be of an earlier look."""


def same_contrast(frame: pd.DataFrame, family: pd.DataFrame) -> np.ndarray:
    """For each interaction the index of the primary contrast that it equals, -1 if none: int [rows].

    With one target the contrast over all its conditions is a primary one, and so is that of the only operator,
    language or domain.

    Args:
        frame: interactions. family: the result of `primary_family`; both before verdicts.
    """
    found, about = np.full(len(frame), -1), [*KEY, "kind"]
    for number, row in enumerate(family.to_dict("records")):
        if len(row["rests_on"]) == 1:
            same = (frame[about] == [row[name] for name in about]).all(axis=1) & (frame["target"] == row["rests_on"][0])
            for name in ("estimate", "std_err"):
                same &= np.isclose(frame[name].astype(float), row[name], rtol=1e-6, atol=1e-12)
            found[same] = number
    return found


def primary_family(parts: list[TargetContrast]) -> pd.DataFrame:
    """One row per model, metric, treatment and baseline, before verdicts.

    Points of different metrics are not averaged: a point of macro-F1 is not a point of a correlation. Targets with one
    metric have equal weights. Items shared by several targets are one item; a seed counts if every target has it.
    rests_on: the names of the targets that are not left out.
    """
    frames = []
    for key in dict.fromkeys(tuple(getattr(part, name) for name in KEY) for part in parts):
        mine = [part for part in parts if tuple(getattr(part, name) for name in KEY) == key]
        usable = [part for part in mine if part.fit is not None]
        usable = [part for part in usable if part.kind == usable[0].kind]
        about = dict(zip(KEY, key, strict=True)) | {"rests_on": [tuple(part.target for part in usable)]}
        about |= {"targets": len(usable), "targets_left_out": len(mine) - len(usable)}
        about |= {name: sum(part.about[name] for part in mine) for name in COUNTS}
        for name in ("languages", "domains"):
            about[name] = " ".join(dict.fromkeys(word for part in usable for word in part.about[name].split()))
        about["cross_lingual"] = any(part.about["cross_lingual"] for part in usable)
        about["kind"] = usable[0].kind if usable else "perturbation"
        frame = over_targets(usable) if usable else pd.DataFrame({"estimate": [np.nan], "seeds": 0})
        frames.append(pd.concat([pd.DataFrame(about, index=[0]), frame], axis=1))
    kept = ["languages", "domains", *COUNTS, "cross_lingual"]
    columns = [*KEY, "rests_on", "targets", "targets_left_out", *kept, "kind", *STATISTICS]
    family = concat(frames).reindex(columns=[*columns, "test", "seeds", "items", "clusters", "log_odds"])
    return family.astype(dict.fromkeys([*STATISTICS, "log_odds", "clusters"], float))


def over_targets(usable: list[TargetContrast]) -> pd.DataFrame:
    """The mean of the targets' contrasts, as one contrast."""
    seeds = sorted(set.intersection(*(set(part.seeds) for part in usable)))
    items, clusters = (
        np.unique(np.concatenate([getattr(part, name) for part in usable])) for name in ("items", "clusters")
    )
    values, open_scale = np.zeros((len(seeds), 1)), np.zeros((len(seeds), 1))
    influence = np.zeros((len(seeds), 1, len(clusters)), dtype=np.float32)
    members, shares = np.zeros((1, len(items)), dtype=bool), np.zeros((1, len(clusters)))
    for part in usable:
        own, rows = part.fit, [part.seeds.index(seed) for seed in seeds]
        assert own is not None  # not None, as it is usable
        where = np.searchsorted(clusters, part.clusters)
        values += own.values[rows].mean(1, keepdims=True) / len(usable)
        open_scale += own.open_scale[rows].mean(1, keepdims=True) / len(usable)
        influence[:, 0, where] += own.influence[rows].mean(1) / len(usable)
        shares[0, where] += own.shares.mean(0) / len(usable)
        members[0, np.searchsorted(items, part.items)] |= own.members.any(0)
    fit = Fit(values, influence, open_scale, np.zeros(1), members, shares, np.zeros(1, dtype=int))
    return fit.table(all(part.is_mean for part in usable))
