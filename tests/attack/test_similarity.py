"""Similarity under a given encoder: cosines, the constraint, the metric, and what is refused."""

import dataclasses
import shutil

import numpy as np
import pytest

from itt_jax import attack, tasks
from itt_jax.attack.constraints import Similar
from itt_jax.attack.lockstep import attack_rows
from itt_jax.attack.outcomes import outcomes_of, summary
from itt_jax.attack.similarity import sentence_encoder
from itt_jax.errors import InputError
from itt_jax.study.adversaries import attack_identity
from tests.system.runs import untrained

TASK = tasks.get("embedded_sentiment_legal")


class Odd:
    """A victim that takes texts of even length for class 1; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def outputs(self, texts, language):
        self.asked += [text for (text,) in texts]
        return [np.array([0.0, 1.0 if len(text) % 2 == 0 else -1.0]) for (text,) in texts]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return str(untrained(tmp_path_factory.mktemp("similarity") / "encoder", TASK))


@pytest.fixture(scope="module")
def cases():
    rows = tasks.limit(tasks.load_rows(TASK, "test", "en"), 6)
    return attack.subjects(TASK, rows)


@pytest.mark.slow
def test_cosines_are_one_for_the_text_itself_and_the_same_in_any_company(encoder):
    own, clean = sentence_encoder(encoder), "The court heard the case."
    texts = ["The court heard.", clean, "Teh cuort haerd teh csae."]
    found = own.cosines(clean, texts, "en")
    assert found[1] == pytest.approx(1, abs=1e-5) and (found <= 1 + 1e-5).all() and len(set(found.tolist())) == 3
    alone = [own.cosines(clean, [text], "en")[0] for text in texts]
    np.testing.assert_allclose(found, alone, atol=1e-5)
    assert found[0] == pytest.approx(own.cosines(texts[0], [clean], "en")[0], abs=1e-5)


@pytest.mark.slow
def test_only_similar_texts_are_asked_about(encoder, cases):
    plain = attack.get("random")
    goal, free = plain.goal_for(TASK), Odd()
    attack_rows(plain, goal, cases[:1], free)
    clean, own = cases[0], sentence_encoder(encoder)
    cosines = own.cosines(clean.text, free.asked, "en")
    least = float(np.median(cosines))
    held = Odd()
    attack_rows(attack.adapted(plain, similarity=encoder, least_similarity=least), goal, cases[:1], held)
    asked = [text for text in held.asked if text != clean.text]
    assert (own.cosines(clean.text, asked, "en") >= least - 1e-5).all() and cosines.min() < least


@pytest.mark.slow
def test_outcomes_show_the_similarity_that_is_measured(encoder, cases):
    recipe = attack.adapted(attack.get("pruthi"), similarity=encoder)
    goal = recipe.goal_for(TASK)
    attempts = attack_rows(recipe, goal, cases, Odd())
    found = outcomes_of(attempts, recipe, goal)
    own = sentence_encoder(encoder)
    for outcome, case in zip(found, cases, strict=True):
        assert outcome.similarity == pytest.approx(own.cosines(case.text, [outcome.text], "en")[0], abs=1e-5)
    won = [outcome.similarity for outcome in found if outcome.result == "succeeded"]
    assert won and summary(found)["similarity"] == pytest.approx(np.mean(won))
    bare = outcomes_of(attempts, attack.get("pruthi"), goal)
    assert [dataclasses.replace(outcome, similarity=None) for outcome in found] == bare


@pytest.mark.slow
def test_the_encoder_counts_by_content_and_the_threshold_by_value(encoder, tmp_path):
    goal = attack.get("pruthi").goal_for(TASK)

    def identity(folder, least):
        own = attack.adapted(attack.get("pruthi"), similarity=str(folder), least_similarity=least)
        return attack_identity(own, goal, ["en"])

    copy = shutil.copytree(encoder, tmp_path / "copy")
    assert identity(copy, 0.8) == identity(encoder, 0.8) != identity(encoder, 0.9)


def test_what_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such directory"):
        Similar(str(tmp_path / "none")).check()
    with pytest.raises(InputError, match="expected a cosine from -1 to 1"):
        Similar("x", 1.5)
    with pytest.raises(InputError, match="--least-similarity goes with --similarity"):
        attack.adapted(attack.get("pruthi"), least_similarity=0.5)
