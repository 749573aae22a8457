"""A metric for which lower is better gives the effects of its complement, and scores on its own scale."""

import pandas as pd
import pytest

from itt_jax import metrics
from itt_jax.analysis import analyse
from itt_jax.metrics.classes import Accuracy
from tests.simulated_store import write_store


class ErrorRate(Accuracy):
    """The share of items whose class is wrong."""

    name = "error_rate"
    higher_is_better = False
    right_or_wrong = False

    def statistic(self, predictions, labels, names=(), language=""):
        return 1 - super().statistic(predictions, labels)


pytestmark = pytest.mark.slow  # two stores are analysed


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The analysis of accuracy, and of the error rate of the same predictions."""
    out = write_store(tmp_path_factory.mktemp("store"), robust=0.4, languages=("en", "de"), dev=30)
    accuracy = analyse(out)
    for name in ("results", "selection"):
        results = pd.read_parquet(out / f"{name}.parquet")
        results["metric"], results["value"] = "error_rate", 1 - results["value"]
        results["chance"] = 1 - results["chance"]
        results.to_parquet(out / f"{name}.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "METRICS", (*metrics.METRICS, ErrorRate()))
        return accuracy, analyse(out)


@pytest.mark.parametrize("table", ["gains", "interactions", "primary", "gaps", "counts"])
def test_effects_are_those_of_the_complement(both, table):
    accuracy, error = (getattr(one, table).drop(columns="metric", errors="ignore") for one in both)
    assert len(accuracy)
    if table == "gaps":  # the sides of a level's gap are scores
        levels = accuracy["baseline"] == ""
        for name, turned in (("first", "first"), ("first_low", "first_high"), ("second", "second")):
            assert error[name][levels].to_numpy() == pytest.approx(1 - accuracy[turned][levels].to_numpy(), abs=1e-6)
        names = [f"{side}{end}" for side in ("first", "second") for end in ("", "_low", "_high")]
        accuracy, error = (one.drop(columns=names) for one in (accuracy, error))
    pd.testing.assert_frame_equal(error, accuracy, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("table", ["curves", "robustness"])
def test_scores_are_on_the_scale_of_the_metric(both, table):
    accuracy, error = (getattr(one, table) for one in both)
    if table == "robustness":  # a relative drop is not defined for errors, nor the worst item
        kept = ["area", "worst cell", "retention"]
        accuracy, error = (one[one["quantity"].isin(kept)].reset_index(drop=True) for one in (accuracy, error))
    is_score = (accuracy["baseline"] == "") & accuracy["quantity"].ne("retention")
    assert is_score.any()
    turned = accuracy.assign(
        estimate=1 - accuracy["estimate"],
        ci_low=1 - accuracy["ci_high"],
        ci_high=1 - accuracy["ci_low"],
        log_odds=-accuracy["log_odds"],
    )
    columns = ["estimate", "ci_low", "ci_high", "log_odds"]
    expected = accuracy.copy()
    expected[columns] = accuracy[columns].mask(is_score, turned[columns])
    pd.testing.assert_frame_equal(error[columns], expected[columns], rtol=1e-4, atol=1e-6)


def test_groups_have_signal_where_the_error_is_below_chance(both):
    accuracy, error = (one.counts["groups_no_signal"].tolist() for one in both)
    assert error == accuracy and any(accuracy) and min(accuracy) < 4


def test_cells_have_the_interval_of_the_complement(both):
    accuracy, error = (one.cells for one in both)
    assert error["ci_low"].to_numpy() == pytest.approx(1 - accuracy["ci_high"].to_numpy())
