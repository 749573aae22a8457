"""The schedule, the decay mask and the embedding factor, against values of transformers and by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.config import Recipe
from itt_jax.train.optimizer import NO_DECAY, learning_rate, make_optimizer, matches, path_name
from itt_jax.train.state import Rates
from tests.train.toy import FAMILIES, same, tiny_encoder


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        # transformers.get_scheduler(name, warmup 10, total 50) at steps 0, 5, 10, 20, 49, peak 1
        ("linear", [0.0, 0.5, 1.0, 0.75, 0.025]),
        ("cosine", [0.0, 0.5, 1.0, 0.8535533905932737, 0.0015413331334360182]),
        ("constant", [0.0, 0.5, 1.0, 1.0, 1.0]),
    ],
)
def test_schedule_has_the_values_of_transformers(schedule, expected):
    rates = Rates.create(1.0, 1.0, 50, 0.2)
    found = [float(learning_rate(rates, jnp.asarray(step), schedule)) for step in (0, 5, 10, 20, 49)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_stage_without_warmup_starts_at_the_peak():
    assert float(learning_rate(Rates.create(0.5, 1.0, 10, 0.0), jnp.asarray(0), "linear")) == 0.5


@pytest.mark.parametrize("family", FAMILIES)
def test_biases_and_norms_are_not_decayed(family):
    shapes = {"encoder": tiny_encoder(family).shapes()}
    spared = {path_name(p) for p, hit in jax.tree.leaves_with_path(matches(NO_DECAY, shapes)) if hit}
    vectors = {path_name(p) for p, leaf in jax.tree.leaves_with_path(shapes) if leaf.ndim == 1}
    biases = "encoder/layers/0/attention/biases"  # XLNet's are matrices
    matrices = {f"{biases}/{name}_bias" for name in ("content", "position", "segment")}
    assert spared == vectors | (matrices if family == "xlnet" else set())


@functools.cache
def step_by(optimizer):
    return jax.jit(lambda *given: optimizer.apply(*given, jnp.asarray(0))[0])


def one_step(recipe, params, gradients):
    optimizer = make_optimizer(recipe)
    rates = Rates.create(0.1, recipe.embedding_learning_rate, 10, 0.0)
    return step_by(optimizer)(params, gradients, jnp.asarray(1.0), optimizer.init(params), rates)


def test_step_equals_adamw_by_hand():
    params = {"encoder": {"layer": {"kernel": jnp.full((2,), 2.0), "bias": jnp.full((2,), 2.0)}}}
    gradients = jax.tree.map(lambda leaf: jnp.array([3.0, -4.0]), params)
    recipe = Recipe(weight_decay=0.5, clip_norm=1.0, epsilon=1e-8)
    found = one_step(recipe, params, gradients)["encoder"]["layer"]
    # Adam's first step is the sign of the gradient, whether or not its norm, 7.07, is clipped
    np.testing.assert_allclose(found["bias"], [2.0 - 0.1, 2.0 + 0.1], rtol=1e-5)
    np.testing.assert_allclose(found["kernel"], [2.0 - 0.1 * (1 + 1.0), 2.0 - 0.1 * (-1 + 1.0)], rtol=1e-5)


def test_clipping_scales_by_the_global_norm():
    # With epsilon far above the gradients, Adam's step is gradient / epsilon: linear in the clipped gradient
    params = {"encoder": {"a": {"kernel": jnp.zeros(1)}, "b": {"kernel": jnp.zeros(1)}}}
    gradients = {"encoder": {"a": {"kernel": jnp.array([30.0])}, "b": {"kernel": jnp.array([40.0])}}}
    found = one_step(Recipe(weight_decay=0.0, clip_norm=5.0, epsilon=1e6), params, gradients)["encoder"]
    np.testing.assert_allclose([found["a"]["kernel"][0], found["b"]["kernel"][0]], [-3e-7, -4e-7], rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_factor_zero_freezes_the_tables_and_keeps_them_out_of_the_norm(family):
    params = {"encoder": tiny_encoder(family).init(jax.random.key(0))}
    ones = jax.tree.map(jnp.ones_like, params)
    moved = one_step(Recipe(embedding_learning_rate=0.0), params, ones)
    slow = one_step(Recipe(embedding_learning_rate=0.5), params, ones)
    full = one_step(Recipe(), params, ones)
    tables = [path for path, _ in jax.tree.leaves_with_path(params) if path_name(path).endswith("/embedding")]
    assert len(tables) == {"bert": 3, "roberta": 3, "deberta": 2}.get(family, 1)
    for (path, before), after, half, whole in zip(
        jax.tree.leaves_with_path(params), *map(jax.tree.leaves, (moved, slow, full)), strict=True
    ):
        if path in tables:
            assert np.array_equal(before, after)
            np.testing.assert_allclose(before - half, 0.5 * (before - whole), atol=1e-7)
        else:
            assert not np.array_equal(before, after)
            assert np.array_equal(half, whole)
    frozen = make_optimizer(Recipe(embedding_learning_rate=0.0)).trainable
    gradients = jax.grad(lambda tree: sum(jnp.sum(leaf) for leaf in jax.tree.leaves(frozen(tree))))(params)
    assert not any(np.any(leaf) for path, leaf in jax.tree.leaves_with_path(gradients) if path in tables)
    assert same(jax.tree.map(jnp.shape, gradients), jax.tree.map(jnp.shape, params))
