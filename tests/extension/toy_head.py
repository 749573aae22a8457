"""A head for ordered classes (Niu et al. 2016)."""

import jax.numpy as jnp
import optax

from itt_jax.models.heads.by_example import ExampleKind, weighted


class Cumulative(ExampleKind):
    """A logit for each class but the lowest, for "at least this one"; the sum of their binary cross-entropies."""

    poolings = ("cls", "mean", "max_mean")  # no "pretrained": Hugging Face has no such head

    def loss(self, head, params, outputs, batch, choices):
        reached = batch.by_example["labels"][:, None] > jnp.arange(head.outputs)
        losses = optax.sigmoid_binary_cross_entropy(outputs, reached).sum(-1)
        return weighted(losses, batch.by_example["weights"])


CUMULATIVE = Cumulative("cumulative")
