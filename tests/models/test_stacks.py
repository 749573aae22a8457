"""Every family with every head gives the same under vmap over parameters as alone, gradients too: stacks rely on it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax import families
from itt_jax.models import make_encoder, make_head
from itt_jax.models.heads import HEAD_KINDS
from tests.batches import as_batch

SIZES = {"layers": 1, "width": 16, "heads": 2, "vocabulary_size": 40, "max_positions": 12, "initializer_range": 0.3}
SIZES |= {"pad_id": 1}
OUTPUTS = {
    "classification": 3,
    "multilabel": 4,
    "regression": 1,
    "token_classification": 5,
    "question_answering": 2,
    "multiple_choice": 1,
}
OUTPUTS |= {"embedding": 16, "masked_lm": 40, "permuted_lm": 40}
READ_BY_ENCODER = ("input_ids", "token_type_ids", "segment_ids")
RUNS, ROUNDING = 2, 1e-5
SEGMENTS = np.array([[1, 1, 1, 1, 2, 2, 2, 2, 0, 0], [1, 1, 1, 1, 1, 1, 1, 2, 2, 2]], np.int32)


def batch_of(run):
    """A run's rows."""
    rng = np.random.default_rng(run)
    return {
        "input_ids": rng.integers(6, 40, (2, 10)),
        "token_type_ids": rng.integers(0, 2, (2, 10)),
        "segment_ids": SEGMENTS,
        "example_ids": np.where(SEGMENTS > 0, SEGMENTS - 1 + [[0], [2]], 4),
        "field_ids": rng.integers(1, 3, (2, 10)),
        "summary_rows": np.array([0, 0, 1, 1]),
        "summary_positions": np.array([0, 7, 0, 7]),
    }


def heads_of(encoder):
    """Every head of the family with pooling "pretrained", and one with pair features."""
    kinds = [kind.name for kind in HEAD_KINDS if not kind.language or kind.name == encoder.language_model]
    if "multiple_choice" not in families.family(encoder.family).huggingface.heads:
        kinds.remove("multiple_choice")
    heads = {kind: make_head(encoder, kind, OUTPUTS[kind]) for kind in kinds}
    return heads | {"pair": make_head(encoder, "classification", 3, "max_mean", pair_features=True)}


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("family", [family.name for family in families.FAMILIES])
def test_a_stack_equals_its_runs(family, randomised):
    encoder = make_encoder(family, **SIZES)
    heads = heads_of(encoder)

    def run(params, batch, key):
        def loss(params):
            body, rows = params["encoder"], {name: batch[name] for name in READ_BY_ENCODER}
            hidden = encoder(body, **rows, key=key)
            places = {name: batch[name] for name in batch if name not in READ_BY_ENCODER}
            scores = {
                name: head({"encoder": body, "head": params[name]}, hidden, as_batch(places), key=key)
                for name, head in heads.items()
            }
            return sum(jnp.sum(jnp.sin(found)) for found in scores.values()), scores

        return jax.value_and_grad(loss, has_aux=True)(params)

    keys = jax.random.split(jax.random.key(0), RUNS)
    shapes = {"encoder": encoder.shapes()} | {name: head.shapes() for name, head in heads.items()}
    params = [randomised(shapes, seed) for seed in range(RUNS)]
    runs = list(zip(params, map(batch_of, range(RUNS)), keys, strict=True))
    stacked = jax.jit(jax.vmap(run))(*jax.tree.map(lambda *leaves: jnp.stack(leaves), *runs))
    single = jax.jit(run)
    for number, own in enumerate(runs):
        found = jax.tree.map(lambda leaf, number=number: leaf[number], stacked)
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, atol=ROUNDING * max(1, np.abs(y).max())), found, single(*own)
        )
