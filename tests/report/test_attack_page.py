"""The page of an attack: its own question and answer, figures from the outcomes, texts as plain data."""

import json
import pathlib

import pytest

from itt_jax.attack.outcomes import Outcome
from itt_jax.report import write_attack_page

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
    assert "Before the attack the model is right on 75.0 % of the rows, under attack on 25.0 %." in text
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
    assert [item["noisy"] for item in data["items"]] == [[f"good {HOSTILE}!"]] * 2 + [None] * 2
    assert [item["right"] for item in data["items"]] == [[data["names"].index("positive")]] * 4
