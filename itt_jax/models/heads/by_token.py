"""The heads that read every token, and their module."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from itt_jax.models.attention import dropout
from itt_jax.models.heads.head import Head
from itt_jax.models.layers import linear


class TokenHead(nnx.Module):
    """Outputs for each token; float32 whatever the encoder computes in."""

    def __init__(self, head: Head, rate: float, rngs: nnx.Rngs) -> None:
        config = head.encoder.config
        self.rate = rate
        self.output = linear(config, config.width, head.outputs, jnp.float32, rngs)

    def __call__(self, x: Float[Array, "B T D"], shared: None, key: PRNGKeyArray | None) -> Float[Array, "B T outputs"]:
        return self.output(dropout(x, self.rate, key))
