"""Charmer's greedy search over characters, in its brute-force form (arXiv 2405.04346)."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from itt_jax.attack.attack import Asking, Case, Search, ask
from itt_jax.attack.subject import Subject

DELETE = ""
"""The entry of the alphabet that deletes a cluster, or inserts nothing."""


@dataclasses.dataclass(frozen=True)
class Charmer(Search):
    """For each edit, finds the most sensitive places, then tries every cluster of the alphabet at each of them.

    A text of L clusters has 2 L + 1 places: between clusters (even), where one is inserted, and at clusters (odd),
    where one is replaced or deleted. A place is probed with a space (a cluster that is a space is deleted); the
    `places` with the best score then get every cluster of the alphabet and none. The best of these texts is kept,
    whether or not it beats the text so far, and asked about once more; the search ends when it reaches the goal. A
    replaced place is not edited again. Units are grapheme clusters; in the reference, codepoints.

    Attributes:
        places: number of places at which the whole alphabet is tried; None: all.
        edits: maximum number of edits.
    """

    takes: ClassVar[str] = "clusters"
    places: int | None = 20
    edits: int = 10

    def expected_queries(self, words: float, clusters: float) -> float:
        """See `Search.expected_queries`."""
        return self.edits / 2 * (2 * clusters + 2 + (self.places or 2 * clusters) * 64)

    def run(self, case: Case) -> Asking:
        """See `Search.run`."""
        line = Line(list(case.subject.clusters), free_places(case.subject))
        alphabet = (DELETE, *(unit for unit in case.units if allows_unit(case, unit)))
        for _ in range(self.edits):
            probes = [
                (place, text)
                for place in line.free()
                if (text := next(filter(case.allows, line.probes(place)), None)) is not None
            ]
            if not probes:
                break
            heard = yield from ask([text for _, text in probes])
            if heard.over:
                break
            chosen = np.argsort(-heard.scores, kind="stable")[: self.places].tolist()
            made = [(probes[i][0], unit) for i in chosen for unit in alphabet]
            texts = [line.edited(*own) for own in made]
            kept = [i for i, may in enumerate(case.allow(texts)) if may]
            if not kept:
                break
            heard = yield from ask([texts[i] for i in kept])
            line = line.after(*made[kept[int(np.argmax(heard.scores))]])
            if heard.over:
                break
            heard = yield from ask([line.text])
            if heard.reached[0] or heard.over:
                break
        return line.text


def allows_unit(case: Case, unit: str) -> bool:
    """Whether the constraints of a case let a cluster be written."""
    return all(constraint.allows_unit(case.subject, unit) for constraint in case.attack.constraints)


def free_places(subject: Subject) -> list[bool]:
    """Which of the 2 L + 1 places may be edited: editable clusters, and places with nothing protected beside them."""
    allowed = [True, *subject.allowed.tolist(), True]
    between = [a and b for a, b in itertools.pairwise(allowed)]
    return [free for pair in zip(between, allowed[1:], strict=True) for free in pair][:-1]


@dataclasses.dataclass
class Line:
    """A text under edit.

    Attributes:
        clusters: L grapheme clusters. may: bool for each of 2 L + 1 places, whether it may be edited.
    """

    clusters: list[str]
    may: list[bool]

    @property
    def text(self) -> str:
        """The text as it is now."""
        return "".join(self.clusters)

    def free(self) -> list[int]:
        """The places that may be edited."""
        return [place for place, free in enumerate(self.may) if free]

    def probes(self, place: int) -> Iterator[str]:
        """Texts that probe a place, the preferred first: with a space there, or without an existing one.

        If the number of words must not change, a cluster is deleted, and between clusters the next one is doubled.
        """
        odd, here = place % 2 == 1, self.clusters[min(place // 2, len(self.clusters) - 1) :][:1]
        yield self.edited(place, DELETE if odd and here == [" "] else " ")
        yield self.edited(place, DELETE if odd else "".join(here))

    def edited(self, place: int, unit: str) -> str:
        """The text with a cluster (or none) written at a place."""
        before, after = self.clusters[: place // 2], self.clusters[place // 2 + place % 2 :]
        return "".join((*before, unit, *after))

    def after(self, place: int, unit: str) -> "Line":
        """The line with an edit made; places keep their flags, replaced ones are no longer free."""
        at, odd = divmod(place, 2)
        clusters = [*self.clusters[:at], *([unit] if unit else []), *self.clusters[at + odd :]]
        if odd and unit:
            may = [*self.may[:place], False, *self.may[place + 1 :]]
        elif odd:
            may = [*self.may[:place], *self.may[place + 2 :]]
        elif unit:
            may = [*self.may[:place], True, True, *self.may[place:]]
        else:
            may = list(self.may)
        return Line(clusters, may)
