"""Differential evolution over the places of several edits, as Bad Characters uses it (arXiv 2106.09898)."""

import dataclasses
from typing import ClassVar

import numpy as np

from itt_jax.attack.attack import Asking, Case, Search, ask
from itt_jax.attack.candidates.base import Edit


@dataclasses.dataclass(frozen=True)
class Evolution(Search):
    """Vectors of two numbers in [0, 1) for each edit: its place (or none), and which edit is made there.

    SciPy's strategy "best1bin" with deferred updates: a trial is the best vector plus a scaled difference of two
    others, crossed over with its parent, which it replaces if its score is not lower. A whole generation is asked about
    at once; the search ends with the first in which a text reaches the goal.

    Attributes:
        edits: maximum number of edits. population: number of vectors. generations: number after the first.
        scale: range of the factor of differences, drawn for each generation.
        crossover: probability that a number is taken from the trial.
    """

    takes: ClassVar[str] = "edits"
    edits: int = 5
    population: int = 32
    generations: int = 10
    scale: tuple[float, float] = (0.5, 1.0)
    crossover: float = 0.7

    def expected_queries(self, words: float, clusters: float) -> float:
        """See `Search.expected_queries`."""
        return self.population * (self.generations + 1)

    def run(self, case: Case) -> Asking:
        """See `Search.run`."""
        places, shape = case.attack.candidates.single_edits(case.subject), (self.population, 2 * self.edits)
        if not places:
            return case.subject.text
        trials, vectors = _uniform(case, shape, "first"), np.zeros(shape)
        scores, texts = np.full(self.population, -np.inf), [case.subject.text] * self.population
        for generation in range(self.generations + 1):
            asked = [edited(case, places, vector) for vector in trials]
            heard = yield from ask(asked)
            if heard.reached.any():
                return asked[int(np.argmax(heard.reached))]
            own = np.concatenate([heard.scores, np.full(self.population - len(heard.scores), -np.inf)])
            better = own >= scores  # of the first generation, all
            vectors = np.where(better[:, None], trials, vectors)
            scores = np.where(better, own, scores)
            texts = [new if won else old for new, old, won in zip(asked, texts, better, strict=True)]
            if heard.over:
                break
            trials = self._trials(case, vectors, vectors[int(np.argmax(scores))], generation)
        return texts[int(np.argmax(scores))]

    def _trials(self, case: Case, vectors: np.ndarray, best: np.ndarray, generation: int) -> np.ndarray:
        """The next generation's vectors."""
        draw, (low, high) = case.subject.draw, self.scale
        scale = low + (high - low) * _uniform(case, (1,), "scale", generation)[0]
        crossed = _uniform(case, vectors.shape, "cross", generation) < self.crossover
        fresh = _uniform(case, vectors.shape, "fresh", generation)
        trials = vectors.copy()
        for i in range(self.population):
            others = [k for k in range(self.population) if k != i]
            first = others.pop(draw(len(others), "first parent", generation, i))
            second = others.pop(draw(len(others), "second parent", generation, i))
            crossed[i, draw(vectors.shape[1], "always", generation, i)] = True
            mutant = best + scale * (vectors[first] - vectors[second])
            mutant = np.where((mutant >= 0) & (mutant < 1), mutant, fresh[i])
            trials[i] = np.where(crossed[i], mutant, vectors[i])
        return trials


def edited(case: Case, places: list[list[Edit]], vector: np.ndarray) -> str:
    """The text with a vector's edits; edits that overlap an earlier one, or are not allowed, are left out."""
    clusters = case.subject.clusters
    chosen: list[Edit] = []
    for where, which in vector.reshape(-1, 2).tolist():
        place = int(where * (len(places) + 1))
        if place < len(places):
            start, stop, new = places[place][int(which * len(places[place]))]
            if all(stop <= begin or end <= start for begin, end, _ in chosen):
                made = _applied(clusters, sorted([*chosen, (start, stop, new)]))
                if case.allows(made):
                    chosen.append((start, stop, new))
    return _applied(clusters, sorted(chosen))


def _applied(clusters: tuple[str, ...], edits: list[Edit]) -> str:
    parts, last = [], 0
    for start, stop, new in edits:
        parts += [*clusters[last:start], new]
        last = stop
    return "".join([*parts, *clusters[last:]])


def _uniform(case: Case, shape: tuple[int, ...], *context: object) -> np.ndarray:
    """Numbers in [0, 1) drawn for places of an array."""
    count = int(np.prod(shape))
    return np.array([case.subject.draw(1 << 53, *context, k) for k in range(count)]).reshape(shape) / (1 << 53)
