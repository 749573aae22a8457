"""Hardened objectives against their definitions, packed and padded, and in the one loop."""

import dataclasses
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.errors import InputError
from itt_jax.models import apply_model, make_head
from itt_jax.study.hardening import PGD, SMART, Augmented, FreeLB, WorstOf
from itt_jax.train.jobs import Job
from itt_jax.train.objectives import TaskObjective, hardened
from itt_jax.train.objectives.embedding_noise import draws, initial_perturbation, next_perturbation, norms
from itt_jax.train.stage import fine_tune_stack
from itt_jax.train.task_feeds import run_flops
from tests.train.toy import (
    assert_close,
    drawn_params,
    killed_after,
    loss_and_gradient,
    own_params,
    same,
    tiny_encoder,
    toy_examples,
    toy_task,
)

RECIPE = Recipe(steps=3, batch_size=8, max_length=32, packed=False, dropout=False, warmup=0.0, keep="last")
RADIUS = 0.4
ROOT = pathlib.Path(__file__).parents[2]
AT_EMBEDDINGS = (
    PGD(radius=RADIUS),
    FreeLB(steps=3, radius=RADIUS),
    SMART(weight=9.0, start=0.1, radius=0.3, step_size=0.3),
)


def forms_of(family: str, count: int, draws: int, seed: int = 0):
    """Draws of random texts, a function of example and epoch; lengths differ from form to form."""

    def draw(indices, epochs):
        sets = [[toy_examples(family, count, seed + 100 * k + epoch) for epoch in range(4)] for k in range(draws)]
        clean = toy_examples(family, count, seed)
        found = []
        for own in sets:
            pieces = [own[epoch].select(np.array([index])) for index, epoch in zip(indices, epochs, strict=True)]
            joined = type(clean).joined(pieces)
            found.append(dataclasses.replace(joined, labels=clean.labels[indices]))
        return found

    return draw


def job_of(encoder, hardening, draws, seed=0, steps=3):
    task = toy_task(encoder, 20)
    if draws:
        task = dataclasses.replace(task, forms=forms_of(encoder.family, 20, draws))
    recipe = dataclasses.replace(RECIPE, steps=steps)
    params = {"encoder": encoder.init(jax.random.key(seed))}
    return Job([task], None, params, recipe, 1e-3 * (seed + 1), seed, hardening=hardening)


# --- Worst of K


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("family", ["bert", pytest.param("xlnet", marks=pytest.mark.volume)])
def test_the_worst_of_k_is_the_largest_loss_of_each_item(family):
    encoder = tiny_encoder(family)
    task = toy_task(encoder, 20, pooling="cls")
    params, indices = drawn_params(encoder, task.head), np.arange(6)
    forms = forms_of(family, 20, 3)(indices, np.zeros(6, int))
    plan = packing.plan_rows(packing.longest(forms), 6, 32)
    own = TaskObjective(encoder, task.head, 0, dropout=False)
    packed, padded = (packing.pack_forms(forms, given, plan.length, 8) for given in (plan, None))
    alone = [packing.pad_step(form, indices, plan.length, 8) for form in forms]
    item_losses = jax.jit(lambda batch: own.item_losses(params, batch, None))
    losses = np.array([item_losses(batch) for batch in alone])[:, :6]
    assert len(set(losses.argmax(0).tolist())) > 1
    objective = hardened(own, WorstOf(3))
    found = [loss_and_gradient(objective, params, [batch], rows=8) for batch in (padded, packed)]
    np.testing.assert_allclose(found[0][0], losses.max(0).mean(), rtol=1e-5)
    assert_close(found[1], found[0])
    # The gradient is that of training on the chosen forms alone.
    worst = type(forms[0]).joined([forms[k].select(np.array([i])) for i, k in enumerate(losses.argmax(0))])
    assert_close(found[1], loss_and_gradient(own, params, [packing.pad_step(worst, indices, plan.length, 8)]))


