"""Candidates that a model proposes: the victim's own tokens, or words of a masked language model."""

import dataclasses
from collections.abc import Sequence

from itt_jax.attack.candidates.base import Candidates
from itt_jax.attack.subject import Subject
from itt_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class TokenFlips(Candidates):
    """Other tokens of the model's own vocabulary in place of one or several (`attack.flips`, `attack.ascents`)."""

    makes = "tokens"


@dataclasses.dataclass(frozen=True)
class MaskedLM(Candidates):
    """Words that a masked language model finds likely in the place of a word (`attack.proposer`).

    Attributes:
        proposer: checkpoint directory of the masked LM.
        most: number of its likeliest tokens at a word; those that are whole words are taken.
    """

    makes = "words"
    proposer: str | None = None
    most: int = 48

    def check(self, language: str) -> None:
        """See `Candidates.check`."""
        from itt_jax.attack.proposer import proposer

        proposer(self._folder)

    @property
    def _folder(self) -> str:
        if self.proposer is None:
            raise InputError("a recipe whose words come from a masked LM needs --proposer, a checkpoint with its head")
        return self.proposer

    def paths(self, language: str) -> list[str]:
        """See `Candidates.paths`."""
        return [self._folder]

    def options(self, subject: Subject, places: Sequence[int]) -> dict[int, list[str]]:
        """See `Candidates.options`."""
        from itt_jax.attack.proposer import proposer

        return proposer(self._folder).proposals(subject, places, self.most)
