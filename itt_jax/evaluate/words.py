"""Where the words of tagged texts went: tags follow their words through insertions, deletions and moves."""

from collections.abc import Sequence

import numpy as np

from itt_jax.data.tagging import word_starts
from itt_jax.ragged import Ragged, offsets_of

LOST = -1


def clean_words(texts: Sequence[str]) -> Ragged:
    """Where each word begins: of each text int64 [words] codepoints."""
    return Ragged.of(map(word_starts, texts), np.int64)


def moved_words(texts: Sequence[str], sources: Sequence[np.ndarray]) -> Ragged:
    """Where each word of the clean `texts` begins after a perturbation, or LOST where nothing of it is left.

    Args:
        sources: of each perturbed text the clean codepoint that each codepoint stands for, -1 for none
            (`PerturbedTexts.sources`). A word that stands there twice is read where it stands first.

    Returns:
        of each text int64 [words] codepoints of the perturbed text, in the clean order of the words.
    """
    codepoints = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    offsets = offsets_of([len(text) for text in texts])
    spaces = codepoints == ord(" ")
    text_of = np.repeat(np.arange(len(texts)), np.diff(offsets))
    word_of = np.where(spaces, LOST, np.cumsum(spaces) + text_of)
    counts = np.bincount(text_of, spaces, len(texts)).astype(np.int64) + 1
    moved = Ragged.of(sources, np.int64)
    text_of_moved = np.repeat(np.arange(len(texts)), moved.lengths)
    stands = moved.values >= 0
    word = np.full(len(stands), LOST)
    word[stands] = word_of[moved.values[stands] + offsets[text_of_moved[stands]]]
    places = np.flatnonzero(word != LOST)[::-1]  # backwards, so that the first place of a word is set last
    starts = np.full(int(counts.sum()), LOST, np.int64)
    starts[word[places]] = places - moved.offsets[text_of_moved[places]]
    return Ragged(starts, offsets_of(counts))


def kept(rows: Ragged, starts: Ragged) -> Ragged:
    """The entries of words that are not lost; `rows` has one entry for each word, as `starts` has."""
    left = starts.values != LOST
    counts = np.bincount(np.repeat(np.arange(len(starts)), starts.lengths), left, len(starts))
    return Ragged(rows.values[left], offsets_of(counts))
