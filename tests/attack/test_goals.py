"""Goals: scores and successes by hand, for every kind of task."""

import dataclasses

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.attack import adapted, attack_rows, get, goal_for
from itt_jax.attack.goals import ANSWER_LOST, ANY_ENTITY, MARGIN, SHIFT, UNTARGETED
from itt_jax.attack.outcomes import outcome, summary
from itt_jax.attack.subject import subjects
from itt_jax.config import canonical
from itt_jax.data.answers import Answer, Answers
from itt_jax.data.rows import Rows
from itt_jax.data.sources import LocalFiles
from itt_jax.errors import InputError
from itt_jax.ragged import Ragged
from itt_jax.tasks import Task
from tests.attack.scripted import ScriptedVictim, cases

FILES = (LocalFiles({"test": "absent.csv"}, "csv", {}, "label"),)


def rows(fields, labels):
    n = len(next(iter(fields.values())))
    return Rows("scripted", "test", "en", "general", np.array([f"i{i}" for i in range(n)]), fields, labels)


def test_classification():
    subject = cases("en")[0]
    outputs = [np.array([2.0, 1.0, 0.0]), np.array([0.0, 3.0, 0.0])]
    scores, reached = UNTARGETED.judge(subject, 0, outputs)
    e = np.exp([outputs[0], outputs[1]])
    assert scores == pytest.approx(1 - e[:, 0] / e.sum(1)) and reached.tolist() == [False, True]
    margins, _ = MARGIN.judge(subject, 0, outputs)
    assert margins.tolist() == [-1.0, 3.0]


def test_a_regression_is_moved_by_the_shift():
    task = Task("scripted", "regression", ("a", "b"), FILES, score_range=(0.0, 5.0), metric="spearman")
    texts = {"a": ["one"], "b": ["the long text here"]}
    (subject,) = subjects(task, rows(texts, np.array([1.0], np.float32)))
    goal = get("deepwordbug").goal_for(task)
    scores, reached = goal.judge(subject, 2.0, [np.array([2.5]), np.array([0.9])])
    assert scores == pytest.approx([0.5, 1.1]) and reached.tolist() == [False, True]
    victim = ScriptedVictim(lambda text: np.array([len(text) / 2]))  # every deletion moves it by a half
    (own,) = attack_rows(get("deepwordbug"), goal, [subject], victim)
    assert own.result == "succeeded" and abs(len(own.text) - len(subject.text)) == 2
    figures = summary([outcome(own, goal)])
    assert (figures["accuracy"], figures["accuracy_under_attack"], figures["edits"]) == (1.0, 0.0, 2.0)


def test_the_shift_is_a_fifth_of_the_range():
    """STS-B's is 1, as it was before others had their own, so that its ids stay."""
    attack = get("deepwordbug")
    for name, by in (("stsb", 1.0), ("sick_relatedness", 0.8), ("medical_question_similarity", 0.2)):
        assert attack.goal_for(tasks.get(name)) == dataclasses.replace(SHIFT, by=by)
    assert adapted(attack, shift=0.3).goal_for(tasks.get("stsb")).by == 0.3
    assert canonical(attack.goal_for(tasks.get("stsb")))["by"] == 1.0


TAGGING = Task("scripted", "token_classification", ("text",), FILES, ("O", "B-PER", "I-PER"), metric="entity_f1")


def tagged(text, tags):
    (subject,) = subjects(TAGGING, rows({"text": [text]}, Ragged.of([tags], np.int32)))
    return subject


def test_entities():
    """Only entity words that were right count: here the last."""
    subject = tagged("so Anna Smith", [0, 1, 2])
    clean = np.array([[9.0, 0, 0], [5, 0, 0], [0, 0, 3]])
    assert ANY_ENTITY.aim(subject, clean).tolist() == [2]
    other = np.array([[0, 9.0, 0], [0, 5, 0], [0, 0, 1]])
    scores, reached = ANY_ENTITY.judge(subject, np.array([2]), [clean, other, clean[::-1]])
    assert scores == pytest.approx([-3.0, -1.0, 9.0])
    assert reached.tolist() == [False, False, True]
    assert ANY_ENTITY.judge(subject, np.array([2]), [clean[:2]])[1].all()  # cut off
    assert ANY_ENTITY.aim(subject, np.eye(3)[[1, 0, 0]]) is None
    assert ANY_ENTITY.keeps_form(subject, "so Ana Smith") and not ANY_ENTITY.keeps_form(subject, "so An na Smith")
    assert not ANY_ENTITY.keeps_form(subject, "so  Smith")


def test_an_attack_on_tags_keeps_the_number_of_words():
    subject = tagged("yesterday Benjamin travelled to Stockholm", [0, 1, 0, 0, 1])

    def victim(text):
        return np.array([[0.0, 2.0 - 4 * (word not in subject.text.split(" ")), 0.0] for word in text.split(" ")])

    for name in ("textbugger", "charmer"):
        (own,) = attack_rows(get(name), ANY_ENTITY, [subject], ScriptedVictim(victim))
        assert own.result == "succeeded" and own.text.count(" ") == 4
        changed = [a != b for a, b in zip(own.text.split(" "), subject.text.split(" "), strict=True)]
        assert changed[1] or changed[4]


def test_answers():
    """The right answer is never edited, and the score of a less sure answer is nearer."""
    task = Task("scripted", "question_answering", ("question", "context"), FILES, metric="squad_f1")
    context = "The ward in Vienna was opened in 1784 by Joseph."
    answers = Answers(((Answer(context.index("1784"), "1784"),),))
    (subject,) = subjects(task, rows({"question": ["When?"], "context": [context]}, answers))
    assert subject.field == "context" and subject.label == ["1784"]
    assert ANSWER_LOST.aim(subject, ("Vienna", 3.0)) is None and ANSWER_LOST.aim(subject, ("1784", 3.0)) == ["1784"]
    scores, reached = ANSWER_LOST.judge(subject, ["1784"], [("1784", 3.0), ("1784", 0.0), ("in 1784", 9.0), ("", 1.0)])
    assert reached.tolist() == [False, False, True, True]
    assert (np.diff(scores) > 0).all() and scores[2:] == pytest.approx([2 - 2 / 3, 2])
    victim = ScriptedVictim(lambda text: ("1784" if "Vienna" in text else "Joseph", 1.0))
    for name in ("deepwordbug", "charmer"):
        (own,) = attack_rows(get(name), ANSWER_LOST, [subject], victim)
        assert "1784" in own.text and (name == "charmer" or own.result == "succeeded")


def test_a_kind_without_a_goal_is_named():
    with pytest.raises(InputError, match="no attack has a goal for tasks of kind 'retrieval'; expected classification"):
        goal_for("retrieval")
