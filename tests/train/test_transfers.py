"""The state is donated to each step, and nothing is transferred implicitly."""

import dataclasses

import jax
import numpy as np
import pytest

from itt_jax.config import Recipe
from itt_jax.train import loop
from itt_jax.train.predict import predict
from itt_jax.train.stage import fine_tune
from tests.train.toy import task_data, tiny_encoder, toy_examples, toy_task

RECIPE = Recipe(
    steps=3, batch_size=16, max_length=32, evaluate_every=1, checkpoint_every=1, packed=False, dropout=False
)


def tuned(directory=None):
    encoder = tiny_encoder("bert")
    task = toy_task(encoder, 40)
    params = {"encoder": encoder.init(jax.random.key(0))}
    return fine_tune(encoder, [task], task, params, RECIPE, 1e-3, 0, directory, lambda *told: None), params


@pytest.mark.slow
def test_the_state_before_a_step_is_donated_to_it(monkeypatch):
    states = []
    train = loop.Stack.train
    monkeypatch.setattr(loop.Stack, "train", lambda stack: states.append(stack.state) or train(stack))
    result, params = tuned()
    leaves = jax.tree.leaves_with_path(states)
    assert len(leaves) > 3 * len(jax.tree.leaves(params))  # parameters, two moments, counters
    assert [jax.tree_util.keystr(path) for path, leaf in leaves if not leaf.is_deleted()] == []
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(params))  # the caller's are not donated
    assert result.steps == 3


@pytest.mark.slow
def test_nothing_is_transferred_implicitly_in_training(monkeypatch, tmp_path):
    train = loop.Stack.train

    def guarded(stack):
        with jax.transfer_guard("disallow"):
            return train(stack)

    monkeypatch.setattr(loop.Stack, "train", guarded)
    result, _ = tuned(tmp_path)
    assert len(result.dev_history) == 3


@pytest.mark.parametrize("kind", ["classification", "token_classification"])
@pytest.mark.parametrize("place", [jax.device_put, jax.device_get])
def test_nothing_is_transferred_implicitly_in_prediction(kind, place):
    encoder = tiny_encoder("bert")
    if kind == "token_classification":
        examples = toy_examples("bert", 20)
        anchors = np.flatnonzero(examples.fields)
        labels = np.where(examples.fields, 0, -1).astype(np.int32)
        examples = dataclasses.replace(examples, anchors=anchors, labels=labels)
        task = task_data(encoder, "token_classification", examples, 3)
    else:
        task = toy_task(encoder, 20)
    params = place({"encoder": encoder.init(jax.random.key(0)), "head": task.head.init(jax.random.key(1))})
    with jax.transfer_guard("disallow"):
        found = predict(encoder, task.head, params, task.examples)
    assert np.isfinite(found).all() and len(found) == (20 if kind == "classification" else len(task.examples.anchors))
