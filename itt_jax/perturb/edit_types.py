"""Types of edit that separate misspelled words from correct ones, and how closely operators match human errors.

    python -m itt_jax.perturb.edit_types --data-root DIR

prints Markdown tables that compare the edit types in Belinkov and Bisk's lists of human errors (arXiv 1711.02173;
DIR/robustness/natural_errors/LANGUAGE.natural) with those of operators on the same words; see docs/natural_errors.md.
"""

import argparse
import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Sequence

import numpy as np

from itt_jax.errors import InputError
from itt_jax.perturb import tables
from itt_jax.perturb.characters import keyboard_layouts
from itt_jax.perturb.engine import perturb
from itt_jax.perturb.lexicon import lower, read_lexicon
from itt_jax.perturb.text import from_strings
from itt_jax.perturb.unicode import diacritic_scripts
from itt_jax.perturb.units import Document

EDIT_TYPES = (
    *("delete", "undouble", "insert", "double", "adjacent key", "other letter"),
    *("transpose", "diacritic", "case"),
)
POSITIONS = ("first", "inner", "last")
MOST = 2  # pairs with more edits are not classified
Word = Sequence[str]  # grapheme clusters
# Operator -> severity: one typo per word or, for operators on letters, usually one or two changed letters per word.
# `substitute` shows how often a random letter happens to be on an adjacent key.
COMPARED = {"substitute": 0.15, "keyboard": 0.15, "mixed": 1.0, "phonetic": 0.3, "natural": 1.0}
# MulTypo's types -> its default weight, and the corresponding EDIT_TYPES.
MULTYPO = {
    "delete": (0.28, ("delete", "undouble")),
    "insert": (0.15, ("insert", "double")),
    "replace": (0.28, ("adjacent key", "other letter", "diacritic", "case")),
    "transpose": (0.28, ("transpose",)),
}


@dataclasses.dataclass(frozen=True)
class EditCounts:
    """Frequencies of edit types.

    Attributes:
        pairs: number of pairs of different words.
        more: number of pairs with more than MOST edits, which are not classified.
        edits: int64 [EDIT_TYPES, POSITIONS] number of edits in the other pairs.
    """

    pairs: int
    more: int
    edits: np.ndarray

    def types(self) -> np.ndarray:
        """float64 [EDIT_TYPES + 1]: share of each type; the last is for pairs with more edits, each counted as one."""
        counts = np.append(self.edits.sum(axis=1), self.more)
        return counts / max(1, counts.sum())

    def positions(self) -> np.ndarray:
        """float64 [POSITIONS]: share of each position in the correct word."""
        return self.edits.sum(axis=0) / max(1, self.edits.sum())


def total_variation(one: np.ndarray, other: np.ndarray) -> float:
    """Total variation distance of two distributions: 0 if equal, 1 if disjoint."""
    return float(np.abs(one - other).sum() / 2)


def edit_types(clean: Sequence[str], wrong: Sequence[str], language: str) -> EditCounts:
    """Classifies the edits that turn clean words into misspelled ones.

    Edits are those of optimal string alignment on grapheme clusters: insertions, deletions, substitutions and
    transpositions of adjacent clusters. A substitution is of type case or diacritic if nothing else differs, adjacent
    key if the two letters are adjacent on the language's keyboard, and other letter otherwise.

    Args:
        clean, wrong: n words each; pairs of equal words are ignored.
        language: ISO 639 code.
    """
    from rapidfuzz.distance import OSA

    pairs = [(a, b) for a, b in zip(split(clean, language), split(wrong, language), strict=True) if a != b]
    distances = np.array([OSA.distance(a, b, score_cutoff=MOST) for a, b in pairs], np.int64)
    edits = np.zeros((len(EDIT_TYPES), len(POSITIONS)), np.int64)
    for index in np.flatnonzero(distances <= MOST).tolist():
        for operation, place, old, new in alignment(*pairs[index]):
            edit_type, place = type_of(operation, pairs[index][0], place, old, new, language)
            last = len(pairs[index][0]) - 1
            edits[EDIT_TYPES.index(edit_type), 0 if place <= 0 else 2 if place >= last else 1] += 1
    return EditCounts(len(pairs), int((distances > MOST).sum()), edits)


