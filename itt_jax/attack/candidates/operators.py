"""Draws of perturbation operators, as whole texts or as words."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from itt_jax.attack.candidates.base import Candidates
from itt_jax.attack.subject import Subject
from itt_jax.errors import InputError
from itt_jax.perturb import get, variants
from itt_jax.perturb.engine import check_operator, check_severity


@dataclasses.dataclass(frozen=True)
class Operators(Candidates):
    """Draws of perturbation operators (`list perturbations`), as whole texts or as words.

    Attributes:
        operators: their names. severity: as in `perturb`. draws: replicates of each.
        lexicon: path of a word list, for operators that read one; may contain {language}.
        makes: "texts": whole texts are perturbed; "words": one word at a time.
    """

    operators: tuple[str, ...] = ("swap", "delete", "substitute", "insert")
    severity: float = 0.2
    draws: int = 8
    lexicon: str | None = None
    makes: str = "texts"

    def __post_init__(self):
        if self.draws < 1 or not self.operators:
            raise InputError(
                f"operators: found {self.draws} draws of {len(self.operators)} operators, expected at least 1"
            )
        check_severity(self.severity)

    def check(self, language: str) -> None:
        """See `Candidates.check`."""
        if self.lexicon and not any(get(name).lexicon for name in self.operators):
            raise InputError(f"--lexicon {self.lexicon}: none of the operators {', '.join(self.operators)} reads one")
        for name in self.operators:
            if check_operator(name, language, self._lexicon(name, language))[0].changes_label:
                raise InputError(f"operator {name!r} may change the label; expected a perturbation that keeps it")

    def paths(self, language: str) -> list[str]:
        """See `Candidates.paths`."""
        return [path for name in self.operators if (path := self._lexicon(name, language)) is not None]

    def texts(self, subject: Subject) -> list[str]:
        """The distinct perturbed texts, operator by operator."""
        starts = np.repeat(subject.allowed, [len(cluster) for cluster in subject.clusters])
        found = dict.fromkeys(text for (text,) in self._drawn(subject, [starts]))
        found.pop(subject.text, None)
        return list(found)

    def options(self, subject: Subject, places: Sequence[int]) -> dict[int, list[str]]:
        """See `Candidates.options`: the distinct forms that the operators give a word when nothing else may change."""
        lengths = np.array([len(cluster) for cluster in subject.clusters], np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        masks, bounds = [], []
        for place in places:
            first, stop = offsets[list(subject.words[place])].tolist()
            mask = np.zeros(len(subject.text), bool)
            mask[first:stop] = True
            masks.append(mask)
            bounds.append((first, stop))
        found: dict[int, dict[str, None]] = {place: {} for place in places}
        for texts in self._drawn(subject, masks) if masks else ():
            for place, (first, stop), text in zip(places, bounds, texts, strict=True):
                tail = subject.text[stop:]
                apart = len(text) >= first + len(tail)  # the texts before and after the word do not overlap
                if apart and text != subject.text and text.startswith(subject.text[:first]) and text.endswith(tail):
                    found[place][text[first : len(text) - len(tail)]] = None
        return {place: list(own) for place, own in found.items()}

    def _drawn(self, subject: Subject, masks: Sequence[np.ndarray]) -> Iterator[list[str]]:
        """For each operator and replicate the texts, one for each mask of editable codepoints."""
        for name in self.operators:
            for own in variants(
                [subject.text] * len(masks),
                name,
                [self.severity],
                subject.language,
                subject.seed,
                ids=[subject.item] * len(masks),
                field=subject.field,
                replicates=range(self.draws),
                editable=masks,
                lexicon=self._lexicon(name, subject.language),
            ):
                yield own.texts

    def _lexicon(self, name: str, language: str) -> str | None:
        return self.lexicon.replace("{language}", language) if self.lexicon and get(name).lexicon else None
