"""Model FLOPs are what XLA counts, but for elementwise work and for what families compute beyond their model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax import families
from itt_jax.models import make_encoder, make_head
from itt_jax.train.flops import forward_flops, language_head_flops
from tests.batches import as_batch

ROWS, LENGTH, WIDTH, LAYERS, PREDICTED = 2, 512, 768, 2, 64
SIZES = {"layers": LAYERS, "width": WIDTH, "heads": 12, "feed_forward": 1152, "vocabulary_size": 5000, "pad_id": 3}
SIZES |= {"max_positions": LENGTH}
OWN = {"eurobert": {"key_value_heads": 4}, "modernbert": {"global_every": 2}}
SCORES = 2 * ROWS * LENGTH**2 * WIDTH
# Scores by relative position have twice as many columns as those by key. DeBERTa projects its table of 512 positions
# twice. In ModernBERT's second layer, with a window of 64, a query reads three blocks of 128 keys.
BEYOND = {
    "xlnet": LAYERS * SCORES,
    "deberta": LAYERS * (2 * SCORES + 2 * 2 * 512 * WIDTH**2),
    "modernbert": 4 * ROWS * WIDTH * (384 * LENGTH - (129 * LENGTH - 64 * 65)),
}
ELEMENTWISE = 0.015  # share of FLOPs at this width; a kernel [D, D] is 4 % or more, and attention 9 %


def xla_flops(function, *shapes) -> float:
    """FLOPs of a program as XLA is given it."""
    return jax.jit(function).lower(*shapes).cost_analysis()["flops"]


@pytest.mark.parametrize("family", [family.name for family in families.FAMILIES])
def test_forward_passes_and_language_heads(family):
    encoder = make_encoder(family, **SIZES | OWN.get(family, {}))
    ids = jax.ShapeDtypeStruct((ROWS, LENGTH), jnp.int32)
    found = xla_flops(lambda params, ids: encoder(params, ids), encoder.shapes(), ids)
    expected = forward_flops(encoder, np.full(ROWS, LENGTH)) + BEYOND.get(family, 0)
    assert expected <= found <= (1 + ELEMENTWISE) * expected

    head = make_head(encoder, encoder.language_model, encoder.config.vocabulary_size)
    params = {"encoder": encoder.shapes(), "head": head.shapes()}
    hidden = jax.ShapeDtypeStruct((ROWS, PREDICTED, WIDTH), jnp.float32)
    found = xla_flops(lambda params, hidden: head(params, hidden, as_batch({})), params, hidden)
    # XLNet's predicted tokens pass through the encoder's layers, which are not in its head.
    layers = encoder.config.matmul_parameters if family == "xlnet" else 0
    expected = language_head_flops(encoder, ROWS * PREDICTED) - 2 * ROWS * PREDICTED * layers
    assert expected <= found <= (1 + ELEMENTWISE) * expected
