"""The units that operators edit, grapheme clusters and words, as arrays.

Clusters are the extended grapheme clusters of UAX 29 (Unicode 18, rules GB3-GB13), computed from a table of fixed
version, with one addition: every spacing mark belongs to the cluster before it. UAX 29 leaves out those of Myanmar, Tai
Tham and Ahom, although they are vowel signs and tone marks of the syllable before them.

Words follow one rule for all languages, based on script alone, because tokenizers and dictionaries differ between
encoders. A word is a maximal run of clusters that begin with a letter or number; a single apostrophe or similar sign
between two letters, or a decimal or thousands sign between two numbers, continues the word (a subset of UAX 29 rules
WB6, WB7, WB11 and WB12). Scripts written without spaces are cut further: each Han character is a word, each run of
Hiragana or of Katakana is a word, and Thai, Lao, Khmer and Myanmar runs are cut every three clusters.

Format characters, such as the soft hyphen and direction marks, are ignored inside words (WB4). Those behind the last
letter of a word are outside it, so that a control that closes a span of text stays with the one that opens it. All
white space separates words, no-break spaces included, and so does the zero-width space.
"""

import dataclasses
import functools
import types

import numpy as np

from itt_jax.errors import InputError
from itt_jax.perturb import compiled, tables
from itt_jax.perturb.codepoints import (
    BETWEEN_LETTERS,
    BETWEEN_NUMBERS,
    CLUSTERS_PER_WORD,
    CONSONANT,
    EMOJI_FILLER,
    FILLER,
    HAN,
    IGNORED,
    LETTER,
    LINKER,
    NUMBER,
    PICTOGRAPHIC,
    REGIONAL,
    SOUTH_EAST_ASIAN,
    SPACED,
    WORD,
    ZWJ,
    joining_pairs,
    numbers_by_role,
    roles,
    word_groups,
)
from itt_jax.perturb.lexicon import Lexicon
from itt_jax.perturb.text import decoded
from itt_jax.ragged import Ragged

VERSION = 2  # increased whenever a boundary of a cluster, word or sentence changes in any text


def cluster_breaks(text: Ragged) -> np.ndarray:
    """bool [C]: whether a grapheme cluster begins at each codepoint."""
    codepoints, offsets = text.values, text.offsets
    breaks = np.ones(len(codepoints), bool)
    classes = tables.look_up(tables.property_of("grapheme"), codepoints)
    if len(codepoints) > 1 and classes.any():
        pairs = classes[:-1].astype(np.intp) * len(joining_pairs()) + classes[1:]
        np.logical_not(tables.look_up(joining_pairs().ravel(), pairs), out=breaks[1:])
        breaks[1 + np.flatnonzero(long_joins(classes, offsets))] = False
    breaks[offsets[:-1][np.diff(offsets) > 0]] = True
    return breaks


