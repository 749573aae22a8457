"""Modules with which sentence-transformers changes a text's pooled vector: dense layers and normalisation."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from itt_jax.errors import InputError
from itt_jax.families.config import MOST
from itt_jax.models.checkpoint_files import CONFIG, FLOATS, WEIGHTS, read_json, stored_tensors
from itt_jax.models.encoder import Params
from itt_jax.models.layers import ACTIVATIONS

TORCH_ACTIVATIONS = {
    "GELU": "gelu",
    "Hardswish": "hardswish",
    "Identity": "linear",
    "LeakyReLU": "leaky_relu",
    "Mish": "mish",
    "ReLU": "relu",
    "ReLU6": "relu6",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
}
"""Classes of torch.nn, with their default arguments -> names in `layers.ACTIVATIONS`."""
_EMBEDDING = "sentence_embedding"
_DEFAULTS = {"module_input_name": _EMBEDDING, "module_output_name": _EMBEDDING, "use_residual": False}
"""Input and output of a dense layer; other values are refused."""


@dataclasses.dataclass(frozen=True)
class Dense:
    """activation(x W + b).

    Attributes:
        place: its folder in the checkpoint directory.
        inputs, outputs: widths of the vectors. bias: whether it has one.
        activation: a name in `layers.ACTIVATIONS`.
    """

    place: str
    inputs: int
    outputs: int
    bias: bool
    activation: str

    @classmethod
    def described(cls, folder: pathlib.Path, place: str) -> Self:
        """The layer that config.json in a folder of a checkpoint directory describes.

        Raises:
            InputError: a malformed file, or an activation or a setting that is not supported, by its name.
        """
        path = folder / place / CONFIG
        config = read_json(path)
        for name, default in _DEFAULTS.items():
            if config.get(name) not in (None, default):
                raise InputError(f"{path}: {name}: {config[name]!r:.80} is not supported; expected {default!r}")
        inputs, outputs = config.get("in_features"), config.get("out_features")
        for name, size in (("in_features", inputs), ("out_features", outputs)):
            if type(size) is not int or not 1 <= size <= MOST:
                raise InputError(f"{path}: {name}: expected a count of at least 1, found {size!r:.80}")
        bias = config.get("bias", True)
        if type(bias) is not bool:
            raise InputError(f"{path}: bias: expected true or false, found {bias!r:.80}")
        activation = _activation(config.get("activation_function", "torch.nn.Tanh"), path)
        return cls(place, inputs, outputs, bias, activation)

    def __str__(self) -> str:
        return f"dense {self.inputs} x {self.outputs} ({self.activation})"


@dataclasses.dataclass(frozen=True)
class Normalize:
    """x / |x|; zero stays zero."""

    def __str__(self) -> str:
        return "normalised"


Module = Dense | Normalize


def read_params(folder: pathlib.Path, modules: Sequence[Module], width: int) -> Params:
    """The parameters of dense layers by their place: {"kernel": [inputs, outputs], "bias": [outputs]}, float32.

    Args:
        width: width of the pooled vectors.

    Raises:
        InputError: no safetensors file, or tensors that do not fit the layers or the encoder.
    """
    params = {}
    for dense in (module for module in modules if isinstance(module, Dense)):
        place = folder / dense.place
        if dense.inputs != width:
            raise InputError(f"{place / CONFIG}: in_features: expected {width}, found {dense.inputs}")
        shapes: dict[str, tuple[int, ...]] = {"linear.weight": (dense.outputs, dense.inputs)}
        shapes |= {"linear.bias": (dense.outputs,)} if dense.bias else {}
        missing: list[str] = []
        found = stored_tensors(place, missing)
        if missing or found.keys() != shapes.keys():
            raise InputError(f"{place}: expected tensors {', '.join(shapes)}, found {', '.join(found):.200}")
        for name, shape in shapes.items():
            if found[name].shape != shape or found[name].dtype not in FLOATS:
                raise InputError(
                    f"{place / WEIGHTS}: {name}: expected floats {shape}, found {found[name].dtype} {found[name].shape}"
                )
        values = {name: np.asarray(found[name].read(), np.float32) for name in shapes}
        params[dense.place] = {"kernel": values["linear.weight"].T}
        if dense.bias:
            params[dense.place]["bias"] = values["linear.bias"]
        width = dense.outputs
    return params


def transformed(params: Params, modules: Sequence[Module], vectors: Float[Array, "E D"]) -> Float[Array, "E O"]:
    """Pooled vectors, float32, after all modules in order."""
    for module in modules:
        if isinstance(module, Normalize):
            vectors /= jnp.maximum(jnp.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
        else:
            own = params[module.place]
            vectors = jnp.matmul(vectors, own["kernel"], precision=jax.lax.Precision.HIGHEST)
            vectors = ACTIVATIONS[module.activation](vectors + own["bias"] if module.bias else vectors)
    return vectors


def output_width(modules: Sequence[Module], width: int) -> int:
    """The width of the vectors that `transformed` makes from pooled vectors of this width."""
    return next((module.outputs for module in reversed(modules) if isinstance(module, Dense)), width)


def _activation(name: Any, path: pathlib.Path) -> str:
    """Our name for the activation with a dotted class name."""
    package, _, own = str(name).rpartition(".")
    if not package.startswith("torch.nn") or own not in TORCH_ACTIVATIONS:
        raise InputError(
            f"{path}: activation_function: {name!r:.80} is not supported; expected a class of torch.nn: "
            f"{', '.join(TORCH_ACTIVATIONS)}"
        )
    return TORCH_ACTIVATIONS[own]
