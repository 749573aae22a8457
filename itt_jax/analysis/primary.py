"""The primary family: for each model and treatment one interaction, over everything that the study varies."""

import numpy as np
import pandas as pd

from itt_jax.analysis.contrasts import Fit, TargetContrast, concat

STATISTICS = ["estimate", "ci_low", "ci_high", "std_err", "seed_error", "item_error", "df", "p"]


def primary_family(parts: list[TargetContrast]) -> pd.DataFrame:
    """One row per model, treatment and baseline, before verdicts.

    Targets have equal weight. Items that several targets share are one item; a seed counts if every target has it.
    """
    frames = []
    for pair in dict.fromkeys((part.model, part.arm, part.baseline) for part in parts):
        mine = [part for part in parts if (part.model, part.arm, part.baseline) == pair]
        usable = [part for part in mine if part.fit is not None]
        usable = [part for part in usable if part.kind == usable[0].kind]
        about = dict(zip(("model", "arm", "baseline"), pair, strict=True))
        about |= {"targets": len(usable), "targets_left_out": len(mine) - len(usable)}
        about["groups_left_out"] = sum(part.groups_left_out for part in mine)
        about["kind"] = usable[0].kind if usable else "perturbation"
        frame = _over_targets(usable) if usable else pd.DataFrame({"estimate": [np.nan], "seeds": 0})
        frames.append(pd.concat([pd.DataFrame(about, index=[0]), frame], axis=1))
    columns = ["model", "arm", "baseline", "targets", "targets_left_out", "groups_left_out", "kind", *STATISTICS]
    family = concat(frames).reindex(columns=[*columns, "test", "seeds", "items", "log_odds"])
    return family.astype(dict.fromkeys([*STATISTICS, "log_odds"], float))


def _over_targets(usable: list[TargetContrast]) -> pd.DataFrame:
    """The mean of the targets' contrasts, as one contrast."""
    seeds = sorted(set.intersection(*(set(part.seeds) for part in usable)))
    items = np.unique(np.concatenate([part.items for part in usable]))
    values, open_scale = np.zeros((len(seeds), 1)), np.zeros((len(seeds), 1))
    influence = np.zeros((len(seeds), 1, len(items)), dtype=np.float32)
    members = np.zeros((1, len(items)), dtype=bool)
    for part in usable:
        rows = [part.seeds.index(seed) for seed in seeds]
        where = np.searchsorted(items, part.items)
        values += part.fit.values[rows].mean(1, keepdims=True) / len(usable)
        open_scale += part.fit.open_scale[rows].mean(1, keepdims=True) / len(usable)
        influence[:, 0, where] += part.fit.influence[rows].mean(1) / len(usable)
        members[0, where] |= part.fit.members.any(0)
    fit = Fit(values, influence, open_scale, np.zeros(1), members, np.zeros(1, dtype=int))
    return fit.table(all(part.is_mean for part in usable))
