"""The data files of the operators, each with its provenance inside, and how they become arrays."""

import functools
import importlib.resources
import json

import numpy as np

from itt_jax.ragged import offsets_of

CODEPOINTS = 0x110000


def read(name: str) -> dict:
    """The table `name`.json of this folder."""
    return json.loads((importlib.resources.files(__name__) / f"{name}.json").read_text(encoding="utf-8"))


@functools.cache
def unicode_table() -> dict:
    """unicode.json, read once."""
    return read("unicode")


@functools.cache
def property_of(name: str) -> np.ndarray:
    """uint8 [0x110000]: "grapheme" (0 or 1 + class), "flags" (bits) or "scripts" (0 or 1 + script) by codepoint."""
    return by_codepoint(unicode_table()[name])


def by_codepoint(runs: str) -> np.ndarray:
    """uint8 [0x110000] from "length:value ..."."""
    lengths, values = np.array([run.split(":") for run in runs.split()], dtype=np.int64).T
    return np.repeat(values.astype(np.uint8), lengths)


def script_number(name: str) -> int:
    """The value in `property_of("scripts")` of a script."""
    return 1 + unicode_table()["script_names"].index(name)


@functools.cache
def mapping(name: str, inverse: bool = False) -> np.ndarray:
    """uint32 [0x110000]: codepoint -> codepoint by a pair of strings in unicode.json; 0 where there is none."""
    keys, values = unicode_table()[name][:: -1 if inverse else 1]
    return dense(keys, values)


def dense(keys: str, values: str) -> np.ndarray:
    """uint32 [0x110000]: keys[i] -> values[i]; 0 elsewhere."""
    table = np.zeros(CODEPOINTS, np.uint32)
    table[codepoints_of(keys)] = codepoints_of(values)
    return table


def look_up(table: np.ndarray, codepoints: np.ndarray) -> np.ndarray:
    """table[codepoints], four times faster: numpy is slow with indices that are not of its own width, or checked."""
    return table.take(codepoints.astype(np.intp, copy=False), mode="clip")


def codepoints_of(text: str) -> np.ndarray:
    """uint32 [len(text)]."""
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


class Choices:
    """For each codepoint some strings to choose from (single codepoints or longer), as arrays.

    Attributes:
        entry: int32 [highest codepoint + 2] row of a codepoint, -1 without one; the last stands for all above.
        count: int64 [rows]; first: int64 [rows] index of a row's first option.
        option_offsets: int64 [options + 1] into `codepoints`, uint32.
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
