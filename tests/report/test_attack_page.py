"""The page of an attack: its own question and answer, figures from the outcomes, texts as plain data."""

import dataclasses
import json
import pathlib

import pytest

from itt_jax.attack.outcomes import Outcome, query_budgets, summary
from itt_jax.report.attack_page import write_attack_page

ABOUT = {"name": "worst_of", "encoder": "a <b>", "task": "sentiment"}
HOSTILE = "</script><script>window.hacked = 1</script>"


def outcome(number: int, result: str, language: str = "en") -> Outcome:
    """A row that an attack left right, made wrong, or found wrong."""
    before = "negative" if result == "skipped" else "positive"
    after = "negative" if result != "failed" else "positive"
    text = f"good {HOSTILE}" + ("!" if result == "succeeded" else "")
    numbers = {"queries": 0 if result == "skipped" else 10 * number, "edits": number, "clusters": 10}
    return Outcome(
        item_id=f"sentiment/test/{number}",
        language=language,
        result=result,
        fields={"text": f"good {HOSTILE}"},
        field="text",
        text=text,
        label="positive",
        prediction_before=before,
        prediction_after=after,
        score_before=0.2,
        score_after=0.7,
        words_changed=1,
        words=2,
        **numbers,
    )


def test_curves_end_within_what_was_asked():
    """Steps go on to the first that is enough, and never beyond the budget, which no row exceeded."""
    assert query_budgets(12, asked=12) == [1, 2, 5, 10, 12] and query_budgets(12, asked=15) == [1, 2, 5, 10, 15]
    assert query_budgets(12, asked=99) == [1, 2, 5, 10, 20] and query_budgets(0, asked=9) == [1]
    rows = [outcome(1, "succeeded"), outcome(2, "succeeded"), outcome(3, "skipped"), outcome(4, "failed")]
    rows = [dataclasses.replace(own, queries=min(own.queries, 12)) for own in rows]
    assert summary(rows)["curve_queries"] == [[1, 0.75], [2, 0.75], [5, 0.75], [10, 0.5], [12, 0.25]]
    assert summary(rows)["curve_edits"] == [[0, 0.75], [1, 0.5], [2, 0.25]]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> pathlib.Path:
    results = ("succeeded", "succeeded", "failed", "skipped")
    outcomes = [
        outcome(number, result, language) for language in ("en", "ar") for number, result in enumerate(results, 1)
    ]
    return write_attack_page(tmp_path_factory.mktemp("attack"), ABOUT, outcomes)


def test_the_first_screen_answers_with_the_figures_of_the_outcomes(page):
    text = page.read_text(encoding="utf-8")
    assert "How often does the attack worst_of fool a &lt;b&gt; on sentiment?" in text
    assert "75.0 % of the rows are attackable; the attack fails on 25.0 % of the rows." in text
    assert "The attack succeeds on 66.7 % [30.0, 90.3] of the rows that it tries, after 20 queries" in text
    assert "A success changes 1.5 grapheme clusters (15.0 % of the text) and 1.0 words on average." in text
    assert "Does the arm" not in text and "no treatment" not in text


def test_texts_are_data_of_a_script_and_never_markup(page):
    text = page.read_text(encoding="utf-8")
    assert HOSTILE not in text and text.count("</script>") == 2
    scripts = sorted(page.parent.glob("examples/*.js"))
    assert len(scripts) == 2
    name, data = json.loads(f"[{scripts[0].read_text().removeprefix('ittExamples(').removesuffix(');' + chr(10))}]")
    assert name == "examples/00001.js" and data["names"][data["before"][0][0]] == "positive"
    assert data["texts"] == [[f"good {HOSTILE}!"] * 2 + [None] * 2] and data["field"] == 0
    assert data["notes"] == [["succeeded, 10 queries", "succeeded, 20 queries", "failed, 30 queries", "not attacked"]]
    assert [item["right"] for item in data["items"]] == [[data["names"].index("positive")]] * 4
