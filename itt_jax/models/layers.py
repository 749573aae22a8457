"""Layers that encoders and heads share, and how a stack of layers is run: unrolled or scanned, with remat or not."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax.models.gelu import gelu
from itt_jax.models.products import dense, rows_of, shifted

_tanh_gelu = functools.partial(jax.nn.gelu, approximate=True)
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": gelu,
    "gelu_10": lambda x: jnp.clip(gelu(x), -10, 10),
    "gelu_accurate": _tanh_gelu,
    "gelu_fast": _tanh_gelu,
    "gelu_new": _tanh_gelu,
    "gelu_python": gelu,
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


def initializer(config: Any, deviation: float | None = None) -> Callable[..., Array]:
    """Hugging Face's: normal, truncated if the config has a cutoff. `deviation` defaults to initializer_range."""
    deviation, cutoff = config.initializer_range if deviation is None else deviation, config.initializer_cutoff
    if cutoff is None:
        return nnx.initializers.normal(deviation)
    return nnx.initializers.truncated_normal(deviation, lower=-cutoff, upper=cutoff)


class Linear(nnx.Linear):
    """A dense layer that computes in its dtype; the gradients of its parameters are float32 sums (products.py)."""

    factors: Any = None

    def __call__(self, x: Float[Array, "*B D"]) -> Float[Array, "*B F"]:
        y = dense(x.astype(self.dtype), self.kernel[...], self.factors)
        return y if self.bias is None else shifted(y, self.bias[...])


def linear(
    config: Any,
    inputs: int,
    outputs: int,
    dtype: Any,
    rngs: nnx.Rngs,
    *,
    bias: bool = True,
    deviation: float | None = None,
) -> Linear:
    """A dense layer, initialised as Hugging Face does (see `initializer`); the bias is 0."""
    init = initializer(config, deviation)
    return Linear(inputs, outputs, use_bias=bias, kernel_init=init, dtype=dtype, rngs=rngs)


def round_factors(model: nnx.Module, factors: Any) -> None:
    """Make a model's products with parameters round their factors to a dtype; None: that of the activations."""
    for _, module in nnx.iter_modules(model):
        if hasattr(module, "factors"):
            module.factors = factors


class Embed(nnx.Embed):
    """A table whose gradient devices sum once (products.py)."""

    def __call__(self, ids: Int[Array, "*B"]) -> Float[Array, "*B D"]:
        return super().__call__(ids) if self.num_embeddings == 1 else rows_of(self.embedding[...], ids)


def embedding(config: Any, rows: int, rngs: nnx.Rngs, zero_row: int | None = None) -> Embed:
    """An embedding table of the encoder's width; `zero_row` (the padding token's) starts at 0.

    Rows are read in float32, because the table's gradient is a sum over tokens, and cast afterwards.
    """

    def init(key: PRNGKeyArray, shape: tuple[int, ...], dtype: Any) -> Array:
        table = initializer(config)(key, shape, dtype)
        return table if zero_row is None else table.at[zero_row].set(0)

    return Embed(rows, config.width, embedding_init=init, dtype=jnp.float32, rngs=rngs)


class LayerNorm(nnx.LayerNorm):
    """LayerNorm in float32 over the last axis.

    The variance is the mean of squared deviations, as E[x^2] - E[x]^2 loses it to rounding. Of bfloat16 it loses far
    less than x itself has lost, and takes one pass over x instead of two, so there it is used: down to 2^-20 E[x]^2,
    which is less than the variance of the rounding of x.
    """

    def __call__(self, x: Float[Array, "*B D"]) -> Float[Array, "*B D"]:
        y = x.astype(jnp.float32)
        mean = y.mean(-1, keepdims=True)
        if x.dtype == jnp.bfloat16:
            square = mean * mean
            variance = jnp.maximum((y * y).mean(-1, keepdims=True) - square, 2.0**-20 * square)
        else:
            variance = jnp.square(y - mean).mean(-1, keepdims=True)
        normalised = (y - mean) * (jax.lax.rsqrt(variance + self.epsilon) * self.scale[...])
        return normalised if self.bias is None else normalised + self.bias[...]


def layer_norm(config: Any, rngs: nnx.Rngs) -> LayerNorm:
    """LayerNorm of the encoder's width."""
    return LayerNorm(config.width, epsilon=config.layer_norm_epsilon, use_bias=config.norm_bias, rngs=rngs)


def rms_norm(config: Any, rngs: nnx.Rngs) -> nnx.RMSNorm:
    """RMSNorm in float32 (Zhang and Sennrich 2019, arXiv 1910.07467)."""
    return nnx.RMSNorm(config.width, epsilon=config.layer_norm_epsilon, dtype=jnp.float32, rngs=rngs)


