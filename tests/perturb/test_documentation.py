"""docs/perturbations.md, the listing and CONTRIBUTING.md agree with the operators."""

import pathlib
import re

import pytest

from itt_jax.cli.listing import listing, perturbation_lines
from itt_jax.perturb import CATALOG, LANGUAGES
from itt_jax.perturb.documentation import examples, languages_of, page, section, shown, visible
from tests.extension.toy_operator import STUTTER
from tests.perturb import test_operators as promises

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def text() -> str:
    """The page."""
    return page()


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    """The listing."""
    return listing("perturbations")


def test_the_page_is_current(text):
    found = (ROOT / "docs" / "perturbations.md").read_text(encoding="utf-8")
    assert found == text, "regenerate it: python -m itt_jax.perturb.documentation > docs/perturbations.md"


def test_every_operator_has_an_example():
    for operator in CATALOG.values():
        found = shown(operator)
        assert 1 <= len(found) <= 3
        assert len({one.language for one in found}) == len(found)
        scripts = {one.script for one in examples(operator)}
        assert len({one.script for one in found}) == min(3, len(scripts))
        for one in found:
            assert one.clean != one.perturbed


def test_controls_are_marked_wherever_operators_are_listed(text, rows):
    heading = text.index("\n## control\n")
    assert "change the label" in text[heading : heading + 120]
    lines = "\n".join(perturbation_lines(rows))
    assert re.search("^control - these CHANGE the label", lines, re.MULTILINE)
    for row in rows:
        assert row["changes_label"] == (row["family"] == "control") == ("CONTROL" in row["summary"])
        assert row["name"] in lines
        assert (f"### {row['name']}\n" in text) == (row["family"] != "token")


def test_rows_are_complete(rows):
    rows = [row for row in rows if row["family"] != "token"]
    assert [row["name"] for row in rows] == list(CATALOG)
    for row in rows:
        operator = CATALOG[row["name"]]
        assert (row["scripts"], row["lexicon"]) == (operator.scripts, operator.lexicon)
        assert row["example"]["clean"] != row["example"]["perturbed"]
        assert row["languages"] == ("all" if operator.languages == LANGUAGES else sorted(operator.languages))


def test_invisible_characters_are_written_as_code_points(text):
    assert visible("a\u200bb\u202ec\x08\u00a0\ufeffd\ufe0f e") == (
        "a⟨U+200B⟩b⟨U+202E⟩c⟨U+0008⟩⟨U+00A0⟩⟨U+FEFF⟩d⟨U+FE0F⟩ e"
    )
    assert visible("मरीज़ é 今日") == "मरीज़ é 今日"
    assert not re.search("[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]", text)
    assert "U+200B" in "\n".join(section(CATALOG["invisible"]))


def test_languages_in_words():
    assert languages_of(CATALOG["swap"]) == "all"
    assert languages_of(CATALOG["omission"]) == "all but lo th"
    assert languages_of(CATALOG["negation"]).startswith("ar bg ca ")
    assert languages_of(CATALOG["negation"]).endswith("any with a lexicon")


@pytest.fixture
def stutter(monkeypatch):
    """The operator of CONTRIBUTING.md, added to the catalogue."""
    monkeypatch.setitem(CATALOG, STUTTER.name, STUTTER)
    return STUTTER


def test_the_example_of_contributing_keeps_the_promises(stutter, sentences):
    promises.test_severity_zero_changes_nothing(stutter.name)
    promises.test_any_text(stutter.name)
    promises.test_weaker_edits_are_among_stronger_ones(stutter.name)
    promises.test_nothing_outside_the_mask_changes(stutter.name)
    promises.test_realised_rate(stutter.name, sentences)
    promises.test_edits_bound_the_grapheme_edit_distance(stutter.name, sentences)
    assert "t-the" in "\n".join(section(stutter)).lower()