def split(words: Sequence[str], language: str) -> list[list[str]]:
    """The grapheme clusters of each word."""
    document = Document(from_strings(words), None, language)
    starts, whole = document.starts.tolist(), document.string
    bounds = itertools.pairwise(document.text_clusters.tolist())
    return [[whole[a:b] for a, b in itertools.pairwise(starts[first : stop + 1])] for first, stop in bounds]


def alignment(clean: Word, wrong: Word) -> list[tuple[str, int, str, str]]:
    """A minimal sequence of edits (operation, place in the clean word, old cluster, new cluster)."""
    begin = next((i for i, (a, b) in enumerate(zip(clean, wrong, strict=False)) if a != b), min(len(clean), len(wrong)))
    ends = zip(reversed(clean[begin:]), reversed(wrong[begin:]), strict=False)
    shorter = min(len(clean), len(wrong)) - begin
    end = next((i for i, (a, b) in enumerate(ends) if a != b), shorter)
    a, b = clean[begin : len(clean) - end], wrong[begin : len(wrong) - end]
    costs = osa_costs(a, b)
    i, j, edits = len(a), len(b), []
    while i or j:
        here = costs[i][j]
        if i and j and here == costs[i - 1][j - 1] + (a[i - 1] != b[j - 1]):
            i, j = i - 1, j - 1
            if a[i] != b[j]:
                edits.append(("substitute", begin + i, a[i], b[j]))
        elif i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1] and here == costs[i - 2][j - 2] + 1:
            i, j = i - 2, j - 2
            edits.append(("transpose", begin + i, a[i], b[j]))
        elif i and here == costs[i - 1][j] + 1:
            i -= 1
            edits.append(("delete", begin + i, a[i], ""))
        else:
            j -= 1
            edits.append(("insert", begin + i, "", b[j]))
    return edits[::-1]


