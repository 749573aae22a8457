"""Lexicons, which map words to replacements: the built-in tables and files supplied by the user."""

import functools
import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from itt_jax.errors import InputError
from itt_jax.perturb import tables
from itt_jax.perturb.splitmix import mix
from itt_jax.perturb.text import from_strings
from itt_jax.ragged import Ragged
from itt_jax.reading.text import ASCII_BLANKS, read_json, read_lines

BASE = 0x9E3779B97F4A7C15  # odd, hence invertible modulo 2**64
INVERSE = pow(BASE, -1, 2**64)
INVERSE_MARK = "inverse:"
NO_TEXT = re.compile("[\0\ud800-\udfff]")
PAIR = re.compile(r"[a-z]{2,3}(-[a-z]{2,3})?(\.[0-9-]+)?\.(txt|tsv|json)")  # dictionary file names in a folder


def lowered(codepoints: np.ndarray) -> np.ndarray:
    """uint32: codepoints in lower case, by Unicode's simple case mapping, which preserves lengths."""
    lower = tables.look_up(tables.mapping("lower_upper", inverse=True), codepoints)
    return np.where(lower > 0, lower, codepoints).astype(np.uint32)


def powers(base: int, count: int) -> np.ndarray:
    """uint64 [count]: base ** i modulo 2**64."""
    factors = np.full(count, base, np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)


