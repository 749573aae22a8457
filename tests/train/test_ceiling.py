"""The matmul ceiling: a rate of this device, measured once per dtype."""

import jax.numpy as jnp
import pytest

from itt_jax.train import ceiling


def test_a_rate_is_the_fastest_run_of_a_product(monkeypatch):
    """By the clock, three runs take 20, 10 and 170 ms, which uses up the budget."""
    times = iter([0, 0, 0.02, 0.02, 0.03, 0.03, 0.2])
    monkeypatch.setattr(ceiling, "perf_counter", lambda: next(times))
    assert ceiling._rate((8, 4, 2), jnp.bfloat16) == pytest.approx(2 * 8 * 4 * 2 / 0.01)


def test_it_is_measured_once_per_dtype(monkeypatch):
    asked = []
    monkeypatch.setattr(ceiling, "_rate", lambda shape, dtype: asked.append(shape) or float(shape[0]))
    ceiling.matmul_rate.cache_clear()
    assert ceiling.matmul_rate(jnp.float32) == ceiling.matmul_rate(jnp.float32) == 1024
    assert len(asked) == 3
    ceiling.matmul_rate.cache_clear()
