"""Rotary position embeddings: queries and keys turned by an angle that grows with their position.

Source: Su et al. 2021 (arXiv 2104.09864); numerics as `transformers`, which pairs an element of a head's first half
with one of its second half.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from itt_jax.models.attention import segment_starts, taken
from itt_jax.models.inputs import EncoderInputs


class Rotation(NamedTuple):
    """Cosines and sines of the angles, in the compute dtype."""

    cosines: Float[Array, "#B T 1 H/2"]
    sines: Float[Array, "#B T 1 H/2"]

    @classmethod
    def of(cls, positions: Int[Array, "#B T"], theta: float, size: int, dtype: Any) -> "Rotation":
        """The rotation of heads of `size` elements: element j turns by position * theta^(-2 j / size)."""
        frequencies = 1 / np.float32(theta) ** (np.arange(0, size, 2, dtype=np.float32) / np.float32(size))
        angles = positions[..., None, None].astype(jnp.float32) * frequencies
        return cls(jnp.cos(angles).astype(dtype), jnp.sin(angles).astype(dtype))

    def at(self, places: Int[Array, "B P"] | None) -> "Rotation":
        """The rotation of some places of each row, P in place of T; None: of all."""
        return Rotation(taken(self.cosines, places), taken(self.sines, places))

    def __call__(self, x: Float[Array, "B T N H"]) -> Float[Array, "B T N H"]:
        """Queries or keys, turned; products in float32."""
        first, second = jnp.split(x.astype(jnp.float32), 2, axis=-1)
        turned = first * self.cosines - second * self.sines, second * self.cosines + first * self.sines
        return jnp.concatenate(turned, axis=-1).astype(x.dtype)


def positions(inputs: EncoderInputs) -> Int[Array, "#B T"]:
    """The given positions, or 0, 1, 2 ... from the start of the row, padding counted, or of each segment.

    Attention depends only on differences. In bfloat16 the cosines of small positions are closer to those of the
    example on its own.
    """
    if inputs.position_ids is not None:
        return inputs.position_ids
    count = jnp.arange(inputs.input_ids.shape[1], dtype=jnp.int32)[None]
    return count if inputs.segment_ids is None else count - segment_starts(inputs.segment_ids)
