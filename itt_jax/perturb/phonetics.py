"""Finds groups of letters and replaces them by others that sound alike."""

import dataclasses
import functools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.edits import Edits
from itt_jax.perturb.lexicon import RangeHashes, lowered
from itt_jax.perturb.noise import Noise, below, later_draws, under
from itt_jax.perturb.rewriting import in_case_of, rewritten, strings
from itt_jax.perturb.unicode import diacritic_scripts
from itt_jax.perturb.units import Document


@dataclasses.dataclass(frozen=True)
class Groups:
    """g groups of lower-case letters with the same length and the same allowed positions in a word.

    Attributes:
        length: codepoints per group.
        at_begin, at_end: whether the groups match only at the beginning or end of a word.
        hashes: uint64 [g] hashes of the letters, ascending.
        options: the replacements of each group; none if the group must stay.
        counts: int64 [g] number of options.
        whole: bool [g] whether a match must consist of whole clusters. This holds in scripts whose marks are
            diacritics, where a marked letter is a different letter, but not in Indic scripts, whose marks are vowels.
    """

    length: int
    at_begin: bool
    at_end: bool
    hashes: np.ndarray
    options: tuple[tuple[str, ...], ...]
    counts: np.ndarray
    whole: np.ndarray


@functools.cache
def groups_of(language: str) -> tuple[Groups, ...]:
    """The groups of a language: longest first, then those with more position constraints."""
    kinds: dict[tuple[int, int, int], dict[str, list[str]]] = {}
    for key, options in tables.read("phonetic")["entries"][language].items():
        letters = key.removeprefix("^").removesuffix("$")
        kind = (len(letters), int(key.startswith("^")), int(key.endswith("$")))
        kinds.setdefault(kind, {})[letters] = options
    order = sorted(kinds, key=lambda kind: (-kind[0], -kind[1] - kind[2], kind))
    return tuple(_groups(*kind, kinds[kind]) for kind in order)


def _groups(length: int, at_begin: int, at_end: int, entries: dict[str, list[str]]) -> Groups:
    keys = list(entries)
    codepoints = tables.codepoints_of("".join(keys))
    places = np.arange(len(keys)) * length
    hashes = RangeHashes(codepoints).hashes(places, places + length)
    order = np.argsort(hashes)
    scripts = tables.look_up(tables.property_of("scripts"), codepoints[places])
    whole = tables.look_up(diacritic_scripts(), scripts)
    options = tuple(tuple(entries[keys[k]]) for k in order.tolist())
    counts = np.array([len(own) for own in options], np.int64)
    return Groups(length, bool(at_begin), bool(at_end), hashes[order], options, counts, whole[order])


@dataclasses.dataclass(frozen=True)
class Sounds:
    """K occurrences of groups, ascending, at most one per cluster.

    Attributes:
        first, stop: int64 [K] first cluster, and the cluster after the last.
        begin, end: int64 [K] codepoint range, relative to the first codepoint of these clusters.
        table, row: int64 [K] index into `groups_of`, and of the group in it.
        counts: int64 [K] number of options.
    """

    first: np.ndarray
    stop: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    table: np.ndarray
    row: np.ndarray
    counts: np.ndarray

    def select(self, which: np.ndarray) -> "Sounds":
        """The occurrences at the indices, or where the mask is true."""
        return Sounds(*(getattr(self, field.name)[which] for field in dataclasses.fields(self)))


def edges(document: Document) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Word boundaries.

    Returns:
        bool [C + 1] whether a word begins at the codepoint; bool [C + 1] whether a word ends before it; int64 [C] the
        end of the run of adjacent words around the codepoint, 0 outside words.
    """
    size = len(document.codepoints)
    starts = document.starts
    first, stop = document.words
    begins, ends = np.zeros(size + 1, bool), np.zeros(size + 1, bool)
    begins[starts[first]] = ends[starts[stop]] = True
    members = document.word_members
    last = np.flatnonzero(members & ~document.linked(members))
    cluster = np.flatnonzero(members)
    limit = np.zeros(len(members), np.int64)
    limit[cluster] = starts[last[np.searchsorted(last, cluster)] + 1]
    return begins, ends, np.repeat(limit, np.diff(starts))


def find_sounds(document: Document) -> Sounds:
    """Finds editable groups from left to right, in the order of preference of `groups_of`.

    A match suppresses matches inside it even if it has no options or may not be edited.
    """
    begins, ends, limit = edges(document)
    hashes = RangeHashes(lowered(document.codepoints))
    is_start = np.zeros(len(limit) + 1, bool)
    is_start[document.starts] = True
    found = [np.zeros((0, 5), np.int64)]
    for number, groups in enumerate(groups_of(document.language)):
        start = np.flatnonzero(begins[:-1]) if groups.at_begin else np.arange(len(limit))
        start = start[limit[start] >= start + groups.length]
        if groups.at_end:
            start = start[ends[start + groups.length]]
        own = hashes.hashes(start, start + groups.length)
        row = np.minimum(np.searchsorted(groups.hashes, own), len(groups.hashes) - 1)
        whole = is_start[start] & is_start[start + groups.length]
        hit = np.flatnonzero((groups.hashes[row] == own) & (whole | ~groups.whole[row]))
        start, row = start[hit], row[hit]
        rest = (np.full_like(start, number), row, start + groups.length, groups.counts[row])
        found.append(np.stack([start, *rest], axis=1))
    hits = np.concatenate(found)
    start, table, row, stop, counts = hits[np.lexsort((hits[:, 1], hits[:, 0]))].T
    first, last = np.searchsorted(document.starts, start, "right") - 1, np.searchsorted(document.starts, stop)
    place = document.starts[first]
    sounds = Sounds(first, last, start - place, stop - place, table, row, counts)
    taken, end = [], 0
    for index, (begin, after) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        if begin >= end:
            taken.append(index)
            end = after
    sounds = sounds.select(np.array(taken, np.int64))
    fixed = np.append(0, np.cumsum(~document.allowed))
    return sounds.select((sounds.counts > 0) & (fixed[sounds.first] == fixed[sounds.stop]))


def replace_by_sound(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces each group with options with probability `severity`, preserving case."""
    sounds = find_sounds(document)
    draws = noise.clusters[sounds.first]
    edited = under(draws, severity)
    sounds, draws = sounds.select(edited), draws[edited]
    tables_used = groups_of(document.language)
    drawn = zip(
        strings(document, sounds.first, sounds.stop),
        sounds.begin.tolist(),
        sounds.end.tolist(),
        sounds.table.tolist(),
        sounds.row.tolist(),
        below(later_draws(draws, 1), sounds.counts).tolist(),
        strict=True,
    )
    new = [
        old[:begin] + in_case_of(old[begin:end], tables_used[table].options[row][k]) + old[end:]
        for old, begin, end, table, row, k in drawn
    ]
    return rewritten(document, sounds.first, sounds.stop, new)
