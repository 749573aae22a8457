"""The kernel for TPUs, in Pallas' interpreter, equals attention by XLA, which drops the same probabilities."""

import functools
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.models import attention, fused_attention, tpu_attention
from itt_jax.models.dropout import dropped_of, words_of

DROPPING = {"dropout_rate": 0.25, "key": jax.random.key(3)}


def example(rows=2, length=128, heads=2, size=64, seed=0):
    """Queries, keys, values, weights of the result, and segments that end inside of blocks."""
    rng = np.random.default_rng(seed)
    arrays = rng.standard_normal((4, rows, length, heads, size), np.float32)
    return *arrays, np.sort(rng.integers(0, 5, (rows, length)), 1).astype(np.int32)


def by_xla(q, k, v, segments, dropout_rate=0.0, key=None):
    """The reference."""
    same = None if segments is None else (segments[:, :, None] == segments[:, None])[:, None]
    with jax.default_matmul_precision("highest"):
        return attention.by_xla(q, k, v, same, None, dropout_rate, key)


def result_and_gradients(function, q, k, v, weights):
    def weighted(*given):
        found = function(*given)
        return (found.astype(jnp.float32) * weights).sum(), found

    (_, found), gradients = jax.jit(jax.value_and_grad(weighted, (0, 1, 2), has_aux=True))(q, k, v)
    return found, *gradients


@pytest.mark.parametrize("dropping", [{}, DROPPING], ids=["all kept", "dropped"])
@pytest.mark.parametrize(
    ("rows", "length", "heads", "size"),
    [
        (3, 128, 4, 64),  # three rows and two pairs of heads
        pytest.param(2, 384, 4, 32, marks=pytest.mark.slow),  # four heads in a vector
        pytest.param(1, 640, 1, 128, marks=pytest.mark.slow),  # five blocks of queries
        pytest.param(1, 1024, 2, 64, marks=pytest.mark.slow),  # blocks wider than a vector
    ],
)
def test_results_and_gradients_equal_the_reference(rows, length, heads, size, dropping):
    *arrays, segments = example(rows, length, heads, size)
    found, expected = (
        result_and_gradients(functools.partial(function, segments=segments, **dropping), *arrays)
        for function in (fused_attention.by_pallas, by_xla)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=5e-6)


@pytest.mark.parametrize("segmented", [True, False])
def test_bfloat16_equals_the_reference_to_its_precision(segmented):
    *arrays, segments = example()
    segments = segments if segmented else None
    low = [jnp.asarray(x, jnp.bfloat16) for x in arrays[:3]]
    found = result_and_gradients(functools.partial(fused_attention.by_pallas, segments=segments), *low, arrays[3])
    exact = [x.astype(jnp.float32) for x in low]
    expected = result_and_gradients(functools.partial(by_xla, segments=segments), *exact, arrays[3])
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == jnp.bfloat16
        np.testing.assert_allclose(one.astype(jnp.float32), other, atol=2e-2 * np.abs(other).max())


def test_large_scores_do_not_overflow():
    q, k, v, _, segments = example()
    found = fused_attention.by_pallas(1e3 * q, 1e3 * k, v, segments)
    np.testing.assert_allclose(found, by_xla(1e3 * q, 1e3 * k, v, segments), atol=1e-4)


def test_a_row_drops_the_same_probabilities_alone_and_among_others():
    """Blocks of rows and of queries do not matter: words belong to row and head."""
    q, k, v, _, segments = example(rows=3)
    words = words_of(DROPPING["key"], 3, 2)
    run = jax.jit(functools.partial(tpu_attention.on_one_device, dropped_of(0.25)))
    together = run(q, k, v, segments, words)
    for row in range(3):
        own = slice(row, row + 1)
        np.testing.assert_allclose(run(q[own], k[own], v[own], segments[own], words[own])[0], together[row], atol=1e-6)


def test_a_stack_of_runs_has_the_results_of_each_run():
    """Runs share segments; each has its own key."""
    *_, segments = example()
    runs = [np.stack(x) for x in zip(*(example(seed=run)[:4] for run in range(3)), strict=True)]
    keys = jax.random.split(jax.random.key(1), 3)

    def both(q, k, v, weights, key):
        kernel = functools.partial(fused_attention.by_pallas, segments=segments, dropout_rate=0.25, key=key)
        return result_and_gradients(kernel, q, k, v, weights)

    stacked, alone = jax.jit(jax.vmap(both))(*runs, keys), jax.jit(both)
    for run in range(3):
        for found, expected in zip(stacked, alone(*(x[run] for x in runs), keys[run]), strict=True):
            np.testing.assert_allclose(found[run], expected, atol=2e-6)


@pytest.mark.slow
def test_rows_and_heads_over_devices_have_the_results_of_one():
    code = """
import jax
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 4)
import functools
import numpy as np
from jax.sharding import AxisType
from itt_jax.models import fused_attention
from tests.models.test_tpu_attention import DROPPING, example, result_and_gradients
q, k, v, weights, segments = example(rows=4, heads=4)
kernel = functools.partial(fused_attention.by_pallas, segments=segments, **DROPPING)
expected = result_and_gradients(kernel, q, k, v, weights)
with jax.set_mesh(jax.make_mesh((2, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2)):
    found = result_and_gradients(kernel, q, k, v, weights)
for one, other in zip(found, expected, strict=True):
    np.testing.assert_allclose(one, other, atol=2e-6)
"""
    root = pathlib.Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
