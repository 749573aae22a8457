"""LocalBitext: two sets of sentences with translations among them, in BUCC's form."""

import dataclasses
import pathlib
from typing import ClassVar

import numpy as np

from itt_jax.data.pools import Pool
from itt_jax.data.sources.paths import resolve, spell
from itt_jax.data.sources.source import Source
from itt_jax.data.table import Table
from itt_jax.errors import InputError
from itt_jax.ragged import Ragged
from itt_jax.reading.text import read_lines


@dataclasses.dataclass(frozen=True)
class LocalBitext(Source):
    """Two sets of sentences, some of which are translations of each other. Field "text"; the second set is the pool.

    Attributes:
        first, second: published split -> path of lines "ID <tab> SENTENCE"; "{language}" is replaced by the language.
        gold: published split -> path of lines "FIRST ID <tab> SECOND ID".
    """

    first: dict[str, str]
    second: dict[str, str]
    gold: dict[str, str]
    splits_in: ClassVar[str] = "first"

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """The sentences of the first set, with those of the second, in English, as the pool.

        The labels of a row are its translations: one or none.
        """
        spelling = self.spelling(language)
        first_path, second_path, gold_path = (
            resolve(spell(paths[split], spelling), data_root) for paths in (self.first, self.second, self.gold)
        )
        first, numbers = _sentences(first_path)
        second, _ = _sentences(second_path)
        number = {id: i for i, id in enumerate(second)}
        right: dict[str, list[int]] = {id: [] for id in first}
        for line_number, line in enumerate(read_lines(gold_path), 1):
            if not line:
                continue
            a, _, b = line.partition("\t")
            if a not in right or b not in number:
                raise InputError(f"{gold_path}, line {line_number}: found {line!r:.80}, expected an id of each set")
            right[a].append(number[b])
        return Table(
            {"text": list(first.values())},
            Ragged.of(right.values(), np.int64),
            list(first),
            lambda i: f"{first_path}, line {numbers[i]}",
            Pool(tuple(second), ("en",) * len(second), {"text": list(second.values())}),
        )


def _sentences(path: pathlib.Path) -> tuple[dict[str, str], list[int]]:
    """Id -> sentence, and the number of each one's line."""
    found: dict[str, str] = {}
    numbers = []
    for number, line in enumerate(read_lines(path), 1):
        if not line:
            continue
        id, tab, sentence = line.partition("\t")
        if not tab:
            raise InputError(f"{path}, line {number}: expected an id, a tab and a sentence")
        if id in found:
            raise InputError(f"{path}, line {number}: id {id!r:.80} occurs twice")
        found[id] = sentence
        numbers.append(number)
    return found, numbers
