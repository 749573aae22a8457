"""Dropout that is computed where it is used: whether an element is kept is a hash of its place.

The key gives two words, and the hash of these and the place is compared with the rate. Nothing is drawn in advance, so
compilers compute it beside what reads it, backward once more, instead of storing and reading random bits. An element is
kept or dropped alike on any number of devices, and in any division of the work.

The hash has three multiplications. With two, as in MurmurHash3, elements a power of two apart have correlations of up
to .004, which tests can see.

Source: Srivastava et al. 2014 (JMLR 15); shifts and factors of "triple32", https://github.com/skeeto/hash-prospector,
without the last shift, which changes no upper bits.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray, UInt32

_RANGE = 1 << 32


def subkey(key: PRNGKeyArray | None, index: int) -> PRNGKeyArray | None:
    """The `index`-th key derived from `key`; None (no dropout) stays None."""
    return None if key is None else jax.random.fold_in(key, index)


def dropout(x: Float[Array, "..."], rate: float, key: PRNGKeyArray | None, streams: int = 0) -> Float[Array, "..."]:
    """Zeroes elements with probability `rate` and scales the rest so that the expectation is x.

    Args:
        rate: in [0, 1).
        key: None switches dropout off.
        streams: number of leading axes along which each index has words of its own.
    """
    dropped = dropped_of(rate)
    if key is None or dropped == 0:
        return x
    leading, shape = x.shape[:streams], x.shape[streams:]
    first, second = (words_of(key, *leading)[..., n].reshape(*leading, *[1] * len(shape)) for n in (0, 1))
    scaled = x.astype(jnp.float32) * scale_of(dropped)
    return jnp.where(is_kept(places(shape), first, second, dropped), scaled, 0).astype(x.dtype)


def dropped_of(rate: float) -> int:
    """How many of 2^32 hashes drop an element."""
    return min(round(rate * _RANGE), _RANGE - 1)


def scale_of(dropped: int) -> float:
    """What kept elements are multiplied by."""
    return _RANGE / (_RANGE - dropped)


def words_of(key: PRNGKeyArray, *leading: int) -> UInt32[Array, "*B 2"]:
    """The two words of each stream."""
    return jax.random.bits(key, (*leading, 2), jnp.uint32)


def places(shape: tuple[int, ...]) -> UInt32[Array, "*P"]:
    """The place of each element: its number in the array, modulo 2^32."""
    strides = np.cumprod([1, *reversed(shape[1:])], dtype=np.uint64)[::-1].astype(np.uint32)
    numbers = (jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * strides[axis] for axis in range(len(shape)))
    return sum(numbers, start=jnp.uint32(0))


def is_kept(
    place: UInt32[Array, "..."], first: UInt32[Array, "..."], second: UInt32[Array, "..."], dropped: int
) -> Bool[Array, "..."]:
    """Whether elements are kept, by their places and the words of their streams."""
    x = place ^ first
    x = (x ^ (x >> 17)) * jnp.uint32(0xED5AD4BB)
    x = ((x ^ (x >> 11)) + second) * jnp.uint32(0xAC4C1B51)
    x = (x ^ (x >> 15)) * jnp.uint32(0x31848BAB)
    return x >= jnp.uint32(dropped)