@pytest.mark.slow
@pytest.mark.volume
def test_equal_forms_give_the_plain_loss_dropout_included():
    encoder = tiny_encoder("bert")
    task = toy_task(encoder, 20, pooling="cls")
    params, own = drawn_params(encoder, task.head), TaskObjective(encoder, task.head, 0, dropout=True)
    step = task.examples.select(np.arange(6))
    plan = packing.plan_rows(step.lengths, 6, 32)
    one, four = (packing.pack_forms([step] * count, plan, 32, 6) for count in (1, 4))
    assert_close(loss_and_gradient(hardened(own, WorstOf(4)), params, [four]), loss_and_gradient(own, params, [one]))


# --- Embeddings


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("hardening", AT_EMBEDDINGS, ids=lambda one: type(one).__name__)
def test_moved_embeddings_do_not_depend_on_packing(hardening):
    encoder = tiny_encoder("bert")
    task = toy_task(encoder, 20, pooling="cls")
    params, step = drawn_params(encoder, task.head), task.examples.select(np.arange(6))
    objective = hardened(TaskObjective(encoder, task.head, 0, dropout=False), hardening)
    plan = packing.plan_rows(step.lengths, 6, 32)
    batches = [packing.pack_forms([step], given, plan.length, 8) for given in (plan, None)]
    packed, padded = (loss_and_gradient(objective, params, [batch], rows=8) for batch in batches)
    assert_close(packed, padded)
    plain = loss_and_gradient(TaskObjective(encoder, task.head, 0, dropout=False), params, [batches[1]])
    assert packed[0] > plain[0] + 1e-3


def plain_loss(encoder, head, params, batch, moved):
    """The mean loss at moved embeddings, written out."""
    table = params["encoder"]["embeddings"]["word"]["embedding"]
    embeddings = table[batch.by_row["input_ids"]] + moved
    logits = apply_model(encoder, head, own_params(params), batch, input_embeddings=embeddings)
    labels = batch.by_example["labels"]
    return jnp.sum(jax.nn.logsumexp(logits, -1) - logits[jnp.arange(len(labels)), labels]) / len(labels), logits


def one_by_one(moved, gradient, batch, settings):
    """An ascent and its projection for padded rows, in numpy."""
    for row in range(len(moved)):
        moved[row] += settings.step_size * gradient[row] / np.linalg.norm(gradient[row])
        moved[row] *= min(1.0, settings.radius / np.linalg.norm(moved[row]))
    return moved


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("hardening", [PGD(steps=2, radius=0.25), FreeLB(steps=3, radius=0.25)])
def test_the_gradient_is_that_of_the_definition(hardening):
    """PGD: at the last point of the ascent; FreeLB: the mean over its first `steps` points."""
    encoder = tiny_encoder("bert")
    task = toy_task(encoder, 20, pooling="cls")
    params, step = drawn_params(encoder, task.head), task.examples.select(np.arange(6))
    own = TaskObjective(encoder, task.head, 0, dropout=False)
    batch = packing.pack_forms([step], None, 24, 6)
    key = jax.random.fold_in(jax.random.key(0), 0)  # of the first microbatch
    differentiate = jax.jit(
        jax.value_and_grad(
            lambda params, moved: plain_loss(encoder, task.head, params, batch, moved)[0], argnums=(0, 1)
        )
    )
    moved, points = np.array(initial_perturbation(own, batch, key, hardening.start)), []
    for _ in range(hardening.steps + 1):
        value, (gradient, by_embedding) = differentiate(params, moved)
        points.append((value, gradient))
        moved = one_by_one(moved, np.array(by_embedding), batch, hardening)
    used = points[:-1] if isinstance(hardening, FreeLB) else points[-1:]
    expected = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *used)
    assert_close(loss_and_gradient(hardened(own, hardening), params, [batch]), expected)


