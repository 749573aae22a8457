"""Intervals, tests and verdicts for contrasts whose seeds and items are crossed.

The estimate of a contrast is its mean over S seeds. Every seed is evaluated on the same items, so the variance of the
estimate has a seed part and an item part. Items that share a text are one cluster, whose influences are summed:

    seed   variance of the seed-level contrasts / S             (includes the interaction of seeds and clusters / S)
    item   sum of squares of the clusters' mean influences, less the interaction, which the seed part already includes

The seed part is known from S - 1 degrees of freedom and the item part from many, so an estimate's error has the
distribution of Behrens and Fisher (`behrens_fisher`), for intervals, tests and detectable effects alike. "Many" is the
effective number of clusters less 1: clusters with a large share of the contrast (the few items of a small language)
count for more (Satterthwaite's formula for equal variances within a cell; the weights decide it, not estimated
variances).

If both sides got every item alike, all three are 0, though the next item may differ; and a few items that differ say
little of how many others would. So the item part is at least `least_item_error`.

Simulated over mixtures of the three variances (tests/analysis/test_inference.py): coverage 94.9 to 97.8 % with three
seeds, 94.9 to 96.9 % with five and ten; p <= .05, .01 and .001 at no more than 1.5 times the nominal rate. (With
Satterthwaite's degrees of freedom for seeds and items together coverage is as good, but p <= .001 is up to ten times
too frequent. A bootstrap of seeds, then items, does not reach 93 %.)
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from itt_jax.analysis import behrens_fisher
from itt_jax.analysis.sequential import ONCE, Look

PERMUTATIONS = 2000
POWER = 0.8
LEVEL = 0.05
NOISE = 1e-7
"""Errors below this are rounding: influences are float32, and one item in 10,000 moves a mean of 200 scores by more."""
STATISTICS = ("estimate", "ci_low", "ci_high", "std_err", "seed_error", "item_error", "interaction_error", "df", "p")
Columns = dict[str, np.ndarray]
"""A table: column -> entries, one a row. A data frame takes milliseconds to make and to change, and the analysis of a
large folder makes thousands of small tables."""
SAME = ["model", "target", "metric", "arm", "baseline", "kind", "subset", "estimate", "std_err"]
"""Columns in which two rows of the same contrast agree."""
CONTRAST = ["claim", "model", "metric", "arm", "baseline", "target"]
"""Columns that name a primary contrast or a claim; some may be absent."""


def crossed(values: np.ndarray, influence: np.ndarray) -> tuple[np.ndarray, ...]:
    """Estimate and its standard errors over seeds and over clusters of items, of contrasts where the two are crossed.

    Args:
        values: [S, Q] the contrast in each seed.
        influence: [S, Q, C] the influence of each cluster on it (0 where the cluster has no part).

    Returns:
        float64 [Q] each. With one seed the error is over items alone: it says nothing about another training run.
    """
    seeds = len(values)
    estimate, mean = values.mean(0), influence.mean(0)
    item = np.einsum("qi,qi->q", mean, mean, dtype=np.float64)
    if seeds == 1:
        return estimate, np.zeros_like(item), np.sqrt(item), np.full_like(item, np.nan)
    seed = values.var(0, ddof=1) / seeds
    interaction = (np.einsum("sqi,sqi->q", influence, influence, dtype=np.float64) / seeds - item) / (seeds - 1)
    counted = np.maximum(interaction, 0)
    return estimate, np.sqrt(seed), np.sqrt(np.maximum(item - counted, 0)), np.sqrt(counted)


def beyond(x: Any, frame: Mapping[str, Any] | pd.DataFrame) -> np.ndarray:
    """P(error >= x), one for each row of a table of statistics: Student's t over items for one seed, otherwise both."""
    return _by_seeds(frame, x, lambda x, df, error: stats.t.sf(x / error, df), behrens_fisher.tail)


def half_width(frame: Mapping[str, Any] | pd.DataFrame, level: float = LEVEL / 2) -> np.ndarray:
    """The x with P(error >= x) = level, one for each row."""
    return _by_seeds(
        frame,
        level,
        lambda level, df, error: stats.t.isf(level, df) * error,
        lambda level, *about: behrens_fisher.quantile(float(level[0]), *about),
    )


def intervals(frame: Mapping[str, Any] | pd.DataFrame, look: Look) -> dict[str, Any]:
    """ci_low and ci_high of a look's level, for each row; missing if there is no look at this number of seeds."""
    nominal = look.nominal(LEVEL)
    half = half_width(frame, nominal / 2) if nominal else np.nan
    return {"ci_low": frame["estimate"] - half, "ci_high": frame["estimate"] + half}