def osa_costs(a: Word, b: Word) -> list[list[int]]:
    """The dynamic programming table of optimal string alignment: distances between all prefixes of a and b."""
    costs = [[i + j if i * j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            unlike = a[i - 1] != b[j - 1]
            costs[i][j] = min(costs[i - 1][j - 1] + unlike, costs[i - 1][j] + 1, costs[i][j - 1] + 1)
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                costs[i][j] = min(costs[i][j], costs[i - 2][j - 2] + 1)
    return costs


def type_of(operation: str, clean: Word, place: int, old: str, new: str, language: str) -> tuple[str, int]:
    """The edit's type, one of EDIT_TYPES, and its place in the clean word."""
    if operation == "transpose":
        return "transpose", place if place == 0 or place + 2 < len(clean) else place + 1
    if operation == "substitute":
        if lower(old) == lower(new):
            return "case", place
        if bare(old) == bare(new):
            return "diacritic", place
        return ("adjacent key" if beside(lower(old), lower(new), language) else "other letter"), place
    letter = lower(old or new)
    # An insertion is between the clean clusters at place - 1 and place; a deletion removes the one at place.
    around = [k for k in (place - 1, place + bool(old)) if 0 <= k < len(clean) and lower(clean[k]) == letter]
    if operation == "delete":
        return ("undouble" if around else "delete"), place
    if around:
        return "double", around[0]
    return "insert", place if place < len(clean) else len(clean) - 1


@functools.lru_cache(maxsize=1 << 16)
def bare(cluster: str) -> str:
    """The lower-case cluster, without marks in scripts whose marks are diacritics."""
    base = tables.codepoints_of(lower(cluster)[:1])
    if not tables.look_up(diacritic_scripts(), tables.property_of("scripts")[base])[0]:
        return lower(cluster)
    plain = int(tables.mapping("without_marks")[base][0])
    return chr(plain) if plain else lower(cluster)[:1]


def beside(old: str, new: str, language: str) -> bool:
    """Whether the letters are on adjacent keys of the language's keyboard; false if it has none."""
    layout = keyboard_layouts().get(language)
    return layout is not None and new in layout["beside"].get(old, "")


def compare(path: pathlib.Path, language: str) -> dict[str, EditCounts]:
    """Edit types of the "human" errors in a list, and of each operator on the same words, repeated as in the list."""
    lexicon = read_lexicon(path)
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    clean = [key for key, *options in lines for _ in options]
    found = {"human": edit_types(clean, [option for _, *options in lines for option in options], language)}
    for name, severity in COMPARED.items():
        made = perturb(clean, name, severity, language, lexicon=lexicon if name == "natural" else None)
        found[name] = edit_types(clean, made, language)
    return found


def report(language: str, found: dict[str, EditCounts]) -> str:
    """A Markdown section: shares in per cent, and total variation distances from the human errors."""
    human = found["human"]
    rows = [
        ("pairs", [str(counts.pairs) for counts in found.values()]),
        *shares((*EDIT_TYPES, f"more than {MOST} edits"), [counts.types() for counts in found.values()]),
        *shares([f"position: {place}" for place in POSITIONS], [counts.positions() for counts in found.values()]),
        distances("distance: types", human.types(), [counts.types() for counts in found.values()]),
        distances(
            f"distance: types, pairs of at most {MOST} edits",
            few(human),
            [few(counts) for counts in found.values()],
        ),
        distances("distance: positions", human.positions(), [counts.positions() for counts in found.values()]),
    ]
    lines = [f"### {language}", "", "| | " + " | ".join(found) + " |", "|---" + "|---:" * len(found) + "|"]
    return "\n".join(lines + [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows])


def few(counts: EditCounts) -> np.ndarray:
    """float64 [EDIT_TYPES]: share of each type among the classified edits."""
    return counts.edits.sum(axis=1) / max(1, counts.edits.sum())


def shares(names: Sequence[str], columns: Sequence[np.ndarray]) -> list[tuple[str, list[str]]]:
    """Table rows of percentages."""
    return [(name, [f"{100 * column[k]:.1f}" for column in columns]) for k, name in enumerate(names)]


def distances(name: str, human: np.ndarray, columns: Sequence[np.ndarray]) -> tuple[str, list[str]]:
    """A table row of total variation distances from the human errors."""
    return name, [f"{total_variation(human, column):.3f}" for column in columns]


def multypo_weights(found: dict[str, dict[str, EditCounts]]) -> str:
    """A Markdown table: MulTypo's weights, and the corresponding shares of human errors in each language."""
    lines = ["| | MulTypo | " + " | ".join(found) + " |", "|---" + "|---:" * (1 + len(found)) + "|"]
    kept = [few(counts["human"]) for counts in found.values()]
    for name, (weight, types) in MULTYPO.items():
        cells = [f"{sum(column[EDIT_TYPES.index(one)] for one in types):.2f}" for column in kept]
        lines.append(f"| {name} | {weight:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables of all languages with a file under --data-root."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=pathlib.Path, required=True)
    folder = parser.parse_args().data_root / "robustness" / "natural_errors"
    paths = sorted(folder.glob("*.natural"))
    if not paths:
        raise SystemExit(f"error: {folder}: found no LANGUAGE.natural")
    try:
        found = {path.stem: compare(path, path.stem) for path in paths}
    except InputError as error:
        raise SystemExit(f"error: {error}") from error
    print("\n\n".join([*(report(language, counts) for language, counts in found.items()), multypo_weights(found)]))


if __name__ == "__main__":
    main()
