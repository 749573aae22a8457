"""Metrics of the tasks: the well-kept implementation of each, with its chance level."""

from collections.abc import Callable

import numpy as np

from itt_jax.ragged import Ragged
from itt_jax.tasks.retrieval_metrics import r_precision
from itt_jax.tasks.tagging_metrics import entity_counts
from itt_jax.tasks.task import MINING_METRICS, RANKING_METRICS, SPAN_METRICS, Task

VERSION = 1
"""Raised when a metric's value would change on the same predictions."""


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Share of equal entries."""
    return float(np.mean(predictions == labels))


def macro_f1(predictions: np.ndarray, labels: np.ndarray) -> float:
    """F1 averaged over the classes that occur (scikit-learn)."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, average="macro", zero_division=0))


def pearson(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Pearson correlation (scipy); 0 where one side is constant, since it then says nothing about the other."""
    from scipy import stats

    return 0.0 if constant(predictions, labels) else float(stats.pearsonr(predictions, labels).statistic)


def spearman(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Spearman rank correlation (scipy); 0 where one side is constant."""
    from scipy import stats

    return 0.0 if constant(predictions, labels) else float(stats.spearmanr(predictions, labels).statistic)


def constant(predictions: np.ndarray, labels: np.ndarray) -> bool:
    """Whether one side is constant, alone or not finite (a degenerate run), so that no correlation is defined."""
    if len(predictions) < 2 or not np.isfinite(predictions).all():
        return True
    return bool(np.ptp(predictions) < 1e-9 or np.ptp(labels) < 1e-9)


def label_micro_f1(scores: np.ndarray, labels: np.ndarray) -> float:
    """F1 of all decisions together, scores [n, classes] against bool [n, classes]; a positive score is a yes."""
    return float(of_label_counts("label_micro_f1", label_counts(scores, labels).sum(0)))


def label_macro_f1(scores: np.ndarray, labels: np.ndarray) -> float:
    """F1 averaged over all classes, those that nobody has counting 0 (as LEXTREME's code, with scikit-learn)."""
    return float(of_label_counts("label_macro_f1", label_counts(scores, labels).sum(0)))


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "pearson": pearson,
    "spearman": spearman,
    "r_precision": r_precision,
    "label_micro_f1": label_micro_f1,
    "label_macro_f1": label_macro_f1,
}
"""Metric name -> function of (predictions, labels): class indices [n], scores [n] for correlations; of several labels
an item their scores [n, classes], and bool [n, classes]."""


ITEM_VALUE = "item_value"
"""The column of a cell that holds each item's own score where the metric is their mean (spans, rankings)."""
RIGHT_OR_WRONG = ("accuracy", "squad_exact_match", "mlqa_exact_match")
"""Metrics that are the share of right items, each wholly right or wrong."""
MEANS = (
    *RIGHT_OR_WRONG,
    *(name for name in SPAN_METRICS if name not in RIGHT_OR_WRONG),
    *RANKING_METRICS,
    "r_precision",
)
"""Metrics that are the mean of what each item scores."""
COUNTS = ("correct", "predicted", "actual")
"""What `tagging_counts` counts, in its order."""
LABEL_COUNTS = "label_counts"
"""The column of a cell that holds an item's `label_counts` [classes * 3], where it may have several labels."""
CONVENTIONS = {"entity_f1": "seqeval", "entity_f1_0.0.12": "seqeval-0.0.12"}


def tagging_counts(metric: str, predictions: Ragged, labels: Ragged, names: tuple[str, ...]) -> np.ndarray:
    """What a metric of tagging sums up, for each item: int64 [n, 3], (correct, predicted, actual) entities.

    For "tag_accuracy" all three count words. The metric is 2 * correct / (predicted + actual) of the sums.

    Args:
        metric: one of TAGGING_METRICS. predictions, labels: class index of each word. names: of the classes.
    """
    if metric == "tag_accuracy":
        item = np.repeat(np.arange(len(labels)), labels.lengths)
        correct = np.bincount(item, predictions.values == labels.values, len(labels)).astype(np.int64)
        return np.stack([correct, labels.lengths, labels.lengths], axis=1)
    return entity_counts(labels.values, predictions.values, labels.offsets, names, CONVENTIONS[metric])


def of_counts(counts: np.ndarray) -> np.ndarray:
    """The metric of tagging for summed counts [..., 3]."""
    return 2 * counts[..., 0] / np.maximum(counts[..., 1] + counts[..., 2], 1)


def label_counts(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What F1 of several labels sums up, for each item and class: int64 [n, classes, 3] as COUNTS; a positive score
    predicts its class.

    Args:
        scores: float [n, classes], log-odds. labels: bool [n, classes].
    """
    predicted = scores > 0
    return np.stack([predicted & labels, predicted, labels], axis=-1).astype(np.int64)


def of_label_counts(metric: str, counts: np.ndarray) -> np.ndarray | float:
    """Micro- or macro-F1 of summed counts [..., classes, 3]; as scikit-learn, a class that nobody has counts 0."""
    return of_counts(counts.sum(-2)) if metric == "label_micro_f1" else of_counts(counts).mean(-1)


def value(task: Task, predictions: np.ndarray | Ragged, labels: np.ndarray | Ragged) -> float:
    """The task's metric of predictions against labels, both as `Rows.labels` (of several labels: their scores)."""
    if task.kind == "token_classification":
        return float(of_counts(tagging_counts(task.metric, predictions, labels, task.labels).sum(0)))
    return float(METRICS[task.metric](predictions, labels))


def chance_of(task: Task, labels: np.ndarray | Ragged) -> float:
    """`chance` of a task; for tagging, the best that one tag for all words gives; for spans and rankings 0."""
    if task.kind == "question_answering" or task.metric in RANKING_METRICS + MINING_METRICS:
        return 0.0
    if task.kind == "token_classification":
        constant = (labels.with_values(np.full_like(labels.values, index)) for index in range(len(task.labels)))
        return max(value(task, same, labels) for same in constant)
    if task.kind == "multilabel":
        return chance_of_labels(task.metric, labels)
    return chance(task.metric, labels, len(task.labels))


def chance_of_labels(metric: str, labels: np.ndarray) -> float:
    """The best that one ranking of the classes, or one set of them, gives for all items: labels bool [n, classes]."""
    shares = labels.mean(0)
    if metric == "r_precision":
        return r_precision(np.tile(shares, (len(labels), 1)), labels) if labels.any() else 0.0
    # the most frequent classes, down to every share that there is
    sets = (np.tile(np.where(shares >= lowest, 1.0, -1.0), (len(labels), 1)) for lowest in np.unique(shares))
    return max(METRICS[metric](chosen, labels) for chosen in sets)


def predictions_of(kind: str, scores: np.ndarray) -> np.ndarray:
    """What the outputs [n, K] of a head say: the class index of the largest, or the score itself, or all scores."""
    if kind == "multilabel":
        return scores
    return scores[:, 0] if kind == "regression" else np.argmax(scores, axis=1).astype(np.int32)


def chance(metric: str, labels: np.ndarray, n_classes: int) -> float:
    """The value that says nothing: the majority share, the F1 of a uniform guess, or no correlation."""
    if metric == "accuracy":
        return float(np.bincount(labels).max() / len(labels))
    if metric == "macro_f1":
        shares = np.bincount(labels, minlength=n_classes) / len(labels)
        shares = shares[shares > 0]
        return float(np.mean(2 * shares / n_classes / (shares + 1 / n_classes)))
    return 0.0
