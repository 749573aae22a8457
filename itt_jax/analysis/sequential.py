"""Designs of a study that adds seeds until its questions are decided.

Looking at every few seeds and stopping at the first p <= .05 errs far more often than in 5 % of studies (16.7 % with
looks at 3, 5, 8, 12 and 20 seeds). A design sets how small a nominal p must be at each look for the error over all
looks to keep its level. Every design answers two questions, and verdicts, intervals and Holm's adjustment follow:

    nominal(level, seeds)   the level of a test, or of a confidence interval, at this number of seeds
    overall(p, seeds)       the level of the whole study at which a nominal p at this number of seeds concludes

`Fixed` is the study that is looked at once. `Declared` has looks declared beforehand and spends its level linearly in
the number of seeds (Lan and DeMets 1983, Biometrika 70). `Anytime` may be looked at after any seed, without having
declared when: the t-test of Wang and Ramdas with a Gaussian mixture (arXiv 2310.03722).

Overall p-values of several looks are combined by their minimum, and a family of them by Holm's procedure, which keeps
the family-wise error (Maurer and Bretz 2013, Statistics in Biopharmaceutical Research 5). Conclusions beyond a bound
and within it are tests against the same bound from its two sides, so one two-sided boundary serves both.

Conclusions generalise to other seeds and other items alike, as in a study with one look. Boundaries are those of
contrasts that vary between seeds alone, which is the least favourable case: items are the same at every look, so their
part of the error is one draw for all looks, which makes looks more alike. docs/deciding.md has the simulated error,
power and number of seeds.
"""

import dataclasses
import functools
from typing import Protocol

import numpy as np
from scipy import special, stats

PATHS = 2**18
"""Simulated studies behind the boundaries of declared looks: their error is below 1 % at level .05."""
LEVELS = np.geomspace(1e-6, 0.5, 41)
"""Levels at which boundaries are simulated; between them they are interpolated."""


class Design(Protocol):
    """How often a study is looked at."""

    def nominal(self, level: float, seeds: int) -> float:
        """The level of a two-sided test, or of an interval, at this number of seeds; 0 if there is no look."""

    def overall(self, p: np.ndarray, seeds: int) -> np.ndarray:
        """The smallest level of the study at which nominal two-sided p-values at this number of seeds conclude."""


@dataclasses.dataclass(frozen=True)
class Fixed:
    """A single look, at a number of seeds that was fixed beforehand."""

    def nominal(self, level: float, seeds: int) -> float:
        """The level itself."""
        return level

    def overall(self, p: np.ndarray, seeds: int) -> np.ndarray:
        """The p-values themselves."""
        return np.asarray(p, dtype=float)


@dataclasses.dataclass(frozen=True)
class Declared:
    """Looks that were declared beforehand, between which the level is spent linearly in the number of seeds.

    Attributes:
        looks: numbers of seeds, increasing.
    """

    looks: tuple[int, ...]

    def nominal(self, level: float, seeds: int) -> float:
        """Interpolated between the simulated levels."""
        if seeds not in self.looks:
            return 0.0
        boundary = boundaries(self.looks)[:, self.looks.index(seeds)]
        if level < LEVELS[0]:
            return float(level * boundary[0] / LEVELS[0])
        return float(np.exp(np.interp(np.log(level), *_knots(LEVELS, boundary))))

    def overall(self, p: np.ndarray, seeds: int) -> np.ndarray:
        """The inverse of `nominal`."""
        p = np.asarray(p, dtype=float)
        if seeds not in self.looks:
            return np.where(np.isnan(p), np.nan, 1.0)
        boundary = boundaries(self.looks)[:, self.looks.index(seeds)]
        found = np.exp(np.interp(np.log(np.maximum(p, 1e-300)), *_knots(boundary, LEVELS)))
        return np.where(p < boundary[0], p * LEVELS[0] / boundary[0], found)


