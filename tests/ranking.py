"""Plain references of ranking, for tests."""

import numpy as np

from itt_jax.metrics.ranking import nearest


def rankings_of(scores: np.ndarray, k: int | None = None) -> np.ndarray:
    """Indices of the best k (or all) candidates, best first: int64 [Q, k], from scores [Q, C]."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def retrieval_accuracy(queries: np.ndarray, candidates: np.ndarray, gold: np.ndarray | None = None) -> float:
    """Share of queries whose nearest candidate is right: `gold` int [Q], by default the same index (Tatoeba)."""
    return float(np.mean(nearest(queries, candidates) == (np.arange(len(queries)) if gold is None else gold)))
