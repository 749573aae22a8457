"""Signal is decided on dev rows: that it then shifts nothing, and what happens if the evaluated items decide it."""

import numpy as np
import pandas as pd
import pytest

from itt_jax.analysis import inference
from itt_jax.analysis.signal import is_above
from itt_jax.metrics import metric
from itt_jax.store.results import CellItems


def cell(right: np.ndarray, clusters=None) -> CellItems:
    """A cell of right and wrong answers bool [n]."""
    items = np.arange(len(right), dtype=np.int32)
    everything = np.ones(len(right), bool)
    values = {"prediction": right.astype(float), "label": np.ones(len(right))}
    return CellItems(items, values, everything, everything, items if clusters is None else clusters)


def has_signal(answers: np.ndarray, chance: float = 0.5) -> bool:
    """Whether answers bool [S, n] are above chance."""
    return is_above(metric("accuracy"), [cell(own) for own in answers], chance)


def test_signal_is_a_mean_over_seeds_above_chance_by_its_interval():
    right = np.arange(100) < 60
    assert has_signal(np.stack([right, right, np.arange(100) < 66])) and not has_signal(np.stack([right, ~right]))
    assert not has_signal((np.arange(100) < 59)[None])  # .59: Wilson's interval begins at .492


def test_texts_in_common_are_less_evidence():
    """62 of 100 right are above chance, but not where they are 25 texts with four rows each."""
    right = np.repeat(np.arange(25) < 15.5, 4)
    measure, texts = metric("accuracy"), np.repeat(np.arange(25, dtype=np.int32), 4)
    assert is_above(measure, [cell(right)], 0.5) and not is_above(measure, [cell(right, texts)], 0.5)


def interactions(answers: np.ndarray):
    """The statistics of interactions, from answers bool [studies, 2 arms, S, 2 forms, n]."""
    contrast = np.diff(np.diff(answers.astype(float), axis=3)[:, :, :, 0], axis=1)[:, 0]  # [studies, S, n]
    n = contrast.shape[2]
    values = contrast.mean(2).T
    influence = ((contrast - contrast.mean(2, keepdims=True)) / np.sqrt(n * (n - 1))).transpose(1, 0, 2)
    return pd.DataFrame(inference.table(values, influence, np.ones((len(contrast), n)), None))


@pytest.mark.slow
@pytest.mark.volume
def test_selection_on_dev_rows_shifts_nothing():
    """Control near chance, strong treatment; perturbation costs both 4 points, so that the truth is 0.

    Selected on the evaluated items, the same studies are shifted by more than two points.
    """
    random = np.random.default_rng(0)
    kept, biased = [], []
    for _ in range(5):
        studies, seeds, n = 1200, 3, 300
        level = np.array([0.545, 0.88])[None, :, None, None, None] - np.array([0.0, 0.04])[:, None]
        shift = random.normal(0, 0.01, (studies, 2, seeds, 1, 1))

        def answers(forms: int, level=level, shift=shift, studies=studies, n=n) -> np.ndarray:
            hard = random.normal(0, 0.05, (studies, 1, 1, 1, n))
            chance = level[..., :forms, :] + shift + hard
            return random.random((*chance.shape[:4], n)) < chance

        evaluated, dev = answers(2), answers(1)
        found = interactions(evaluated)
        for where, own in ((kept, dev), (biased, evaluated)):
            chosen = [has_signal(study[0, :, 0]) and has_signal(study[1, :, 0]) for study in own]
            where.append(found[chosen])
    found, shifted = pd.concat(kept), pd.concat(biased)["estimate"].mean()
    assert abs(found["estimate"].mean()) < 0.002 + found["estimate"].sem(), found["estimate"].mean()
    assert 0.93 <= ((found["ci_low"] <= 0) & (0 <= found["ci_high"])).mean() <= 0.97
    assert shifted > 0.01


def shift(groups: int, seeds: int, deviation: float, cross_fitted: bool, n: int = 300) -> float:
    """The mean interaction of 12,000 studies whose truth is 0, over the groups that are kept.

    Args:
        deviation: of clean scores between seeds. cross_fitted: whether each seed's cells are kept by the dev scores of
            the other seeds, in place of those of all seeds.
    """
    random, error = np.random.default_rng(1), np.sqrt(0.25 / n)
    of_seed = deviation * random.standard_normal((2, 2, 12000, seeds, groups))  # control or not; clean, perturbed
    noise = error * random.standard_normal((3, 12000, seeds, groups))
    dev = 0.545 + of_seed[0, 0] + noise[0]
    found = of_seed[1, 1] - of_seed[1, 0] - (of_seed[0, 1] - of_seed[0, 0]) + noise[1] - noise[2]
    deciding = seeds - 1 if cross_fitted else seeds
    mean = (dev.sum(1, keepdims=True) - dev * cross_fitted) / deciding + 0 * dev
    kept = mean - 1.96 * error / np.sqrt(deciding) > 0.5
    own = np.where(kept.any(2), (found * kept).sum(2) / np.maximum(kept.sum(2), 1), np.nan)  # of each seed
    return float(np.nanmean(own[(~np.isnan(own)).sum(1) > 1], axis=1).mean())


@pytest.mark.slow
@pytest.mark.volume
def test_seeds_that_vary_strongly_shift_what_they_select():
    """What docs/statistics.md says of both ways: that of all seeds shifts, and cross-fitting does with one group."""
    present = [shift(1, seeds, 0.05, cross_fitted=False) for seeds in (3, 5, 10)]
    assert present == pytest.approx([0.014, 0.007, 0.002], abs=0.002)
    assert shift(1, 3, 0.1, cross_fitted=False) == pytest.approx(0.037, abs=0.004)
    assert shift(1, 3, 0.05, cross_fitted=True) > 0.002 and shift(1, 5, 0.05, cross_fitted=True) < -0.002
    assert abs(shift(5, 5, 0.05, cross_fitted=True)) < 0.002
