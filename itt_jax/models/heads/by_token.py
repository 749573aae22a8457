"""The heads that read every token, and their module."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from itt_jax import families
from itt_jax.families.family import Summary
from itt_jax.models.dropout import dropout
from itt_jax.models.heads.by_example import SummaryLayers
from itt_jax.models.heads.head import Head
from itt_jax.models.layers import linear


def layers_before(head: Head, rate: float) -> Summary:
    """The layers before a token head's output: the family's, or only dropout at `rate`."""
    config = head.encoder.config
    own = families.family(config.family).huggingface.heads.get(head.kind.form)
    return own.summary(config) if own and own.summary else Summary(None, None, last_rate=rate)


class TokenHead(SummaryLayers):
    """Outputs for each token; float32 whatever the encoder computes in."""

    def __init__(self, head: Head, rate: float, rngs: nnx.Rngs) -> None:
        super().__init__(head, layers_before(head, rate), rngs)
        config = head.encoder.config
        self.output = linear(config, config.width, head.outputs, jnp.float32, rngs, deviation=config.output_range)

    def __call__(self, x: Float[Array, "B T D"], shared: None, key: PRNGKeyArray | None) -> Float[Array, "B T outputs"]:
        x = self.transformed(x) if self.summary.layer else x
        return self.output(dropout(x, self.summary.last_rate, key))
