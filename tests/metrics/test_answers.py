"""Answers are compared as by SQuAD and MLQA, language by language."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itt_jax.errors import InputError
from itt_jax.metrics import answers as answer_metrics

WORDS = st.lists(st.sampled_from(["the", "red", "Red", "car", "a", "42", "!"]), max_size=6).map(" ".join)


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("The  Norman, Conquest!", "norman conquest"),
        ("an apple a day", "apple day"),
        ("U.S.", "us"),
        # Only ASCII punctuation and English articles are removed, in every language.
        ("«die Stadt»", "«die stadt»"),
        ("a\u00a0b", "b"),
    ],
)
def test_squad_normalisation(text, normalized):
    assert answer_metrics.normalize_squad(text) == normalized


@pytest.mark.parametrize(
    ("language", "text", "normalized"),
    [
        ("en", "The «Norman» conquest", "norman conquest"),
        ("es", "Las casas de la Ciudad", "casas de ciudad"),
        ("de", "Das Haus des Herrn", "haus herrn"),
        ("vi", "những con đường của làng", "con đường làng"),
        ("hi", "दिल्ली।", "दिल्ली"),
        # The two letters are also removed inside a word, as published.
        ("ar", "الكتاب", "كتاب"),
        ("ar", "مثال", "مث"),
        ("zh", "北京，2008年", "北 京 2008 年"),
        ("zh", "iPhone手机", "iphone 手 机"),
    ],
)
def test_mlqa_normalisation(language, text, normalized):
    assert answer_metrics.normalize_mlqa(text, language) == normalized


def test_values_by_hand():
    """Two of three predicted and four actual tokens are shared; the best answer counts; no shared token gives 0."""
    assert answer_metrics.token_f1("red fast car", ["a fast red old bus"]) == pytest.approx(2 * 2 / (3 + 4))
    assert answer_metrics.token_f1("red car", ["bus", "the red car"]) == 1.0
    assert answer_metrics.token_f1("red red", ["red car"]) == pytest.approx(0.5)
    assert answer_metrics.token_f1("", ["the"]) == 0.0
    assert answer_metrics.exact_match("The red car.", ["bus", "red car"]) == 1.0
    assert answer_metrics.exact_match("red cars", ["red car"]) == 0.0


@settings(deadline=None)
@given(WORDS, st.lists(WORDS, min_size=1, max_size=3), WORDS)
def test_more_answers_never_lower_a_score(prediction, answers, other):
    for score in (answer_metrics.exact_match, answer_metrics.token_f1):
        assert score(prediction, [*answers, other]) >= score(prediction, answers)
    if answer_metrics.normalize_squad(prediction):
        assert answer_metrics.token_f1(prediction, answers) >= answer_metrics.exact_match(prediction, answers)


def test_scores_are_means_over_all_questions():
    answers = {"a": ["Paris"], "b": ["the Seine", "Seine river"], "c": ["1900"], "d": ["Louvre"]}
    predictions = {"a": "paris", "b": "river Seine", "d": "museum", "another": "1900"}
    assert answer_metrics.span_scores(predictions, answers) == {"exact_match": 0.25, "f1": 0.5}
    items = answer_metrics.span_item_scores([predictions.get(id) for id in answers], list(answers.values()))
    np.testing.assert_array_equal(items["exact_match"], [1, 0, 0, 0])
    np.testing.assert_array_equal(items["f1"], [1, 1, 0, 0])


@pytest.mark.parametrize(
    ("answers", "protocol", "language", "message"),
    [
        ({}, "squad", "en", "no questions"),
        ({"a": []}, "squad", "en", "question 1 has no right answer"),
        ({"a": ["x"]}, "squat", "en", "did you mean 'squad'"),
        ({"a": ["x"]}, "mlqa", "fr", "unknown language of MLQA 'fr'"),
    ],
)
def test_errors(answers, protocol, language, message):
    with pytest.raises(InputError, match=message):
        answer_metrics.span_scores({"a": "x"}, answers, protocol, language)