@dataclasses.dataclass(frozen=True)
class Anytime:
    """Looks at any time: the t-test with a Gaussian mixture over the effect in standard deviations of a seed.

    With S seeds, U = S t^2 / (t^2 + S - 1) and a mixture N(0, 1 / c^2), the ratio of likelihoods is

        M = sqrt(c^2 / (S + c^2)) (1 - U / (S + c^2))^(-S / 2),

    a martingale without an effect, and 1 / M the level at which it concludes.

    Attributes:
        precision: c^2. Smaller values expect larger effects.
    """

    precision: float = 1.0

    def nominal(self, level: float, seeds: int) -> float:
        """The p-value of the smallest |t| that concludes; 0 where no t does."""
        total = seeds + self.precision
        share = (1 - (level**2 * self.precision / total) ** (1 / seeds)) * total / seeds
        if seeds < 2 or share >= 1:
            return 0.0
        return float(2 * stats.t.sf(np.sqrt((seeds - 1) * share / (1 - share)), seeds - 1))

    def overall(self, p: np.ndarray, seeds: int) -> np.ndarray:
        """1 / M of the t with that p-value, at most 1."""
        p = np.asarray(p, dtype=float)
        if seeds < 2:
            return np.where(np.isnan(p), np.nan, 1.0)
        t2, total = stats.t.isf(np.maximum(p, 1e-300) / 2, seeds - 1) ** 2, seeds + self.precision
        share = seeds / (1 + (seeds - 1) / np.maximum(t2, 1e-300)) / total
        log_ratio = 0.5 * np.log(self.precision / total) - seeds / 2 * np.log1p(-share)
        return np.exp(np.minimum(-log_ratio, 0))


@dataclasses.dataclass(frozen=True)
class Look:
    """A design at one number of seeds of the study. Contrasts that lack a seed keep the study's level.

    Attributes:
        seeds: number of seeds of the study at this look.
    """

    design: Design = Fixed()
    seeds: int = 0

    def nominal(self, level: float) -> float:
        """`Design.nominal` here."""
        return self.design.nominal(level, self.seeds)

    def overall(self, p: np.ndarray) -> np.ndarray:
        """`Design.overall` here."""
        return self.design.overall(p, self.seeds)


ONCE = Look()
"""The only look at a study whose seeds were fixed beforehand."""


def _knots(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of both, up to (1, 1)."""
    return np.log(np.append(x, 1.0)), np.log(np.append(y, 1.0))


@functools.lru_cache
def boundaries(looks: tuple[int, ...]) -> np.ndarray:
    """Nominal two-sided levels of t-tests over seeds at each look, by level of the study: float64 [LEVELS, looks].

    At each look the level that may have been spent is in proportion to the number of seeds. A nominal level spends
    itself, less the share of studies that it would stop and that stopped before; only this share is simulated.
    """
    p, boundary = _p_values(looks), np.empty((len(LEVELS), len(looks)))
    for row, level in enumerate(LEVELS):
        stopped, spent = np.zeros(len(p), dtype=bool), 0.0
        for look, seeds in enumerate(looks):
            increment = level * seeds / looks[-1] - spent
            before = np.sort(p[stopped, look])
            nominal, last = increment, -1.0
            while nominal > last:
                nominal, last = increment + np.searchsorted(before, nominal, side="right") / len(p), nominal
            boundary[row, look], spent = nominal, spent + increment
            stopped |= p[:, look] <= nominal
    return np.maximum.accumulate(boundary, axis=0)


def _p_values(looks: tuple[int, ...]) -> np.ndarray:
    """Two-sided p-values of the t-test at each look, of studies without an effect: float64 [PATHS, looks]."""
    random, found = np.random.default_rng(0), np.empty((PATHS, len(looks)))
    total, squares, before = np.zeros(PATHS), np.zeros(PATHS), 0
    for look, seeds in enumerate(looks):
        new = seeds - before
        mean = random.normal(0, np.sqrt(1 / new), PATHS)  # of the new seeds; their squares follow from chi-square
        squares += new * mean**2 + (random.chisquare(new - 1, PATHS) if new > 1 else 0)
        total += new * mean
        t2 = total**2 / seeds / np.maximum((squares - total**2 / seeds) / (seeds - 1), 1e-300)
        found[:, look] = special.fdtrc(1, seeds - 1, t2)
        before = seeds
    return found
