"""Perturbations of the command line: the default set is what the docs say, none, all, and operators with severities."""

import pathlib
import re

import pytest

from itt_jax import perturb
from itt_jax.config import Perturbation
from itt_jax.errors import InputError
from itt_jax.study.perturbations import DEFAULT_LINE, DEFAULT_PERTURBATIONS, parse_perturbations

COMMANDS = pathlib.Path(__file__).parents[2] / "docs/commands.md"


def test_the_default_is_a_dozen_operators_at_two_severities_as_the_docs_say():
    assert parse_perturbations(None) == DEFAULT_PERTURBATIONS
    names = [own.name for own in DEFAULT_PERTURBATIONS]
    assert len(set(names)) == 12 and {own.severities for own in DEFAULT_PERTURBATIONS} == {(0.1, 0.2)}
    operators = [perturb.get(name) for name in names]
    assert not any(own.changes_label or own.lexicon for own in operators)
    assert [own.name for own in operators if own.languages != perturb.LANGUAGES] == ["keyboard"]
    text = COMMANDS.read_text(encoding="utf-8")
    section = text.partition("## Perturbations of an evaluation\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?:characters|words|formats) \| (.*) \|$", section, re.MULTILINE)
    assert re.findall("`([a-z_]+)`", " ".join(rows)) == names
    assert "0.1 and 0.2" in section and all(name in DEFAULT_LINE for name in [*names, "0.1 and 0.2"])


def test_none_all_and_operators_with_severities():
    assert parse_perturbations(["none"]) == ()
    assert {own.name for own in parse_perturbations(["all"])} == set(perturb.CATALOG)
    assert parse_perturbations(["swap", "keyboard:0.3"]) == (
        Perturbation("swap", (0.1, 0.2)),
        Perturbation("keyboard", (0.3,)),
    )
    read = {own.name: own.lexicon for own in parse_perturbations(["swap", "synonym"], "words.txt")}
    assert read == {"swap": None, "synonym": "words.txt"}


@pytest.mark.parametrize(
    ("texts", "lexicon", "message"),
    [
        (["swap:high"], None, "expected NAME or NAME:SEVERITY,SEVERITY"),
        (["swap:0.1,2"], None, r"--perturbations swap.severities: expected numbers from 0 to 1, found \(0.1, 2.0\)"),
        (["swap:nan"], None, "expected numbers from 0 to 1"),
        (["swap:0_1"], None, "expected NAME or NAME:SEVERITY,SEVERITY"),  # float("0_1") is 1.0
        (["swop"], None, "did you mean 'swap'"),
        (["none", "swap"], None, "'none' is given alone, found 'none swap'"),
        (["all", "swap:0.3"], None, "'all' is given alone"),
        (["swap"], "words.txt", "--lexicon words.txt: none of the perturbations reads one"),
        (None, "words.txt", "none of the perturbations reads one"),
    ],
)
def test_what_cannot_be_meant_is_refused(texts, lexicon, message):
    with pytest.raises(InputError, match=message):
        parse_perturbations(texts, lexicon)