@dataclasses.dataclass(frozen=True)
class Execution:
    """How an encoder computes; results differ by no more than rounding.

    Attributes:
        attention: the backend, see fused_attention.py.
        remat: keep only each layer's input for the gradient and compute the rest again, for a third more work. For
            BERT-base with 8 rows of 512 in float32: 1.0 GiB instead of 7.9 (JAX 0.12 on a CPU; JAX 0.10's compiler
            undoes it there unless layers are scanned: 1.5 instead of 7.2).
        scan_layers: trace one layer (where layers differ, one period of them) and loop over it, at the cost of a
            stacked copy of the layers' parameters. It halves tracing time; on a CPU compiling is no faster up to 24
            layers, and without remat it saves no memory.
    """

    attention: str = "auto"
    remat: bool = False
    scan_layers: bool = False

    def backend(self, places: Array | None) -> str:
        """The backend for queries at some places, which fused kernels do not take; None: for all."""
        return self.attention if places is None else "xla"


PLAIN = Execution()


def run_layers(
    layers: nnx.Dict,
    step: Callable[..., Any],
    start: Any,
    inputs: Sequence[Any],
    execution: Execution,
    *,
    every_state: bool,
    places: Int[Array, "B P"] | None = None,
) -> list[Any]:
    """Applies all layers to `start` in order.

    Args:
        step: (layer, state, the layer's own input) -> the next state, of the same shapes. With a fourth argument,
            `places`, only the states there.
        start: a pytree.
        inputs: one pytree per layer (dropout key, memory), all of one structure.
        every_state: whether to return more than the last state.
        places: the places of the last state that are computed; None: all.

    Returns:
        [start, the state after each layer], or [the last state].
    """
    modules = [layers[str(i)] for i in range(len(layers))]
    count = len(modules) if places is None else len(modules) - 1  # layers that compute every token

    def advanced(i: int, layer: nnx.Module, state: Any, given: Any) -> Any:
        """The state after layer `i`."""
        return step(layer, state, given) if i < count else step(layer, state, given, places)

    if not (execution.remat or execution.scan_layers):
        states = [start]
        for i, (layer, given) in enumerate(zip(modules, inputs, strict=True)):
            states.append(advanced(i, layer, states[-1], given))
        return states if every_state else states[-1:]

    # jax.checkpoint and scan see only a layer's arguments, so parameters are separated from structure.
    structures = [nnx.split(layer)[0] for layer in modules]
    params = [nnx.to_pure_dict(nnx.state(layer)) for layer in modules]
    given = list(zip(params, inputs, strict=True))

    def pure_step(i: int, in_scan: bool) -> Callable[[Any, tuple[Any, Any]], Any]:
        """Layer `i` as a function of the state and of its own (parameters, inputs)."""

        def apply(state: Any, own: tuple[Any, Any]) -> Any:
            return advanced(i, nnx.merge(structures[i], own[0]), state, own[1])

        # Inside a scan, forward and backward pass share no common subexpressions.
        return jax.checkpoint(apply, prevent_cse=not in_scan) if execution.remat else apply

    first, period, repeats = _periodic(structures[:count]) if execution.scan_layers else (len(modules), 0, 0)
    states = [start]
    for i in range(first):
        states.append(pure_step(i, False)(states[-1], given[i]))
    stop = first + period * repeats
    if repeats:
        steps = [pure_step(first + j, True) for j in range(period)]
        states += _scanned(steps, states[-1], given[first:stop], every_state)
    for i in range(stop, len(modules)):
        states.append(pure_step(i, False)(states[-1], given[i]))
    return states if every_state else states[-1:]


def _scanned(
    steps: Sequence[Callable[[Any, Any], Any]], start: Any, given: Sequence[Any], every_state: bool
) -> list[Any]:
    """The state after each layer, or the last one, of layers that repeat a period of `steps`.

    Args:
        given: the (parameters, inputs) of each layer.
    """

    def one_period(state: Any, own: list[Any]) -> tuple[Any, Any]:
        passed = []
        for apply, layer in zip(steps, own, strict=True):
            state = apply(state, layer)
            passed.append(state)
        return state, passed if every_state else None

    period = len(steps)
    stacked = [jax.tree.map(lambda *leaves: jnp.stack(leaves), *given[j::period]) for j in range(period)]
    last, passed = jax.lax.scan(one_period, start, stacked)
    if not every_state:
        return [last]
    repeats = len(given) // period
    return [jax.tree.map(lambda leaf, k=k: leaf[k], own) for k in range(repeats) for own in passed]


def _periodic(structures: Sequence[Any]) -> tuple[int, int, int]:
    """(first, period, repeats) of the repetition with the fewest layers to trace: [first : first + period] recurs.

    Layers of one encoder may differ: in ModernBERT every third sees the whole text, and the first has no norm.
    """
    kinds = [structures.index(structure) for structure in structures]
    count = len(kinds)
    saved, found = 0, (count, 0, 0)
    for period in range(1, count):
        for first in range(count - period):
            same = 0
            while kinds[first + same] == kinds[first + same + period]:
                same += 1
                if first + same + period == count:
                    break
            repeats = same // period + 1
            if (repeats - 1) * period > saved:
                saved, found = (repeats - 1) * period, (first, period, repeats)
    return found
