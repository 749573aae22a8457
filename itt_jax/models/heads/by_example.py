"""The heads that read one vector per example, and their module."""

from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax import families
from itt_jax.batch import Batch
from itt_jax.errors import InputError
from itt_jax.families.family import Summary
from itt_jax.models.dropout import dropout, subkey
from itt_jax.models.encoder import Params
from itt_jax.models.heads.head import Head, HeadKind
from itt_jax.models.heads.pooling import POOLINGS, mean_of_examples, pooled, summary_places
from itt_jax.models.layers import ACTIVATIONS, layer_norm, linear


class ExampleKind(HeadKind):
    """A kind of head with one vector per example in and `outputs` numbers out."""

    by_example: ClassVar[bool] = True
    poolings: ClassVar[tuple[str, ...]] = POOLINGS
    pairs: ClassVar[bool] = True

    def summary(self, head: Head) -> Summary:
        """The layers between the pooled vector and the output layer.

        Raises:
            InputError: the family has no head of this form.
        """
        config = head.encoder.config
        if head.pooling == "pretrained":
            own = families.family(config.family).huggingface.heads.get(self.form)
            if own is None or own.summary is None:
                raise InputError(f"{self.name} head with pooling 'pretrained': {config.family} has none")
            return own.summary(config)
        return Summary(None, None, last_rate=config.classifier_rate)

    def check(self, head: Head) -> None:
        self.summary(head)

    def build(self, head: Head, rngs: nnx.Rngs) -> nnx.Module:
        return ExampleHead(head, self.summary(head), rngs)

    def places(self, head: Head, batch: Batch) -> Int[Array, "B P"] | None:
        """The summary token of each segment, if that is all that is read and the batch tells the segments' number."""
        pretrained = head.pooling == "pretrained" and self.summary(head).pooling == "summary"
        if not (pretrained or head.pooling == "cls") or "segments" not in batch.by_example:
            return None
        return summary_places(batch)

    def read(self, head: Head, hidden: Float[Array, "B T D"], batch: Batch) -> Array:
        """[E, K], or the hidden states if outputs are pooled."""
        pooling = self.summary(head).pooling
        if pooling == "late":
            return hidden
        if pooling == "mean":
            return mean_of_examples(hidden, batch)
        return pooled(head, hidden, batch)

    def finish(self, head: Head, outputs: Array, batch: Batch) -> Float[Array, "E outputs"]:
        return mean_of_examples(outputs, batch) if self.summary(head).pooling == "late" else outputs

    def finish_places(self, outputs: Float[Array, "B P K"], batch: Batch) -> Float[Array, "E K"]:
        """Rows on other devices send their outputs only, not their hidden states."""
        return outputs[batch.by_example["summary_rows"], batch.by_example["segments"] - 1]

    def shared(self, head: Head, encoder_params: Params) -> Params | None:
        reads_pooler = self.summary(head).layer == "pooler" and head.encoder.config.pooler
        return encoder_params["pooler"] if reads_pooler else None


class SummaryLayers(nnx.Module):
    """Hidden states, pooled or not, to the output layer's input; it owns the pooler that its encoder lacks."""

    def __init__(self, head: Head, summary: Summary, rngs: nnx.Rngs) -> None:
        config = head.encoder.config
        if summary.layer == "pooler" and not config.pooler:
            self.pooler = linear(config, config.width, config.width, jnp.float32, rngs)
        elif summary.layer == "dense":
            deviation = config.transform_range
            self.dense = linear(
                config, config.width, config.width, jnp.float32, rngs, bias=summary.bias, deviation=deviation
            )
        if summary.norm:
            self.norm = layer_norm(config, rngs)
        self.summary = summary

    def transformed(self, x: Float[Array, "*E K"], pooler: Params | None = None) -> Float[Array, "*E K"]:
        """x through the layers of `Summary`, float32, without dropout.

        Args:
            pooler: the encoder's, if it has one and the head reads it.
        """
        summary, x = self.summary, x.astype(jnp.float32)
        if summary.layer == "pooler":
            if pooler is None:
                pooler = {"kernel": self.pooler.kernel[...], "bias": self.pooler.bias[...]}
            return jnp.tanh(x @ pooler["kernel"] + pooler["bias"])
        x = self.dense(x) if summary.layer == "dense" else x
        x = ACTIVATIONS[summary.activation](x) if summary.activation else x
        return self.norm(x) if summary.norm else x

    def summarised(
        self, x: Float[Array, "*E K"], pooler: Params | None, key: PRNGKeyArray | None
    ) -> Float[Array, "*E K"]:
        """x through dropout and the layers of `Summary`; arguments as `transformed`."""
        x = dropout(x.astype(jnp.float32), self.summary.first_rate, subkey(key, 0))
        return dropout(self.transformed(x, pooler), self.summary.last_rate, subkey(key, 1))


class ExampleHead(SummaryLayers):
    """Hidden states, pooled or not, to outputs; float32 whatever the encoder computes in, as scores are ranked."""

    def __init__(self, head: Head, summary: Summary, rngs: nnx.Rngs) -> None:
        super().__init__(head, summary, rngs)
        config = head.encoder.config
        width = config.width * (2 if head.pooling == "max_mean" else 1) * (4 if head.pair_features else 1)
        self.output = linear(config, width, head.outputs, jnp.float32, rngs, deviation=config.output_range)

    def __call__(
        self, x: Float[Array, "*E K"], pooler: Params | None, key: PRNGKeyArray | None
    ) -> Float[Array, "*E outputs"]:
        return self.output(self.summarised(x, pooler, key))


def weighted(losses: Float[Array, " E"], weights: Float[Array, " E"]) -> tuple[Array, Array]:
    """Sum of weighted losses and sum of weights."""
    return jnp.sum(weights * losses), jnp.sum(weights)
