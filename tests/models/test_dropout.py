"""Dropout realises its rate, keeps the expectation, and decides each element independently."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.models.dropout import dropout

KEY = jax.random.key(0)


def kept(shape, rate=0.1, key=KEY, streams=0):
    """Which elements are kept, [-3 or 1/3] at a rate of .1: of mean 0 and variance 1 if the rate is right."""
    is_kept = np.asarray(jax.jit(lambda key: dropout(jnp.ones(shape), rate, key, streams))(key)) > 0
    return ((is_kept - (1 - rate)) / (rate * (1 - rate)) ** 0.5).astype(np.float32)


def z(x):
    """The mean in standard errors, if the variance is 1."""
    return x.mean(dtype=np.float64) * x.size**0.5


def test_it_is_off_without_a_key_or_a_rate():
    x = jnp.ones((4, 5))
    assert dropout(x, 0.5, None) is x and dropout(x, 0.0, KEY) is x


@pytest.mark.parametrize("rate", [0.1, 0.123456, 0.5, 0.9])
def test_it_realises_the_rate_and_keeps_the_expectation(rate):
    x = np.random.default_rng(0).uniform(1, 2, (500, 1000)).astype(np.float32)
    found = np.asarray(dropout(x, rate, KEY))
    assert np.abs(z(kept((500, 1000), rate))) < 4
    np.testing.assert_allclose(found[found > 0], (x / (1 - rate))[found > 0], rtol=1e-6)
    error = x * (rate / (1 - rate)) ** 0.5
    assert abs((found - x).mean()) < 4 * np.sqrt((error**2).mean() / x.size)
    assert dropout(jnp.asarray(x, jnp.bfloat16), rate, KEY).dtype == jnp.bfloat16


def test_the_gradient_is_that_of_the_kept_elements():
    x = np.random.default_rng(0).standard_normal((50, 60), np.float32)
    gradient = jax.grad(lambda x: (dropout(x, 0.3, KEY) * x).sum())(x)
    np.testing.assert_allclose(gradient, 2 * dropout(x, 0.3, KEY), rtol=1e-6)


@pytest.mark.parametrize("shape", [(1 << 20,), (2048, 768), (24, 100, 768), (32, 128, 128)])
def test_elements_do_not_depend_on_each_other(shape):
    """Correlations of elements whose distance along an axis is a power of two, in standard errors."""
    streams = 1 if shape[0] == 32 else 0
    own = kept(shape, streams=streams)
    found = [z(own)]
    for axis, size in enumerate(shape):
        along = np.moveaxis(own, axis, 0)
        found += [z(along[lag:] * along[:-lag]) for lag in 2 ** np.arange(20) if lag < size]
    assert np.abs(found).max() < 4.5 and 0.5 < np.std(found) < 1.5
    for axis, size in enumerate(shape):
        assert len(shape) == 1 or abs((own.sum(axis) / size**0.5).std() - 1) < 0.05


def test_other_keys_and_other_streams_decide_otherwise():
    own = [kept((300, 300), key=key) for key in jax.random.split(KEY, 8)]
    own += list(kept((8, 300, 300), streams=1))
    pairs = [z(one * other) for n, one in enumerate(own) for other in own[:n]]
    assert np.abs(pairs).max() < 4.5 and abs(np.std(pairs) - 1) < 0.3


def test_a_stream_is_the_same_whichever_are_beside_it():
    """Rows and heads of attention may lie on several devices, or in a stack of runs."""
    runs = jax.random.split(KEY, 3)
    stacked = jax.vmap(lambda key: dropout(jnp.ones((2, 50, 60)), 0.3, key, 1))(runs)
    for run in range(3):
        np.testing.assert_array_equal(stacked[run], dropout(jnp.ones((2, 50, 60)), 0.3, runs[run], 1))
