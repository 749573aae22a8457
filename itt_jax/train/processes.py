"""Cooperation of the processes of one run: all of them call these functions, in the main thread and in one order."""

import secrets

import jax
import numpy as np


def is_first() -> bool:
    """Whether this is the process that writes files."""
    return jax.process_index() == 0


def await_others(name: str) -> None:
    """Wait until every process has arrived here; from then on, all may read what one of them has written."""
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)


def shared_name() -> str:
    """A random name, the same in every process, as part of a temporary path."""
    number = np.int32(secrets.randbits(31))
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        number = multihost_utils.broadcast_one_to_all(number)
    return f"{int(number):08x}"


def smallest(value: int) -> int:
    """The smallest value among all processes."""
    if jax.process_count() == 1:
        return value
    from jax.experimental import multihost_utils

    # As two halves, since JAX would truncate a number of 64 bits.
    halves = multihost_utils.process_allgather(np.array(divmod(value, 1 << 31), np.int32))
    return min(int(high) * (1 << 31) + int(low) for high, low in halves)
