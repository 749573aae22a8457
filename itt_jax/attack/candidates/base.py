"""Candidates: the edits that an attack may try. Each kind of candidates makes one unit: words, clusters, single edits,
whole texts, tokens or triggers.

Word candidates depend only on the clean word: a word is edited at most once, and its candidates are the same in
whatever order words are tried.
"""

import dataclasses
from collections.abc import Sequence

from itt_jax.attack.asking import Victim
from itt_jax.attack.goals import Goal
from itt_jax.attack.subject import Subject

Edit = tuple[int, int, str]
"""Clusters [start, stop) of a text, and the string that replaces them."""


@dataclasses.dataclass(frozen=True)
class Candidates:
    """The edits that an attack may try.

    Attributes:
        makes: "words", "clusters", "edits", "texts", "tokens" or "triggers"; a search takes one of them.
    """

    makes = ""

    def version(self, language: str) -> int:
        """Version in a language; raised when the candidates change there, so that attacks are made again."""
        return 1

    def check(self, language: str) -> None:
        """Raises InputError if there are none in a language."""

    def paths(self, language: str) -> list[str]:
        """The user's files and folders from which they are taken."""
        return []

    def cut(self, subject: Subject) -> Subject:
        """The subject with the words that these candidates replace."""
        return subject

    def options(self, subject: Subject, places: Sequence[int]) -> dict[int, list[str]]:
        """Word -> its candidates, if words are made."""
        raise NotImplementedError

    def texts(self, subject: Subject) -> list[str]:
        """Candidates for the whole text, if texts are made."""
        raise NotImplementedError

    def single_edits(self, subject: Subject) -> list[list["Edit"]]:
        """Place -> the possible edits there, if single edits are made."""
        raise NotImplementedError

    def units(self, subjects: Sequence[Subject], goal: Goal, victim: Victim) -> tuple[str, ...]:
        """Units for all attacked texts, found once: clusters, or for each class a trigger, if these are made; otherwise
        nothing.
        """
        return ()
