"""Training on answers: the loss is that of single examples, and a tiny encoder learns a tiny set by heart."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
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

FAMILIES = ["bert", "roberta", "xlnet"]
PEOPLE = {"Ada": ("Rome", "1815"), "Omar": ("Cairo", "1901"), "Mei": ("Lima", "1920"), "Jan": ("Oslo", "1877")}


def tiny_set() -> tuple[list[str], list[str], Answers]:
    """Questions whose answer depends on the question: where somebody lived, or when."""
    questions, contexts, answers = [], [], []
    for person, (place, year) in PEOPLE.items():
        for other in PEOPLE:
            context = f"{other} left town early. {person} lived in {place} since {year}, near the river."
            for question, answer in ((f"Where did {person} live?", place), (f"Since when did {person}?", year)):
                questions.append(question)
                contexts.append(context)
                answers.append((Answer(context.index(answer), answer),))
    return questions, contexts, Answers(tuple(answers))


@pytest.fixture(scope="module", params=FAMILIES)
def made(request):
    questions, contexts, answers = tiny_set()
    tokenizer = train_tokenizer(questions + contexts, request.param, 330 if request.param == "roberta" else 120)
    sizes = {"layers": 2, "width": 32, "heads": 2, "feed_forward": 64, "vocabulary_size": tokenizer.vocabulary_size}
    if request.param != "xlnet":
        sizes["max_positions"] = 100
    encoder = make_encoder(request.param, pad_id=tokenizer.pad_id, **sizes)
    examples = span_examples(tokenizer, questions, contexts, 96, "en", answers)
    return encoder, examples, Gold(answers.texts, (), "en", examples, {"context": contexts})


@pytest.mark.slow
def test_packed_loss_is_that_of_single_examples(made):
    encoder, examples, _ = made
    head = make_head(encoder, "question_answering", 2)
    params = {"encoder": encoder.init(jax.random.key(0)), "heads": (head.init(jax.random.key(1)),)}
    params = jax.tree.map(lambda leaf: leaf * 4, params)
    chosen = np.arange(0, len(examples), 3)
    objective = TaskObjective(encoder, head, 0, False)
    plan = packing.plan_rows(examples.lengths, len(chosen), 64)
    losses, own = [], {"encoder": params["encoder"], "head": params["heads"][0]}
    alone = jax.jit(lambda batch: apply_model(encoder, head, own, batch))
    for index in chosen:
        batch = packing.pad_step(examples, [index], int(examples.lengths.max()), 1)
        scores = alone(jax.tree.map(jnp.asarray, batch))[0, : examples.lengths[index]]
        labels = batch.by_row["labels"][0]
        gold = [int(np.flatnonzero(labels & mark)[0]) for mark in (FIRST, LAST)]
        found = optax.softmax_cross_entropy_with_integer_labels(scores.T, jnp.array(gold))
        losses.append(float(found.mean()))
    batch = packing.pack_step(examples, chosen, plan, len(chosen) + 2)  # two slots stay empty
    gradient_of = jax.jit(jax.value_and_grad(objective, has_aux=True))
    (total, weight), gradient = gradient_of(params, jax.tree.map(jnp.asarray, batch), jax.random.key(0))
    assert weight == len(chosen)
    np.testing.assert_allclose(total, sum(losses), rtol=2e-5)
    padded = packing.pad_step(examples, chosen, 64, len(chosen))
    _, expected = gradient_of(params, jax.tree.map(jnp.asarray, padded), jax.random.key(0))
    for found, other in zip(jax.tree.leaves(gradient), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, other, atol=2e-4 * max(1, float(jnp.abs(other).max())))


@pytest.mark.slow
@pytest.mark.parametrize("made", ["roberta"], indirect=True)  # what differs by family is in the test above
def test_a_tiny_set_is_learned_by_heart(made):
    encoder, examples, gold = made
    head = make_head(encoder, "question_answering", 2)
    task = TaskData("tiny", head, examples, kind("question_answering"), 1, gold)
    recipe = Recipe(steps=150, batch_size=32, max_length=96, dropout=False, evaluate_every=100, warmup=0.1)
    params = {"encoder": encoder.init(jax.random.key(0))}
    result = fine_tune(encoder, [task], task, params, recipe, 1e-2, 0)
    scores = predict(encoder, head, result.params, examples)
    assert kind("question_answering").dev_value(metric("squad_exact_match"), scores, gold) == 1
    assert max(score for _, score in result.dev_history) == 1
    assert scores.shape == (len(examples), 4)
