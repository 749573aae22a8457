"""Attention equals a loop over keys."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.models.attention import AttentionMask, attention, segment_starts

RNG = np.random.default_rng(0)
Q, K, V = RNG.standard_normal((3, 2, 6, 3, 4), np.float32)
BIAS = RNG.standard_normal((2, 3, 6, 6)).astype(np.float32)
SEGMENTS = np.array([[1, 1, 1, 2, 2, 0], [1, 1, 2, 2, 3, 3]])
MASK = np.array([[1, 0, 1, 1, 1, 0], [1, 1, 1, 1, 1, 0]])


def by_loop(visible, bias):
    """Attention one query at a time, over the keys that it may attend to: [B, T, N, H]."""
    expected = np.zeros_like(Q)
    for b, t, n in np.ndindex(Q.shape[:3]):
        seen = np.flatnonzero(visible[b, t])
        scores = K[b, seen, n] @ Q[b, t, n] / 2 + bias[b, n, t, seen]
        weights = np.exp(scores - scores.max(initial=-np.inf))
        expected[b, t, n] = weights @ V[b, seen, n] / max(weights.sum(), 1e-30)
    return expected


@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("segments", [None, SEGMENTS])
def test_equals_a_loop_over_the_visible_keys(mask, segments):
    visible = np.ones((2, 6, 6), bool)
    if mask is not None:
        visible &= mask[:, None, :] > 0
    if segments is not None:
        visible &= (segments[:, :, None] == segments[:, None, :]) & (segments[:, None, :] > 0)
    ours = attention(Q, K, V, mask=AttentionMask.of(mask, segments), bias=BIAS)
    assert np.isfinite(ours).all()
    sees = visible.any(-1)
    np.testing.assert_allclose(ours[sees], by_loop(visible, BIAS)[sees], atol=1e-6)


def test_a_query_without_a_key_has_finite_gradients():
    nothing = AttentionMask(jnp.zeros((2, 1, 6, 6), bool))
    gradients = jax.grad(lambda *x: attention(*x, mask=nothing, bias=BIAS).sum(), (0, 1, 2))(Q, K, V)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.slow
def test_a_window_in_blocks_equals_the_reference():
    """Rows of 400 are no whole number of blocks; queries and keys share heads of keys and values in pairs."""
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((2, 400, heads, 4), np.float32) for heads in (4, 2, 2))
    segments = np.stack([np.repeat([1, 2, 3, 0], [50, 260, 60, 30]), np.repeat([1, 0], [380, 20])])
    for mask in (AttentionMask.of(None, segments), AttentionMask.of(segments > 0, None), AttentionMask.of(None, None)):
        near = mask.within(20, 400)
        found, expected = (
            jax.jit(lambda backend, near=near: attention(q, k, v, mask=near, backend=backend), static_argnums=0)(
                backend
            )
            for backend in ("auto", "xla")
        )
        np.testing.assert_allclose(found[segments > 0], expected[segments > 0], atol=1e-6)
    alone = attention(q[:1, 0:41], k[:1, 0:41], v[:1, 0:41])[:, 20]
    np.testing.assert_allclose(expected[:1, 20], alone, atol=1e-6)  # 20 keys on either side, and its own
    assert AttentionMask.of(None, None).within(20, 21).window is None


def test_segment_starts():
    expected = [[0, 0, 0, 3, 3, 5], [0, 0, 2, 2, 4, 4]]
    np.testing.assert_array_equal(segment_starts(jnp.asarray(SEGMENTS)), expected)