def long_joins(classes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """bool [C - 1]: joins that depend on more than two codepoints (GB9c, GB11, GB12 and GB13)."""
    before, after = classes[:-1], classes[1:]
    joins = np.zeros(len(before), bool)

    def plays(role: int, which: np.ndarray) -> np.ndarray:
        return np.isin(which, numbers_by_role(role))

    def last_outside(role: int, places: np.ndarray) -> np.ndarray:
        """The last place up to each of `places` whose class does not play the role; -1 if its text has none."""
        outside = np.where(plays(role, classes), -1, np.arange(len(classes)))
        last = np.maximum.accumulate(outside)[places]
        return np.where(last >= offsets[np.searchsorted(offsets, places, "right") - 1], last, -1)

    places = np.flatnonzero(plays(CONSONANT, after) & (plays(LINKER, before) | plays(FILLER, before)))
    if len(places):
        last = last_outside(FILLER, places)
        joins[places] = (last >= 0) & plays(LINKER, classes[last])
    places = np.flatnonzero(plays(PICTOGRAPHIC, after) & plays(ZWJ, before))
    places = places[places > 0]
    if len(places):
        last = last_outside(EMOJI_FILLER, places - 1)
        own = last >= offsets[np.searchsorted(offsets, places, "right") - 1]  # excludes the text before the ZWJ's
        joins[places] = own & plays(PICTOGRAPHIC, classes[last])
    places = np.flatnonzero(plays(REGIONAL, after) & plays(REGIONAL, before))
    if len(places):
        starts = offsets[np.searchsorted(offsets, places, "right") - 1]
        run = places - np.maximum(last_outside(REGIONAL, places), starts - 1)
        joins[places] = run % 2 == 1
    return joins


@dataclasses.dataclass(frozen=True)
class Document:
    """Texts and their units, as passed to an operator.

    Attributes:
        text: the codepoints of n clean texts.
        editable: bool [C] codepoints that may be edited; None means all of them.
        language: ISO 639 code.
        lexicon: the user's lexicon, for operators that read one; None means the built-in table.
    """

    text: Ragged
    editable: np.ndarray | None
    language: str
    lexicon: Lexicon | None = None

    @property
    def codepoints(self) -> np.ndarray:
        """uint32 [C]: the codepoints of all texts."""
        return self.text.values

    @functools.cached_property
    def string(self) -> str:
        """All texts as one string, indexed by codepoint."""
        return decoded(self.codepoints)

    @functools.cached_property
    def kernels(self) -> types.ModuleType | None:
        """The compiled kernels, or None to use the NumPy versions."""
        return compiled.kernels(len(self.codepoints))

    @functools.cached_property
    def units(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """`starts`, `bases`, `flags` and `text_clusters`."""
        if self.kernels is None:
            return self.plain_units()
        classes, flags = (tables.property_of(name) for name in ("grapheme", "flags"))
        joins = joining_pairs().ravel().view(np.uint8)
        return self.kernels.units(self.codepoints, self.text.offsets, classes, flags, joins, roles())

    def plain_units(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """`units` in NumPy; the reference for the kernel."""
        codepoints, offsets = self.codepoints, self.text.offsets
        starts = np.append(np.flatnonzero(cluster_breaks(self.text)), len(codepoints))
        if len(starts) == len(codepoints) + 1:  # every codepoint is a cluster
            bases, text_clusters = codepoints.astype(np.int64), offsets
        else:
            bases = codepoints.take(starts[:-1], mode="clip").astype(np.int64)
            text_clusters = np.searchsorted(starts, offsets)
        flags = tables.look_up(tables.property_of("flags"), bases)
        ignored = np.flatnonzero((flags & IGNORED > 0) & (np.diff(starts) > 1))
        if len(ignored):
            every = tables.look_up(tables.property_of("flags"), codepoints)
            other = np.append(np.flatnonzero(every & IGNORED == 0), len(codepoints))
            other = other[np.searchsorted(other, starts[ignored])]
            inside = other < starts[ignored + 1]
            flags[ignored[inside]] = every[other[inside]]
        return starts, bases, flags, text_clusters

    @property
    def starts(self) -> np.ndarray:
        """int64 [G + 1]: the index of each cluster's first codepoint, then the number of codepoints."""
        return self.units[0]

    @property
    def bases(self) -> np.ndarray:
        """int64 [G]: each cluster's first codepoint."""
        return self.units[1]

    @property
    def flags(self) -> np.ndarray:
        """uint8 [G]: flag bits (WORD, SPACE, LETTER, ...) of each cluster's first codepoint.

        Those of the next one if the first is ignored in words, as in a conjunct that begins with a virama.
        """
        return self.units[2]

    @property
    def text_clusters(self) -> np.ndarray:
        """int64 [n + 1]: the index of each text's first cluster, then the number of clusters."""
        return self.units[3]

    @functools.cached_property
    def allowed(self) -> np.ndarray:
        """bool [G]: whether every codepoint of the cluster may be edited."""
        if self.editable is None or not len(self.bases):
            return np.ones(len(self.bases), bool)
        return np.logical_and.reduceat(self.editable, self.starts[:-1])

    @functools.cached_property
    def in_word(self) -> np.ndarray:
        """bool [G]: editable clusters that begin with a letter or number."""
        members = (self.flags & WORD) > 0
        return members if self.editable is None else members & self.allowed

    @functools.cached_property
    def unignored(self) -> np.ndarray:
        """int64: the clusters that are not format characters, in text order."""
        return np.flatnonzero((self.flags & IGNORED) == 0)

    def linked(self, members: np.ndarray) -> np.ndarray:
        """bool [G]: whether a cluster and the next one in its text are both in `members` (bool [G])."""
        return linked(members, self.text_clusters)

    @functools.cached_property
    def joined(self) -> np.ndarray:
        """bool [G]: whether a cluster and the next one both begin with a letter or number."""
        return self.linked((self.flags & WORD) > 0)

    @functools.cached_property
    def next_letter(self) -> np.ndarray:
        """int64 [G]: the next cluster of the same run of letters and numbers, -1 if there is none.

        Format characters do not end a run.
        """
        place = self.unignored
        follows = linked((self.flags[place] & WORD) > 0, np.searchsorted(place, self.text_clusters))[:-1]
        found = np.full(len(self.bases), -1)
        found[place[:-1][follows]] = place[1:][follows]
        return found

    @functools.cached_property
    def run_starts(self) -> np.ndarray:
        """int64: the first cluster of each run of letters and numbers."""
        begins = (self.flags & WORD) > 0
        begins[self.next_letter[self.next_letter >= 0]] = False
        return np.flatnonzero(begins)

    @functools.cached_property
    def words(self) -> tuple[np.ndarray, np.ndarray]:
        """int64 [W], int64 [W]: each word's first cluster, and the cluster after its last."""
        if self.kernels is None:
            return self.plain_words()
        return self.kernels.words(self.bases, self.flags, self.text_clusters, word_groups())

    def plain_words(self) -> tuple[np.ndarray, np.ndarray]:
        """`words` in NumPy; the reference for the kernel."""
        place = self.unignored
        bounds = np.searchsorted(place, self.text_clusters)
        first, stop = word_bounds(self.bases[place], self.flags[place], bounds)
        return place[first], place[stop - 1] + 1

    def around(self, first: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """int64, int64: the clusters before and after the ranges first ... stop - 1, apart from format characters.

        The ends of the text are -1 and the number of clusters G.
        """
        place = np.concatenate([[-1], self.unignored, [len(self.bases)]])
        before = place[np.searchsorted(place, first) - 1]
        after = place[np.searchsorted(place, stop)]
        text = np.searchsorted(self.text_clusters, first, "right")
        before = np.where(before < self.text_clusters[text - 1], -1, before)
        return before, np.where(after < self.text_clusters[text], after, len(self.bases))

    @property
    def word_sizes(self) -> np.ndarray:
        """int64 [W]: the number of clusters of each word, without format characters."""
        first, stop = (np.searchsorted(self.unignored, ends) for ends in self.words)
        return stop - first

    @property
    def word_members(self) -> np.ndarray:
        """bool [G]: the clusters of words, including the signs and format characters inside them."""
        first, stop = self.words
        steps = np.zeros(len(self.bases) + 1, np.int8)
        steps[first] += 1
        steps[stop] -= 1
        return np.cumsum(steps[:-1]) > 0

    @functools.cached_property
    def word_allowed(self) -> np.ndarray:
        """bool [W]: whether every cluster of the word may be edited."""
        first, stop = self.words
        if self.editable is None or not len(first):
            return np.ones(len(first), bool)
        edges = np.stack([first, stop], axis=1).ravel()
        return np.logical_and.reduceat(np.append(self.allowed, True), edges)[::2]


def linked(members: np.ndarray, text_clusters: np.ndarray) -> np.ndarray:
    """bool [G]: whether a cluster and the next one in its text are both in `members` (bool [G])."""
    both = np.zeros(len(members), bool)
    np.logical_and(members[:-1], members[1:], out=both[:-1])
    ends = text_clusters[1:]
    both[ends[ends > 0] - 1] = False
    return both


def in_words(bases: np.ndarray, flags: np.ndarray, text_clusters: np.ndarray) -> np.ndarray:
    """bool [G]: whether clusters belong to words, given `Document`'s arrays without format characters."""
    members = (flags & WORD) > 0
    signs = np.flatnonzero(flags & (BETWEEN_LETTERS | BETWEEN_NUMBERS))
    inner = signs[(signs > 0) & (signs < len(members) - 1)]
    begins_text = np.zeros(len(members) + 1, bool)
    begins_text[text_clusters] = True
    inner = inner[~begins_text[inner] & ~begins_text[inner + 1]]
    groups = word_groups()
    inner = inner[(groups[bases[inner - 1]] == SPACED) & (groups[bases[inner + 1]] == SPACED)]
    sides = flags[inner - 1] & flags[inner + 1]
    letters = (flags[inner] & BETWEEN_LETTERS > 0) & (sides & LETTER > 0)
    numbers = (flags[inner] & BETWEEN_NUMBERS > 0) & (sides & NUMBER > 0)
    members[inner[letters | numbers]] = True
    return members


def word_bounds(bases: np.ndarray, flags: np.ndarray, text_clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64 [W], int64 [W]: words as in `Document.words`, given `Document`'s arrays without format characters."""
    word = in_words(bases, flags, text_clusters)
    continues = np.append(False, linked(word, text_clusters)[:-1])[: len(word)]
    groups = tables.look_up(word_groups(), bases)
    if groups.any():
        continues[1:] &= (groups[1:] == groups[:-1]) & (groups[1:] != HAN)
        begins = np.where(word & ~continues, np.arange(len(word)), 0)
        index = np.arange(len(word)) - np.maximum.accumulate(begins)
        continues &= (groups != SOUTH_EAST_ASIAN) | (index % CLUSTERS_PER_WORD != 0)
    first = np.flatnonzero(word & ~continues)
    stop = np.flatnonzero(word & ~np.append(continues[1:], False)[: len(word)]) + 1
    return first, stop


def flat_editable(editable, text: Ragged) -> np.ndarray | None:
    """bool [C]: one mask per text (bool [codepoints of the text], None if all are editable), concatenated.

    Raises:
        InputError: the number or the length of the masks does not fit the texts.
    """
    if editable is None:
        return None
    if len(editable) != len(text):
        raise InputError(f"editable: found {len(editable)} masks, expected {len(text)}, one per text")
    masks = []
    for line, (mask, length) in enumerate(zip(editable, np.diff(text.offsets).tolist(), strict=True), start=1):
        mask = np.ones(length, bool) if mask is None else np.asarray(mask, bool)
        if mask.shape != (length,):
            raise InputError(f"editable, line {line}: found {mask.size} values, expected {length}, one per codepoint")
        masks.append(mask)
    return np.concatenate(masks) if masks else np.zeros(0, bool)
