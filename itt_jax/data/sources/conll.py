"""CoNLL and CoNLL-U files, and their schemes of tags."""

import dataclasses
import pathlib
import re
from collections.abc import Sequence

from itt_jax.data.sources.text import read_lines
from itt_jax.errors import InputError

_BLANKS = re.compile("[ \t]+")


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A sentence of a CoNLL file.

    Attributes:
        line: the number of its first token's line.
        columns: columns[i] holds the i-th column of every token.
        comments: its "# key = value" lines.
    """

    line: int
    columns: tuple[list[str], ...]
    comments: dict[str, str]


def read_conll(path: pathlib.Path, encoding: str = "utf-8") -> list[Sentence]:
    """The sentences of a file with one token a line, columns separated by tabs or else by blanks, and blank lines
    between sentences.

    Only U+0020 and tabs are blanks: U+00A0 and U+3000 are parts of words. -DOCSTART- lines, and the multi-word ranges
    (1-2) and empty nodes (1.1) of CoNLL-U, are left out.

    Raises:
        InputError: a token line has another number of columns than the first one.
    """
    lines = read_lines(path, encoding)
    tabs = _separated_by_tabs(lines)
    sentences: list[Sentence] = []
    numbers: list[int] = []
    comments: dict[str, str] = {}
    width = None
    for number, line in enumerate([*lines, ""], 1):
        first = line[:1]
        if first in "#- \t":  # other lines are always tokens
            if _ends_sentence(line):
                if numbers:
                    width, kept, tokens = _tokens(path, numbers, lines, tabs, width)
                    numbers = []
                    if tokens:
                        sentences.append(Sentence(kept[0], tuple(map(list, zip(*tokens, strict=True))), comments))
                comments = {}
                continue
            if first == "#" and "\t" not in line:
                comment = re.match(r"#[ ]*([^ ]+)[ ]+=[ ]?(.*)$", line)
                if comment or tabs:
                    comments |= {comment[1]: comment[2]} if comment else {}
                    continue
        numbers.append(number)
    return sentences


def _ends_sentence(line: str) -> bool:
    return not line.strip(" \t") or line.startswith("-DOCSTART-")


def _separated_by_tabs(lines: list[str]) -> bool:
    """Whether columns are separated by tabs, as the first line that is certainly a token shows."""
    first = next((line for line in lines if not line.startswith("#") and not _ends_sentence(line)), None)
    return any("\t" in line for line in lines) if first is None else "\t" in first


def _tokens(
    path: pathlib.Path, numbers: list[int], lines: list[str], tabs: bool, width: int | None
) -> tuple[int, list[int], list[list[str]]]:
    """The number of columns, and the line numbers and columns of the tokens on the lines `numbers`."""
    own = [lines[number - 1] for number in numbers]
    tokens = [line.split("\t") if tabs else _BLANKS.split(line.strip(" \t")) for line in own]
    width = width or len(tokens[0])
    for number, values in zip(numbers, tokens, strict=True):
        if len(values) != width:
            raise InputError(f"{path}, line {number}: {len(values)} columns, expected {width}")
        if "" in values:
            raise InputError(f"{path}, line {number}: column {values.index('') + 1} is empty")
    if width == 10:
        words = [not re.fullmatch(r"[0-9]+[-.][0-9]+", values[0]) for values in tokens]
        numbers = [number for number, word in zip(numbers, words, strict=True) if word]
        tokens = [values for values, word in zip(tokens, words, strict=True) if word]
    return width, numbers, tokens


def iob2(tags: Sequence[str]) -> list[str]:
    """IOB1 tags (B- only where an entity directly follows another of its type) as IOB2 (B- begins every entity).

    >>> iob2(["I-X", "I-X", "O", "I-X", "B-X"])
    ['B-X', 'I-X', 'O', 'B-X', 'B-X']
    """
    found = []
    for before, tag in zip(["O", *tags], tags, strict=False):
        begins = tag.startswith("I-") and before[1:] != tag[1:]
        found.append(f"B{tag[1:]}" if begins else tag)
    return found
