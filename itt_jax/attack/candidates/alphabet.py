"""Single grapheme clusters, from the attacked texts."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from itt_jax.attack.asking import Victim
from itt_jax.attack.candidates.base import Candidates
from itt_jax.attack.goals import Goal
from itt_jax.attack.subject import Subject

MOST_UNITS = 256
"""Maximum number of clusters in an alphabet; bounds the queries for a text of ideograms."""


@dataclasses.dataclass(frozen=True)
class Alphabet(Candidates):
    """Clusters to write at a place.

    Attributes:
        most: maximum number of clusters; the most frequent in the attacked texts are kept.
    """

    makes = "clusters"
    most: int = MOST_UNITS

    def units(self, subjects: Sequence[Subject], goal: Goal, victim: Victim) -> tuple[str, ...]:
        """The clusters of the attacked texts, sorted by codepoint."""
        counts = Counter(cluster for subject in subjects for cluster in subject.clusters)
        return tuple(sorted(sorted(counts, key=lambda unit: (-counts[unit], unit))[: self.most]))
