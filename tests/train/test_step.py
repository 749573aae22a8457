"""One step: packing, padding, microbatches and compiled programs change nothing but time."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.train import compiling, stage
from itt_jax.train.objectives import TaskObjective
from itt_jax.train.optimizer import make_optimizer
from itt_jax.train.predict import predict
from itt_jax.train.state import Rates, TrainState, stacked
from itt_jax.train.step import summed_gradients, train_program
from tests.train.toy import FAMILIES, redrawn, scores_of, step_of, tiny_encoder, toy_task

# Float32 sums in another order: relative to the largest gradient of the tree.
ROUNDING = 2e-5


def model(family, pooling="pretrained", **options):
    encoder = tiny_encoder(family, layers=1)
    task = toy_task(encoder, 40, pooling=pooling, **options)
    return encoder, task, redrawn({"encoder": encoder.shapes(), "heads": (task.head.shapes(),)})


def loss_and_gradient(task, params, batches):
    objective = TaskObjective(task.head.encoder, task.head, 0, dropout=False, choices=task.examples.choices)
    optimizer = make_optimizer(Recipe())
    step = jax.jit(lambda params, batch: summed_gradients(params, batch, jax.random.key(0), objective, optimizer))
    total, weight, gradients = step(params, step_of(batches))
    return total / weight, jax.tree.map(lambda leaf: leaf / weight, gradients)


def assert_close(found, expected):
    largest = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(expected[1]))
    np.testing.assert_allclose(found[0], expected[0], rtol=ROUNDING, equal_nan=False)
    for one, other in zip(jax.tree.leaves(found[1]), jax.tree.leaves(expected[1]), strict=True):
        np.testing.assert_allclose(one, other, atol=ROUNDING * largest, rtol=0, equal_nan=False)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("pooling", "regression"), [("pretrained", False), ("max_mean", True)])
def test_packed_loss_and_gradient_equal_padded(family, pooling, regression):
    _, task, params = model(family, pooling, regression=regression)
    indices = np.arange(3, 15)
    plan = packing.plan_rows(task.examples.lengths, len(indices), 32)
    packed = packing.pack_step(task.examples, indices, plan, len(indices))
    padded = packing.pad_step(task.examples, indices, 24, len(indices))
    assert packed.by_row["segment_ids"].max() > 1 and packed.row_shape[0] < padded.row_shape[0]
    assert_close(loss_and_gradient(task, params, [packed]), loss_and_gradient(task, params, [padded]))


def test_microbatches_and_empty_slots_change_nothing():
    _, task, params = model("bert")
    indices = np.arange(12)
    plan = packing.plan_rows(task.examples.lengths, 4, 32)
    parts = [packing.pack_step(task.examples, part, plan, 4) for part in np.split(indices, 3)]
    whole = packing.pad_step(task.examples, indices, 32, 16)
    assert_close(loss_and_gradient(task, params, parts), loss_and_gradient(task, params, [whole]))


def test_an_update_of_one_run_copies_no_table_or_kernel():
    _, task, params = model("bert")
    optimizer = make_optimizer(Recipe())
    state = TrainState(params, optimizer.init(params), Rates.create(1e-3, 1.0, 10, 0.1), jnp.zeros((), int), True)
    plan = packing.plan_rows(task.examples.lengths, 4, 32)
    batch = step_of([packing.pack_step(task.examples, np.arange(4), plan, 4)])
    given = (stacked([state]), stacked([batch]), jax.random.key(0)[None], jnp.ones(1, bool))
    objective = TaskObjective(task.head.encoder, task.head, 0, True, 1)
    run = train_program(*given, objective=objective, optimizer=optimizer).result().run
    copied = re.findall(r"f32\[1,(\d+),(\d+)\]\S* copy\(%?state_", run.as_text())
    assert copied == [] and "copy(" in run.as_text()


def test_learning_rate_seed_and_length_share_one_program():
    encoder, task, params = model("bert")
    given = {"encoder": params["encoder"]}
    run = lambda rate, seed, steps: stage.fine_tune(  # noqa: E731
        encoder, [task], None, given, Recipe(steps=steps, max_length=32, packed=False), rate, seed
    )
    run(1e-3, 0, 2)
    programs = set(compiling._programs)
    run(1e-4, 1, 3)
    other = dataclasses.replace(toy_task(encoder, 50, seed=5, pooling="pretrained"), name="another")
    stage.fine_tune(encoder, [other], None, given, Recipe(steps=2, max_length=32, packed=False), 1e-3, 0)
    assert set(compiling._programs) == programs


@pytest.mark.parametrize("family", FAMILIES)
def test_predictions_come_back_in_order(family):
    encoder, task, params = model(family)
    own = {"encoder": params["encoder"], "head": params["heads"][0]}
    found = predict(encoder, task.head, own, task.examples)
    batch = packing.pad_step(task.examples, np.arange(40), 24, 40)
    np.testing.assert_allclose(found, scores_of(encoder, task.head, own, batch), atol=1e-5)
