"""The dtype of activations and matrix products: bfloat16 where the hardware has it, float32 elsewhere.

Parameters, LayerNorm, softmax, heads and losses are float32 with either. Precision is in the id of no stage and no
cell, but all cells of one encoder in a results folder have the same, which the folder records (`study.provenance`).
"""

import dataclasses
import functools
from time import perf_counter
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from itt_jax.config import Precision
from itt_jax.models import Encoder, Head
from itt_jax.models.hardware import hardware
from itt_jax.train.compiling import compiler_options

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
GAIN = 1.2  # bfloat16 is used on a CPU if it is this many times faster; less is not worth its rounding
MEASURED_WIDTH = 256  # in narrower layers, matrix products take little of the time
_ROWS, _LENGTH, _REPETITIONS = 4, 128, 3

Module = TypeVar("Module", Encoder, Head)


def keep_precision(precision: Precision) -> None:
    """With "float32", products round nothing: accelerators multiply float32 in TF32 or bfloat16 by default."""
    if precision == "float32":
        jax.config.update("jax_default_matmul_precision", "highest")


def training_dtype(precision: Precision = "auto") -> Any:
    """The dtype of training; "auto": bfloat16 on accelerators that have it; float32 on CPUs, where it is faster."""
    if precision != "auto":
        return DTYPES[precision]
    return jnp.bfloat16 if _accelerated() else jnp.float32


def evaluation_dtype(encoder: Encoder, precision: Precision = "auto") -> Any:
    """The dtype of evaluation for this encoder; "auto" is bfloat16 on accelerators that have it.

    On a CPU, "auto" is the faster one. That depends on its instructions and JAX's version, so a layer of the encoder's
    shapes is timed: two or three seconds, once per process. Encoders narrower than 256 use float32 without that.
    """
    if precision != "auto":
        return DTYPES[precision]
    if _accelerated():
        return jnp.bfloat16
    if encoder.width < MEASURED_WIDTH:
        return jnp.float32
    return _faster_on_this_processor(encoder.config)


def in_dtype(module: Module, dtype: Any) -> Module:
    """The encoder, or the head with its encoder, computing in `dtype`; parameters do not change."""
    if isinstance(module, Head):
        return dataclasses.replace(module, encoder=in_dtype(module.encoder, dtype))
    return dataclasses.replace(module, dtype=dtype)


def _accelerated() -> bool:
    """Whether the devices multiply bfloat16 matrices in hardware: TPUs, AMD GPUs, NVIDIA GPUs since Ampere."""
    there = hardware()
    return there.platform != "cpu" and (there.capability is None or there.capability >= 8)


@functools.cache
def _faster_on_this_processor(config: Any) -> Any:
    """bfloat16 if one layer of this config runs GAIN times faster in it, else float32."""
    one = Encoder(dataclasses.replace(config, layers=1, vocabulary_size=64))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda x: rng.standard_normal(x.shape, np.float32) * 0.02, one.shapes())
    length = min(_LENGTH, one.max_positions or _LENGTH)
    inputs = jax.device_put((params, rng.integers(8, 64, (_ROWS, length), np.int32)))
    runs = {
        dtype: jax.jit(in_dtype(one, dtype)).lower(*inputs).compile(compiler_options())
        for dtype in (jnp.float32, jnp.bfloat16)
    }
    seconds = {dtype: np.inf for dtype in runs}
    for _ in range(1 + _REPETITIONS):  # the first warms up; the dtypes alternate, so that both see the same load
        for dtype, run in runs.items():
            began = perf_counter()
            jax.block_until_ready(run(*inputs))
            seconds[dtype] = min(seconds[dtype], perf_counter() - began)
    return jnp.bfloat16 if seconds[jnp.float32] >= GAIN * seconds[jnp.bfloat16] else jnp.float32
