"""ModernBERT and mmBERT: the whole encoder.

Source: Warner et al. 2024 (arXiv 2412.13663); numerics as `transformers.models.modernbert`.
"""

from typing import Any

from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax.families.modernbert import ModernBertConfig
from itt_jax.models.attention import AttentionMask, attention, taken
from itt_jax.models.dropout import dropout, subkey
from itt_jax.models.embeddings import Embeddings
from itt_jax.models.inputs import EncoderInputs
from itt_jax.models.layers import ACTIVATIONS, PLAIN, Execution, Linear, layer_norm, linear, run_layers
from itt_jax.models.rotary import Rotation, positions


class Layer(nnx.Module):
    """One pre-norm layer with a gated feed-forward part; the first has no norm before its attention."""

    def __init__(self, config: ModernBertConfig, number: int, *, dtype: Any, rngs: nnx.Rngs) -> None:
        width, inner, out = config.width, config.feed_forward, config.transform_range

        def dense(inputs: int, outputs: int, bias: bool, deviation: float | None = None) -> Linear:
            return linear(config, inputs, outputs, dtype, rngs, bias=bias, deviation=deviation)

        if number:
            self.attention_norm = layer_norm(config, rngs)
        self.query, self.key, self.value = (dense(width, width, config.attention_bias) for _ in range(3))
        self.attention_output = dense(width, width, config.attention_bias, out)
        self.mlp_norm = layer_norm(config, rngs)
        self.mlp_in, self.mlp_gate = (dense(width, inner, config.mlp_bias) for _ in range(2))
        self.mlp_out = dense(inner, width, config.mlp_bias, out)
        self.sees_all, self.normed = config.sees_all(number), number > 0
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
        size, rate = config.width // config.heads, config.attention_dropout
        normed = self.attention_norm(x).astype(self.dtype) if self.normed else x
        x = taken(x, places)
        q, k, v = (
            project(given).reshape(*given.shape[:2], -1, size)
            for project, given in ((self.query, taken(normed, places)), (self.key, normed), (self.value, normed))
        )
        q, k = rotation.at(places)(q), rotation(k)
        context = attention(q, k, v, mask=mask.at(places), dropout_rate=rate, key=subkey(key, 0), backend=backend)
        x = x + dropout(self.attention_output(context.reshape(x.shape)), rate, subkey(key, 1))
        normed = self.mlp_norm(x).astype(self.dtype)
        fed = ACTIVATIONS[config.activation](self.mlp_in(normed)) * self.mlp_gate(normed)
        return x + self.mlp_out(dropout(fed, config.mlp_dropout, subkey(key, 2)))


class Model(nnx.Module):
    """The ModernBERT encoder; called as `families.Family.module` describes. The last hidden state is normalised."""

    def __init__(self, config: ModernBertConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        self.config, self.dtype = config, dtype
        self.embeddings = Embeddings(config, dtype=dtype, rngs=rngs)
        self.layers = nnx.Dict({str(i): Layer(config, i, dtype=dtype, rngs=rngs) for i in range(config.layers)})
        self.final_norm = layer_norm(config, rngs)

    def __call__(
        self,
        inputs: EncoderInputs,
        *,
        key: PRNGKeyArray | None = None,
        all_layers: bool = False,
        execution: Execution = PLAIN,
    ) -> Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...]:
        config = self.config
        inputs.refuse(config.family, "perm_mask", "target_mapping")
        x = self.embeddings(inputs, subkey(key, 0))
        everywhere = AttentionMask.of(inputs.attention_mask, inputs.segment_ids)
        masks = {True: everywhere, False: everywhere.within(config.window, x.shape[1])}
        places, size = positions(inputs), config.width // config.heads
        thetas = {True: config.global_theta, False: config.local_theta}
        rotations = {sees_all: Rotation.of(places, theta, size, self.dtype) for sees_all, theta in thetas.items()}

        def step(layer: Layer, x: Array, key: PRNGKeyArray | None, places: Array | None = None) -> Array:
            return layer(x, masks[layer.sees_all], rotations[layer.sees_all], key, execution.backend(places), places)

        keys = [subkey(key, i + 1) for i in range(len(self.layers))]
        states = run_layers(self.layers, step, x, keys, execution, every_state=all_layers, places=inputs.places)
        states[-1] = self.final_norm(states[-1]).astype(self.dtype)
        return tuple(states) if all_layers else states[-1]


def word_embeddings(params: dict[str, Any]) -> Float[Array, "V D"]:
    """The table that input ids index."""
    return params["embeddings"]["word"]["embedding"]
