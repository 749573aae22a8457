"""MultiCheckList: questions follow the templates, with the same cases in every language; a case fails by one answer."""

import collections
import json
import re

import pytest

from itt_jax.errors import InputError
from itt_jax.score import checklist_cases, checklist_templates, multichecklist, score, write_questions


@pytest.fixture
def official(data_root):
    return data_root / "official" / "multichecklist" / "checklist_templates.tsv"


def by_id(questions) -> dict:
    return {question.id: question for question in questions}


def test_translations_follow_their_english_values(templates):
    english, spanish = (by_id(found) for found in multichecklist.generate(templates, samples=8).values())
    checked = collections.Counter()
    for id in english.keys() & spanish.keys():
        one, other = english[id], spanish[id]
        assert one.test == other.test and one.case == other.case
        if one.question.startswith("Who is less"):
            assert ("más pequeño" in other.question) == ("small" in one.question)
            checked["question by adjective"] += 1
        if one.question.startswith("What age"):
            assert other.question.startswith("¿Qué edad tiene")
            assert other.answer == {"sofa": "viejo", "lamp": "vieja"}["sofa" if "sofa" in one.context else "lamp"]
            checked["value by object"] += 1
        if one.test == "profession_nationality":
            assert ("china" in other.context or "india" in other.context) == ("actress" in one.context)
            assert bool(re.match("Anna|Clara|Diana|Elena|Julia|Laura|Maria|Nina|Sara|Sofia", one.context)) == (
                "actress" in one.context
            )
            checked["nationality by profession"] += 1
        if one.test.startswith("animal"):
            assert ("a un" in other.context) == ("bought" in one.context)
            assert not other.answer.startswith("a un")
            checked["animal by context"] += 1
    assert set(checked) == {
        "question by adjective",
        "value by object",
        "nationality by profession",
        "animal by context",
    }
    # The forms of the car are listed with {animal} for its answer too, as published.
    assert {"un coche", "una bici"} <= {one.answer for one in spanish.values()}


def test_texts_that_cannot_be_answered_are_left_out(templates):
    """The second Spanish context of the intensifiers names one person twice."""
    found = multichecklist.generate(templates, samples=5)
    contexts = {
        language: {question.id[-2:] for question in questions if question.test == "intensifiers"}
        for language, questions in found.items()
    }
    assert contexts == {"en": {"00", "01"}, "es": {"00"}}


def test_sentences_begin_with_capitals(templates):
    contexts = [one.context for one in multichecklist.generate(templates, ["en"], samples=6)["en"]]
    assert any(". The sofa is" in context or ". The lamp is" in context for context in contexts)
    assert not any(". the " in context for context in contexts)


def test_people_differ_and_every_slot_is_filled(templates):
    for questions in multichecklist.generate(templates, samples=10).values():
        for one in questions:
            assert "{" not in one.context + one.question + one.answer
            if one.test in ("comparison", "animal_vehicle_v2"):
                pair = re.findall(
                    r"\b[A-Z][a-z]+(?= (?:is|bought|es|compró)\b)|(?<=than )\w+|(?<=que )\w+", one.context
                )
                assert len(pair) == len(set(pair)) == 2, one


def test_cases_do_not_depend_on_what_else_is_asked_for(templates):
    few, many = (multichecklist.generate(templates, ["es"], samples)["es"] for samples in (3, 6))
    assert by_id(few).items() <= by_id(many).items()
    assert multichecklist.generate(templates, samples=3)["es"] == few
    assert multichecklist.generate(templates, ["es"], samples=3, seed=1)["es"] != few


def test_a_case_fails_by_its_worst_answer(templates, tmp_path):
    samples = 4
    questions = multichecklist.generate(templates, samples=samples)["en"]
    answers = {one.id: one.answer for one in questions}
    wrong = next(one.id for one in questions if one.test == "comparison")
    # Articles and a full stop are no fault; another name is.
    article = next(one.id for one in questions if one.test == "animal_vehicle")
    answers |= {wrong: "Nobody", article: f"{answers[article].split()[-1]}."}
    rates = multichecklist.error_rates(questions, answers, "en")
    assert rates == {test: 1 / samples if test == "comparison" else 0.0 for test in rates} and len(rates) == 6
    (tmp_path / "test-en.json").write_text(json.dumps(answers), encoding="utf-8")
    scores = multichecklist.score(tmp_path, templates, samples)
    assert scores.figures["comparison"] == 100 / samples and scores.overall.value == pytest.approx(100 / samples / 6)
    assert "languages without predictions: es" in scores.notes
    del answers[article]
    (tmp_path / "test-en.json").write_text(json.dumps(answers), encoding="utf-8")
    again = multichecklist.score(tmp_path, templates, samples)
    assert again.figures["animal_vehicle"] == 100 / samples
    assert any(note.startswith("en: 1 of ") for note in again.notes)


