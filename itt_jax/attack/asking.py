"""What attacks ask of a model: its outputs, and proposals from its gradients."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol

from itt_jax.errors import InputError

Norm = Literal["l2", "linf"]


@dataclasses.dataclass(frozen=True)
class Ascent:
    """An ascent of the loss in the space of word embeddings, within a ball around each token's own embedding.

    Attributes:
        norm: measures steps and the ball, separately for each token.
        steps: their number; 1 is FGSM.
        step_size, radius: in units of the mean norm of the word embeddings; for "linf", of that over sqrt(D).
    """

    norm: Norm
    steps: int
    step_size: float
    radius: float

    def __post_init__(self):
        """Raises InputError for a wrong value."""
        if self.norm not in ("l2", "linf"):
            raise InputError(f"ascent: norm: found {self.norm!r}, expected l2 or linf")
        if type(self.steps) is not int or self.steps < 1:
            raise InputError(f"ascent: steps: found {self.steps!r}, expected at least 1")
        for name in ("step_size", "radius"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"ascent: {name}: found {getattr(self, name)!r}, expected a number above 0")


_NO_GRADIENTS = "the model gives no gradients; expected an attack that needs only its outputs"


class Victim(Protocol):
    """A model under attack."""

    def outputs(self, texts: Sequence[tuple[str, ...]], language: str) -> list[Any]:
        """The output for each text, or tuple of the texts of a row's fields.

        Logits [K], or scores [1], of an example; for token classification [words, K]; for question answering the answer
        and its score.
        """

    def flips(
        self, texts: Sequence[tuple[str, ...]], field: str, labels: Sequence[int], each: int, language: str
    ) -> list[list[str]]:
        """For each text, the best flips of tokens of a field by gradient, as texts of that field. Costs no queries."""
        raise InputError(_NO_GRADIENTS)

    def ascents(
        self,
        texts: Sequence[tuple[str, ...]],
        field: str,
        labels: Sequence[int],
        ascent: Ascent,
        edits: int,
        language: str,
    ) -> list[list[str]]:
        """For each text, the texts of a field to which an ascent leads, with up to `edits` tokens replaced. Costs no
        queries."""
        raise InputError(_NO_GRADIENTS)

    def trigger_words(
        self,
        texts: Sequence[tuple[str, ...]],
        field: str,
        labels: Sequence[int],
        trigger: Sequence[str],
        each: int,
        language: str,
    ) -> list[list[str]]:
        """For each word of a trigger before all these texts, the best words to replace it, by mean gradient."""
        raise InputError(_NO_GRADIENTS)


@dataclasses.dataclass(frozen=True)
class Proposals:
    """A request for proposals from gradients for some texts; it does not count as a query.

    Attributes:
        texts: texts of the edited field.
    """

    texts: tuple[str, ...]

    def of(
        self, victim: Victim, texts: Sequence[tuple[str, ...]], field: str, labels: Sequence[int], language: str
    ) -> list[list[str]]:
        """The proposals for each text of one or several such requests; `texts` have all their fields."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Flips(Proposals):
    """The best flips of tokens.

    Attributes:
        each: flips of each text.
    """

    each: int

    def of(
        self, victim: Victim, texts: Sequence[tuple[str, ...]], field: str, labels: Sequence[int], language: str
    ) -> list[list[str]]:
        """See `Proposals.of`."""
        return victim.flips(texts, field, labels, self.each, language)


@dataclasses.dataclass(frozen=True)
class Nearest(Proposals):
    """The texts to which an ascent leads.

    Attributes:
        edits: maximum number of tokens replaced.
    """

    ascent: Ascent
    edits: int

    def of(
        self, victim: Victim, texts: Sequence[tuple[str, ...]], field: str, labels: Sequence[int], language: str
    ) -> list[list[str]]:
        """See `Proposals.of`."""
        return victim.ascents(texts, field, labels, self.ascent, self.edits, language)
