"""The numbers of seeds, rows and operators that decide a study's primary questions, from the variances of a pilot.

The variance of a contrast has a part from seeds, a part from items and one from both together. A share of each part is
common to all operators, and the rest averages out over them. So, with S seeds, I items and O operators:

    variance = seed(O) / S + item(O) / I + both(O) / (S I),    part(O) = common + (single - common) / O

A design decides a question when a true effect of zero is called negligible with probability POWER, after Bonferroni's
adjustment in the primary family. An effect of twice the bound, which is as far from the bound as zero, is then found
more often. The variances are taken as known; the errors that the study itself will estimate vary.
"""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from itt_jax import tasks
from itt_jax.analysis import inference
from itt_jax.analysis.arms import primary_pairs
from itt_jax.analysis.findings import Analysis
from itt_jax.analysis.inference import LEVEL, POWER
from itt_jax.config import Study
from itt_jax.errors import InputError
from itt_jax.study import arms

SEEDS = (3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 40, 60, 100)
ROWS = (0.25, 0.5, 1, 2, 4, 8)
"""Rows to try, as multiples of those of the pilot."""
NODES = 64
"""Equally likely values of the variance between seeds that a study estimates."""
COLUMNS = ["question", "seeds", "rows", "operators", "flops"]


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a contrast's variance: that with one operator, and the share of it common to all operators."""

    single: float
    common: float

    def of(self, operators: int) -> float:
        """The part with this number of operators."""
        return self.common + (self.single - self.common) / operators


@dataclasses.dataclass(frozen=True)
class Question:
    """The variances of a primary contrast.

    Attributes:
        seed, item, both: of one seed, of one item, and of one item in one seed.
        items_per_row: items (clusters of those that share a text) for each evaluated row.
        rows: numbers of rows that there are in each of the languages that it rests on.
    """

    name: str
    seed: Part
    item: Part
    both: Part
    items_per_row: float
    rows: tuple[int, ...]

    def decided(self, designs: np.ndarray, bound: float, family: int) -> np.ndarray:
        """Which designs (int [n, 3]: seeds, rows, operators) decide it, as one question of a family: bool [n]."""
        return self.power(designs, bound, family) >= POWER

    def power(self, designs: np.ndarray, bound: float, family: int) -> np.ndarray:
        """The probability that zero is called negligible: [n]."""
        seeds, rows, operators = designs.T
        items = np.minimum.outer(rows, self.rows).sum(1) * self.items_per_row
        seed, item, both = (np.vectorize(part.of)(operators) for part in (self.seed, self.item, self.both))
        of_seeds, of_items = seed / seeds + both / (seeds * items), item / items
        share = (np.arange(NODES) + 0.5) / NODES
        estimated = of_seeds[:, None] * stats.chi2.ppf(share, seeds[:, None] - 1) / (seeds[:, None] - 1)
        frame = pd.DataFrame({"estimate": 0.0, "seed_error": np.sqrt(estimated).ravel()})
        known = {"seeds": seeds, "df": seeds - 1, "clusters": items, "item_error": np.sqrt(of_items)}
        frame = frame.assign(**{name: np.repeat(values, NODES) for name, values in known.items()})
        half = inference.half_width(frame, LEVEL / 2 / family).reshape(estimated.shape)
        inside = 2 * stats.norm.cdf((bound - half) / np.sqrt(of_seeds + of_items)[:, None]) - 1
        return np.maximum(inside, 0).mean(1)


def asked(study: Study) -> list[str]:
    """The names of a study's primary questions: one for each encoder, metric of its targets, and treatment.

    Raises:
        InputError: a target's task does not exist.
    """
    first = (tasks.get((target.evaluate or (target.train,))[0], study.tasks) for target in study.running_targets())
    metrics, pairs = dict.fromkeys(task.metric for task in first), primary_pairs(arms.resolved(study.arms))
    return [named(spec.name, *pair, metric) for spec in study.encoders for metric in metrics for pair in pairs]


def named(model: str, arm: str, baseline: str, metric: str) -> str:
    """The name of a primary question."""
    return f"{model}, {arm} against {baseline} ({metric})"


def pilot_rows(pilot: Analysis) -> int:
    """The number of rows of a pilot's largest cell."""
    return int((pilot.cells["n"] + pilot.cells["n_not_applicable"]).max())


