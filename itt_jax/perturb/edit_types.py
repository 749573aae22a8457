"""What kinds of edit part misspelled words from right ones, and how near operators come to people in that.

    python -m itt_jax.perturb.edit_types --data-root DIR

prints, as Markdown, the kinds found in Belinkov and Bisk's lists of human errors (arXiv 1711.02173; DIR/robustness/
natural_errors/LANGUAGE.natural) beside those that operators make of the same words. docs/natural_errors.md holds them.
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
from itt_jax.perturb.lexicon import lowered, read_lexicon
from itt_jax.perturb.text import from_strings
from itt_jax.perturb.unicode import diacritic_scripts
from itt_jax.perturb.units import Document

KINDS = (
    *("delete", "delete one of two", "insert", "insert a second", "neighbour key", "other letter"),
    *("transpose", "diacritic", "case"),
)
POSITIONS = ("first", "inner", "last")
MOST = 2  # edits of a pair that are told apart
Word = Sequence[str]  # of grapheme clusters
# Operator -> severity: one typo in every word; for operators on letters, one that mostly changes one or two of a word.
# `substitute` shows how often a letter drawn blindly is that of a neighbour key.
COMPARED = {"substitute": 0.15, "keyboard": 0.15, "mixed": 1.0, "phonetic": 0.3, "natural": 1.0}
# MulTypo's four kinds and their weights, as sums of ours.
MULTYPO = {
    "delete": (0.28, ("delete", "delete one of two")),
    "insert": (0.15, ("insert", "insert a second")),
    "replace": (0.28, ("neighbour key", "other letter", "diacritic", "case")),
    "transpose": (0.28, ("transpose",)),
}


@dataclasses.dataclass(frozen=True)
class EditCounts:
    """How often each kind of edit occurs.

    Attributes:
        pairs: pairs of unlike words; more: those with more than MOST edits, whose edits are not told apart.
        edits: int64 [KINDS, POSITIONS] of the other pairs.
    """

    pairs: int
    more: int
    edits: np.ndarray

    def kinds(self) -> np.ndarray:
        """float64 [KINDS + 1] shares of the kinds; last, of pairs with more edits, each counted as one edit."""
        counts = np.append(self.edits.sum(axis=1), self.more)
        return counts / max(1, counts.sum())

    def positions(self) -> np.ndarray:
        """float64 [POSITIONS] shares of the places in the right word."""
        return self.edits.sum(axis=0) / max(1, self.edits.sum())


def total_variation(one: np.ndarray, other: np.ndarray) -> float:
    """Half the sum of absolute differences of two distributions: 0 the same, 1 nothing shared."""
    return float(np.abs(one - other).sum() / 2)


def edit_types(clean: Sequence[str], wrong: Sequence[str], language: str) -> EditCounts:
    """Counts the kinds of the fewest edits that turn each clean word into its wrong form.

    Edits are those of optimal string alignment on grapheme clusters: insertions, deletions, substitutions, exchanges
    of neighbours. A substitution is one of case or of diacritics if nothing else differs, else by a neighbour key if
    the language's keyboard has the two letters side by side.

    Args:
        clean, wrong: n words each; equal pairs are left out. language: ISO 639 code.
    """
    from rapidfuzz.distance import OSA

    pairs = [(a, b) for a, b in zip(split(clean, language), split(wrong, language), strict=True) if a != b]
    distances = np.array([OSA.distance(a, b, score_cutoff=MOST) for a, b in pairs], np.int64)
    edits = np.zeros((len(KINDS), len(POSITIONS)), np.int64)
    for index in np.flatnonzero(distances <= MOST).tolist():
        for operation, place, old, new in alignment(*pairs[index]):
            kind, place = kind_of(operation, pairs[index][0], place, old, new, language)
            last = len(pairs[index][0]) - 1
            edits[KINDS.index(kind), 0 if place <= 0 else 2 if place >= last else 1] += 1
    return EditCounts(len(pairs), int((distances > MOST).sum()), edits)


def split(words: Sequence[str], language: str) -> list[list[str]]:
    """The grapheme clusters of each word."""
    document = Document(from_strings(words), None, language)
    starts, whole = document.starts.tolist(), document.string
    bounds = itertools.pairwise(document.text_clusters.tolist())
    return [[whole[a:b] for a, b in itertools.pairwise(starts[first : stop + 1])] for first, stop in bounds]


def alignment(clean: Word, wrong: Word) -> list[tuple[str, int, str, str]]:
    """The fewest edits: (operation, place in the clean word, old cluster, new cluster), substitutions preferred."""
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
    """The table of optimal string alignment: the distance of every beginning of a from every beginning of b."""
    costs = [[i + j if i * j == 0 else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            unlike = a[i - 1] != b[j - 1]
            costs[i][j] = min(costs[i - 1][j - 1] + unlike, costs[i - 1][j] + 1, costs[i][j - 1] + 1)
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                costs[i][j] = min(costs[i][j], costs[i - 2][j - 2] + 1)
    return costs


def kind_of(operation: str, clean: Word, place: int, old: str, new: str, language: str) -> tuple[str, int]:
    """One of KINDS, and the place in the clean word that it befalls."""
    if operation == "transpose":
        return "transpose", place if place == 0 or place + 2 < len(clean) else place + 1
    if operation == "substitute":
        if small(old) == small(new):
            return "case", place
        if bare(old) == bare(new):
            return "diacritic", place
        return ("neighbour key" if beside(small(old), small(new), language) else "other letter"), place
    letter = small(old or new)
    # An inserted cluster stands between the clean ones at place - 1 and place, a deleted one is that at place.
    around = [k for k in (place - 1, place + bool(old)) if 0 <= k < len(clean) and small(clean[k]) == letter]
    if operation == "delete":
        return ("delete one of two" if around else "delete"), place
    if around:
        return "insert a second", around[0]
    return "insert", place if place < len(clean) else len(clean) - 1


@functools.lru_cache(maxsize=1 << 16)
def small(cluster: str) -> str:
    """The cluster in small letters."""
    return lowered(tables.codepoints_of(cluster)).tobytes().decode("utf-32-le")


@functools.lru_cache(maxsize=1 << 16)
def bare(cluster: str) -> str:
    """The cluster's small letter without marks, in scripts whose marks are diacritics; else the small cluster."""
    base = tables.codepoints_of(small(cluster)[:1])
    if not tables.look_up(diacritic_scripts(), tables.property_of("scripts")[base])[0]:
        return small(cluster)
    plain = int(tables.mapping("without_marks")[base][0])
    return chr(plain) if plain else small(cluster)[:1]


