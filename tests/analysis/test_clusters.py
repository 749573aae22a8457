"""Variances where items share a text and where languages are unequal, against simulation and a reference."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from itt_jax.analysis import inference
from itt_jax.analysis.clustering import clustered
from itt_jax.metrics import metric
from tests.analysis.test_inference import covered, statistics


def table(contrasts: list[np.ndarray], rows: list[int]):
    """The statistics of the mean over languages of contrasts [studies, S, n], with so many rows a text in each."""
    values, influences, shares = [], [], []
    for contrast, own in zip(contrasts, rows, strict=True):
        n, texts = contrast.shape[2], contrast.shape[2] // own
        part = (contrast - contrast.mean(2, keepdims=True)) / n / np.sqrt(1 - own / n)
        influences.append(part.reshape(*part.shape[:2], texts, own).sum(3))
        values.append(contrast.mean(2))
        shares.append(np.full(texts, own / n))
    influence = np.concatenate(influences, axis=2).transpose(1, 0, 2) / len(contrasts)
    share = np.tile(np.concatenate(shares), (influence.shape[1], 1))
    return pd.DataFrame(inference.table(np.mean(values, axis=0).T, influence, share, None))


def answers(random, studies: int, seeds: int, n: int, rows: int, base: float, icc: float = 0.4) -> np.ndarray:
    """Interactions [studies, S, n] of right and wrong answers in which texts with `rows` rows have much in common."""

    def effects(scale: float, *shape: int) -> np.ndarray:
        shared = np.repeat(random.normal(0, scale, (*shape, n // rows)), rows, axis=-1)
        return np.sqrt(icc) * shared + np.sqrt(1 - icc) * random.normal(0, scale, (*shape, n))

    odds = np.zeros((2, 2, studies, seeds, n))
    for arm in range(2):
        for form in range(2):
            odds[arm, form] = base + 0.8 * arm - 1.0 * form + effects(1.5, studies, 1) + effects(1.5, studies, 1)
            odds[arm, form] += random.normal(0, 0.15 * (seeds > 1), (studies, seeds, 1))  # one says nothing of others
    odds *= 4  # answers that are hardly random, so that the correlation of texts is that of answers
    right = (random.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(np.float32)
    return (right[1, 1] - right[1, 0]) - (right[0, 1] - right[0, 0])


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("seeds", [1, 3, 5])
@pytest.mark.parametrize("unequal", [False, True], ids=["one language", "400 and 15 items"])
def test_coverage_where_three_rows_share_a_text(seeds, unequal):
    """Correlation .4 within texts; treated as independent, the rows of one language reach less."""
    random = np.random.default_rng(seeds)
    sizes, bases, rows = ([400, 15], [1.0, 0.2], [1, 1]) if unequal else ([120], [1.0], [3])

    def draw(studies: int, number: int, least: int = 0) -> list[np.ndarray]:
        about = zip(sizes, bases, rows, strict=True)
        return [answers(random, studies, number, max(n, least), own, base) for n, base, own in about]

    truth = np.mean([part.mean() for part in draw(1500, min(seeds, 2), 300)])
    found = draw(2400, seeds)
    frame = table(found, rows)
    share = covered(frame["ci_low"], frame["ci_high"], truth)
    assert 0.93 <= share <= 0.97 + 0.01 * (seeds == 3), share
    if not unequal and seeds == 1:
        naive = statistics(found[0])
        assert covered(naive["ci_low"], naive["ci_high"], truth) < 0.92


def test_clusters_of_one_are_plain_items_and_few_clusters_have_few_degrees_of_freedom():
    right = np.random.default_rng(0).random(60) < 0.7
    measure = metric("accuracy")
    value, alone, _ = clustered(measure, right.astype(float), np.arange(60), 60)
    assert value == right.mean() and alone == pytest.approx(measure.influence(right.astype(float))[1])
    _, texts, share = clustered(measure, right.astype(float), np.arange(60) // 3, 20)
    means = right.reshape(20, 3).mean(1)
    assert (texts**2).sum() == pytest.approx(means.var(ddof=1) / 20)  # the variance of a mean of 20 texts
    assert inference.effective(share[None])[0] == 20
    _, single, _ = clustered(measure, right.astype(float), np.zeros(60, int), 1)
    assert np.isnan(single).all()


def test_a_small_language_decides_the_degrees_of_freedom():
    """Satterthwaite's formula for 400 and 15 items of one variance, whatever the two variances are estimated to be."""
    shares = np.concatenate([np.full(400, 1 / 400), np.full(15, 1 / 15)])[None]
    variances, df = np.array([1 / 400, 1 / 15]), np.array([399, 14])
    assert inference.effective(shares)[0] - 1 == pytest.approx(
        (variances.sum() ** 2) / (variances**2 / df).sum(), rel=0.02
    )


def test_errors_are_those_of_a_mixed_model():
    """statsmodels' REML estimates with crossed random effects of seeds and texts, on balanced data, are ours."""
    random = np.random.default_rng(1)
    seeds, texts, rows = 6, 20, 3
    contrast = 0.1 + random.normal(0, 0.3, (seeds, 1, 1)) + random.normal(0, 0.5, (1, texts, 1))
    contrast = contrast + random.normal(0, 0.6, (seeds, texts, rows))
    import pandas as pd

    index = np.indices(contrast.shape).reshape(3, -1)
    data = pd.DataFrame({"y": contrast.ravel(), "seed": index[0], "text": index[1], "all": 0})
    by_text = data.groupby(["seed", "text", "all"], as_index=False)["y"].mean()  # balanced: nothing is lost
    formula = {"seed": "0 + C(seed)", "text": "0 + C(text)"}
    fitted = smf.mixedlm("y ~ 1", by_text, groups="all", vc_formula=formula).fit(reml=True)
    row = table([contrast.reshape(1, seeds, -1)], [rows]).iloc[0]
    assert row["estimate"] == pytest.approx(fitted.fe_params.iloc[0], abs=1e-6)
    assert row["std_err"] == pytest.approx(fitted.bse_fe.iloc[0], rel=0.01)
