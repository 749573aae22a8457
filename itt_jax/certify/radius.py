"""The radius that a share of votes certifies under random deletion (RS-Del, arXiv 2302.01757; CERT-ED, 2408.00728).

A text is a sequence of units, each of which is deleted with probability p. The smoothed classifier predicts the class
that the base classifier most often predicts for the remaining text. If that class has a probability of at least mu,
edits that delete d units and insert i others (a substitution does both) leave it at least

    p**(i - d) * (mu - 1 + p**d)

whatever the classifier is. Of all r edits, r substitutions lower this most, to mu - 1 + p**r; the prediction stays
where that exceeds 1/2.
"""

import math

import numpy as np


def radius(lower: float, rate: float) -> int:
    """The maximum number of edits of any kind (Levenshtein distance) that leave a prediction unchanged.

    The published radius rounds log(3/2 - mu) / log p down; if that is a whole number, the bound equals 1/2, which is
    a tie, and the radius here is one less.

    Args:
        lower: lower bound mu on the probability of the predicted class. rate: the probability p, between 0 and 1.

    Returns:
        -1 if the prediction for the text itself is uncertain.
    """
    if lower <= 0.5:
        return -1
    powers = rate ** np.arange(1, 2 + math.ceil(math.log(0.5) / math.log(rate)))
    return int(np.count_nonzero(powers > 1.5 - lower))


def lower_bound(count: int, samples: int, alpha: float) -> float:
    """Clopper and Pearson's lower bound on a probability; it exceeds the true one with probability at most alpha.

    Args:
        count: number of successes among `samples` independent draws.
    """
    from scipy.special import betaincinv

    return float(betaincinv(count, samples - count + 1, alpha)) if count else 0.0


def most_false(rows: int, alpha: float) -> int:
    """The maximum number of false bounds among `rows` independent ones, exceeded with probability at most alpha."""
    from scipy.stats import binom

    return int(binom.ppf(1 - alpha, rows, alpha))
