"""The worst cell is chosen on other items than those that measure it."""

import numpy as np
import pandas as pd
import pytest

from itt_jax.analysis import panels
from itt_jax.store.results import CellItems

NOISES = ("clean", *(f"operator {i}" for i in range(8)))


def folder(random, groups: int, n: int, levels: np.ndarray, seeds: int = 3):
    """Results and cells of one arm: right answers with these probabilities [conditions], in many groups."""
    rows, cells = [], {}
    for group in range(groups):
        hard, items = random.normal(0, 0.08, n), np.arange(group * n, (group + 1) * n, dtype=np.int32)
        for seed in range(seeds):
            shift = random.normal(0, 0.01)
            for k, level in enumerate(levels):
                right = (random.random(n) < level + hard + shift).astype(float)
                name, every = f"{group}/{seed}/{k}", np.ones(n, bool)
                cells[name] = CellItems(items, {"prediction": right, "label": np.ones(n)}, every, every, items)
                rows.append([seed, f"l{group}", NOISES[k], float(k > 0), right.mean(), name])
    frame = pd.DataFrame(rows, columns=["seed", "language", "perturbation", "severity", "value", "cell"])
    about = {"model": "m", "target": "t", "arm": "direct", "task": "t", "split": "test", "domain": "d", "replicate": 0}
    about |= {"metric": "accuracy", "chance": 0.5, "in_domain": True, "source_language": True, "changes_label": False}
    about |= {"attack": False}
    return frame.assign(n=n, n_changed=n, n_not_applicable=0, **about), cells


def worst(random, groups: int, n: int, levels: np.ndarray):
    """Of many groups: value [S, groups] and influences [S, groups, C] of the worst cell; means of the operators."""
    panel = next(panels.panels_of(*folder(random, groups, n, levels)))
    at = panel.conditions["role"] == "worst cell"
    perturbed = panel.values[0][:, panel.conditions["role"] == "perturbed"].mean(0)
    return panel.values[0][:, at], panel.influence[0][:, at], perturbed.reshape(groups, -1)


def test_a_clearly_worst_operator_is_measured_on_all_items():
    levels = np.array([0.9, 0.9, 0.9, 0.2])
    values, influence, means = worst(np.random.default_rng(0), 2, 80, levels)
    assert values.mean(0) == pytest.approx(means.min(1), abs=1e-9)  # both halves choose it
    assert (influence != 0).sum(2).tolist() == [[80, 80]] * 3


@pytest.mark.slow
@pytest.mark.volume
def test_the_worst_of_operators_that_are_alike_is_not_below_them():
    """Eight operators at .75: the lowest mean is three points below their mean, the cross-fitted worst cell is not."""
    values, influence, means = worst(np.random.default_rng(0), 150, 120, np.array([0.8, *[0.75] * 8]))
    estimate, error = values.mean(0), np.sqrt((influence.mean(0) ** 2).sum(1))
    assert means.min(1).mean() < means.mean() - 0.025
    assert abs(estimate.mean() - means.mean()) < 0.006  # three standard errors
    covered = np.abs(estimate - 0.75) <= 1.96 * np.hypot(error, 0.01 / np.sqrt(3))
    assert 0.9 <= covered.mean() <= 0.98
