"""Distances between two domains, by their words and by an encoder's embeddings."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from itt_jax.errors import InputError
from itt_jax.perturb.text import from_strings
from itt_jax.perturb.units import Document

FOLDS = 5


def vocabulary_divergence(first: Sequence[str], second: Sequence[str], language: str) -> float:
    """Jensen-Shannon divergence, in bits, of the word distributions of two sets of texts: 0 if they are the same, 1 if
    no word is shared.

    Words are those of `perturb.units` in lower case, so scripts without spaces are covered. Ruder and Plank (2017,
    arXiv 1707.05246) select data for domain adaptation with it.

    Raises:
        InputError: a set has no word.
    """
    from scipy.spatial.distance import jensenshannon

    counts = [_words(texts, language) for texts in (first, second)]
    if not all(counts):
        raise InputError("vocabulary divergence: a set of texts has no word")
    vocabulary = sorted(set(counts[0]) | set(counts[1]))
    shares = [np.array([own[word] for word in vocabulary], float) for own in counts]
    return float(jensenshannon(*shares, base=2) ** 2)


def _words(texts: Sequence[str], language: str) -> Counter[str]:
    document = Document(from_strings(list(texts)), None, language)
    first, stop = document.words
    bounds = zip(document.starts[first].tolist(), document.starts[stop].tolist(), strict=True)
    return Counter(document.string[a:b].lower() for a, b in bounds)


def proxy_a_distance(first: np.ndarray, second: np.ndarray, seed: int = 0) -> float:
    """2 (1 - 2 error) of a linear classifier that separates two sets of embeddings: 0 if it cannot, 2 if it never errs.

    Ben-David et al. (2006), estimated as by Glorot et al. (2011): logistic regression on standardised features,
    cross-validated on the same number of rows from each set. Errors above one half give 0.

    Args:
        first, second: float [n, D], [m, D].
        seed: selects rows and folds.

    Raises:
        InputError: fewer than 2 * FOLDS rows in a set.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    size = min(len(first), len(second))
    if size < 2 * FOLDS:
        raise InputError(f"proxy A-distance: found {size} rows in a set, expected at least {2 * FOLDS}")
    random = np.random.default_rng(seed)
    rows = np.concatenate([own[random.permutation(len(own))[:size]] for own in (first, second)])
    sides = np.repeat([0, 1], size)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    right = cross_val_score(probe, rows, sides, cv=folds).mean()
    return float(max(0.0, 2 * (1 - 2 * (1 - right))))
