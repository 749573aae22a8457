"""Fused attention kernels, what each supports, and the choice between them.

    xla     everywhere and for everything: the reference, `attention.by_xla`
    cudnn   NVIDIA GPUs from Ampere on: `cudnn_attention.py`, which masks through a bias in the dtype of q
    pallas  TPUs: `tpu_attention.py`, which drops probabilities too; for longer rows, other head sizes and windows JAX's
            splash attention, which does not, and which skips tiles outside of a window

Where a kernel cannot drop attention probabilities, training with attention dropout uses XLA: give an encoder
`attention_dropout` 0 to train with that kernel. None supports the biases of XLNet and DeBERTa, [B, N, T, S] with a
gradient. Layers with a sliding window have no choice of backend: unless "xla" is chosen for the others, TPUs use splash
for long rows, and where it cannot be used XLA computes them in blocks (`attention.by_blocks`). Neither stores a mask or
distant scores.

Source: Dao et al. 2022 (arXiv 2205.14135); `jax.experimental.pallas.ops.tpu.splash_attention`.
"""

import functools
import logging
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from itt_jax.errors import InputError, unknown
from itt_jax.models import cudnn_attention
from itt_jax.models.dropout import dropped_of, words_of
from itt_jax.models.hardware import hardware
from itt_jax.models.tpu_blocks import LANES, fit, longest

log = logging.getLogger(__name__)

BACKENDS = ("auto", "xla", "cudnn", "pallas")
KERNELS = {"gpu": "cudnn", "tpu": "pallas"}
"""The kernel that "auto" tries on a platform."""


def choose(
    backend: str,
    q: Float[Array, "B T N H"],
    k: Float[Array, "B S N H"],
    *,
    bias: bool,
    dropped: bool,
    hidden: bool = False,
) -> str:
    """The backend for this attention: the requested one, or with "auto" the platform's kernel if it pays off.

    If "auto" would use the kernel but it cannot compute this attention, each reason is logged once.

    Args:
        bias: whether scores have a bias. dropped: whether probabilities are dropped.
        hidden: whether a mask hides keys that segments do not.

    Raises:
        InputError: the name is unknown, or the requested backend does not support this attention.
    """
    if backend == "xla":
        return backend
    if backend not in BACKENDS:
        raise unknown("attention", backend, BACKENDS)
    if backend != "auto":
        reason = obstacle(backend, q, k, bias=bias, dropped=dropped, hidden=hidden)
        if reason:
            raise InputError(f"attention {backend!r}: {reason}; expected 'auto' or 'xla'")
        return backend
    kernel = KERNELS.get(hardware().platform)
    if kernel is None or (kernel == "pallas" and q.shape[1] < LANES):
        return "xla"
    reason = obstacle(kernel, q, k, bias=bias, dropped=dropped, hidden=hidden)
    if reason is None:
        return kernel
    _say_once(kernel, reason)
    return "xla"


def has_window_kernel(q: Float[Array, "B T N H"], k: Float[Array, "B S N H"], *, dropped: bool) -> bool:
    """Whether `by_pallas` can compute attention with a window here; if not on a TPU, the reason is logged once."""
    if hardware().platform != "tpu":
        return False
    reason = obstacle("pallas", q, k, bias=False, dropped=dropped, window=True)
    if reason:
        _say_once("pallas", reason)
    return reason is None


@functools.cache
def _say_once(kernel: str, reason: str) -> None:
    log.warning("attention by XLA instead of %s, which %s", kernel, reason)


def obstacle(
    backend: str,
    q: Float[Array, "B T N H"],
    k: Float[Array, "B S N H"],
    *,
    bias: bool,
    dropped: bool,
    window: bool = False,
    hidden: bool = False,
) -> str | None:
    """Why a fused kernel cannot compute this attention here; None if it can."""
    length, size, there = q.shape[1], q.shape[-1], hardware()
    if dropped and backend == "cudnn":
        return "drops no attention probabilities (set attention_dropout to 0)"
    if dropped and (window or not _is_one_pass(q)):
        return (
            f"drops attention probabilities only without a window, in rows of at most "
            f"{longest(q.dtype.itemsize, size)} and for heads that fill {LANES} lanes (set attention_dropout to 0)"
        )
    if bias:
        return "takes no bias with a gradient"
    if hidden:
        return "takes no mask but that of segments"
    if k.shape[1] != length:
        return f"needs as many keys as queries, found {k.shape[1]} and {length}"
    if backend == "cudnn":
        if there.platform != "gpu" or (there.capability or 0) < 8:
            return f"needs an NVIDIA GPU, Ampere or later; found {there.platform}"
        if q.dtype not in (jnp.bfloat16, jnp.float16):
            return f"computes in bfloat16 or float16, found {q.dtype}"
        if size > 128 or size % 8:
            return f"needs a head size of at most 128 and a multiple of 8, found {size}"
        if length % 2:
            return f"needs an even row length, found {length}"
        return _undivided(q)
    if there.platform != "tpu":
        return f"needs a TPU, found {there.platform}"
    if there.kind in ("TPU v2", "TPU v3"):
        return f"needs a TPU v4 or later, found {there.kind}"
    if q.dtype not in (jnp.bfloat16, jnp.float32):
        return f"computes in bfloat16 or float32, found {q.dtype}"
    if length % LANES:
        return f"needs a row length that is a multiple of {LANES}, found {length}"
    if size % 8 or (size > LANES and size % LANES):
        return f"needs a head size that is a multiple of 8, above {LANES} of {LANES}; found {size}"
    if len(there.devices) > 1 and jax.sharding.get_abstract_mesh().empty:
        return "needs the mesh of several devices in context (jax.set_mesh)"
    return _undivided(q)


