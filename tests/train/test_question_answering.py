"""Answers in a context: the packed loss is that of single examples, and a tiny encoder learns a tiny set by heart."""

import jax
import numpy as np
import pytest

from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.data.answers import Answer, Answers
from itt_jax.data.spans import FIRST, LAST, span_examples
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.kinds import kind
from itt_jax.kinds.kind import Gold
from itt_jax.metrics import metric
from itt_jax.models import apply_model, make_encoder, make_head
from itt_jax.train.jobs import TaskData
from itt_jax.train.objectives import TaskObjective
from itt_jax.train.predict import predict
from itt_jax.train.stage import fine_tune
from tests.train.toy import (
    BERT_FIRST,
    assert_close,
    drawn_params,
    loss_and_gradient,
    own_params,
)

PEOPLE = {"Ada": ("Rome", "1815"), "Omar": ("Cairo", "1901"), "Mei": ("Lima", "1920"), "Jan": ("Oslo", "1877")}


def tiny_set() -> tuple[list[str], list[str], Answers]:
    """Questions about where and since when somebody lived, so that the answer depends on the question."""
    questions, contexts, answers = [], [], []
    for person, (place, year) in PEOPLE.items():
        for other in PEOPLE:
            context = f"{other} left town early. {person} lived in {place} since {year}, near the river."
            for question, answer in ((f"Where did {person} live?", place), (f"Since when did {person}?", year)):
                questions.append(question)
                contexts.append(context)
                answers.append((Answer(context.index(answer), answer),))
    return questions, contexts, Answers(tuple(answers))


def made(family: str, layers: int):
    questions, contexts, answers = tiny_set()
    tokenizer = train_tokenizer(questions + contexts, family, 120 if family in ("bert", "xlnet") else 330)
    sizes = {"layers": layers, "width": 32, "heads": 2, "feed_forward": 64, "max_positions": 100}
    encoder = make_encoder(family, pad_id=tokenizer.pad_id, vocabulary_size=tokenizer.vocabulary_size, **sizes)
    examples = span_examples(tokenizer, questions, contexts, 96, "en", answers)
    gold = Gold(answers.texts, (), "en", examples, {"context": contexts})
    head = make_head(encoder, "question_answering", 2)
    return encoder, TaskData("tiny", head, examples, kind("question_answering"), 1, gold)


@pytest.mark.slow
@pytest.mark.parametrize("family", BERT_FIRST)
def test_packed_loss_is_that_of_single_examples(family):
    encoder, task = made(family, layers=1)
    examples, params = task.examples, drawn_params(encoder, task.head)
    chosen, length = np.arange(0, len(examples), 3), int(examples.lengths.max())
    slots = len(chosen) + 2  # two slots stay empty
    plan = packing.RowPlan(2 * length, (len(chosen),), 1.0)
    packed = packing.pack_step(examples, chosen, plan, slots)
    padded = packing.pad_step(examples, chosen, 2 * length, slots)
    assert packed.by_row["segment_ids"].max() > 1
    objective = TaskObjective(encoder, task.head, 0, False)
    found, expected = (loss_and_gradient(objective, params, [batch], rows=slots) for batch in (packed, padded))
    assert_close(found, expected)

    scores = jax.jit(lambda batch: apply_model(encoder, task.head, own_params(params), batch))(padded)
    log = []
    for row, index in enumerate(chosen):
        own = np.asarray(scores[row, : examples.lengths[index]])
        labels = padded.by_row["labels"][row, : len(own)]
        gold = [int(np.flatnonzero(labels & mark)[0]) for mark in (FIRST, LAST)]
        log.append((own - np.logaddexp.reduce(own, axis=0))[gold, [0, 1]].mean())
    np.testing.assert_allclose(found[0], -np.mean(log), rtol=2e-5)


@pytest.mark.slow
def test_a_tiny_set_is_learned_by_heart():
    encoder, task = made("roberta", layers=2)
    recipe = Recipe(steps=150, batch_size=32, max_length=96, dropout=False, evaluate_every=100, warmup=0.1)
    params = {"encoder": encoder.init(jax.random.key(0))}
    result = fine_tune(encoder, [task], task, params, recipe, 1e-2, 0)
    scores = predict(encoder, task.head, result.params, task.examples)
    assert task.kind.dev_value(metric("squad_exact_match"), scores, task.gold) == 1
    assert max(score for _, score in result.dev_history) == 1
    assert scores.shape == (len(task.examples), 4)
