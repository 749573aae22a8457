"""Contamination: training or dev text that is also evaluated (DESIGN.md, decision 10).

Texts are compared after normalisation, by 64-bit hashes, so that millions of rows fit. A row is contaminated if

- the whole row (all its fields, in order) is an evaluation row, however short; or
- one of its fields, of at least `MINIMUM_WORDS` words, is a field of an evaluation row. Shorter fields ("A man is
  singing.") recur by chance, and dropping every such row would empty training sets of short texts.
"""

import dataclasses
import hashlib
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from itt_jax.data.parallel import ParallelTexts
from itt_jax.data.rows import Rows

MINIMUM_WORDS = 4
# Scripts written without spaces between words: two characters count as a word.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")


@dataclasses.dataclass(frozen=True)
class Contamination:
    """How many rows of a source were dropped because their text is evaluated.

    Attributes:
        source: "TASK/SPLIT/LANGUAGE", or a corpus.
        rows: how many it had.
        dropped: how many of them were dropped.
    """

    source: str
    rows: int
    dropped: int


class _Separators(dict):
    """Codepoint -> itself, or a space for punctuation, symbols, separators and controls; filled on demand."""

    def __missing__(self, codepoint: int) -> int:
        kept = unicodedata.category(chr(codepoint))[0] in "LMN"
        self[codepoint] = codepoint if kept else 32
        return self[codepoint]


_SEPARATORS = _Separators()


def normalise(text: str) -> str:
    """NFKC, case folded; everything but letters, marks and numbers becomes single spaces.

    >>> normalise("Don’t  STOP -- ﬁnally!")
    'don t stop finally'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().translate(_SEPARATORS).split())


def words_of(text: str) -> list[str]:
    """The words of the normalised text."""
    return normalise(text).split()


def digests(rows: Rows | Sequence[str]) -> np.ndarray:
    """Sorted distinct digests of all fields and whole rows (or of all texts): uint64 [m]."""
    return distinct(_digests(_columns(rows)))


def distinct(found: np.ndarray) -> np.ndarray:
    """The distinct digests other than 0 in an array of any shape, sorted: uint64 [m]."""
    ordered = np.sort(found, axis=None)  # np.unique hashes, which takes far longer
    return ordered[(ordered != 0) & np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]


def contaminated(rows: Rows | Sequence[str | None], evaluation: np.ndarray) -> np.ndarray:
    """Which training rows (or texts) are contaminated: bool [n].

    Args:
        rows: a text may be None, which is never contaminated.
        evaluation: the `digests` of what is evaluated.
    """
    columns = _columns(rows)
    if not len(evaluation):
        return np.zeros(len(columns[0]), bool)
    own = _digests(columns)
    at = np.minimum(np.searchsorted(evaluation, own), len(evaluation) - 1)
    return (evaluation[at] == own).any(axis=1)


def contaminated_tuples(texts: ParallelTexts, evaluation: np.ndarray) -> np.ndarray:
    """Which tuples are contaminated in any language: bool [n]."""
    mask = np.zeros(len(texts), bool)
    for language in texts.languages:
        mask |= contaminated(texts.texts[language], evaluation)
    return mask


def _columns(rows: Rows | Sequence[str | None]) -> list[Sequence[str | None]]:
    return list(rows.fields.values()) if isinstance(rows, Rows) else [rows]


def _digests(columns: Sequence[Sequence[str | None]]) -> np.ndarray:
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


def _long_enough(normalised: str) -> bool:
    return normalised.count(" ") + 1 + len(_UNSPACED.findall(normalised)) // 2 >= MINIMUM_WORDS


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
