"""DeBERTa-v3 and mDeBERTa-v3: the whole encoder.

Letters: K relative positions, from T down to 1 - T. Source: He et al. 2021 (arXiv 2006.03654, 2111.09543); numerics as
`transformers.models.deberta_v2`.
"""

from typing import Any, NamedTuple

import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax.families.deberta import DebertaConfig
from itt_jax.models import bert
from itt_jax.models.attention import AttentionMask, attention, taken
from itt_jax.models.dropout import dropout, subkey
from itt_jax.models.embeddings import Embeddings
from itt_jax.models.inputs import EncoderInputs
from itt_jax.models.layers import PLAIN, Execution, embedding, layer_norm, run_layers
from itt_jax.models.products import dense, shifted
from itt_jax.models.relative_attention import relative_shift, scores_by_head


class Shared(NamedTuple):
    """The values that every layer reads, computed once.

    Attributes:
        mask: which keys a query sees.
        table: embeddings of the buckets, float32, since gradients of arrays that all rows share are sums over tokens.
        rows: the table's row of each distance of a query from a key, from T down to 1 - T.
        reversed_rows: the same for the distances from -T up to T - 1.
    """

    mask: AttentionMask
    table: Float[Array, "R D"]
    rows: Int[np.ndarray, " K"]
    reversed_rows: Int[np.ndarray, " K"]


def buckets(distances: Int[np.ndarray, " K"], config: DebertaConfig) -> Int[np.ndarray, " K"]:
    """Rows of the table for distances of a query from a key.

    Logarithms are in float32, as in Hugging Face; none are used if the longest distance is not beyond the middle.
    """
    middle, largest = config.span // 2, config.largest_distance - 1
    found = distances
    if config.position_buckets is not None and largest > middle > 0:
        far = np.maximum(np.abs(distances), max(middle, 1)).astype(np.float32)
        steps = np.log(far / np.float32(middle)) / np.log(np.float32(largest / middle)) * np.float32(middle - 1)
        logarithmic = (np.ceil(steps) + middle).astype(np.int64) * np.sign(distances)
        found = np.where(np.abs(distances) <= middle, distances, logarithmic)
    return np.clip(found + config.span, 0, 2 * config.span - 1)


class Layer(bert.PostNormLayer):
    """BERT's layer, whose scores add content-to-position and position-to-content terms."""

    config: DebertaConfig

    def __call__(
        self,
        x: Float[Array, "B T D"],
        shared: Shared,
        key: PRNGKeyArray | None,
        backend: str = "auto",
        places: Int[Array, "B P"] | None = None,
    ) -> Float[Array, "B P D"]:
        config, own = self.config, taken(x, places)
        size = config.width // config.heads
        q, k, v = (
            project(given).reshape(*given.shape[:2], -1, size)
            for project, given in ((self.query, own), (self.key, x), (self.value, x))
        )
        table = dropout(shared.table, config.dropout, subkey(key, 3))
        projected = (shifted(dense(table, of.kernel[...]), of.bias[...]) for of in (self.key, self.query))
        of_keys, of_queries = (terms.reshape(-1, config.heads, size).transpose(1, 0, 2) for terms in projected)
        scale, length = (3 * size) ** -0.5, x.shape[1]
        # Distances inside a packed example are those of the row.
        bias = relative_shift(scores_by_head(q * scale, of_keys[:, shared.rows]), length, places)
        to_content = relative_shift(scores_by_head(k * scale, of_queries[:, shared.reversed_rows]), length)
        to_content = taken(to_content.transpose(0, 3, 1, 2), places).transpose(0, 2, 1, 3)
        context = attention(
            q * 3**-0.5,
            k,
            v,
            mask=shared.mask.at(places),
            bias=bias + to_content,
            dropout_rate=config.attention_dropout,
            key=subkey(key, 0),
            backend=backend,
        )
        return self.finished(own, context.reshape(own.shape), key)


class Model(nnx.Module):
    """The DeBERTa encoder; called as `families.Family.module` describes."""

    def __init__(self, config: DebertaConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        self.config, self.dtype = config, dtype
        self.embeddings = Embeddings(config, dtype=dtype, rngs=rngs)
        self.relative = embedding(config, 2 * config.span, rngs)
        self.relative_norm = layer_norm(config, rngs)
        self.layers = nnx.Dict({str(i): Layer(config, dtype=dtype, rngs=rngs) for i in range(config.layers)})

    def __call__(
        self,
        inputs: EncoderInputs,
        *,
        key: PRNGKeyArray | None = None,
        all_layers: bool = False,
        execution: Execution = PLAIN,
    ) -> Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...]:
        config = self.config
        inputs.refuse(config.family, "perm_mask", "target_mapping", "position_ids")
        x = self.embeddings(inputs, subkey(key, 0))
        distances = np.arange(x.shape[1], -x.shape[1], -1)
        shared = Shared(
            AttentionMask.of(inputs.attention_mask, inputs.segment_ids),
            self.relative_norm(self.relative.embedding[...]),
            buckets(distances, config),
            buckets(-distances, config),
        )

        def step(layer: Layer, x: Array, key: PRNGKeyArray | None, places: Array | None = None) -> Array:
            return layer(x, shared, key, execution.backend(places), places)

        keys = [subkey(key, i + 1) for i in range(len(self.layers))]
        states = run_layers(self.layers, step, x, keys, execution, every_state=all_layers, places=inputs.places)
        return tuple(states) if all_layers else states[-1]


word_embeddings = bert.word_embeddings
