"""Edit types of hand-made pairs, of operators and of human errors."""

import numpy as np
import pytest

from itt_jax.perturb import perturb
from itt_jax.perturb.edit_types import EDIT_TYPES, POSITIONS, alignment, compare, edit_types, total_variation


def found(clean: str, wrong: str, language: str = "en") -> list[tuple[str, str]]:
    """The types and positions counted for a pair, in the order of EDIT_TYPES and POSITIONS."""
    counts = edit_types([clean], [wrong], language)
    return [(EDIT_TYPES[k], POSITIONS[p]) for k, p in np.argwhere(counts.edits) for _ in range(counts.edits[k, p])]


@pytest.mark.parametrize(
    ("language", "clean", "wrong", "expected"),
    [
        ("en", "letter", "leter", [("undouble", "inner")]),
        ("en", "letter", "lettter", [("double", "inner")]),
        ("en", "aback", "aaback", [("double", "first")]),
        ("en", "hello", "helloo", [("double", "last")]),
        ("en", "hello", "helo", [("undouble", "inner")]),
        ("en", "hello", "ello", [("delete", "first")]),
        ("en", "hello", "hell", [("delete", "last")]),
        ("en", "hello", "xhello", [("insert", "first")]),
        ("en", "hello", "hellox", [("insert", "last")]),
        ("en", "their", "thier", [("transpose", "inner")]),
        ("en", "their", "htier", [("transpose", "first"), ("transpose", "inner")]),
        ("en", "their", "hteir", [("transpose", "first")]),
        ("en", "their", "thrie", [("adjacent key", "inner"), ("adjacent key", "last")]),
        ("en", "hello", "hrllo", [("adjacent key", "inner")]),
        ("en", "Hello", "Gello", [("adjacent key", "first")]),
        ("en", "hello", "hallo", [("other letter", "inner")]),
        ("en", "hello", "Hello", [("case", "first")]),
        ("de", "schön", "schon", [("diacritic", "inner")]),
        ("de", "Zug", "Tug", [("adjacent key", "first")]),
        ("en", "Zug", "Tug", [("other letter", "first")]),
        ("fr", "été", "e\u0301té", [("diacritic", "first")]),
        ("cs", "příroda", "prirodu", []),
        ("hi", "किताब", "कीताब", [("other letter", "first")]),
        ("zh", "在", "再", [("other letter", "first")]),
    ],
)
def test_hand_made_pairs(language, clean, wrong, expected):
    """An empty expectation means more than two edits."""
    assert found(clean, wrong, language) == expected
    assert edit_types([clean], [wrong], language).more == (not expected)


def test_shares():
    counts = edit_types(["abc", "abc", "abc", "same", "long"], ["ab", "abd", "acb", "same", "x"], "en")
    assert (counts.pairs, counts.more) == (4, 1)
    assert counts.types().sum() == pytest.approx(1)
    assert counts.types()[[EDIT_TYPES.index("delete"), EDIT_TYPES.index("transpose"), -1]].tolist() == [0.25] * 3
    assert counts.positions().tolist() == [0, 0, 1]
    assert total_variation(np.array([0.5, 0.5, 0]), np.array([0, 0.5, 0.5])) == 0.5
    assert edit_types([], [], "en").types().sum() == 0


def test_alignment_is_minimal():
    """Also applies the edits, from last to first, and compares the result with the misspelled word."""
    from rapidfuzz.distance import OSA

    words = ["perturbation"] * 300
    for new in perturb(perturb(words, "mixed", 1.0, "en"), "swap", 0.2, "en"):
        word, edits = list(words[0]), alignment(words[0], new)
        assert len(edits) == OSA.distance(words[0], new)
        for operation, place, old, letter in reversed(edits):
            size = {"insert": 0, "transpose": 2}.get(operation, 1)
            put = [letter, old] if operation == "transpose" else [letter] * (operation != "delete")
            word[place : place + size] = put
        assert "".join(word) == new


def test_operators_make_the_edits_they_are_named_for():
    words = ["keyboards", "mixture", "letters"] * 200
    share = {}
    for name, severity in (("keyboard", 0.1), ("swap", 0.1), ("delete", 0.1), ("repeat", 0.1), ("case", 0.1)):
        counts = edit_types(words, perturb(words, name, severity, "en"), "en")
        share[name] = dict(zip(EDIT_TYPES, counts.edits.sum(axis=1) / counts.edits.sum(), strict=True))
    assert share["keyboard"]["adjacent key"] > 0.99
    assert share["swap"]["transpose"] > 0.95
    assert share["delete"]["delete"] + share["delete"]["undouble"] == 1
    assert share["repeat"]["double"] == 1
    assert share["case"]["case"] == 1


def test_replayed_errors_match_the_human_ones(data_root):
    path = data_root / "robustness" / "natural_errors" / "de.natural"
    counts = compare(path, "de")
    distance = {name: total_variation(counts["human"].types(), own.types()) for name, own in counts.items()}
    assert distance["natural"] < 0.05
    assert distance["mixed"] < distance["keyboard"]