def detectable(frame: pd.DataFrame, level: float) -> np.ndarray:
    """The true value that a study of this size finds beyond 0 at this level (one-sided) with probability POWER."""
    return _by_seeds(
        frame,
        level,
        lambda level, df, error: (stats.t.isf(level, df) + stats.t.isf(1 - POWER, df)) * error,
        lambda level, *about: behrens_fisher.detectable(float(level[0]), POWER, *about),
    )


def _by_seeds(frame: Mapping[str, Any] | pd.DataFrame, x, single: Callable, several: Callable) -> np.ndarray:
    """A function of each row's x and errors, chosen by the row's number of seeds; NaN without an estimate."""
    names = ("estimate", "seeds", "seed_error", "item_error", "clusters")
    estimate, seeds, seed_error, item_error, clusters = (np.asarray(frame[name], dtype=float) for name in names)
    found, item_df = np.full(len(estimate), np.nan), np.maximum(clusters - 1, 1)
    given = np.broadcast_to(np.asarray(x, dtype=float), len(estimate))
    known = np.isfinite(estimate) & np.isfinite(seed_error + item_error)
    for number in np.unique(seeds[known]):
        rows = known & (seeds == number)
        if number == 1:
            found[rows] = single(given[rows], item_df[rows], np.maximum(item_error[rows], 1e-300))
        else:
            found[rows] = several(given[rows], seed_error[rows], item_error[rows], int(number) - 1, item_df[rows])
    return found


def unseen(clusters: np.ndarray) -> np.ndarray:
    """The item error [Q] of a share of `clusters` items [Q] that none of them has; 0 for fewer than two.

    Its 95 % interval is that of Clopper and Pearson (1934), about 3.6 / n, as for three to four items that have it.
    """
    n = np.maximum(clusters, 1)
    return np.where(n > 1, (1 - (LEVEL / 2) ** (1 / n)) / stats.t.isf(LEVEL / 2, np.maximum(n - 1, 1)), 0)


def least_item_error(
    influence: np.ndarray, shares: np.ndarray, clusters: np.ndarray, seed_error: np.ndarray
) -> np.ndarray:
    """The smallest item error [Q] that so many clusters allow: that of `unseen`, times what a differing item counts.

    An item counts as much as those that do differ, on average over the seeds, if they are few. If none does, and seeds
    agree, it counts its share: a contrast of scores between 0 and 1 cannot change by more.

    Args:
        influence, shares: as in `table`. clusters: their effective number [Q]. seed_error: float [Q].
    """
    (error, differ), (_, have) = (_norm_and_size(weights) for weights in (influence.mean(0), shares))
    share = np.divide(have, shares.sum(1), out=np.zeros(len(have)), where=have > 0)
    as_one = clusters * unseen(clusters)  # of items that count 1
    few = np.where(error < differ * as_one, differ, 0)
    return as_one * np.where(error > NOISE, few, np.where(seed_error > NOISE, 0, share))


