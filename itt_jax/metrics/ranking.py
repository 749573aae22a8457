"""Metrics of retrieval: rankings, nearest neighbours, mined pairs, each as its benchmark defines it.

A ranking is a list of ids, best first, as in files of predictions, or a row of scores [Q, C] of queries against
candidates. Equal scores rank by position, except in `mean_average_precision`.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from itt_jax.errors import InputError
from itt_jax.metrics.metric import CountsF1, Mean

Id = TypeVar("Id", bound=Hashable)
K = 20
"""Number of best candidates that count."""


def reciprocal_rank(ranking: Sequence[Id], gold: Collection[Id], k: int = K) -> float:
    """1 / the rank of the first right id among the best k, or 0.0.

    With one right id it equals the average precision: Mewsli-X's "mAP@20" is its mean.
    """
    return next((1.0 / rank for rank, found in enumerate(ranking[:k], start=1) if found in gold), 0.0)


def average_precision(ranking: Sequence[Id], gold: Collection[Id], k: int | None = None) -> float:
    """Mean over the right ids of the precision at their rank, or 0 for those not among the best k.

    The mean is over min(k, number of right ids), so that a perfect ranking scores 1. (LAReQA's questions have at most
    11 right answers, fewer than its k of 20.) A repeated id counts at its first rank only.

    Raises:
        InputError: there is no right id.
    """
    if not gold:
        raise InputError("a query has no right answer")
    remaining, total = set(gold), 0.0
    for rank, found in enumerate(ranking[:k], start=1):
        if found in remaining:
            remaining.discard(found)
            total += (len(set(gold)) - len(remaining)) / rank
    return total / min(len(set(gold)), k or len(set(gold)))


def mean_average_precision_at(rankings: Sequence[Sequence[Id]], gold: Sequence[Collection[Id]], k: int = K) -> float:
    """mAP@k: the mean of `average_precision` over the queries (LAReQA's mAP@20 in XTREME-R's paper)."""
    return _mean([average_precision(ranking, right, k) for ranking, right in _both(rankings, gold)])


def mean_average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """mAP over whole rankings, as LAReQA's published code computes it (scikit-learn for each question).

    That code ranks the candidates of all languages for each question and averages over the questions of all languages.
    Its one pooled figure is higher than the paper's mAP@20, since right answers below rank 20 count. For the figure of
    a language, pass its questions and the candidates of all languages.

    Args:
        scores: float [Q, C], higher ranks first; equal scores share a rank.
        relevant: bool [Q, C], at least one True in each row.

    Raises:
        InputError: shapes differ, or a question has no right answer.
    """
    from sklearn.metrics import average_precision_score

    _same_shape(scores, relevant)
    if not np.all(np.any(relevant, axis=1)):
        raise InputError("a query has no right answer")
    return _mean([float(average_precision_score(row, score)) for row, score in zip(relevant, scores, strict=True)])


def nearest(queries: np.ndarray, candidates: np.ndarray, rows_at_once: int = 1024) -> np.ndarray:
    """Index of the candidate of highest cosine similarity to each query: int64 [Q], from float [Q, D] and [C, D].

    In XTREME's Tatoeba the English sentences are the queries and those in the other language the candidates.
    """
    unit_queries, unit_candidates = _unit(queries), _unit(candidates)
    return np.concatenate(
        [np.empty(0, np.int64)]
        + [
            np.argmax(unit_queries[start : start + rows_at_once] @ unit_candidates.T, axis=1)
            for start in range(0, len(queries), rows_at_once)
        ]
    )


def pair_scores(predictions: Collection[tuple], gold: Collection[tuple]) -> dict[str, float]:
    """Precision, recall and F1 of a set of mined pairs, in [0, 1] (BUCC); all 0 if no pair is right."""
    predicted, right = set(predictions), set(gold)
    correct = len(predicted & right)
    if not correct:
        return {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    precision, recall = correct / len(predicted), correct / len(right)
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / (precision + recall)}


def pair_threshold(scored: Mapping[tuple, float], gold: Collection[tuple]) -> float:
    """The threshold of highest F1 on development pairs, half-way between two neighbouring scores (BUCC, XTREME).

    Pairs are taken by falling score; the first cut of highest F1 counts. If it takes the last pair, the threshold is
    the score of that pair (the published code fails there). If no pair is right it is 0.0, as published.
    """
    pairs = sorted(scored, key=lambda pair: -scored[pair])
    values = np.array([scored[pair] for pair in pairs], np.float64)
    correct = np.cumsum([pair in gold for pair in pairs])
    if not len(pairs) or correct[-1] == 0:
        return 0.0
    # F1 is twice the right pairs over the pairs taken and the gold pairs.
    best = int(np.argmax(2 * correct / (np.arange(1, len(pairs) + 1) + len(gold))))
    return float(values[best] if best + 1 == len(pairs) else (values[best] + values[best + 1]) / 2)


def pairs_above(scored: Mapping[Id, float], threshold: float) -> list[Id]:
    """The pairs whose score reaches the threshold, in their order."""
    return [pair for pair, value in scored.items() if value >= threshold]


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms == 0, 1, norms)


def _both(rankings: Sequence, gold: Sequence) -> list[tuple]:
    if len(rankings) != len(gold):
        raise InputError(f"found {len(rankings)} rankings, expected {len(gold)}")
    return list(zip(rankings, gold, strict=True))


def _same_shape(scores: np.ndarray, gold: np.ndarray) -> None:
    if np.shape(scores) != np.shape(gold) or np.ndim(scores) != 2:
        raise InputError(
            f"scores have shape {np.shape(scores)}, right answers {np.shape(gold)}; expected the same [Q, C]"
        )


def _mean(values: Sequence[float]) -> float:
    if not len(values):
        raise InputError("nothing to score")
    return sum(values) / len(values)


class RankingScore(Mean):
    """The mean over queries of a score of their best K candidates.

    Predictions are indices of candidates int [n, K], best first; labels are the right ones, Ragged [n].
    """

    outcomes = ("ranking",)

    def __init__(self, name: str, summary: str, of_query: Callable[[Sequence[Id], Collection[Id], int], float]):
        self.name, self.summary, self.of_query = name, summary, of_query

    def statistic(self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = "") -> np.ndarray:
        """float64 [n] in [0, 1]."""
        queries = zip(predictions, labels.arrays(), strict=True)
        return np.array([self.of_query(found.tolist(), set(right.tolist()), K) for found, right in queries], np.float64)


class MiningF1(CountsF1):
    """F1 of mined pairs.

    Predictions are the candidate paired with each text, int [n], or -1; labels are the right ones, Ragged [n].
    """

    name = "mining_f1"
    summary = "F1 of mined pairs of translations"
    outcomes = ("pairs",)

    def statistic(self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = "") -> np.ndarray:
        """int64 [n, 3]: numbers of pairs, as COUNTS."""
        pairs = zip(np.asarray(predictions).tolist(), labels.arrays(), strict=True)
        correct = np.array([found in set(right.tolist()) for found, right in pairs], np.int64)
        return np.stack([correct, (np.asarray(predictions) >= 0).astype(np.int64), labels.lengths], axis=1)