def _is_one_pass(q: Float[Array, "B T N H"]) -> bool:
    """Whether `tpu_attention.py` can compute the heads of one device."""
    return fit(q, q.shape[2] // jax.sharding.get_abstract_mesh().shape.get("model", 1))


def _undivided(q: Float[Array, "B T N H"]) -> str | None:
    """Why the mesh in context cannot divide the rows and heads over its devices; None if it can or there is none."""
    mesh = jax.sharding.get_abstract_mesh()
    for axis, count in (("data", q.shape[0]), ("model", q.shape[2])):
        if count % mesh.shape.get(axis, 1):
            return f"{count} rows or heads do not divide over the {mesh.shape[axis]} devices of mesh axis {axis!r}"
    return None


def by_cudnn(
    q: Float[Array, "B T N H"],
    k: Float[Array, "B T N H"],
    v: Float[Array, "B T N H"],
    segments: Int[Array, "B T"] | None,
) -> Float[Array, "B T N H"]:
    """Attention inside segments by cuDNN; padding (segment 0) attends to padding."""
    return _on_each_device(cudnn_attention.on_one_device, q, k, v, segments)


def by_pallas(
    q: Float[Array, "B T N H"],
    k: Float[Array, "B T N H"],
    v: Float[Array, "B T N H"],
    segments: Int[Array, "B T"] | None,
    window: int | None = None,
    dropout_rate: float = 0.0,
    key: PRNGKeyArray | None = None,
) -> Float[Array, "B T N H"]:
    """Attention inside segments by a Pallas kernel; padding (segment 0) attends to padding.

    Args:
        window: keys are at most so many positions away; None: anywhere in the segment.
        dropout_rate, key: dropout of the attention probabilities, the same as in `attention.by_xla`.

    Raises:
        ValueError: probabilities are to be dropped where `obstacle` says that they cannot.
    """
    if window is not None or not _is_one_pass(q):
        if key is not None and dropout_rate > 0:
            raise ValueError(f"dropout of attention probabilities in rows {q.shape} with window {window}")
        return _on_each_device(functools.partial(_splash_on_one_device, window), q, k, v, segments)
    from itt_jax.models import tpu_attention  # Pallas takes half a second to import, only on TPUs

    dropped = 0 if key is None else dropped_of(dropout_rate)
    rows, _, heads, _ = q.shape
    words = jnp.zeros((rows, heads, 2), jnp.uint32) if key is None else words_of(key, rows, heads)
    return _on_each_device(functools.partial(tpu_attention.on_one_device, dropped), q, k, v, segments, words)


def _on_each_device(
    kernel: Callable[..., Array],
    q: Float[Array, "B T N H"],
    k: Float[Array, "B T N H"],
    v: Float[Array, "B T N H"],
    segments: Int[Array, "B T"] | None,
    *by_head: Shaped[Array, "B N ..."],
) -> Float[Array, "B T N H"]:
    """A kernel that the compiler cannot partition, or only with copies of arrays.

    With a mesh in context it runs on each device's own rows (mesh axis "data") and heads ("model"); a stack's axis
    follows vmap's `spmd_axis_name`.

    Args:
        by_head: further arrays, for each row and head.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if not mesh.empty:
        names = [name if name in mesh.axis_names else None for name in ("data", "model")]
        own = P(names[0], None, names[1])
        specs = (own, own, own, None if segments is None else P(names[0]), *[P(*names)] * len(by_head))
        kernel = jax.shard_map(kernel, in_specs=specs, out_specs=own, check_vma=False)
    return kernel(q, k, v, segments, *by_head)


def _splash_on_one_device(
    window: int | None,
    q: Float[Array, "B T N H"],
    k: Float[Array, "B T N H"],
    v: Float[Array, "B T N H"],
    segments: Int[Array, "B T"] | None,
) -> Float[Array, "B T N H"]:
    from jax.experimental.pallas.ops.tpu import splash_attention as pallas  # takes half a second, only on TPUs

    q, k, v = (x.transpose(0, 2, 1, 3) for x in (q, k, v))
    heads, length = q.shape[1:3]
    if window is None:
        near = pallas.FullMask((length, length))
        queries = keys = next(tile for tile in (4 * LANES, 2 * LANES, LANES) if length % tile == 0)
        # Heads of 64 fill half of a TPU's 128 lanes, and products give this layout without a copy.
        layout = pallas.QKVLayout.SEQ_MINOR
    else:
        near = pallas.LocalMask((length, length), (window, window), 0)  # computed in the kernel, never stored
        # Larger tiles compute more scores that the mask then hides, smaller ones spend more on each step of the grid.
        queries, keys = 2 * LANES if length % (2 * LANES) == 0 else LANES, LANES
        layout = pallas.QKVLayout.HEAD_DIM_MINOR  # the kernel would transpose a tile of queries for each of its keys
    tiles = pallas.BlockSizes(
        block_q=queries,
        block_kv=keys,
        block_q_dkv=queries,
        block_kv_dkv=keys,
        block_q_dq=queries,
        block_kv_dq=keys,
        q_layout=layout,
        k_layout=layout,
        v_layout=layout,
    )
    kernel = pallas.make_splash_mha(
        pallas.MultiHeadMask([near] * heads), block_sizes=tiles, head_shards=1, q_seq_shards=1
    )
    ids = None if segments is None else pallas.SegmentIds(segments, segments)
    return jax.vmap(kernel)(q * q.shape[-1] ** -0.5, k, v, ids).transpose(0, 2, 1, 3)