class RangeHashes:
    """Polynomial hashes of arbitrary codepoint ranges, in constant time per range.

    Args:
        codepoints: uint32 [C]; pass them through `lowered` for hashes that ignore case.
    """

    def __init__(self, codepoints: np.ndarray):
        terms = mix(codepoints.astype(np.uint64) + np.uint64(1)) * powers(BASE, len(codepoints))
        self._sums = np.append(np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64))
        self._inverse = powers(INVERSE, len(codepoints) + 1)

    def hashes(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """uint64 [K]: hashes of the ranges start[i] ... stop[i] - 1; they depend on content, not on position."""
        return (self._sums[stop] - self._sums[start]) * self._inverse[start]


class HashSet:
    """A set of 64-bit hashes with vectorized lookup.

    Args:
        hashes: uint64 [H].
    """

    def __init__(self, hashes: np.ndarray):
        self._sorted, self._order = np.unique(hashes, return_index=True)
        bits = 3 + len(self._sorted).bit_length()  # at most 1/8 of the buckets are in use: most misses end there
        self._shift = np.uint64(64 - bits)
        places, first, counts = np.unique(self._sorted >> self._shift, return_index=True, return_counts=True)
        self._first = np.full(1 << bits, -1, np.int32)
        self._first[places] = first
        self._most = int(counts.max(initial=0))

    def index(self, hashes: np.ndarray) -> np.ndarray:
        """int64 [K]: the index of each hash in the set, or -1."""
        found = np.full(len(hashes), -1)
        first = tables.look_up(self._first, hashes >> self._shift)
        likely = np.flatnonzero(first >= 0)
        first, wanted = first[likely], hashes[likely]
        for step in range(self._most):
            place = np.minimum(first + step, len(self._sorted) - 1)
            equal = self._sorted[place] == wanted
            found[likely[equal]] = self._order[place[equal]]
        return found

    def holds(self, hashes: np.ndarray) -> np.ndarray:
        """bool [K]: whether each hash is in the set."""
        return self.index(hashes) >= 0


class Lexicon:
    """Keys, each a word or a phrase, and the options that may replace them.

    Keys match regardless of case. Options that differ from their key only in case are dropped.

    Attributes:
        keys: the keys in lower case.
        options: for each key, a tuple of strings.
        counts: int64 [keys] number of options.
    """

    def __init__(self, entries: Mapping[str, Sequence[str]]):
        merged: dict[str, dict[str, None]] = {}
        for key, options in entries.items():
            row = merged.setdefault(lower(key), {})
            for option in [options] if isinstance(options, str) else options:
                if lower(option) != lower(key):
                    row[option] = None
        self.options = tuple(tuple(row) for row in merged.values() if row)
        self.keys: Ragged = from_strings([key for key, row in merged.items() if row])
        hashes = RangeHashes(self.keys.values).hashes(self.keys.offsets[:-1], self.keys.offsets[1:])
        self._set = HashSet(hashes)
        self.counts = np.array([len(row) for row in self.options], np.int64)

    def __len__(self) -> int:
        return len(self.options)

    def options_of(self, word: str) -> tuple[str, ...]:
        """The options of one word; none where it is no key."""
        codepoints = lowered(tables.codepoints_of(word))
        stop = np.array([len(codepoints)])
        (row,) = self.rows(RangeHashes(codepoints).hashes(np.array([0]), stop), stop).tolist()
        return () if row < 0 else self.options[row]

    def rows(self, hashes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """int64 [K]: the index of the key equal to each codepoint range, or -1.

        Ranges are compared by hash and length. With 10**5 keys, a pass over 10**8 ranges mistakes one for a key with
        probability 10**-6.

        Args:
            hashes: uint64 [K] from `RangeHashes`.
            lengths: int64 [K] in codepoints.
        """
        row = self._set.index(hashes)
        hit = np.flatnonzero(row >= 0)
        wrong = np.diff(self.keys.offsets)[row[hit]] != lengths[hit]
        row[hit[wrong]] = -1
        return row


@functools.cache
def _lower_table() -> dict[int, int]:
    uppers = np.flatnonzero(tables.mapping("lower_upper", inverse=True))
    return dict(zip(uppers.tolist(), lowered(uppers).tolist(), strict=True))


def lower(text: str) -> str:
    """`lowered` for a string."""
    return text.lower() if text.isascii() else text.translate(_lower_table())


@functools.cache
def shipped(table: str, language: str) -> Lexicon:
    """A language's lexicon from tables/`table`.json ("entries": language -> key -> options)."""
    return Lexicon(tables.read(table)["entries"][language])


def shipped_languages(table: str) -> frozenset[str]:
    """The languages with entries in tables/`table`.json."""
    return frozenset(tables.read(table)["entries"])


def lexicon_source(path: pathlib.Path | str) -> tuple[pathlib.Path, bool]:
    """The file or folder of a lexicon path, and whether the path asks for the inverse lexicon."""
    name = str(path)
    return pathlib.Path(name.removeprefix(INVERSE_MARK)), name.startswith(INVERSE_MARK)


def read_lexicon(path: pathlib.Path | str) -> Lexicon:
    """Reads a lexicon supplied by the user.

    A .json file holds {key: option or list of options}. Any other file is UTF-8 text with a key and its options on
    each line, separated by tabs if the line contains one and by spaces otherwise. That covers MUSE's dictionaries,
    Belinkov and Bisk's natural errors, and PPDB pairs, whose words carry the prefix "en_". A key may appear on several
    lines.

    In a folder, the files named by a language or a language pair are read ("de.txt", "en-de.txt",
    "en-de.0-5000.txt"). Each contributes the first option that differs from the key, so that all languages are drawn
    equally often. The prefix "inverse:" swaps keys and options, which turns English-German into German-English.

    Raises:
        InputError: the file is missing, malformed or without options, or the folder contains no such file.
    """
    path, inverse = lexicon_source(path)
    try:
        files = [path]
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if PAIR.fullmatch(file.name))
        stamps = tuple((file.resolve(), file.stat().st_mtime_ns) for file in files)
    except OSError as error:
        raise InputError(f"lexicon {path}: {error.strerror}") from error
    if not stamps:
        raise InputError(f"lexicon {path}: found no file named by language, such as de.txt or en-de.txt")
    return _read(stamps, inverse, path.is_dir())


@functools.lru_cache(maxsize=64)
def _read(stamps: tuple[tuple[pathlib.Path, int], ...], inverse: bool, one_option_each: bool) -> Lexicon:
    """The merged files; modification times are part of the cache key."""
    together: dict[str, list[str]] = {}
    for path, _ in stamps:
        own: dict[str, list[str]] = {}
        for key, options in (inverted(_entries(path)) if inverse else _entries(path)).items():
            own.setdefault(lower(key), []).extend(options)
        for key, options in own.items():
            others = [option for option in options if lower(option) != key]
            together.setdefault(key, []).extend(others[:1] if one_option_each else others)
    lexicon = Lexicon(together)
    if not len(lexicon):
        raise InputError(f"lexicon {stamps[0][0]}: found no key with an option other than itself")
    return lexicon


def inverted(entries: dict[str, list[str]]) -> dict[str, list[str]]:
    """Option -> the keys that list it."""
    found: dict[str, list[str]] = {}
    for key, options in entries.items():
        for option in options:
            found.setdefault(option, []).append(key)
    return found


def _entries(path: pathlib.Path) -> dict[str, list[str]]:
    try:
        entries = _json_entries(path) if path.suffix == ".json" else _line_entries(path)
    except InputError as error:
        raise InputError(f"lexicon {error}") from error
    if not entries:
        raise InputError(f"lexicon {path}: found no entries")
    for key, options in entries.items():
        if any(NO_TEXT.search(part) for part in (key, *options)):
            raise InputError(f"lexicon {path}: key {key!r} or one of its options contains NUL or a lone surrogate")
    return entries


def _json_entries(path: pathlib.Path) -> dict[str, list[str]]:
    found = read_json(path)
    if not isinstance(found, dict):
        raise InputError(f"{path}: found {type(found).__name__}, expected an object")
    found = {key: [options] if isinstance(options, str) else options for key, options in found.items()}
    for key, options in found.items():
        if not isinstance(options, list) or not options or not all(isinstance(option, str) for option in options):
            raise InputError(f"{path}: key {key!r}: found {options!r}, expected a string or a list of strings")
    return found


def _line_entries(path: pathlib.Path) -> dict[str, list[str]]:
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        line = line.strip(ASCII_BLANKS)
        if not line:
            continue
        row = [part.strip(" ") for part in line.split("\t")] if "\t" in line else re.split(" +", line)
        if len(row) < 2 or not all(row):
            raise InputError(f"{path}, line {number}: found {line!r}, expected a key and its options")
        rows.append(row)
    if rows and all(part[2:3] == "_" and len(part) > 3 for row in rows for part in row):
        rows = [[part[3:] for part in row] for row in rows]
    entries: dict[str, list[str]] = {}
    for key, *options in rows:
        entries.setdefault(key, []).extend(options)
    return entries