def _norm_and_size(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The norms [Q] of weights [Q, C], and the size of the largest, or of several that are about as large."""
    squares = np.asarray(weights, dtype=np.float64) ** 2
    total, fourth = squares.sum(1), np.einsum("qi,qi->q", squares, squares)
    return np.sqrt(total), np.sqrt(np.divide(fourth, total, out=np.zeros(len(total)), where=total > 0))


def effective(shares: np.ndarray) -> np.ndarray:
    """The effective number of clusters [Q], from their shares in contrasts [Q, C]: C if all are equal."""
    squares = np.asarray(shares, dtype=np.float64) ** 2
    total, fourth = squares.sum(1), (squares**2).sum(1)
    return np.divide(total**2, fourth, out=np.zeros(len(total)), where=fourth > 0).round(6)


def table(
    values: np.ndarray, influence: np.ndarray, shares: np.ndarray, two_cells: np.ndarray | None, tested: bool = True
) -> Columns:
    """Tidy statistics of contrasts, one row each; a seed with a missing cell (NaN) is left out of that contrast.

    Args:
        values, influence: as in `crossed`.
        shares: [Q, C], the share of the contrast that each cluster has, on any scale; 0 if it has no part.
        two_cells: bool [Q], True if the contrast is one share of right items minus another and no items share a text:
            McNemar's test then applies to a single seed (otherwise permutation). None if the metric is not a mean over
            items (a single seed is then tested by t over items).
        tested: whether they are tested against 0; p is NaN and test "none" otherwise.

    Returns:
        columns estimate, ci_low, ci_high (95 %), std_err, seed_error and item_error (its two parts), interaction_error
        (the part of seed_error that more items reduce), df (of the seed part; with one seed, of the items), p
        (two-sided, against 0), test, seeds, clusters (their effective number).
        Error, interval and p are NaN if the items of a cell are a single cluster.
    """
    clusters, count = effective(shares), values.shape[1]
    columns: Columns = {name: np.full(count, np.nan) for name in STATISTICS}
    columns |= {"test": np.full(count, "none", dtype=object), "seeds": np.zeros(count, int), "clusters": clusters}
    exact = np.zeros(count, dtype=bool)
    for pattern, rows in _patterns(np.isfinite(values)):
        seeds = int(pattern.sum())
        if not seeds:
            continue
        present = slice(None) if pattern.all() else pattern  # a view, where a mask copies
        part, part_influence = values[present][:, rows], influence[present][:, rows]
        estimate, seed_error, item_error, interaction = crossed(part, part_influence)
        least = least_item_error(part_influence, shares[rows], clusters[rows], seed_error)
        item_error = np.maximum(item_error, least)  # NaN stays NaN
        found: dict[str, Any] = {
            "estimate": estimate,
            "std_err": np.hypot(seed_error, item_error),
            "seed_error": seed_error,
            "item_error": item_error,
            "interaction_error": interaction,
            "df": np.maximum(clusters[rows] - 1, 1) if seeds == 1 else seeds - 1,
            "seeds": seeds,
        }
        if tested and seeds == 1 and two_cells is not None:
            found["p"], found["test"] = _one_seed(part[0], part_influence[0], shares[rows], two_cells[rows])
            exact[rows] = True
        elif tested:
            found["test"] = "t" if seeds == 1 else "behrens-fisher"
        for name, own in found.items():
            columns[name][rows] = own
    estimate, error = columns["estimate"], columns["std_err"]
    if tested:
        two_sided = np.minimum(2 * beyond(np.abs(estimate), columns), 1)
        p = np.where(error > 0, two_sided, np.where(np.isnan(error), np.nan, 1.0))
        columns["p"] = np.where(exact, columns["p"], p)
    half = half_width(columns)
    return columns | {"ci_low": estimate - half, "ci_high": estimate + half}


def _patterns(present: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each set of seeds that contrasts have, bool [S], and the rows of these; of bool [S, Q]."""
    if present.size and present.all():
        yield present[:, 0], np.arange(present.shape[1])
        return
    patterns, which = np.unique(present, axis=1, return_inverse=True)
    for number, pattern in enumerate(patterns.T):
        yield pattern, np.flatnonzero(which == number)


def estimates(values: np.ndarray) -> Columns:
    """The columns of `table` without items: estimates [Q] from [S, Q], without intervals and tests."""
    present = np.isfinite(values)
    count = present.sum(0)
    mean = np.divide(np.where(present, values, 0).sum(0), count, out=np.full(len(count), np.nan), where=count > 0)
    columns: Columns = {name: np.full(len(count), np.nan) for name in STATISTICS}
    tests = {"test": np.full(len(count), "none", dtype=object), "seeds": count, "clusters": np.zeros(len(count))}
    return columns | {"estimate": mean} | tests


def _one_seed(values: np.ndarray, influence: np.ndarray, shares: np.ndarray, two_cells: np.ndarray):
    """p-values [Q] of a single seed: exact McNemar for two cells, otherwise paired permutation of clusters.

    A cluster's part of the contrast is its influence plus its share of the value.
    """
    share = shares / np.maximum(shares.sum(1, keepdims=True), 1e-300)
    undo_bessel = np.sqrt(1 - np.minimum(share, 1))
    part = np.where(share > 0, influence * undo_bessel + values[:, None] * share, 0)
    p = permutation(part)
    unit = 0.5 / (share[two_cells] > 0).sum(1)[:, None]
    better, worse = (part[two_cells] > unit).sum(1), (part[two_cells] < -unit).sum(1)
    p[two_cells] = mcnemar(better, worse)
    return p, np.where(two_cells, "mcnemar", "permutation").astype(object)


def mcnemar(better: np.ndarray, worse: np.ndarray) -> np.ndarray:
    """Exact two-sided McNemar test of discordant pairs; int [Q] each -> float [Q]."""
    return np.minimum(2 * stats.binom.cdf(np.minimum(better, worse), better + worse, 0.5), 1.0)


def permutation(share: np.ndarray) -> np.ndarray:
    """Two-sided paired permutation test that exchanges the two sides of each cluster at random. [Q, C] -> [Q]."""
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), size=(PERMUTATIONS, share.shape[1]))
    sums = np.abs(signs @ share.T.astype(np.float32))
    p = ((sums >= np.abs(share.sum(1)) - 1e-6).sum(0) + 1) / (PERMUTATIONS + 1)
    return np.where(np.isfinite(share).all(1), p, np.nan)


