"""No leak: which training rows hold text that is evaluated (DESIGN decision 10).

Texts are compared normalised and hashed to 64 bits, so that millions of rows work. A training row counts as seen if

- the whole row (all its fields, in order) stands in the evaluation rows, however short; or
- one of its fields, of at least `MINIMUM_WORDS` words, stands in them as a field. A shorter field ("A man is singing.")
  may recur by chance, and dropping every such row would empty training sets of short texts.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from itt_jax.data.rows import ParallelTexts, Rows

MINIMUM_WORDS = 4
# scripts written without spaces between words: two characters count as a word
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")


class _Separators(dict):
    """Codepoint -> itself, or a space for punctuation, symbols, separators and controls; filled as characters come."""

    def __missing__(self, codepoint: int) -> int:
        kept = unicodedata.category(chr(codepoint))[0] in "LMN"
        self[codepoint] = codepoint if kept else 32
        return self[codepoint]


_SEPARATORS = _Separators()


def normalise(text: str) -> str:
    """NFKC, case folded, everything but letters, marks and numbers collapsed to single spaces.

    >>> normalise("Don’t  STOP -- ﬁnally!")
    'don t stop finally'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().translate(_SEPARATORS).split())


def words_of(text: str) -> list[str]:
    """The words of the normalised text."""
    return normalise(text).split()


def _long_enough(normalised: str) -> bool:
    return normalised.count(" ") + 1 + len(_UNSPACED.findall(normalised)) // 2 >= MINIMUM_WORDS


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _columns(rows: Rows | Sequence[str]) -> list[Sequence[str | None]]:
    return list(rows.fields.values()) if isinstance(rows, Rows) else [rows]


def _digests(columns: Sequence[Sequence[str | None]]) -> np.ndarray:
    """uint64 [n, columns + 1]: each field, then the whole row; 0 for a text that is absent, empty or short."""
    n = len(columns[0])
    digests = np.zeros((n, len(columns) + 1), np.uint64)
    texts = []
    for j, column in enumerate(columns):
        # contexts and premises recur from row to row
        known = {text: normalise(text) if text else "" for text in set(column)}
        own = {text: _digest(normal) if normal and _long_enough(normal) else 0 for text, normal in known.items()}
        texts.append([known[text] for text in column])
        digests[:, j] = [own[text] for text in column]
    whole = ("\x1f".join(row) for row in zip(*texts, strict=True))
    digests[:, -1] = [_digest(row) if row.strip("\x1f") else 0 for row in whole]
    return digests


def distinct(found: np.ndarray) -> np.ndarray:
    """Sorted distinct digests other than 0 (numpy's own `unique` hashes them, which takes far longer)."""
    ordered = np.sort(found, axis=None)
    return ordered[(ordered != 0) & np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]


def digests(rows: Rows | Sequence[str]) -> np.ndarray:
    """Sorted uint64 digests of all fields and whole rows (or texts) that are evaluated."""
    return distinct(_digests(_columns(rows)))


def seen(columns: Sequence[Sequence[str | None]], evaluation: np.ndarray) -> np.ndarray:
    """Mask [n] of the rows (given by columns; None is no text) with a text among the sorted evaluation digests."""
    if not len(evaluation):
        return np.zeros(len(columns[0]), bool)
    own = _digests(columns)
    at = np.minimum(np.searchsorted(evaluation, own), len(evaluation) - 1)
    return (evaluation[at] == own).any(axis=1)


def overlap(train: Rows | Sequence[str], evaluation: Rows | Sequence[str]) -> np.ndarray:
    """Mask [n] of the training rows (or texts) seen in the evaluation rows (or texts)."""
    return seen(_columns(train), digests(evaluation))


def seen_rows(rows: Rows, evaluation: np.ndarray) -> np.ndarray:
    """Mask [n] of the training rows with a text among the evaluation digests."""
    return seen(_columns(rows), evaluation)


def drop_parallel(texts: ParallelTexts, evaluation: np.ndarray) -> tuple[ParallelTexts, int]:
    """The tuples without those of which any language's text is seen in evaluation, and how many were dropped."""
    mask = np.zeros(len(texts), bool)
    for language in texts.languages:
        mask |= seen([texts.texts[language]], evaluation)
    return texts.select(~mask), int(mask.sum())


def stable_order(keys: Sequence[str], salt: str = "") -> np.ndarray:
    """int64 ranks [n] of keys in an order by hash, which depends on the keys and the salt alone."""
    hashes = [hashlib.blake2b(f"{salt}{key}".encode(), digest_size=8).digest() for key in keys]
    ranks = np.empty(len(keys), np.int64)
    ranks[np.argsort(np.array(hashes, "S8"), kind="stable")] = np.arange(len(keys))
    return ranks
