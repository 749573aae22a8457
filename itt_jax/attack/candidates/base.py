"""Candidates: what an attack may write. Each kind of candidates makes one unit: words, clusters, single edits, whole
texts, tokens or triggers.

Word candidates depend on the clean word alone, so that a word is edited at most once and its candidates are the same
in whatever order words are tried.
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
    """What an attack may write.

    Attributes:
        makes: "words", "clusters", "edits", "texts", "tokens" or "triggers"; a search takes one of them.
    """

    makes = ""

    def version(self, language: str) -> int:
        """Raised when the same candidates become others in a language, so that attacks are made again."""
        return 1

    def check(self, language: str) -> None:
        """Raises InputError where there are none in a language."""

    def paths(self, language: str) -> list[str]:
        """Files and folders of the user's that they are taken from."""
        return []

    def cut(self, subject: Subject) -> Subject:
        """The subject with the words that these candidates replace."""
        return subject

    def options(self, subject: Subject, places: Sequence[int]) -> dict[int, list[str]]:
        """Word -> its candidates, where words are made."""
        raise NotImplementedError

    def texts(self, subject: Subject) -> list[str]:
        """Candidates for the whole text, where texts are made."""
        raise NotImplementedError

    def single_edits(self, subject: Subject) -> list[list["Edit"]]:
        """Place -> the edits that can be made there, where single edits are made."""
        raise NotImplementedError

    def units(self, subjects: Sequence[Subject], goal: Goal, victim: Victim) -> tuple[str, ...]:
        """What may be written into any of the attacked texts and is found once for all of them.

        Clusters, or for each class a trigger, where these are made; nothing otherwise.
        """
        return ()
