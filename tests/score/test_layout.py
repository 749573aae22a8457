"""The official layout: predictions are read back as they were written, or refused."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itt_jax import kinds, tasks
from itt_jax.errors import InputError
from itt_jax.score import BENCHMARKS, layout, write_predictions
from itt_jax.score.benchmarks import LAYOUTS, LEXTREME, catalogue_name

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CELL = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=6)
BY_FORMAT = {
    "labels": ("tatoeba", st.lists(CELL, min_size=1)),
    "choices": ("xcopa", st.lists(st.integers(0, 1), min_size=1)),
    "tags": ("udpos", st.lists(st.lists(CELL, min_size=1), min_size=1)),
    "answers": ("mlqa", st.dictionaries(TEXT, TEXT)),
    "rankings": ("mewslix", st.dictionaries(TEXT, st.lists(TEXT))),
}


@pytest.mark.parametrize("form", BY_FORMAT)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_round_trip(tmp_path, form, data):
    task, strategy = BY_FORMAT[form]
    predictions = data.draw(strategy)
    official = BENCHMARKS["xtreme-r"].tasks[task]
    assert official.format.name == form
    language = official.languages[0]
    path = write_predictions(tmp_path, "xtreme-r", task, language, predictions)
    assert path == tmp_path / task / f"test-{language}.{official.format.suffix}"
    assert layout.read_predictions(tmp_path, official, language) == predictions


def test_round_trip_of_pairs(tmp_path):
    pairs = [("de-1", "en-1"), ("de-2", "en-1")]
    write_predictions(tmp_path, "xtreme", "bucc2018", "de", pairs)
    assert layout.read_predictions(tmp_path, BENCHMARKS["xtreme"].tasks["bucc2018"], "de") == pairs


def test_round_trip_of_sets_and_of_answers(tmp_path):
    task = LEXTREME.tasks["online_terms_of_service_clause_topics"]
    sets = [["ch", "use"], [], ["a"], []]
    write_predictions(tmp_path, "lextreme", task.name, "de", sets)
    assert layout.read_predictions(tmp_path, task, "de") == sets
    answers = {"q1": ["Paris", "in Paris"], "q2": ['"二十"\n']}
    layout.write_labels(tmp_path, "xtreme", "tydiqa", "ko", answers)
    assert layout.read_labels(tmp_path, BENCHMARKS["xtreme"].tasks["tydiqa"], "ko") == answers


def test_official_files_are_reproduced(mock_data, tmp_path):
    """Reading and writing an official line-based predictions file gives the same lines."""
    for name in ("panx", "bucc2018", "tatoeba", "xnli"):
        task = BENCHMARKS["xtreme"].tasks[name]
        for language in task.languages:
            predictions = layout.read_predictions(mock_data / "predictions", task, language)
            written = write_predictions(tmp_path, "xtreme", name, language, predictions)
            official = mock_data / "predictions" / task.file(language)
            assert written.read_text().split() == official.read_text().split()


@pytest.mark.parametrize(
    ("task", "language", "predictions", "message"),
    [
        ("xnly", "de", ["neutral"], "did you mean 'xnli'"),
        ("xnli", "ja", ["neutral"], "unknown language of xnli 'ja'"),
        ("tatoeba", "de", ["1", ""], "'' cannot be written"),
        ("tatoeba", "de", ["1\n2"], "cannot be written"),
        ("udpos", "de", [["NOUN"], []], "a sentence without tags"),
        ("udpos", "de", [["A B ", "C"]], "cannot be written"),
    ],
)
def test_values_that_a_format_cannot_hold_are_refused(tmp_path, task, language, predictions, message):
    with pytest.raises(InputError, match=message):
        write_predictions(tmp_path, "xtreme-r", task, language, predictions)
    assert not list(tmp_path.rglob("test-*"))


def test_empty_lines_between_and_after_sentences_do_not_matter(tmp_path):
    path = tmp_path / "udpos" / "test-de.tsv"
    path.parent.mkdir()
    path.write_text("\nNOUN\nX\n\n\nVERB\n\n\n", encoding="utf-8")
    found = layout.read_predictions(tmp_path, BENCHMARKS["xtreme"].tasks["udpos"], "de")
    assert found == [["NOUN", "X"], ["VERB"]]


def test_kinds_name_the_format_of_their_benchmarks():
    for official in LAYOUTS.values():
        for name, task in official.tasks.items():
            own = tasks.get(catalogue_name(official, name))
            assert kinds.kind(own.kind).file_format(own) == task.format.name, name
