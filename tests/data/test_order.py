"""The order of examples is determined by seed and step, and drops none."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itt_jax.data.order import step_indices


@given(n=st.integers(1, 40), batch=st.integers(1, 50), seed=st.integers(-5, 2**40), epochs=st.integers(1, 3))
def test_every_epoch_has_every_example_once(n, batch, seed, epochs):
    steps = -(-n * epochs // batch)
    indices = np.concatenate([step_indices(n, batch, seed, step) for step in range(steps)])
    for epoch in range(epochs):
        assert sorted(indices[epoch * n : (epoch + 1) * n]) == list(range(n))


def test_a_step_does_not_depend_on_earlier_calls():
    alone = step_indices(1000, 32, 7, 50)
    for step in range(50):
        step_indices(1000, 32, 7, step)
    assert np.array_equal(alone, step_indices(1000, 32, 7, 50))
    assert alone.dtype == np.int64 and alone.shape == (32,)


def test_seeds_and_epochs_differ():
    first = step_indices(1000, 1000, 0, 0)
    assert not np.array_equal(first, step_indices(1000, 1000, 1, 0))
    assert not np.array_equal(first, step_indices(1000, 1000, 0, 1))


def test_the_order_is_the_same_on_every_machine_and_version():
    digest = hashlib.sha256(step_indices(5000, 64, 3, 100).astype("<i8").tobytes()).hexdigest()
    assert digest[:16] == "0ddaa8564f54c4cc"


def test_nothing_to_order():
    with pytest.raises(ValueError, match="no examples"):
        step_indices(0, 4, 0, 0)
