"""An encoder as a victim: the same outputs as an evaluation, texts with equal ids once."""

import functools

import jax
import numpy as np
import pytest

from itt_jax import kinds, tasks
from itt_jax.attack import attack_rows, get, subjects
from itt_jax.attack.victim import EncoderVictim
from itt_jax.data.answers import Answer, Answers
from itt_jax.data.rows import Rows
from itt_jax.data.sources import Embedded
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import NotFiniteError
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.models import make_encoder, make_head
from itt_jax.tasks import Task
from itt_jax.train.predict import predict

pytestmark = pytest.mark.slow

KINDS = {
    "classification": "embedded_sentiment_legal",
    "pair": "embedded_inference_general",
    "regression": "embedded_similarity_general",
    "token_classification": "embedded_entities_general",
    "question_answering": "answers",
}


def questions():
    """A task of answers to questions, and two rows."""
    task = Task("answers", "question_answering", ("question", "context"), (Embedded(KINDS["pair"]),), metric="squad_f1")
    contexts = ["The ward in Vienna was opened in 1784 by Joseph.", "The clinic in Graz closed in 1901."]
    answers = Answers(
        tuple((Answer(text.index(own), own),) for text, own in zip(contexts, ("1784", "1901"), strict=True))
    )
    fields = {"question": ["When did it open?", "When did it close?"], "context": contexts}
    return task, Rows("answers", "test", "en", "general", np.array(["a", "b"]), fields, answers)


@functools.cache
def made(name: str, family: str = "bert"):
    """A task, some rows, and an untrained encoder with its head and its family's tokenizer."""
    if name == "answers":
        task, rows = questions()
    else:
        task = tasks.get(name)
        rows = tasks.limit(tasks.load_rows(task, "test", "en"), 6)
    kind = kinds.kind(task.kind)
    tokenizer = train_tokenizer(
        [text for texts in rows.fields.values() for text in texts], family, 150 if family == "bert" else 400
    )
    sizes = {"layers": 1, "width": 16, "heads": 2, "feed_forward": 16}
    encoder = make_encoder(family, **sizes, vocabulary_size=tokenizer.vocabulary_size, pad_id=tokenizer.pad_id)
    head = make_head(encoder, kind.head, kind.outputs(task))
    keys = jax.random.split(jax.random.key(0), 2)
    params = {"encoder": encoder.init(keys[0]), "head": head.init(keys[1])}
    params = jax.tree.map(lambda x: x * 20 if x.ndim > 1 else x, params)  # outputs that differ between texts
    return task, rows, tokenizer, encoder, head, params


@pytest.mark.parametrize("name", KINDS.values(), ids=KINDS)
def test_outputs_are_those_of_an_evaluation(name):
    task, rows, tokenizer, encoder, head, params = made(name)
    kind = kinds.kind(task.kind)
    form = kind.follow(task, rows, rows.fields, {}, np.zeros(len(rows), bool), 0.0)
    inputs = kind.inputs(task, tokenizer, rows, {CLEAN_FORM: form}, 64)
    scores = predict(encoder, head, params, inputs.examples)
    predictions, _, columns = kind.predicted(task, rows, form, inputs, scores, CLEAN_FORM)
    victim = EncoderVictim(task, tokenizer, encoder, head, params, 64)
    texts = list(zip(*rows.fields.values(), strict=True))
    outputs = victim.outputs([*texts, texts[1]], "en")
    assert len(outputs) == len(rows) + 1
    for i, output in enumerate(outputs):
        i = 1 if i == len(rows) else i
        if task.kind == "question_answering":
            assert output[0] == predictions[i] and output[1] == pytest.approx(columns["scores"][i][0], abs=1e-5)
        elif task.kind == "token_classification":
            assert output.argmax(1).tolist() == predictions[i].tolist()
        else:
            np.testing.assert_allclose(output, columns["scores"][i], atol=1e-5)


@pytest.mark.parametrize("name", KINDS.values(), ids=KINDS)
def test_every_kind_is_attacked(name):
    task, rows, *model = made(name)
    victim = EncoderVictim(task, *model, 64)
    cases = subjects(task, rows)
    recipe = get("deepwordbug")
    found = attack_rows(recipe, recipe.goal_for(task), cases, victim)
    attacked = [own for own in found if own.result != "skipped"]
    assert [own.subject for own in found] == cases
    assert all(own.text != own.subject.text for own in found if own.result == "succeeded")
    assert victim.computed <= sum(own.queries for own in found) and (attacked or task.kind == "question_answering")


def test_equal_ids_are_computed_once():
    task, _, tokenizer, *model = made("embedded_sentiment_legal")
    victim = EncoderVictim(task, tokenizer, *model, 64)
    texts = [("The court",), ("the court",), ("The  court",), ("another",)]
    ids = {tuple(own.tolist()) for own in tokenizer.encode([text for (text,) in texts]).arrays()}
    outputs = victim.outputs(texts, "en")
    assert victim.computed == len(ids) == 3 and np.array_equal(outputs[0], outputs[2])


def test_outputs_that_are_not_finite_name_the_text():
    task, _, tokenizer, encoder, head, params = made("embedded_sentiment_legal")
    params = params | {"head": jax.tree.map(lambda x: x * np.nan, params["head"])}
    with pytest.raises(NotFiniteError, match="not finite for 'The court'"):
        EncoderVictim(task, tokenizer, encoder, head, params, 64).outputs([("The court",)], "en")