def from_pilot(pilot: Analysis, wanted: Sequence[str], there: Mapping[str, int]) -> list[Question]:
    """Those questions of a pilot study's primary family that are wanted.

    Args:
        there: language -> number of rows that there are.

    Raises:
        InputError: it has one seed, or none of the questions with an estimate.
    """
    rows, found = pilot_rows(pilot), []
    for row in pilot.primary[pilot.primary["estimate"].notna()].to_dict("records"):
        name = named(row["model"], row["arm"], row["baseline"], row["metric"])
        if name not in wanted:
            continue
        if row["seeds"] < 2:
            raise InputError("--pilot: its study has one seed, expected at least 2 to compare")
        seed, item, both = (Part(*pair) for pair in zip(*_single_and_common(pilot, row), strict=True))
        own = tuple(there.get(language, rows) for language in row["languages"].split())
        found.append(Question(name, seed, item, both, row["clusters"] / np.minimum(rows, own).sum(), own))
    if not found:
        raise InputError(f"--pilot: has no estimate for any of the study's primary questions ({'; '.join(wanted)})")
    return found


def _single_and_common(pilot: Analysis, row: dict) -> tuple[np.ndarray, np.ndarray]:
    """Variances [seed, item, both] with one operator, and the shares of them common to all operators.

    With one operator nothing is known about others, and the whole variance counts as common.
    """
    frame = pilot.interactions
    own = (frame["kind"] == "perturbation") & (frame["subset"] == "all") & frame["severity"].isna()
    for name in ("language", "domain"):
        own &= frame[name] == "all"
    for name in ("model", "metric", "arm", "baseline"):
        own &= frame[name] == row[name]
    frame = frame[own & frame["estimate"].notna()]
    whole, is_all = _variances(pd.DataFrame([row]))[0], frame["perturbation"] == "all"
    operators = frame.loc[~is_all, "perturbation"].nunique()
    if operators < 2:
        return whole, whole
    together, single = (_variances(frame[rows]).mean(0) for rows in (is_all, ~is_all))
    share = np.divide(together, single, out=np.ones(3), where=single > 0)
    common = np.clip((operators * share - 1) / (operators - 1), 0, 1)
    alone = whole / (common + (1 - common) / operators)
    return alone, alone * common


def _variances(frame: pd.DataFrame) -> np.ndarray:
    """The variances of one seed, of one item and of one item in one seed, of each row [n, 3]."""
    seeds, items = frame["seeds"], frame["clusters"]
    seed, item, both = (frame[name] ** 2 for name in ("seed_error", "item_error", "interaction_error"))
    return np.stack([np.maximum(seed - both, 0) * seeds, item * items, both * seeds * items], axis=1)


def declared(names: Sequence[str], seed_sd: float, item_sd: float, rows: int) -> list[Question]:
    """Questions with declared variances, the same for each question and for any number of operators.

    Args:
        seed_sd, item_sd: standard deviations of the contrast between seeds and between items, in points of the metric.
        rows: number of rows that there are.
    """
    seed, item = Part(seed_sd**2, seed_sd**2), Part(item_sd**2, item_sd**2)
    return [Question(name, seed, item, Part(0.0, 0.0), 1.0, (rows,)) for name in names]


def designs(
    questions: Sequence[Question],
    bound: float,
    rows: int,
    most_rows: int,
    operators: Sequence[int],
    flops: Callable[[int, int, int], float],
    family: int,
) -> pd.DataFrame:
    """Deciding designs, the cheapest first.

    Args:
        rows: number of rows in the pilot or the config. most_rows: number of rows available. operators: numbers to try.
        flops: (seeds, rows, operators) -> FLOPs. family: number of primary questions.

    Returns:
        columns COLUMNS; for each question its cheapest design, then those that decide every question ("all").
    """
    tried = sorted({min(max(round(rows * factor), 2), most_rows) for factor in ROWS})
    grid = list(itertools.product(SEEDS, tried, operators))
    grid.sort(key=lambda design: flops(*design))
    decided = {question.name: question.decided(np.array(grid), bound, family) for question in questions}
    found = []
    for name, which in decided.items():
        best = grid[which.argmax()] if which.any() else None
        found.append((name, *(best or (np.nan,) * 3), flops(*best) if best else np.nan))
    every = [grid[place] for place in np.flatnonzero(np.all(list(decided.values()), axis=0))]
    found += [("all", *design, flops(*design)) for design in _undominated(every)]
    return pd.DataFrame(found, columns=COLUMNS)


def _undominated(designs: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Those designs for which no cheaper one has at most as many seeds, rows and operators, in the input's order."""
    kept: list[tuple[int, int, int]] = []
    for design in designs:
        if not any(all(a <= b for a, b in zip(other, design, strict=True)) for other in kept):
            kept.append(design)
    return kept