def beside(old: str, new: str, language: str) -> bool:
    """Whether the letters stand on keys side by side on the language's keyboard, if there is one for it."""
    layout = keyboard_layouts().get(language)
    return layout is not None and new in layout["beside"].get(old, "")


def compare(path: pathlib.Path, language: str) -> dict[str, EditCounts]:
    """ "people" and each operator -> the counts on the words of a list of human errors, each word as often as there."""
    lexicon = read_lexicon(path)
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    clean = [key for key, *options in lines for _ in options]
    found = {"people": edit_types(clean, [option for _, *options in lines for option in options], language)}
    for name, severity in COMPARED.items():
        made = perturb(clean, name, severity, language, lexicon=lexicon if name == "natural" else None)
        found[name] = edit_types(clean, made, language)
    return found


def report(language: str, found: dict[str, EditCounts]) -> str:
    """A section of Markdown: shares in per cent, and each operator's total variation distance from people."""
    people = found["people"]
    rows = [
        ("pairs", [str(counts.pairs) for counts in found.values()]),
        *shares((*KINDS, f"more than {MOST} edits"), [counts.kinds() for counts in found.values()]),
        *shares([f"place: {place}" for place in POSITIONS], [counts.positions() for counts in found.values()]),
        distances("distance: kinds", people.kinds(), [counts.kinds() for counts in found.values()]),
        distances(
            f"distance: kinds, pairs of {MOST} edits or fewer",
            few(people),
            [few(counts) for counts in found.values()],
        ),
        distances("distance: places", people.positions(), [counts.positions() for counts in found.values()]),
    ]
    lines = [f"### {language}", "", "| | " + " | ".join(found) + " |", "|---" + "|---:" * len(found) + "|"]
    return "\n".join(lines + [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows])


def few(counts: EditCounts) -> np.ndarray:
    """float64 [KINDS] shares without the pairs of more edits."""
    return counts.edits.sum(axis=1) / max(1, counts.edits.sum())


def shares(names: Sequence[str], columns: Sequence[np.ndarray]) -> list[tuple[str, list[str]]]:
    """Rows of per cent."""
    return [(name, [f"{100 * column[k]:.1f}" for column in columns]) for k, name in enumerate(names)]


def distances(name: str, people: np.ndarray, columns: Sequence[np.ndarray]) -> tuple[str, list[str]]:
    """A row of total variation distances from people."""
    return name, [f"{total_variation(people, column):.3f}" for column in columns]


def multypo_weights(found: dict[str, dict[str, EditCounts]]) -> str:
    """A table of Markdown: MulTypo's four weights beside the shares of people's edits in each language."""
    lines = ["| | MulTypo | " + " | ".join(found) + " |", "|---" + "|---:" * (1 + len(found)) + "|"]
    kept = [few(counts["people"]) for counts in found.values()]
    for name, (weight, kinds) in MULTYPO.items():
        cells = [f"{sum(column[KINDS.index(kind)] for kind in kinds):.2f}" for column in kept]
        lines.append(f"| {name} | {weight:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print how the kinds of people's errors are shared out, by language of the files under --data-root, and ours."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", type=pathlib.Path, required=True)
    folder = parser.parse_args().data_root / "robustness" / "natural_errors"
    paths = sorted(folder.glob("*.natural"))
    if not paths:
        raise SystemExit(f"error: {folder} holds no LANGUAGE.natural")
    try:
        found = {path.stem: compare(path, path.stem) for path in paths}
    except InputError as error:
        raise SystemExit(f"error: {error}") from error
    print("\n\n".join([*(report(language, counts) for language, counts in found.items()), multypo_weights(found)]))


if __name__ == "__main__":
    main()
