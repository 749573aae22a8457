"""How the train state is laid out in a device's memory."""

from typing import Any

import jax
from jax.experimental.layout import Format, Layout

from itt_jax.models.hardware import hardware


def state_layout(shape: tuple[int, ...]) -> Layout | None:
    """The layout of a leaf of the train state; None: the compiler chooses.

    For a table [1, V, D] whose V is not a multiple of 8, the TPU compiler makes every row its own tile, which saves
    padding V but makes an update of the table almost three times as slow. This layout has tiles of eight rows instead.
    """
    return Layout(tuple(range(len(shape)))) if hardware().platform == "tpu" and len(shape) == 3 else None


def laid_out(state: Any) -> Any:
    """A train state on its devices, in the layouts of `state_layout`; the given one is donated."""
    formats = jax.tree.map(lambda leaf: state_format(leaf.shape, leaf.sharding), state)
    if not jax.tree.leaves(formats):
        return state
    return jax.jit(lambda given: given, out_shardings=formats, donate_argnums=0)(state)


def state_format(shape: tuple[int, ...], sharding: jax.sharding.Sharding) -> Format | None:
    """`state_layout` on the devices of a sharding."""
    layout = state_layout(shape)
    return None if layout is None else Format(layout, sharding)
