"""The manipulation check: whether a stage learned anything, by comparing its kept parameters on dev rows with chance.

Learning rate and checkpoint were chosen on the same rows, so the interval covers every dev evaluation of every learning
rate at once (Bonferroni): 95 % for all of them together. A stage has learned if the whole interval is better than
chance.
"""

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import stats

from itt_jax.metrics import Metric
from itt_jax.train.jobs import TaskData

LEVEL = 0.05


@dataclasses.dataclass(frozen=True)
class DevCheck:
    """The dev score of a stage, compared with chance.

    Attributes:
        task: name of the task or of the texts. metric: name of the metric.
        dev, ci_low, ci_high: the score and its interval; None where it is undefined (a score that is not finite, the
            correlation of a constant). chance: the score of a prediction that ignores the text.
        rows: number of rows. looks: number of evaluations of which the score is the best.
        learned: whether the interval is better than chance.
        digest: hash of the rows' content.
    """

    task: str
    metric: str
    dev: float | None
    ci_low: float | None
    ci_high: float | None
    chance: float
    rows: int
    looks: int
    learned: bool
    digest: str = ""

    def as_record(self) -> dict[str, Any]:
        """JSON-able."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        score = "undefined" if self.dev is None else f"{self.dev:.3f} [{self.ci_low:.3f}, {self.ci_high:.3f}]"
        verdict = "learned" if self.learned else "DID NOT LEARN"
        return f"{verdict} {self.task} (dev {self.metric} {score}, chance {self.chance:.3f})"


def matching(found: Iterable[dict[str, Any]], rows: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """The recorded checks on a study's dev rows, under the study's names.

    Earlier versions recorded no digests; their checks are matched by name.

    Args:
        rows: name and digest of the rows of each check that the study would make.
    """
    left, kept = list(found), []
    for name, digest in rows:
        same = (one for one in left if (one["digest"] == digest if one.get("digest") else one["task"] == name))
        if (own := next(same, None)) is not None:
            left.remove(own)
            kept.append(own | {"task": name})
    return kept


def checked(
    task: str, metric: str, value: float, error: float, chance: float, rows: int, looks: int, sign: int = 1
) -> DevCheck:
    """The check of a score with its standard error.

    Args:
        sign: 1, or -1 if lower scores are better.
    """
    value, error, chance = float(value), float(error), float(chance)  # not numpy scalars, as the record is JSON
    if not math.isfinite(value) or not math.isfinite(error):
        return DevCheck(task, metric, None, None, None, chance, rows, looks, learned=False)
    half = float(stats.norm.isf(LEVEL / 2 / max(looks, 1))) * error
    learned = sign * (value - chance) > half
    return DevCheck(task, metric, value, value - half, value + half, chance, rows, looks, learned)


def check_scores(dev: TaskData, measure: Metric, scores: np.ndarray, looks: int) -> DevCheck:
    """The check of scores on dev rows that `train.predict` returned.

    Args:
        looks: number of evaluations from which the parameters were chosen.
    """
    gold, value, error = dev.expected, math.nan, math.nan
    chance, rows = measure.chance(gold.labels, gold.names), len(gold.labels)
    if np.isfinite(scores).all():
        items = dev.kind.dev_items(measure, scores, gold)
        rows = len(items)
        if measure.defined(items):
            value, influence = measure.influence(items)
            error = float(np.sqrt(np.square(influence).sum()))
    return checked(dev.name, measure.name, value, error, chance, rows, looks, measure.sign)
