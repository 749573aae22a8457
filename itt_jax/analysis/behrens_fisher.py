"""The distribution of an estimate's error where one part of its variance is known from few seeds.

The error of a mean over S seeds is the sum of two independent parts. The part of the items is normal, and its standard
error is known well. The part of the seeds has a standard error estimated from S - 1 degrees of freedom, so it is that
standard error times Student's t. Their sum has the distribution of Behrens and Fisher:

    error = seed_error * T + item_error * Z,     T ~ t(S - 1),  Z ~ N(0, 1)

Its tests hold in the far tail, where Satterthwaite's single number of degrees of freedom is too large whenever a few
seeds happen to agree. They are exact where one part is absent, and conservative between (3 seeds: a rate of .024
instead of .05 where both parts are alike; 10 seeds: .044).

Source: R. A. Fisher, "The fiducial argument in statistical inference", Annals of Eugenics 6 (1935).
"""

import functools

import numpy as np
from scipy import optimize, stats

_RATIOS = np.sin(np.linspace(0, np.pi / 2, 33)) ** 2  # shares of the seeds in the variance, dense at both ends


def tail(x: np.ndarray, seed_error: np.ndarray, item_error: np.ndarray, df: int) -> np.ndarray:
    """P(error >= x), [Q]; given the scale of T, the error is normal.

    Args:
        x: any sign. seed_error, item_error: standard errors of the two parts, not both 0. df: S - 1.
    """
    scale, weight = _scales(df)
    deviation = np.sqrt(seed_error[:, None] ** 2 / scale + item_error[:, None] ** 2)
    return stats.norm.sf(x[:, None] / np.maximum(deviation, 1e-300)) @ weight


def quantile(level: float, seed_error: np.ndarray, item_error: np.ndarray, df: int) -> np.ndarray:
    """The x with P(error >= x) = level, for levels below 1/2: [Q]."""
    total = np.hypot(seed_error, item_error)
    ratio = np.divide(seed_error**2, total**2, out=np.zeros_like(total), where=total > 0)
    return total * np.interp(ratio, _RATIOS, _unit_quantiles(level, df))


def detectable(level: float, power: float, seed_error: np.ndarray, item_error: np.ndarray, df: int) -> np.ndarray:
    """The true value of which another study of this size finds P(error >= estimate) <= level, with that power: [Q].

    Neither the seeds' true variance is known nor what the other study will estimate for it. Both vary here, so that on
    average over studies like this one the power holds.
    """
    total = np.hypot(seed_error, item_error)
    ratio = np.divide(seed_error**2, total**2, out=np.zeros_like(total), where=total > 0)
    return total * np.interp(ratio, _RATIOS, _unit_detectable(level, power, df))


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
    """`quantile` for a variance of 1 in all, of which the seeds have the share `_RATIOS`."""
    seed, item = np.sqrt(_RATIOS), np.sqrt(1 - _RATIOS)
    high = max(stats.t.isf(level, df), stats.norm.isf(level)) * 2
    found = [
        optimize.brentq(lambda x, i=i: tail(np.array([x]), seed[i : i + 1], item[i : i + 1], df)[0] - level, 0, high)
        for i in range(len(_RATIOS))
    ]
    return np.array(found)


@functools.lru_cache
def _unit_detectable(level: float, power: float, df: int) -> np.ndarray:
    """`detectable` for a variance of 1 in all, of which the seeds have the estimated share `_RATIOS`."""
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
    """The mean over both nodes of P(x + error >= needed), less the wanted power."""
    return weight @ stats.norm.cdf((x - needed) / deviation) @ weight - power
