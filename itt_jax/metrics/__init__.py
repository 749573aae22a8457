"""Metrics: one object each, in one tuple. A new metric is one class and one line in `METRICS`."""

from itt_jax.errors import unknown
from itt_jax.metrics.answers import AnswerScore
from itt_jax.metrics.classes import Accuracy, BinaryF1, MacroF1, Matthews
from itt_jax.metrics.correlations import Pearson, Spearman
from itt_jax.metrics.entities import EntityF1, TagAccuracy
from itt_jax.metrics.label_sets import LabelMacroF1, LabelMicroF1, RPrecision
from itt_jax.metrics.metric import Metric
from itt_jax.metrics.ranking import MiningF1, RankingScore, average_precision, reciprocal_rank

METRICS: tuple[Metric, ...] = (
    Accuracy(),
    MacroF1(),
    BinaryF1(),
    Matthews(),
    Pearson(),
    Spearman(),
    EntityF1("entity_f1", "seqeval"),
    EntityF1("entity_f1_0.0.12", "seqeval-0.0.12"),
    TagAccuracy(),
    AnswerScore("squad", "f1"),
    AnswerScore("squad", "exact_match"),
    AnswerScore("mlqa", "f1"),
    AnswerScore("mlqa", "exact_match"),
    RankingScore("map_at_20", "mean average precision of the best 20 candidates", average_precision),
    RankingScore("mrr_at_20", "mean reciprocal rank among the best 20 candidates", reciprocal_rank),
    MiningF1(),
    RPrecision(),
    LabelMicroF1(),
    LabelMacroF1(),
)


def metric(name: str) -> Metric:
    """The metric of that name.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    found = next((own for own in METRICS if own.name == name), None)
    if found is None:
        raise unknown("metric", name, [own.name for own in METRICS])
    return found


__all__ = ["METRICS", "Metric", "metric"]
