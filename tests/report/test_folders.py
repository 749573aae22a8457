"""Pages of `attack` and `certify`, made from what is in their folders."""

import dataclasses

import pandas as pd
import pytest

from itt_jax.attack.outcomes import summaries
from itt_jax.certify import Certificate, Deletion, Smoothing
from itt_jax.certify import summaries as certified
from itt_jax.errors import InputError
from itt_jax.main import main
from itt_jax.report import write_page_of_parts
from itt_jax.report.attack_page import write_attack_page
from itt_jax.store.parts import PartsFolder
from tests.report.test_attack_page import ABOUT, outcome

RADII = {"en": (3, 1, 1, 0), "ar": (2, 0, 0, -1)}


def certificates() -> list[Certificate]:
    """Four rows in each language; in each the last is wrong."""
    numbers = {"selected": 0.9, "count": 9, "lower": 0.8, "units": 10, "distinct": 5}
    return [
        Certificate(
            f"{number}", language, "good", "good" if number < 3 else "bad", number < 3, radius=radius, **numbers
        )
        for language, radii in RADII.items()
        for number, radius in enumerate(radii)
    ]


def folder_of(out, noun: str, rows, figures) -> PartsFolder:
    """A finished folder, the rows of each language in parts of two."""
    folder = PartsFolder(out, noun)
    folder.begin({f"{noun}_id": "1", "precision": "float32", **ABOUT})
    for language in dict.fromkeys(own.language for own in rows):
        own = [dataclasses.asdict(row) for row in rows if row.language == language]
        for number, first in enumerate(range(0, len(own), 2)):
            folder.write_part(language, number, own[first : first + 2])
    folder.write_summary(figures)
    return folder


def files_of(report) -> dict[str, bytes]:
    return {str(path.relative_to(report)): path.read_bytes() for path in report.rglob("*.*")}


def test_the_page_of_an_attack_is_made_again(tmp_path, capsys):
    results = ("succeeded", "succeeded", "failed", "skipped")
    outcomes = [outcome(number, own, language) for language in ("en", "ar") for number, own in enumerate(results, 1)]
    folder_of(tmp_path / "attack", "attack", outcomes, summaries(outcomes))
    page = write_attack_page(tmp_path / "other", ABOUT, outcomes)
    assert main(["report", "--out", str(tmp_path / "attack")]) == 0
    made = tmp_path / "attack" / "report"
    assert capsys.readouterr().out == f"{made / 'index.html'}\n" and files_of(made) == files_of(page.parent)


def test_the_page_of_certificates_shows_shares_by_radius(tmp_path):
    found = certificates()
    folder_of(tmp_path, "certificate", found, certified(found, Smoothing(Deletion("word", 0.9), alpha=0.01)))
    page = write_page_of_parts(tmp_path)
    text = page.read_text(encoding="utf-8")
    assert "right on 75.0 % of the rows and abstains on 12.5 %." in text
    assert "Whatever 1 edit of words is made, 50.0 % of the rows are certified to stay right." in text
    assert "Whatever 3 edits of words are made, 12.5 % of the rows are certified to stay right." in text
    table = pd.read_csv(page.parent / "tables" / "certified.csv").set_index(["language", "radius"])
    assert table.loc["en", "certified"].tolist() == [0.75, 0.75, 0.25, 0.25]
    assert table.loc["ar", "certified"].tolist() == [0.75, 0.25, 0.25] and "under_attack" not in table
    assert (table["at_least"] <= table["certified"]).all()
    assert text.count('data-language="en"') > 4 and "Certified accuracy by radius, ar" in text


def test_a_folder_of_neither_has_no_such_page_and_unfinished_work_is_named(tmp_path):
    assert write_page_of_parts(tmp_path) is None
    PartsFolder(tmp_path, "certificate").begin({"certificate_id": "1", "precision": "float32"})
    with pytest.raises(InputError, match="the certificate is not finished; repeat its command"):
        write_page_of_parts(tmp_path)
