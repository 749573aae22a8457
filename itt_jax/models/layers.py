"""Layers that encoders and heads share, and how a stack of layers is run: unrolled or scanned, with remat or not."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, PRNGKeyArray

_gelu, _tanh_gelu = functools.partial(jax.nn.gelu, approximate=False), functools.partial(jax.nn.gelu, approximate=True)
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": _gelu,
    "gelu_10": lambda x: jnp.clip(_gelu(x), -10, 10),
    "gelu_accurate": _tanh_gelu,
    "gelu_fast": _tanh_gelu,
    "gelu_new": _tanh_gelu,
    "gelu_python": _gelu,
    "gelu_python_tanh": _tanh_gelu,
    "gelu_pytorch_tanh": _tanh_gelu,
    "hardswish": jax.nn.hard_swish,
    "leaky_relu": lambda x: jnp.where(x > 0, x, 0.01 * x),  # jax.nn's has another derivative at 0
    "linear": lambda x: x,
    "mish": jax.nn.mish,
    "quick_gelu": lambda x: x * jax.nn.sigmoid(1.702 * x),
    "relu": jax.nn.relu,
    "relu2": lambda x: jnp.square(jax.nn.relu(x)),
    "relu6": jax.nn.relu6,
    "sigmoid": jax.nn.sigmoid,
    "silu": jax.nn.silu,
    "swish": jax.nn.silu,
    "tanh": jnp.tanh,
}
"""The functions of `families.config.ACTIVATIONS`."""


def linear(config: Any, inputs: int, outputs: int, dtype: Any, rngs: nnx.Rngs) -> nnx.Linear:
    """A dense layer, initialised as Hugging Face does: normal(initializer_range), bias 0."""
    kernel_init = nnx.initializers.normal(config.initializer_range)
    return nnx.Linear(inputs, outputs, kernel_init=kernel_init, dtype=dtype, rngs=rngs)


def embedding(config: Any, rows: int, dtype: Any, rngs: nnx.Rngs, zero_row: int | None = None) -> nnx.Embed:
    """An embedding table of the encoder's width; `zero_row` (the padding token's) starts at 0."""

    def init(key: PRNGKeyArray, shape: tuple[int, ...], dtype: Any) -> Array:
        table = nnx.initializers.normal(config.initializer_range)(key, shape, dtype)
        return table if zero_row is None else table.at[zero_row].set(0)

    return nnx.Embed(rows, config.width, embedding_init=init, dtype=dtype, rngs=rngs)


def layer_norm(config: Any, rngs: nnx.Rngs) -> nnx.LayerNorm:
    """LayerNorm in float32; the variance is the mean of squared deviations, as E[x^2] - E[x]^2 loses it to rounding."""
    epsilon = config.layer_norm_epsilon
    return nnx.LayerNorm(config.width, epsilon=epsilon, use_fast_variance=False, dtype=jnp.float32, rngs=rngs)


@dataclasses.dataclass(frozen=True)
class Execution:
    """How an encoder computes; results differ by no more than rounding.

    Attributes:
        attention: the backend, see fused_attention.py.
        remat: keep only each layer's input for the gradient and compute the rest again, for a third more work. For
            BERT-base with 8 rows of 512 in float32: 1.0 GiB instead of 7.9 (JAX 0.12 on a CPU; JAX 0.10's compiler
            undoes it there unless layers are scanned: 1.5 instead of 7.2).
        scan_layers: trace one layer and loop over it, at the cost of a stacked copy of the layers' parameters. It
            halves tracing time; on a CPU compiling is no faster up to 24 layers, and alone it saves no memory.
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
    """Applies all layers to `start` in order.

    Args:
        step: (layer, state, the layer's own input) -> the next state, of the same shapes.
        start: a pytree.
        inputs: one pytree per layer (dropout key, memory), all of one structure.
        every_state: whether to return more than the last state.

    Returns:
        [start, the state after each layer], or [the last state].
    """
    modules = [layers[str(i)] for i in range(len(layers))]
    if not (execution.remat or execution.scan_layers):
        states = [start]
        for layer, given in zip(modules, inputs, strict=True):
            states.append(step(layer, states[-1], given))
        return states if every_state else states[-1:]

    # jax.checkpoint and scan see only what a layer reads through its arguments: so parameters apart from structure.
    structure = nnx.split(modules[0])[0]
    params = [nnx.to_pure_dict(nnx.state(layer)) for layer in modules]

    def pure_step(params: Any, state: Any, given: Any) -> Any:
        return step(nnx.merge(structure, params), state, given)

    if execution.remat:
        # Inside a scan, forward and backward pass share no common subexpressions.
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
