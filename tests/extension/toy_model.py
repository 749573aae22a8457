"""The computation of deep sets."""

import jax.numpy as jnp
from flax import nnx

from itt_jax.models.attention import AttentionMask
from itt_jax.models.dropout import dropout, subkey
from itt_jax.models.layers import ACTIVATIONS, PLAIN, embedding, layer_norm, linear, run_layers


class Layer(nnx.Module):
    """A token and the mean of its text through two dense layers, added to the token."""

    def __init__(self, config, dtype, rngs) -> None:
        self.mlp_in = linear(config, 2 * config.width, config.feed_forward, dtype, rngs)
        self.mlp_out = linear(config, config.feed_forward, config.width, dtype, rngs)
        self.norm = layer_norm(config, rngs)
        self.config, self.dtype = config, dtype

    def __call__(self, x, weights, key):
        both = jnp.concatenate([x, weights @ x], axis=-1)
        change = self.mlp_out(ACTIVATIONS[self.config.activation](self.mlp_in(both)))
        return self.norm(x + dropout(change, self.config.dropout, key)).astype(self.dtype)


class Model(nnx.Module):
    """The encoder; called as `families.Family.module` describes."""

    def __init__(self, config, *, dtype, rngs) -> None:
        self.word = embedding(config, config.vocabulary_size, rngs, config.pad_id)
        self.layers = nnx.Dict({str(i): Layer(config, dtype, rngs) for i in range(config.layers)})
        self.dtype = dtype

    def __call__(self, inputs, *, key=None, all_layers=False, execution=PLAIN):
        ids, given = inputs.input_ids, inputs.input_embeddings
        x = self.word(ids) if given is None else given.astype(self.dtype)
        same = AttentionMask.of(inputs.attention_mask, inputs.segment_ids).allowed
        same = jnp.ones((1, 1, 1, ids.shape[1])) if same is None else same
        weights = jnp.broadcast_to(same[:, 0], (*ids.shape, ids.shape[1])).astype(x.dtype)
        weights /= jnp.maximum(weights.sum(-1, keepdims=True), 1)
        keys = [subkey(key, i) for i in range(len(self.layers))]
        states = run_layers(
            self.layers, lambda layer, x, key: layer(x, weights, key), x, keys, execution, every_state=all_layers
        )
        return tuple(states) if all_layers else states[-1]


def word_embeddings(params):
    """The table that input ids index: [V, D]."""
    return params["word"]["embedding"]
