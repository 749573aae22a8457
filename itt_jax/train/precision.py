"""The dtypes of activations and of the factors of matrix products: bfloat16 if the hardware has it, or float32.

Parameters, LayerNorm, softmax, heads and losses are always float32. Precision is not part of the ids of stages and
cells, but all cells of one encoder in a results folder share one, which the folder records (`study.precision`).
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
from itt_jax.models.hardware import hardware, multiplies_bfloat16
from itt_jax.train.compiling import compiler_options

GAIN = 1.2  # minimum speed-up for which factors are rounded on a CPU
MEASURED_WIDTH = 256  # in narrower layers, matrix products take little of the time
_ROWS, _LENGTH, _REPETITIONS = 4, 128, 3

Module = TypeVar("Module", Encoder, Head)


@dataclasses.dataclass(frozen=True)
class Arithmetic:
    """The dtypes in which an encoder computes.

    Attributes:
        name: a value of the setting `precision`.
        dtype: dtype of activations.
        factors: dtype to which products with parameters round both factors, while sums are float32; None: `dtype`.
    """

    name: str
    dtype: Any
    factors: Any = None

    @property
    def factor(self) -> Any:
        """The dtype of factors."""
        return self.factors or self.dtype


FLOAT32 = Arithmetic("float32", jnp.float32)
BFLOAT16 = Arithmetic("bfloat16", jnp.bfloat16)
BFLOAT16_PRODUCTS = Arithmetic("bfloat16_products", jnp.float32, jnp.bfloat16)
ARITHMETICS = {own.name: own for own in (FLOAT32, BFLOAT16, BFLOAT16_PRODUCTS)}


def keep_precision(precision: Precision) -> None:
    """With "float32", products round nothing: accelerators multiply float32 in TF32 or bfloat16 by default."""
    if precision == "float32":
        jax.config.update("jax_default_matmul_precision", "highest")


def slow_precision(precision: Precision) -> str | None:
    """A warning if the study asks for products for which this processor lacks the instructions; otherwise None."""
    if precision != BFLOAT16_PRODUCTS.name or multiplies_bfloat16():
        return None
    return (
        f"precision {precision!r}: this processor has no instructions for bfloat16, so products may take 3 times as "
        "long as in 'float32'; 'auto' evaluates in the faster of the two"
    )


def training_arithmetic(precision: Precision = "auto") -> Arithmetic:
    """The arithmetic of training; "auto": bfloat16 on accelerators that have it, float32 on CPUs.

    On a CPU "auto" does not depend on the processor, so that stages trained on several machines are comparable.
    """
    if precision != "auto":
        return ARITHMETICS[precision]
    return BFLOAT16 if _accelerated() else FLOAT32


def evaluation_arithmetic(encoder: Encoder, precision: Precision = "auto") -> Arithmetic:
    """The arithmetic in which this encoder is evaluated; "auto" is bfloat16 on accelerators that have it.

    On a CPU, "auto" is the faster of float32 and bfloat16_products. That depends on its instructions and JAX's version,
    so a layer of the encoder's shapes is timed: two or three seconds, once per process. Encoders narrower than 256 use
    float32 without timing.
    """
    if precision != "auto":
        return ARITHMETICS[precision]
    if _accelerated():
        return BFLOAT16
    if encoder.width < MEASURED_WIDTH:
        return FLOAT32
    return _faster_on_this_processor(encoder.config)


def computing_in(module: Module, arithmetic: Arithmetic) -> Module:
    """The encoder, or the head with its encoder, in another arithmetic; parameters do not change."""
    if isinstance(module, Head):
        return dataclasses.replace(module, encoder=computing_in(module.encoder, arithmetic))
    return dataclasses.replace(module, dtype=arithmetic.dtype, factors=arithmetic.factors)


def arithmetic_of(encoder: Encoder) -> Arithmetic:
    """The arithmetic of an encoder."""
    return next(own for own in ARITHMETICS.values() if computing_in(encoder, own) == encoder)


def _accelerated() -> bool:
    """Whether the devices multiply bfloat16 matrices in hardware: TPUs, AMD GPUs, NVIDIA GPUs since Ampere."""
    there = hardware()
    return there.platform != "cpu" and (there.capability is None or there.capability >= 8)


@functools.cache
def _faster_on_this_processor(config: Any) -> Arithmetic:
    """bfloat16_products if one layer of this config runs GAIN times faster in it, else float32."""
    one = Encoder(dataclasses.replace(config, layers=1, vocabulary_size=64))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda x: rng.standard_normal(x.shape, np.float32) * 0.02, one.shapes())
    length = min(_LENGTH, one.max_positions or _LENGTH)
    inputs = jax.device_put((params, rng.integers(8, 64, (_ROWS, length), np.int32)))
    runs = {
        own: jax.jit(computing_in(one, own)).lower(*inputs).compile(compiler_options())
        for own in (FLOAT32, BFLOAT16_PRODUCTS)
    }
    seconds = {own: np.inf for own in runs}
    try:
        for _ in range(1 + _REPETITIONS):  # the first warms up; the two alternate, so that both see the same load
            for own, run in runs.items():
                began = perf_counter()
                jax.block_until_ready(run(*inputs))
                seconds[own] = min(seconds[own], perf_counter() - began)
    except jax.errors.JaxRuntimeError:  # XLA finds out only now that it lacks such products for this processor
        return FLOAT32
    return BFLOAT16_PRODUCTS if seconds[FLOAT32] >= GAIN * seconds[BFLOAT16_PRODUCTS] else FLOAT32
