"""Contamination: training or dev text that is also evaluated.

Texts are compared after normalisation, by 64-bit hashes, which lets millions of rows fit into memory. Under the rule
"whole_input" a row is contaminated if

- its whole input (all its fields, in order) is the whole input of an evaluation row, however short;
- it has a single text, and that text is a field of an evaluation row; or
- one of its fields is the only text of an evaluation row.

Under "any_field" a row is also contaminated if one of its fields is a field of an evaluation row. Rows often share a
text with good reason (claims about one document, questions about one paragraph), and then "any_field" can drop most of
a training set. Fields of fewer than `MINIMUM_WORDS` words ("A man is singing.") recur by chance and count only as part
of a whole input.
"""

import dataclasses
import hashlib
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from itt_jax.data.parallel import ParallelTexts
from itt_jax.data.rows import Rows
from itt_jax.errors import listed

MINIMUM_WORDS = 4
# Scripts written without spaces between words: two characters count as a word.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")


RULES = ("whole_input", "any_field", "off")
WARNED_SHARE = 0.05
"""Share of a source's rows above which dropping them, or keeping them contaminated, deserves a warning."""


@dataclasses.dataclass(frozen=True)
class Digests:
    """The content of a set of rows, as digests of normalised text.

    Attributes:
        fields: of single fields of at least `MINIMUM_WORDS` words, sorted and distinct: uint64 [m].
        inputs: of whole inputs (all fields of a row, in order), sorted and distinct: uint64 [n].
        sources: where the rows come from, in words: "TASK/SPLIT/LANGUAGE", or the name of a corpus.
    """

    fields: np.ndarray
    inputs: np.ndarray
    sources: tuple[str, ...] = ()

    @classmethod
    def join(cls, parts: "Sequence[Digests]") -> "Digests":
        """Everything that any of the parts contains."""
        none = np.zeros(0, np.uint64)
        return cls(
            _distinct(np.concatenate([none, *(part.fields for part in parts)])),
            _distinct(np.concatenate([none, *(part.inputs for part in parts)])),
            tuple(dict.fromkeys(source for part in parts for source in part.sources)),
        )

    def note(self) -> str:
        """What a checkpoint with these digests was trained on; completes a sentence that begins with its name."""
        if not len(self.inputs):
            return "does not say what it was trained on, so contamination is not checked"
        return f"was trained on {listed(self.sources) or 'rows of unnamed sources'}"

    def overlaps(self, other: "Digests", rule: str) -> bool:
        """Whether any row of either set is contaminated by a row of the other."""
        pairs = [(self.inputs, other.inputs), (self.inputs, other.fields), (self.fields, other.inputs)]
        pairs += [(self.fields, other.fields)] * (rule == "any_field")
        return any(np.isin(one, two).any() for one, two in pairs)


@dataclasses.dataclass(frozen=True)
class Contamination:
    """How many rows of a source are contaminated, and how many were dropped for it.

    Attributes:
        source: "TASK/SPLIT/LANGUAGE", or a corpus.
        rows: number of rows it had.
        dropped: how many of them were dropped.
        rule: the rule that was applied, one of `RULES`.
        whole_inputs: how many are contaminated under "whole_input".
        fields: field -> number of rows, dropped or not, that share it with an evaluation row.
    """

    source: str
    rows: int
    dropped: int
    rule: str = RULES[0]
    whole_inputs: int = 0
    fields: dict[str, int] = dataclasses.field(default_factory=dict)

    def summary(self) -> str:
        """The counts, in one line."""
        shared = [f"{n:,} share their {name}" for name, n in self.fields.items() if n]
        dropped = f"{self.dropped:,} of {self.rows:,} dropped ({self.rule})"
        if self.rule == "off":
            dropped = f"{self.whole_inputs:,} of {self.rows:,} evaluated and kept (off)"
        return f"{self.source}: {'; '.join([dropped, *shared])}"

    def warning(self) -> str | None:
        """A warning if many rows were dropped, or kept although they are evaluated; otherwise None."""
        kept = self.whole_inputs if self.rule == "off" else 0
        if max(self.dropped, kept) <= WARNED_SHARE * self.rows:
            return None
        shared = ", ".join(f"{name} {n:,}" for name, n in self.fields.items() if n)
        shared = f" (rows that share a field: {shared})" if shared else ""
        if kept:
            return (
                f"{self.source}: {kept:,} of {self.rows:,} rows ({kept / self.rows:.0%}) are evaluated and were kept"
                f"{shared}, since contamination is 'off'; scores on them are not scores on unseen text"
            )
        remedy = (
            "contamination='whole_input' keeps rows that share only a field"
            if self.rule == "any_field" and self.whole_inputs < self.dropped
            else "train on other rows, or evaluate on others"
        )
        return (
            f"{self.source}: {self.dropped:,} of {self.rows:,} rows ({self.dropped / self.rows:.0%}) were dropped "
            f"because their text is evaluated{shared}; {remedy}"
        )