@pytest.mark.parametrize(
    ("language", "answer", "cleaned"),
    [
        ("en", "the  dog.", "dog"),
        ("en", "The dog", "The dog"),
        ("de", "einen Hund", "Hund"),
        ("ur", "کتا\u200f", "کتا"),
        ("pl", "„pies”.", "pies"),
        ("fi", "kissa, ", "kissa"),
        ("hi", "एक कुत्ता", "कुत्ता"),
    ],
)
def test_clean_takes_off_articles_and_punctuation(language, answer, cleaned):
    assert multichecklist.clean(answer, language) == cleaned


@pytest.mark.slow
def test_written_questions_are_squads_form(templates, tmp_path):
    paths = write_questions("multichecklist", templates, tmp_path / "questions")
    assert [path.name for path in paths] == ["test-en.json", "test-es.json"]
    content = json.loads(paths[1].read_text(encoding="utf-8"))
    generated = by_id(multichecklist.generate(templates)["es"])
    found = 0
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                (answer,) = question["answers"]
                one = generated[question["id"]]
                assert (one.context, one.question, one.answer) == (
                    paragraph["context"],
                    question["question"],
                    answer["text"],
                )
                assert paragraph["context"].find(answer["text"]) == answer["answer_start"]
                found += 1
    assert found == len(generated)


def test_every_language_has_ten_men_and_ten_women():
    names = {
        code: [checklist_cases.first_names(code, gender) for gender in ("male", "female")] for code in ("en", "my")
    }
    assert all(len(set(group)) == 10 for groups in names.values() for group in groups)
    with pytest.raises(InputError, match="no first names for the language 'xx'"):
        checklist_cases.first_names("xx", "any")


def test_published_templates_give_200_cases_of_each_test_in_50_languages(official):
    templates = checklist_templates.read_templates(official)
    assert len(templates.languages) == 50
    sample = ("en", "de", "fi", "gu", "qu", "ru", "th", "zh")
    found = multichecklist.generate(official, sample)
    for language, questions in found.items():
        cases = {(one.test, one.case) for one in questions}
        assert collections.Counter(test for test, _ in cases) == dict.fromkeys(templates.tests, 200), language
        assert all(one.answer in one.context for one in questions if language not in ("qu", "gu")), language
    # Four contexts of six and one question of two of Gujarati can be answered as published.
    assert collections.Counter(one.test for one in found["gu"])["intensifiers"] == 200 * 4 * 2
    assert collections.Counter(one.test for one in found["gu"])["properties"] == 200


def test_published_templates_can_be_rendered_in_every_language(official):
    templates = checklist_templates.read_templates(official)
    for test, content in templates.tests.items():
        for language in templates.languages:
            attempts = (case for case in checklist_cases.cases(templates, test, 0) if case.number < 200)
            assert next(found for case in attempts if (found := checklist_cases.render(case, content, language)))
            assert len(set(checklist_cases.first_names(language, "any"))) == 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("Field", "Feld", 1), "line 1: expected MultiCheckList's columns"),
        (lambda text: text.replace("Animal vs Vehicle v2", "Animals"), "unknown test 'Animals'"),
        (lambda text: text[: text.index("Name\tAnimal vs Vehicle v2")], "missing tests: animal_vehicle_v2"),
        (lambda text: text.replace("adj\tolder, old\t", "adj\tolder, old", 1), "line 9: 4 columns after the field"),
    ],
)
def test_wrong_templates_are_named(templates, change, message):
    templates.write_text(change(templates.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        multichecklist.generate(templates)


def test_wrong_predictions_are_named(templates, tmp_path):
    with pytest.raises(InputError, match=r"no predictions; expected test-LANGUAGE.json for one of en es"):
        score("multichecklist", tmp_path, templates)
    (tmp_path / "test-es.json").write_text('{"x": "y"}')
    with pytest.raises(InputError, match=r"test-es.json: none of its ids belongs to a question"):
        score("multichecklist", tmp_path, templates)
    with pytest.raises(InputError, match="unknown language of MultiCheckList 'sp'"):
        multichecklist.generate(templates, ["sp"])
    with pytest.raises(InputError, match="questions are written for multichecklist only"):
        write_questions("xtreme", templates, tmp_path)
    with pytest.raises(InputError, match=r"nowhere.tsv: no such file"):
        multichecklist.generate(tmp_path / "nowhere.tsv")
