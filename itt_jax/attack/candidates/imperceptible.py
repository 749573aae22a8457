"""Edits that a reader does not see: Boucher et al. 2022, Bad Characters (arXiv 2106.09898)."""

import dataclasses

import numpy as np

from itt_jax.attack.candidates.base import Candidates, Edit
from itt_jax.attack.candidates.word_swaps import letters_like, look_alikes
from itt_jax.attack.subject import Subject
from itt_jax.errors import InputError
from itt_jax.perturb import tables
from itt_jax.perturb.encodings import APART, BACKSPACE, CLOSED, OPENED, directions, one_base, text_directions
from itt_jax.perturb.text import decoded, from_strings
from itt_jax.perturb.unicode import INVISIBLE
from itt_jax.perturb.units import Document

KINDS = ("invisible", "homoglyph", "reorder", "delete")


@dataclasses.dataclass(frozen=True)
class Imperceptible(Candidates):
    """Edits of single places.

    Attributes:
        edits_of: "invisible": a zero-width character after a cluster; "homoglyph": a look-alike; "reorder": two letters
            stored in reverse order inside controls that display them in the right one; "delete": a drawn letter and a
            backspace control after a cluster.
    """

    makes = "edits"
    edits_of: tuple[str, ...] = KINDS

    def __post_init__(self):
        for name in self.edits_of:
            if name not in KINDS:
                raise InputError(f"edits_of: found {name!r}, expected some of {', '.join(KINDS)}")

    def single_edits(self, subject: Subject) -> list[list[Edit]]:
        """See `Candidates.edits`: a list for each editable cluster with any, in the order of the text."""
        pairs = _reversible(subject) if "reorder" in self.edits_of else {}
        found = []
        for place in np.flatnonzero(subject.allowed).tolist():
            cluster, own = subject.clusters[place], []
            if "invisible" in self.edits_of:
                own += [(place, place + 1, cluster + chr(code)) for code in INVISIBLE.tolist()]
            if "homoglyph" in self.edits_of:
                alike = look_alikes().get(cluster[0], ())
                own += [(place, place + 1, other + cluster[1:]) for other in alike]
            if place in pairs:
                own.append((place, place + 2, pairs[place]))
            if "delete" in self.edits_of and (letters := letters_like(cluster[0], subject.language)):
                letter = letters[subject.draw(len(letters), "delete", place)]
                own.append((place, place + 1, cluster + letter + BACKSPACE))
            if own:
                found.append(own)
        return found


def _reversible(subject: Subject) -> dict[int, str]:
    """Cluster -> it and the next one in reverse order inside controls, if that is displayed like the clean text."""
    document = Document(from_strings([subject.text]), None, subject.language, None)
    (direction,) = text_directions(document).tolist()
    if not direction:
        return {}
    alone = tables.look_up(directions(), document.bases) == direction + APART
    alone &= one_base(document) & document.in_word & subject.allowed
    before, after, found = decoded(OPENED[direction - 1]), decoded(CLOSED), {}
    for place in np.flatnonzero(alone[:-1] & alone[1:] & document.joined[:-1]).tolist():
        first, second = subject.clusters[place : place + 2]
        if first != second:
            found[place] = before + second + first + after
    return found