def adjust(frame: pd.DataFrame, p: pd.Series, method: str) -> np.ndarray:
    """Adjusted p-values ("holm" or "fdr_bh"); missing ones stay missing and are ignored.

    Rows that repeat another row's contrast count once: an operator with a single severity has one row for the operator
    and the same for the severity, and a domain with a single language one for each. The last digits of their p-values
    may differ.
    """
    from statsmodels.stats.multitest import multipletests

    same = frame[[name for name in SAME if name in frame]].assign(rounded=p.round(9))
    family = same.assign(p=p)[p.notna()].drop_duplicates(list(same))
    adjusted = family[list(same)].assign(adjusted=multipletests(family["p"], method=method)[1] if len(family) else [])
    return same.merge(adjusted, how="left", on=list(same))["adjusted"].to_numpy(dtype=float)


def judge(
    frame: pd.DataFrame,
    smallest_effect: float | pd.Series,
    method: str,
    look: Look = ONCE,
    earlier: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Verdicts on interactions: supported, contradicted, negligible or undetermined.

    Supported: the estimate lies above +smallest_effect, significantly after the family's adjustment, and percentage
    points and log-odds agree in sign. Contradicted: the same below -smallest_effect. Negligible: it lies within the two
    bounds, significantly after the adjustment. A true value is either within the bounds or not, so only one of the two
    kinds of conclusion can be wrong for each row, and one adjustment serves both.

    In a study that is looked at several times, p-values are those of its design, and a conclusion that an earlier look
    reached holds; `looks.as_decided` adds the figures on which it rests.

    Args:
        smallest_effect: the bound, one for all or one a row.
        look: the study's design at its present number of seeds; intervals get its level.
        earlier: rows of CONTRAST, p_design and leaning of each earlier look, found by an earlier call.

    Adds leaning (the conclusion that the estimate is nearest to); p_design (its p-value before adjustment, the smallest
    of all looks) and look (the number of seeds there); p_adjusted (against 0); p_bound (p_design, adjusted); agree;
    verdict; clear (the 95 % interval of the present look is beyond a bound, or within both, before adjustment);
    detectable (the smallest true effect that would be called supported with probability POWER: after Bonferroni's
    adjustment in the primary family, where `method` is "holm", and before adjustment elsewhere).
    """
    frame = frame.assign(**intervals(frame, look))
    estimate = frame["estimate"]
    # One-sided, doubled: a conclusion beyond the bound needs the whole 95 % interval there, as one within does.
    outside = 2 * beyond(estimate.abs() - smallest_effect, frame)
    inside = 2 * beyond(smallest_effect - estimate.abs(), frame)
    nearest = pd.Series(np.minimum(np.minimum(outside, inside), 1.0), index=frame.index).where(estimate.notna())
    frame["agree"] = np.sign(estimate) == np.sign(frame["log_odds"])
    beyond_bound = frame["agree"] & (estimate.abs() >= smallest_effect)
    kinds = {
        "supported": beyond_bound & (estimate > 0),
        "contradicted": beyond_bound & (estimate < 0),
        "negligible": estimate.abs() < smallest_effect,
    }
    frame["leaning"] = np.select(list(kinds.values()), list(kinds), "")
    frame["p_design"], frame["look"] = look.overall(nearest), look.seeds or frame["seeds"]
    frame["clear"] = frame["p_design"] <= LEVEL
    if earlier is not None:
        frame = _with_earlier(frame, earlier)
    frame["p_adjusted"] = adjust(frame, pd.Series(look.overall(frame["p"]), frame.index), method)
    frame["p_bound"] = adjust(frame, frame["p_design"], method)
    frame["verdict"] = frame["leaning"].where((frame["p_bound"] <= LEVEL) & (frame["leaning"] != ""), "undetermined")
    tests = max(int(estimate.notna().sum()), 1) if method == "holm" else 1
    nominal = look.nominal(LEVEL / tests)
    frame["detectable"] = smallest_effect + detectable(frame, nominal / 2) if nominal else np.nan
    return frame


def _with_earlier(frame: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    """The table with, for each contrast, the conclusion of the look with the clearest result."""
    past = clearest(frame, earlier)
    holds = past["p_design"].notna() & ((past["p_design"] < frame["p_design"]) | (frame["leaning"] == ""))
    return frame.assign(**{name: frame[name].where(~holds, past[name]) for name in ("p_design", "leaning", "look")})


def clearest(frame: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    """For each contrast of the table, the record of the look with the smallest p_design (the first of equals)."""
    key = [name for name in CONTRAST if name in frame]
    past = earlier[earlier["leaning"] != ""].sort_values("p_design", kind="stable").drop_duplicates(key)
    return frame[key].merge(past, how="left", on=key).set_index(frame.index)
