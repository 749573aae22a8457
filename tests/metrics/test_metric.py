"""The base of every metric: ranges that reports and verdicts can speak of."""

import pytest

from itt_jax import metrics
from itt_jax.errors import InputError
from itt_jax.metrics import Metric


@pytest.mark.parametrize("metric", metrics.METRICS, ids=lambda metric: metric.name)
def test_values_are_shares_or_correlations(metric):
    assert -1 <= metric.lowest < metric.highest <= 1


def test_a_metric_in_other_units_is_refused():
    class MeanError(Metric):
        name, highest = "mean_error", 5.0

    with pytest.raises(InputError, match="'mean_error': expected a range within -1 to 1, found 0 to 5; divide"):
        MeanError().check(())