@pytest.mark.slow
@pytest.mark.volume
def test_perturbations_start_inside_the_ball_and_stay_there():
    encoder = tiny_encoder("bert")
    task = toy_task(encoder, 20, pooling="cls")
    own, step = TaskObjective(encoder, task.head, 0, dropout=False), task.examples.select(np.arange(6))
    batch = packing.pack_forms([step], packing.plan_rows(step.lengths, 6, 32), 32, 6)
    real = batch.by_row["example_ids"] < 6
    start = initial_perturbation(own, batch, jax.random.key(1), 0.2)
    found = np.array(norms(start, batch))[..., 0]
    assert (found[real] < 0.2).all() and (found[real] > 0.08).all() and not found[~real].any()
    settings = PGD(step_size=5.0, radius=0.3)
    gradient = np.random.default_rng(0).normal(size=start.shape) * real[..., None]
    moved = next_perturbation(start, gradient, batch, settings)
    np.testing.assert_allclose(np.array(norms(moved, batch))[real], 0.3, rtol=1e-5)
    near = next_perturbation(start, gradient, batch, PGD(step_size=1e-3, radius=0.3))  # inside: not scaled
    sizes = np.array(norms(near - start, batch))[real]
    np.testing.assert_allclose(sizes, 1e-3, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.volume
def test_smart_adds_the_divergence_at_the_moved_embeddings():
    encoder = tiny_encoder("bert")
    task = toy_task(encoder, 20, pooling="cls")
    params, step = drawn_params(encoder, task.head), task.examples.select(np.arange(6))
    own, batch = TaskObjective(encoder, task.head, 0, dropout=False), packing.pack_forms([step], None, 24, 6)
    settings = SMART(weight=3.0, steps=2, start=0.05, step_size=0.1, radius=0.15)
    key = jax.random.fold_in(jax.random.key(0), 0)

    @jax.jit
    def divergence(moved):
        (loss, clean), (_, near) = (
            plain_loss(encoder, task.head, params, batch, values) for values in (0 * moved, moved)
        )
        p, q = jax.nn.softmax(clean), jax.nn.softmax(near)
        return jnp.sum(p * jnp.log(p / q) + q * jnp.log(q / p)), loss

    by_embedding = jax.jit(jax.grad(lambda moved: divergence(moved)[0]))
    moved = settings.start * draws(own, batch, key, jax.random.normal)
    for _ in range(settings.steps):
        gradient = by_embedding(moved)
        scale = np.abs(gradient).max(-1, keepdims=True)
        moved = np.clip(moved + settings.step_size * gradient / np.where(scale > 0, scale, 1), -0.15, 0.15)
    apart, loss = divergence(moved)
    assert apart > 0.01
    found, _ = loss_and_gradient(hardened(own, settings), params, [batch])
    np.testing.assert_allclose(found, loss + 3.0 * apart / 6, rtol=1e-4)


# --- In the loop

WAYS = {"augmented": (Augmented(), 1), "worst_of": (WorstOf(3), 3)} | {
    type(one).__name__: (one, 0) for one in AT_EMBEDDINGS
}


def volume(value: str):
    return pytest.param(value, marks=pytest.mark.volume)


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("way", ["worst_of", *map(volume, ("augmented", "FreeLB", "PGD", "SMART"))])
def test_hardened_runs_together_and_resumed_are_as_alone(way, tmp_path):
    hardening, draws = WAYS[way]
    encoder = tiny_encoder("bert")
    jobs = [job_of(encoder, hardening, draws, seed, steps) for seed, steps in enumerate((3, 4))]
    alone = [fine_tune_stack(encoder, [job])[0] for job in jobs]
    for found, expected in zip(fine_tune_stack(encoder, jobs), alone, strict=True):
        np.testing.assert_allclose(found.losses[-1][1], expected.losses[-1][1], rtol=1e-5)
        assert (found.tokens, found.flops) == (expected.tokens, expected.flops)
        for one, other in zip(jax.tree.leaves(found.params), jax.tree.leaves(expected.params), strict=True):
            np.testing.assert_allclose(one, other, atol=2e-4)
    recipe = dataclasses.replace(jobs[1].recipe, checkpoint_every=2)
    saved = dataclasses.replace(jobs[1], directory=tmp_path, recipe=recipe)
    with killed_after(3):
        fine_tune_stack(encoder, [saved])
    assert same(fine_tune_stack(encoder, [saved])[0].params, alone[1].params)
    task = jobs[0].tasks[0]
    wanted = run_flops(encoder, [task.examples], jobs[0].recipe, 0, hardening, [task.forms])
    assert alone[0].flops == pytest.approx(wanted)


@pytest.mark.slow
@pytest.mark.volume
def test_hardened_steps_on_four_devices_equal_one_device(tmp_path):
    command = [sys.executable, "-W", "error", "-m", "tests.train.hardened_step", str(tmp_path / "found.npz")]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = dict(np.load(tmp_path / "found.npz"))
    for way in ("worst_of", "FreeLB"):
        alone = {name: array for name, array in found.items() if name.startswith(f"{way}/alone/")}
        largest = max(np.abs(array).max() for name, array in alone.items() if "/params/" in name)
        assert largest > 1e-2
        for name, array in alone.items():
            scale = largest if "/params/" in name else np.abs(array).max()
            other = found[name.replace("/alone/", "/mesh/")]
            np.testing.assert_allclose(other, array, atol=2e-5 * scale, rtol=0, err_msg=name)


# --- Heads

HEADS = {"classification": (3, 1), "regression": (1, 1), "multilabel": (3, 1), "multiple_choice": (1, 2)}


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("kind", [*HEADS, "embedding", "question_answering", "token_classification"])
def test_the_losses_of_items_add_up_and_equal_outputs_do_not_diverge(kind):
    encoder, random = tiny_encoder("bert"), np.random.default_rng(0)
    outputs, choices = HEADS.get(kind, (2, 1))
    outputs, choices = (encoder.width, 2) if kind == "embedding" else (outputs, choices)
    head = make_head(encoder, kind, outputs)
    step = toy_examples("bert", 6).select(np.arange(6))
    batch = packing.pack_forms([step], packing.plan_rows(step.lengths, 6, 32), 32, 8)  # two slots are empty
    labels = {"regression": random.random(8), "multilabel": random.random((8, 3)) > 0.5}
    labels |= {"classification": random.integers(0, 3, 8), "multiple_choice": np.repeat([0, 1, 1, 0], 2)}
    by_token = np.where(batch.by_row["example_ids"] < 6, random.integers(-1, 2, batch.row_shape), -1)
    if kind == "question_answering":
        by_token = np.where(batch.by_row["example_ids"] < 6, 0, -1)
        by_token[batch.by_example["summary_rows"][:6], batch.by_example["summary_positions"][:6] + 1] = 3
    batch = batch._replace(
        by_row=batch.by_row | {"labels": by_token},
        by_example=batch.by_example | {"labels": labels.get(kind, np.zeros(8, int))},
    )
    params = {"head": {"scale": np.float32(5)}}
    shape = (8, outputs) if head.by_example else (*batch.row_shape, outputs)
    drawn, other = (random.normal(size=shape).astype("f4") for _ in range(2))
    if kind == "embedding":
        drawn /= np.linalg.norm(drawn, axis=-1, keepdims=True)
    total, weight = head.loss(params, drawn, batch, choices)
    items = np.array(head.kind.item_losses(head, params, drawn, batch, choices))
    assert items.shape == (8 // choices,) and (items[: 6 // choices] > 0).all() and not items[6 // choices :].any()
    if kind == "token_classification":  # means over the tokens of each example
        counts = np.bincount(batch.by_row["example_ids"][by_token >= 0], minlength=8)
        np.testing.assert_allclose((items * counts[:8]).sum(), total, rtol=1e-5)
    else:
        np.testing.assert_allclose(items.sum(), total, rtol=1e-5)
    if kind == "embedding":
        with pytest.raises(InputError, match="embedding head has no divergence"):
            head.kind.divergence(drawn, other, batch, choices)
    else:
        assert head.kind.divergence(drawn, drawn, batch, choices) == 0
        assert head.kind.divergence(drawn, other, batch, choices) > 0.1 * weight
