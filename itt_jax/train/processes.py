"""Cooperation of the processes of one run: all of them call these functions, in the main thread and in one order."""

import ctypes
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import numpy as np

from itt_jax.errors import InputError

HEARTBEAT_SECONDS = 30
"""Time after which a process that is not heard of has ended, for the others."""
NOTICE_SECONDS = 10
"""Time beyond a missed heartbeat until JAX has told every process that one has ended."""
LEAST_ROOM = 256
"""Bytes of the smallest array in which a value is sent."""
EXPECTED = (
    "expected ADDRESS:PORT of the first process, the number of processes and the index of this one, from 0; or nothing "
    "on a TPU slice and under Slurm or MPI"
)
ENDED = (
    "error: this process or another of this run has ended, or a host cannot be reached. Finished work is kept; to "
    "continue, start the same command again in every process"
)

T = TypeVar("T")


def join(place: Sequence[str] = ()) -> None:
    """Become one of the processes of a run; call it before JAX's backend starts.

    If another process ends, this one ends with one line and exit code 1, after at most HEARTBEAT_SECONDS, whatever it
    waits for.

    Args:
        place: ADDRESS:PORT of the first process, number of processes, index of this one. Empty on a TPU slice, and
            under Slurm and MPI, where JAX finds them.

    Raises:
        InputError: `place` is malformed, or empty where JAX finds nothing.
    """
    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM for itself
    ctypes.CDLL(None).signal(signal.SIGABRT, _aborted)
    given = _parsed(place) if place else ()
    try:
        jax.distributed.initialize(*given, heartbeat_timeout_seconds=HEARTBEAT_SECONDS)
    except ValueError as error:  # JAX found no address, number or index
        raise InputError(f"--distributed: {EXPECTED}, but JAX finds none of these here ({error})") from error


def _parsed(place: Sequence[str]) -> tuple[str, int, int]:
    """The arguments of `jax.distributed.initialize`."""
    try:
        address, count, index = place[0], *map(int, place[1:])
        if ":" in address and 0 <= index < count:
            return address, count, index
    except ValueError:
        pass
    raise InputError(f"--distributed: found {' '.join(place)!r}, {EXPECTED}")


@ctypes.CFUNCTYPE(None, ctypes.c_int)
def _aborted(number: int) -> None:
    """Say in one line that this process aborts: JAX has lost another, or fails in this one. Runs in that thread."""
    sys.stderr.write(f"{ENDED}\n")
    sys.stderr.flush()
    os._exit(1)


def await_notice(error: Exception) -> None:
    """Wait for the notice that another process has ended, which ends this one, if the error may follow from that."""
    if isinstance(error, jax.errors.JaxRuntimeError) or "Gloo" in str(error):
        time.sleep(HEARTBEAT_SECONDS + NOTICE_SECONDS)


def leave(code: int) -> None:
    """End this process without waiting for the others, which Python's exit would do."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    os._exit(code)


def are_several() -> bool:
    """Whether this process is one of several."""
    return jax.distributed.is_initialized() and jax.process_count() > 1


def is_first() -> bool:
    """Whether this is the process that plans, claims and writes."""
    return jax.process_index() == 0


def await_others(name: str) -> None:
    """Wait until every process has arrived here; from then on, all may read what one of them has written."""
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)


def first_then_others(make: Callable[[], T]) -> T:
    """Call `make` in the first process, then in the others, which find what the first has written."""
    made = make() if is_first() else None
    await_others("made by the first")
    return made if is_first() else make()


def shared(make: Callable[[], Any]) -> Any:
    """The value, of what JSON can hold, that `make` gives in the first process; it is called there alone."""
    if jax.process_count() == 1:
        return make()
    content = json.dumps(make()).encode() if is_first() else b""
    size = int(_from_first(np.int32(len(content))))
    sent = np.zeros(max(LEAST_ROOM, 1 << (size - 1).bit_length()), np.uint8)  # few sizes, as each is a program
    sent[: len(content)] = np.frombuffer(content, np.uint8)
    return json.loads(_from_first(sent)[:size].tobytes())


def shared_name() -> str:
    """A name of the first process and a random number, the same in every process, as part of a temporary path."""
    return shared(lambda: f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}")


def smallest(value: int) -> int:
    """The smallest value among all processes."""
    if jax.process_count() == 1:
        return value
    from jax.experimental import multihost_utils

    # As two halves, since JAX would truncate a number of 64 bits.
    halves = multihost_utils.process_allgather(np.array(divmod(value, 1 << 31), np.int32))
    return min(int(high) * (1 << 31) + int(low) for high, low in halves)


def _from_first(array: np.ndarray) -> np.ndarray:
    from jax.experimental import multihost_utils

    return multihost_utils.broadcast_one_to_all(array)
