"""How a stack of layers is run: unrolled or scanned, its activations kept or computed again for the gradient."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class Execution:
    """How an encoder computes; what it computes changes by no more than rounding.

    Attributes:
        attention: the backend, see fused_attention.py.
        remat: keep only each layer's input for the gradient and compute the rest again, for a third more work: of
            BERT-base with 8 rows of 512 in float32, 1.0 GiB instead of 7.9 (JAX 0.12 on a CPU; the compiler of 0.10
            there undoes it, unless layers are scanned: 1.5 instead of 7.2).
        scan_layers: trace one layer and loop over it, for a copy of the layers' parameters side by side. It halves
            tracing; on a CPU compiling is no faster up to 24 layers, and by itself it saves no memory.
    """

    attention: str = "auto"
    remat: bool = False
    scan_layers: bool = False


PLAIN = Execution()


def run_layers(
    layers: nnx.Dict,
    step: Callable[[nnx.Module, Any, Any], Any],
    start: Any,
    inputs: Sequence[Any],
    execution: Execution,
    *,
    every_state: bool,
) -> list[Any]:
    """`start` through every layer in order.

    Args:
        step: (layer, state, the layer's own input) -> the next state, of the same shapes.
        start: a pytree. inputs: one pytree a layer (dropout key, memory), all of one structure.
        every_state: whether more than the last state is read.

    Returns:
        [start, the state after each layer], or the last state alone.
    """
    modules = [layers[str(i)] for i in range(len(layers))]
    if not (execution.remat or execution.scan_layers):
        states = [start]
        for layer, given in zip(modules, inputs, strict=True):
            states.append(step(layer, states[-1], given))
        return states if every_state else states[-1:]

    # jax.checkpoint and scan see what a layer reads through arguments alone: parameters apart from structure.
    structure = nnx.split(modules[0])[0]
    params = [nnx.to_pure_dict(nnx.state(layer)) for layer in modules]

    def pure_step(params: Any, state: Any, given: Any) -> Any:
        return step(nnx.merge(structure, params), state, given)

    if execution.remat:
        # Inside a scan nothing can be shared between forward and backward pass anyway.
        pure_step = jax.checkpoint(pure_step, prevent_cse=not execution.scan_layers)
    if not execution.scan_layers:
        states = [start]
        for own, given in zip(params, inputs, strict=True):
            states.append(pure_step(own, states[-1], given))
        return states if every_state else states[-1:]

    def scanned(state: Any, layer: tuple[Any, Any]) -> tuple[Any, Any]:
        state = pure_step(layer[0], state, layer[1])
        return state, state if every_state else None

    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *zip(params, inputs, strict=True))
    last, states = jax.lax.scan(scanned, start, stacked)
    if not every_state:
        return [last]
    return [start, *(jax.tree.map(lambda leaf, i=i: leaf[i], states) for i in range(len(modules)))]
