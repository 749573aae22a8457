"""One step: packing, padding, microbatches and compiled programs do not change the result."""

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
from itt_jax.train.step import train_program
from tests.train.toy import (
    FAMILIES,
    QUICK_FAMILIES,
    assert_close,
    drawn_params,
    loss_and_gradient,
    outputs_of,
    own_params,
    packed_and_padded_loss,
    same,
    step_of,
    tiny_encoder,
    toy_task,
)

ITEMS = np.arange(3, 15)


def model(family, pooling="pretrained", **options):
    encoder = tiny_encoder(family)
    task = toy_task(encoder, 40, pooling=pooling, **options)
    return task, drawn_params(encoder, task.head)


@pytest.mark.parametrize("family", QUICK_FAMILIES)
def test_packed_loss_and_gradient_equal_padded(family):
    packed_and_padded_loss(*model(family), ITEMS)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_packed_regression_equals_padded(family):
    packed_and_padded_loss(*model(family, "max_mean", regression=True), ITEMS)


@pytest.mark.slow
def test_microbatches_and_empty_slots_change_nothing():
    task, params = model("bert")
    objective = TaskObjective(task.head.encoder, task.head, 0, dropout=False)
    plan = packing.plan_rows(task.examples.lengths, 4, 32)
    parts = [packing.pack_step(task.examples, part, plan, 4) for part in np.split(np.arange(12), 3)]
    whole = packing.pad_step(task.examples, np.arange(12), 32, 16)
    found, expected = (loss_and_gradient(objective, params, batches, scan=True) for batches in (parts, [whole]))
    assert_close(found, expected)


@pytest.mark.parametrize("family", QUICK_FAMILIES)
def test_pretrained_pooling_reads_and_trains_the_layer_before_the_classifier(family):
    task, params = model(family)
    room, name = ("encoder", "pooler") if family == "bert" else ("head", "dense")  # BERT's is the encoder's own
    own = own_params(params)
    assert (name in own["head"]) == (family != "bert")
    scores = predict(task.head.encoder, task.head, own, task.examples)
    silent = {name: jax.tree.map(np.zeros_like, own[room][name])}
    muted = predict(task.head.encoder, task.head, own | {room: own[room] | silent}, task.examples)
    assert same(muted, np.broadcast_to(own["head"]["output"]["bias"], muted.shape)) and not same(scores, muted)
    objective = TaskObjective(task.head.encoder, task.head, 0, dropout=False, choices=1)
    slots = len(ITEMS) + 2
    plan = packing.plan_rows(task.examples.lengths, len(ITEMS), 32)
    batch = packing.pack_step(task.examples, ITEMS, plan, slots)
    gradient = own_params(loss_and_gradient(objective, params, [batch], rows=slots)[1])
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient[room][name]))


@pytest.mark.parametrize("family", QUICK_FAMILIES)
def test_predictions_are_in_the_order_of_the_examples(family):
    task, params = model(family)
    found = predict(task.head.encoder, task.head, own_params(params), task.examples)
    np.testing.assert_allclose(found, outputs_of(task, own_params(params), np.arange(40))[:40], atol=1e-5)


@pytest.mark.slow
def test_a_step_of_one_run_copies_no_table_or_kernel():
    task, params = model("bert")
    optimizer = make_optimizer(Recipe())
    state = TrainState(params, optimizer.init(params), Rates.create(1e-3, 1.0, 10, 0.1), jnp.zeros((), int), True)
    plan = packing.plan_rows(task.examples.lengths, 4, 32)
    batch = step_of([packing.pack_step(task.examples, np.arange(4), plan, 4)])
    given = (stacked([state]), stacked([batch]), jax.random.key(0)[None], jnp.ones(1, bool))
    objective = TaskObjective(task.head.encoder, task.head, 0, True, 1)
    run = train_program(*given, objective=objective, optimizer=optimizer).result().run
    copied = re.findall(r"f32\[1,(\d+),(\d+)\]\S* copy\(%?state_", run.as_text())
    assert copied == [] and "copy(" in run.as_text()


@pytest.mark.slow
def test_learning_rate_seed_and_length_share_one_program():
    task, params = model("bert")
    recipe = Recipe(steps=2, batch_size=8, max_length=32, packed=False, dropout=False)

    def run(task, rate, seed, steps):
        own = dataclasses.replace(recipe, steps=steps)
        stage.fine_tune(task.head.encoder, [task], None, {"encoder": params["encoder"]}, own, rate, seed)

    run(task, 1e-3, 0, 2)
    programs = set(compiling._programs)
    run(task, 1e-4, 1, 3)
    run(dataclasses.replace(toy_task(task.head.encoder, 50, seed=5, pooling="pretrained"), name="another"), 1e-3, 0, 2)
    assert set(compiling._programs) == programs
