"""The operators' data files, each of which states its provenance, and their conversion to arrays."""

import functools
import importlib.resources
import json

import numpy as np

from itt_jax.ragged import offsets_of

CODEPOINTS = 0x110000


def read(name: str) -> dict:
    """The table `name`.json in this folder."""
    return json.loads((importlib.resources.files(__name__) / f"{name}.json").read_text(encoding="utf-8"))


@functools.cache
def unicode_table() -> dict:
    """unicode.json, cached."""
    return read("unicode")


@functools.cache
def property_of(name: str) -> np.ndarray:
    """uint8 [0x110000]: each codepoint's "grapheme" class (1, 2, ...), "flags" (bits) or "scripts" number (1, 2, ...).

    All others have class and script 0.
    """
    return by_codepoint(unicode_table()[name])


def by_codepoint(runs: str) -> np.ndarray:
    """uint8 [0x110000]: run lengths "length:value ..." expanded."""
    lengths, values = np.array([run.split(":") for run in runs.split()], dtype=np.int64).T
    return np.repeat(values.astype(np.uint8), lengths)


def script_number(name: str) -> int:
    """The number of a script in `property_of("scripts")`."""
    return 1 + unicode_table()["script_names"].index(name)


@functools.cache
def mapping(name: str, inverse: bool = False) -> np.ndarray:
    """uint32 [0x110000]: codepoint -> codepoint by a pair of strings in unicode.json; 0 elsewhere."""
    keys, values = unicode_table()[name][:: -1 if inverse else 1]
    return dense(keys, values)


def dense(keys: str, values: str) -> np.ndarray:
    """uint32 [0x110000]: keys[i] -> values[i]; 0 elsewhere."""
    table = np.zeros(CODEPOINTS, np.uint32)
    table[codepoints_of(keys)] = codepoints_of(values)
    return table


def look_up(table: np.ndarray, codepoints: np.ndarray) -> np.ndarray:
    """table[codepoints], but four times faster: NumPy indexing is slow with narrow indices and bounds checks."""
    return table.take(codepoints.astype(np.intp, copy=False), mode="clip")


def codepoints_of(text: str) -> np.ndarray:
    """uint32 [len(text)]: the codepoints of a string."""
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


class Choices:
    """A table codepoint -> candidate strings, as arrays.

    Attributes:
        entry: int32 [highest codepoint + 2] row of each codepoint, -1 for none; the last entry covers the rest.
        count: int64 [rows] number of options.
        first: int64 [rows] index of a row's first option.
        option_offsets: int64 [options + 1] where each option begins in `codepoints`.
        codepoints: uint32 of all options.
    """

    def __init__(self, choices: dict[str, list[str] | str]):
        keys = codepoints_of("".join(choices))
        self.entry = np.full(keys.max() + 2, -1, np.int32)
        self.entry[keys] = np.arange(len(choices))
        options = [option for row in choices.values() for option in row]
        self.count = np.array([len(row) for row in choices.values()], np.int64)
        self.first = np.cumsum(self.count) - self.count
        self.option_offsets = offsets_of([len(option) for option in options])
        self.codepoints = codepoints_of("".join(options))
