"""The distribution of an estimate's error when one part of its variance is known from few seeds.

The error of a mean over S seeds is the sum of two independent parts. The part of the items is normal, and its standard
error is known well. The part of the seeds has a standard error estimated from S - 1 degrees of freedom, so it is that
standard error times Student's t. Their sum has the distribution of Behrens and Fisher:

    error = seed_error * T + item_error * Z,     T ~ t(S - 1),  Z ~ N(0, 1)

If the items are few, Z follows Student's distribution too, with `item_df` degrees of freedom: at each level its
quantile is that of t, which is exact if the seeds have no part.

Its tests hold in the far tail, where Satterthwaite's single number of degrees of freedom is too large whenever a few
seeds happen to agree. They are exact if one part is absent, and conservative in between (with equal parts, a rate of
.024 instead of .05 for 3 seeds, .044 for 10 seeds).

Source: R. A. Fisher, "The fiducial argument in statistical inference", Annals of Eugenics 6 (1935).
"""

import functools

import numpy as np
from scipy import optimize, special, stats
from scipy.optimize import elementwise

_RATIOS = np.sin(np.linspace(0, np.pi / 2, 33)) ** 2  # shares of the seeds in the variance, dense at both ends
_FEW = 60  # degrees of freedom below which the items' quantiles differ from the normal ones by more than 2 %
_SMALLEST = 1e-12  # the smallest level distinguished from 0 if the items are few


def tail(
    x: np.ndarray, seed_error: np.ndarray, item_error: np.ndarray, df: int, item_df: np.ndarray | float = np.inf
) -> np.ndarray:
    """P(error >= x), [Q].

    Args:
        x: any sign. seed_error, item_error: standard errors of the two parts, not both 0. df: S - 1. item_df: [Q].
    """
    item_df = np.broadcast_to(item_df, len(x))
    found = _tail(np.abs(x), seed_error, item_error * _as_normal(0.005, item_df), df)
    if (few := item_df < _FEW).any():
        found[few] = _tail_of_few(np.abs(x[few]), seed_error[few], item_error[few], df, item_df[few])
    return np.where(x < 0, 1 - found, found)


def _tail(x: np.ndarray, seed_error: np.ndarray, item_error: np.ndarray, df: int) -> np.ndarray:
    """`tail` for a normal part of the items; given the scale of T, the error is normal."""
    scale, weight = _scales(df)
    deviation = np.sqrt(seed_error[:, None] ** 2 / scale + item_error[:, None] ** 2)
    return special.ndtr(-x[:, None] / np.maximum(deviation, 1e-300)) @ weight


def _tail_of_few(
    x: np.ndarray, seed_error: np.ndarray, item_error: np.ndarray, df: int, item_df: np.ndarray
) -> np.ndarray:
    """The level p, between 1e-12 and 1/2, whose quantile is x."""

    def excess(log_level, x, seed_error, item_error, item_df):
        item_error = item_error * _as_normal(np.exp(log_level), item_df)
        return np.log(np.maximum(_tail(x, seed_error, item_error, df), 1e-300)) - log_level

    ends = tuple(np.full(len(x), np.log(end)) for end in (_SMALLEST, 0.5))
    tolerances = {"xatol": 1e-11, "xrtol": 0.0, "fatol": 0.0, "frtol": 0.0}
    root = elementwise.find_root(excess, ends, args=(x, seed_error, item_error, item_df), tolerances=tolerances)
    return np.where(root.success, np.exp(root.x), _SMALLEST)


def _as_normal(level: np.ndarray | float, item_df: np.ndarray) -> np.ndarray:
    """The ratio of Student's quantile to the normal one; 1 in the middle of the distribution.

    Root finding repeats this on a few rows at a time, for which `scipy.stats` takes ten times as long as
    `scipy.special`.
    """
    level = np.minimum(level, 0.499)
    student = np.where(np.isinf(item_df), special.ndtri(level), special.stdtrit(item_df, level))
    return student / special.ndtri(level)


def quantile(
    level: float, seed_error: np.ndarray, item_error: np.ndarray, df: int, item_df: np.ndarray | float = np.inf
) -> np.ndarray:
    """The x with P(error >= x) = level, for levels below 1/2: [Q]."""
    total, ratio = _parts(level, seed_error, item_error, item_df)
    return total * np.interp(ratio, _RATIOS, _unit_quantiles(level, df))


def detectable(
    level: float,
    power: float,
    seed_error: np.ndarray,
    item_error: np.ndarray,
    df: int,
    item_df: np.ndarray | float = np.inf,
) -> np.ndarray:
    """The true value for which another study of this size finds P(error >= estimate) <= level with that power: [Q].

    Neither the seeds' true variance nor the other study's estimate of it is known. Both vary here, so the power holds
    on average over studies like this one.
    """
    total, ratio = _parts(level, seed_error, item_error, item_df)
    return total * np.interp(ratio, _RATIOS, _unit_detectable(level, power, df))


def _parts(level: float, seed_error: np.ndarray, item_error: np.ndarray, item_df) -> tuple[np.ndarray, np.ndarray]:
    """The whole error, the items' part scaled to a normal one at this level, and the seeds' share in its square."""
    item_error = item_error * _as_normal(level, np.broadcast_to(item_df, len(item_error)))
    total = np.hypot(seed_error, item_error)
    return total, np.divide(seed_error**2, total**2, out=np.zeros_like(total), where=total > 0)


@functools.lru_cache
def _scales(df: int, nodes: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the distribution of chi-square(df) / df."""
    low, high = np.log(stats.chi2.ppf(1e-14, df)), np.log(stats.chi2.isf(1e-14, df))
    position, weight = np.polynomial.legendre.leggauss(nodes)
    value = np.exp(low + (position + 1) / 2 * (high - low))
    density = weight * stats.chi2.pdf(value, df) * value
    return value / df, density / density.sum()


@functools.lru_cache
def _unit_quantiles(level: float, df: int) -> np.ndarray:
    """`quantile` for a total variance of 1, with the seeds' share given by `_RATIOS`."""
    seed, item = np.sqrt(_RATIOS), np.sqrt(1 - _RATIOS)
    high = max(stats.t.isf(level, df), stats.norm.isf(level)) * 2
    found = [
        optimize.brentq(lambda x, i=i: _tail(np.array([x]), seed[i : i + 1], item[i : i + 1], df)[0] - level, 0, high)
        for i in range(len(_RATIOS))
    ]
    return np.array(found)


@functools.lru_cache
def _unit_detectable(level: float, power: float, df: int) -> np.ndarray:
    """`detectable` for a total variance of 1, with the seeds' estimated share given by `_RATIOS`."""
    scale, weight = _scales(df, nodes=64)
    found = []
    for ratio in _RATIOS:
        true = ratio / scale[:, None]  # the seeds' variance, given the estimate
        again = true * scale[None, :]  # its next estimate
        needed = quantile(level, np.sqrt(again).ravel(), np.full(again.size, np.sqrt(1 - ratio)), df)
        about = (needed.reshape(again.shape), np.sqrt(true + 1 - ratio), weight, power)
        found.append(optimize.brentq(_missing_power, 0, 1e6, args=about))
    return np.array(found)


def _missing_power(x: float, needed: np.ndarray, deviation: np.ndarray, weight: np.ndarray, power: float) -> float:
    """The mean over both nodes of P(x + error >= needed), minus the wanted power."""
    return weight @ stats.norm.cdf((x - needed) / deviation) @ weight - power