class _Separators(dict):
    """Codepoint -> itself for letters, marks, numbers and symbols such as emoji, a space for others; filled on demand.

    A symbol gets a space on each side, so that it is never part of a word.
    """

    def __missing__(self, codepoint: int) -> str:
        character = chr(codepoint)
        category = unicodedata.category(character)
        self[codepoint] = f" {character} " if category == "So" else character if category[0] in "LMN" else " "
        return self[codepoint]


_SEPARATORS = _Separators()


def normalise(text: str) -> str:
    """NFKC, case folded; everything but letters, marks, numbers and symbols (emoji) becomes single spaces.

    A text that has none of them ("!!!") keeps its punctuation.

    >>> normalise("Don’t  STOP -- ﬁnally!")
    'don t stop finally'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = folded.translate(_SEPARATORS)
    if all(character == " " or unicodedata.category(character)[0] == "M" for character in kept):
        kept = "".join(character if unicodedata.category(character)[0] in "PS" else " " for character in folded)
    return " ".join(kept.split())


def words_of(text: str) -> list[str]:
    """The words of the normalised text, which have letters, marks or numbers."""
    return _words(normalise(text))


def digests(rows: Rows | Sequence[str]) -> Digests:
    """The digests of rows, or of texts that are each a whole input."""
    found = row_digests(_columns(rows))
    sources = (f"{rows.task}/{rows.split}/{rows.language}",) if isinstance(rows, Rows) else ()
    return Digests(_distinct(found[:, :-1]), _distinct(found[:, -1]), sources)


def contaminated(rows: Rows | Sequence[str | None], evaluation: Digests, rule: str = RULES[0]) -> np.ndarray:
    """Which training rows (or texts) are contaminated: bool [n].

    Args:
        rows: a text may be None, which is never contaminated.
        evaluation: the `digests` of what is evaluated.
        rule: "whole_input" or "any_field".
    """
    own = row_digests(_columns(rows))
    fields, inputs = own[:, :-1], own[:, -1]
    mask = _among(inputs, evaluation.inputs) | _among(inputs, evaluation.fields)
    mask |= _among(fields, evaluation.inputs).any(axis=1)
    return mask | _among(fields, evaluation.fields).any(axis=1) if rule == "any_field" else mask


def shared_fields(rows: Rows, evaluation: Digests) -> dict[str, int]:
    """Field -> number of rows that share it with an evaluation row."""
    own = row_digests(_columns(rows))[:, :-1]
    shared = (_among(own, evaluation.fields) | _among(own, evaluation.inputs)).sum(axis=0)
    return dict(zip(rows.fields, shared.tolist(), strict=True))


def contaminated_tuples(texts: ParallelTexts, evaluation: Digests) -> np.ndarray:
    """Which tuples are contaminated in any language: bool [n]."""
    mask = np.zeros(len(texts), bool)
    for language in texts.languages:
        mask |= contaminated(texts.texts[language], evaluation)
    return mask


def _distinct(found: np.ndarray) -> np.ndarray:
    """The distinct digests other than 0 in an array of any shape, sorted: uint64 [m]."""
    ordered = np.sort(found, axis=None)  # np.unique hashes, which is far slower
    return ordered[(ordered != 0) & np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]


def _among(own: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Which digests are among the sorted `found`: bool, in the shape of `own`. 0 never counts."""
    if not len(found):
        return np.zeros(own.shape, bool)
    at = np.minimum(np.searchsorted(found, own), len(found) - 1)
    return found[at] == own


def _columns(rows: Rows | Sequence[str | None]) -> list[Sequence[str | None]]:
    return list(rows.fields.values()) if isinstance(rows, Rows) else [rows]


def row_digests(columns: Sequence[Sequence[str | None]]) -> np.ndarray:
    """uint64 [n, columns + 1]: a digest of each field, then of the whole row; 0 if absent, empty or (a field) short."""
    n = len(columns[0])
    digests = np.zeros((n, len(columns) + 1), np.uint64)
    texts = []
    for j, column in enumerate(columns):
        # Contexts and premises recur from row to row.
        known = {text: normalise(text) if text else "" for text in set(column)}
        own = {text: _digest(normal) if normal and _long_enough(normal) else 0 for text, normal in known.items()}
        texts.append([known[text] for text in column])
        digests[:, j] = [own[text] for text in column]
    whole = ("\x1f".join(row) for row in zip(*texts, strict=True))
    digests[:, -1] = [_digest(row) if row.strip("\x1f") else 0 for row in whole]
    return digests


def _words(normalised: str) -> list[str]:
    return [word for word in normalised.split() if unicodedata.category(word[0])[0] in "LMN"]


def _long_enough(normalised: str) -> bool:
    return len(_words(normalised)) + len(_UNSPACED.findall(normalised)) // 2 >= MINIMUM_WORDS


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
