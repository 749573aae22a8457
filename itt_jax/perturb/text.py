"""Conversion between strings and flat arrays of codepoints."""

import itertools
from collections.abc import Sequence

import numpy as np

from itt_jax.errors import InputError
from itt_jax.perturb import compiled
from itt_jax.ragged import Ragged, offsets_of


def width(codepoints: np.ndarray) -> type:
    """The narrowest unsigned dtype for these codepoints; the one- and two-byte codecs decode faster than UTF-32."""
    highest = codepoints.max(initial=0)
    return np.uint8 if highest < 1 << 8 else np.uint16 if highest < 1 << 16 else np.uint32


def decoded(codepoints: np.ndarray) -> str:
    """The string with these codepoints, of any of the dtypes of `width`."""
    return str(codepoints.data, {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}[codepoints.itemsize])


def check_text(text: object, line: int) -> None:
    """Raises InputError, naming the line, if `text` cannot be perturbed."""
    if not isinstance(text, str):
        raise InputError(f"line {line}: expected a string, found {type(text).__name__}")
    for position, character in enumerate(text):
        if character == "\0":
            raise InputError(f"line {line}: character {position + 1} is NUL, which is not allowed in text")
        if "\ud800" <= character <= "\udfff":
            raise InputError(f"line {line}: character {position + 1} is the lone surrogate U+{ord(character):04X}")


def from_strings(texts: Sequence[str], first_line: int = 1) -> Ragged:
    """The codepoints of each text, uint32.

    Raises:
        InputError: a text is not a string, or contains NUL or a lone surrogate; names its line (`first_line` + index).
    """
    try:
        whole = "".join(texts)
        codepoints = np.frombuffer(whole.encode("utf-32-le"), np.uint32)
        valid = codepoints.min(initial=1) > 0
    except (TypeError, UnicodeEncodeError):
        valid = False
    if not valid:
        for index, text in enumerate(texts):
            check_text(text, first_line + index)
    return Ragged(codepoints, offsets_of(np.fromiter(map(len, texts), np.int64, len(texts))))


def to_strings(text: Ragged, indices: np.ndarray | None = None) -> list[str]:
    """All texts, or those at `indices`, as Python strings."""
    kernels = compiled.kernels()
    if indices is None and kernels is not None and len(text):
        apart: np.ndarray = np.zeros(len(text.values) + len(text) - 1, width(text.values))
        kernels.separate(text.values, text.offsets, apart)
        return decoded(apart).split("\0")  # twice as fast as slicing
    whole = decoded(text.values.astype(width(text.values)))
    if indices is None:
        return [whole[start:stop] for start, stop in itertools.pairwise(text.offsets.tolist())]
    bounds = zip(text.offsets[indices].tolist(), text.offsets[indices + 1].tolist(), strict=True)
    return [whole[start:stop] for start, stop in bounds]
