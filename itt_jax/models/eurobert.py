"""EuroBERT: the whole encoder.

Source: Boizard et al. 2025 (arXiv 2503.05500); numerics as `transformers.models.eurobert`.
"""

from typing import Any

from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax.families.eurobert import EuroBertConfig
from itt_jax.models.attention import AttentionMask, attention, taken
from itt_jax.models.dropout import subkey
from itt_jax.models.inputs import EncoderInputs
from itt_jax.models.layers import ACTIVATIONS, PLAIN, Execution, Linear, embedding, linear, rms_norm, run_layers
from itt_jax.models.rotary import Rotation, positions


class Layer(nnx.Module):
    """One pre-norm layer with a gated feed-forward part."""

    def __init__(self, config: EuroBertConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        width, inner, shared = config.width, config.feed_forward, config.shared_heads * config.head_size

        def dense(inputs: int, outputs: int, bias: bool) -> Linear:
            return linear(config, inputs, outputs, dtype, rngs, bias=bias)

        self.attention_norm, self.mlp_norm = rms_norm(config, rngs), rms_norm(config, rngs)
        self.query = dense(width, width, config.attention_bias)
        self.key, self.value = (dense(width, shared, config.attention_bias) for _ in range(2))
        self.attention_output = dense(width, width, config.attention_bias)
        self.mlp_in, self.mlp_gate = (dense(width, inner, config.mlp_bias) for _ in range(2))
        self.mlp_out = dense(inner, width, config.mlp_bias)
        self.config, self.dtype = config, dtype

    def __call__(
        self,
        x: Float[Array, "B T D"],
        mask: AttentionMask,
        rotation: Rotation,
        key: PRNGKeyArray | None,
        backend: str = "auto",
        places: Int[Array, "B P"] | None = None,
    ) -> Float[Array, "B P D"]:
        config = self.config
        normed = self.attention_norm(x).astype(self.dtype)
        x = taken(x, places)
        q, k, v = (
            project(given).reshape(*given.shape[:2], -1, config.head_size)
            for project, given in ((self.query, taken(normed, places)), (self.key, normed), (self.value, normed))
        )
        q, k = rotation.at(places)(q), rotation(k)
        context = attention(q, k, v, mask=mask.at(places), dropout_rate=config.dropout, key=key, backend=backend)
        x = x + self.attention_output(context.reshape(x.shape))
        normed = self.mlp_norm(x).astype(self.dtype)
        return x + self.mlp_out(ACTIVATIONS[config.activation](self.mlp_in(normed)) * self.mlp_gate(normed))


class Model(nnx.Module):
    """The EuroBERT encoder; called as `families.Family.module` describes. The last hidden state is normalised."""

    def __init__(self, config: EuroBertConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        self.config, self.dtype = config, dtype
        self.word = embedding(config, config.vocabulary_size, rngs, config.pad_id)
        self.layers = nnx.Dict({str(i): Layer(config, dtype=dtype, rngs=rngs) for i in range(config.layers)})
        self.final_norm = rms_norm(config, rngs)

    def __call__(
        self,
        inputs: EncoderInputs,
        *,
        key: PRNGKeyArray | None = None,
        all_layers: bool = False,
        execution: Execution = PLAIN,
    ) -> Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...]:
        config, given = self.config, inputs.input_embeddings
        inputs.refuse(config.family, "perm_mask", "target_mapping")
        x = (self.word(inputs.input_ids) if given is None else given).astype(self.dtype)
        mask = AttentionMask.of(inputs.attention_mask, inputs.segment_ids)
        rotation = Rotation.of(positions(inputs), config.theta, config.head_size, self.dtype)

        def step(layer: Layer, x: Array, key: PRNGKeyArray | None, places: Array | None = None) -> Array:
            return layer(x, mask, rotation, key, execution.backend(places), places)

        keys = [subkey(key, i) for i in range(len(self.layers))]
        states = run_layers(self.layers, step, x, keys, execution, every_state=all_layers, places=inputs.places)
        states[-1] = self.final_norm(states[-1]).astype(self.dtype)
        return tuple(states) if all_layers else states[-1]


def word_embeddings(params: dict[str, Any]) -> Float[Array, "V D"]:
    """The table that input ids index."""
    return params["word"]["embedding"]
