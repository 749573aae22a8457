"""Codepoint properties that define grapheme clusters and words, from the Unicode table in tables/."""

import functools

import numpy as np

from itt_jax.perturb import tables

# Bits of tables.property_of("flags").
WORD, SPACE, LETTER, MARK, NUMBER, BETWEEN_LETTERS, BETWEEN_NUMBERS, IGNORED = (1 << bit for bit in range(8))
# Values of `word_groups`: how text in a script is cut into words.
SPACED, HAN, HIRAGANA, KATAKANA, SOUTH_EAST_ASIAN = range(5)
CLUSTERS_PER_WORD = 3  # in South East Asian scripts written without spaces
# Bits of `roles`: the part a grapheme class plays in the UAX 29 rules that look back more than one codepoint.
LINKER, FILLER, CONSONANT, ZWJ, PICTOGRAPHIC, EMOJI_FILLER, REGIONAL = (1 << bit for bit in range(7))
CLASSES_BY_ROLE = {
    LINKER: ("Linker", "LinkerOther"),
    FILLER: ("Extend", "ZWJ"),
    CONSONANT: ("Consonant",),
    ZWJ: ("ZWJ",),
    PICTOGRAPHIC: ("Pictographic",),
    EMOJI_FILLER: ("Extend", "ExtendOnly", "Linker"),
    REGIONAL: ("Regional",),
}


@functools.cache
def class_numbers() -> dict[str, int]:
    """Grapheme class name -> its number in the table; 0 is Other."""
    return {name: 1 + i for i, name in enumerate(tables.unicode_table()["grapheme_classes"])}


def numbers_by_role(role: int) -> list[int]:
    """The numbers of the grapheme classes that play a role."""
    return [class_numbers()[name] for name in CLASSES_BY_ROLE[role]]


@functools.cache
def roles() -> np.ndarray:
    """uint16 [classes]: the role bits of each grapheme class."""
    found = np.zeros(len(class_numbers()) + 1, np.uint16)
    for role in CLASSES_BY_ROLE:
        found[numbers_by_role(role)] |= role
    return found


@functools.cache
def joining_pairs() -> np.ndarray:
    """bool [classes, classes]: whether two adjacent codepoints join by UAX 29, judged by their classes alone."""
    number = class_numbers()
    size = len(number) + 1
    joins = np.zeros((size, size), bool)

    def join(before: str, after: str) -> None:
        joins[np.ix_([number[b] for b in before.split()], [number[a] for a in after.split()])] = True

    joins[:, [number[a] for a in ("Extend", "ExtendOnly", "Linker", "ZWJ", "SpacingMark")]] = True  # GB9, GB9a
    joins[number["Prepend"], :] = True  # GB9b
    join("L", "L V LV LVT")  # GB6
    join("LV V", "V T")  # GB7
    join("LVT T", "T")  # GB8
    controls = [number[c] for c in ("CR", "LF", "Control")]
    joins[controls, :] = False  # GB4
    joins[:, controls] = False  # GB5
    join("CR", "LF")  # GB3
    return joins


@functools.cache
def word_groups() -> np.ndarray:
    """uint8 [0x110000]: how text in the codepoint's script is cut into words (SPACED, HAN, ...)."""
    by_script = np.zeros(len(tables.unicode_table()["script_names"]) + 1, np.uint8)
    for group, names in ((HAN, "Han"), (HIRAGANA, "Hiragana"), (KATAKANA, "Katakana")):
        by_script[tables.script_number(names)] = group
    for name in ("Thai", "Lao", "Khmer", "Myanmar"):
        by_script[tables.script_number(name)] = SOUTH_EAST_ASIAN
    groups = by_script[tables.property_of("scripts")]
    groups[0x30FC] = KATAKANA  # the prolonged sound mark; its script property is Common
    return groups
