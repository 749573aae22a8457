"""An objective that wraps another one."""

import dataclasses

import jax
import jax.numpy as jnp

from itt_jax.train.objectives import NamedObjective, Objective


@dataclasses.dataclass(frozen=True)
class SmallHeads:
    """A loss, and a penalty on large parameters of heads. The mean over items grows by `strength` times their squares.

    Attributes:
        own: the loss to add the penalty to. strength: factor of the sum of squares.
    """

    own: Objective
    strength: float = 0.5

    def __call__(self, params, batch, key):
        losses, weights = self.own(params, batch, key)
        squares = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params["heads"]))
        return losses + weights * self.strength * squares, weights


SMALL_HEADS = NamedObjective("small_heads", "the loss, and a penalty on large parameters of heads", SmallHeads)
