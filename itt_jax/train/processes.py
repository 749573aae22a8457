"""Cooperation of the processes of one run: all call these functions, in the main thread and in the same order."""

import ctypes
import itertools
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

from itt_jax.errors import InputError

HEARTBEAT_SECONDS = 30
"""Time after which a silent process counts as ended for the others."""
NOTICE_SECONDS = 10
"""Time from a missed heartbeat until JAX has told every process that one has ended."""
POLL_MILLISECONDS = 1000
"""Time that one call to JAX's service waits."""
PART_BYTES = 1 << 20
"""Size of the parts in which a message is sent; gRPC limits them to 4 MiB."""
EXPECTED = (
    "expected ADDRESS:PORT of the first process, the number of processes and the index of this one, from 0; or nothing "
    "on a TPU slice and under Slurm or MPI"
)
ENDED = (
    "error: this process or another of this run has ended, or a host cannot be reached. Finished work is kept; to "
    "continue, start the same command again in every process"
)

T = TypeVar("T")
_numbers = itertools.count()
"""Numbers of exchanges, equal in every process, since all call in the same order."""


def join(place: Sequence[str] = ()) -> None:
    """Become one of the processes of a run; call it before JAX's backend starts.

    If another process ends, this one ends with one line and exit code 1, after at most HEARTBEAT_SECONDS, whatever it
    is waiting for.

    Args:
        place: ADDRESS:PORT of the first process, number of processes, index of this one. Empty on a TPU slice, and
            under Slurm and MPI, where JAX finds them.

    Raises:
        InputError: `place` is malformed, or empty where JAX finds nothing.
    """
    jax.config.update("jax_enable_preemption_service", False)  # it would handle SIGTERM itself
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
    """Report in one line that this process aborts: JAX has lost another, or fails in this one. Runs in that thread."""
    sys.stderr.write(f"{ENDED}\n")
    sys.stderr.flush()
    os._exit(1)


def await_notice(error: BaseException | None) -> None:
    """If the error may be due to the end of another process, wait for the notice of it, which ends this process."""
    while error is not None:
        said = ("Gloo", "CoordinationService")  # of collectives, and of Orbax's barriers
        if isinstance(error, jax.errors.JaxRuntimeError) or any(name in str(error) for name in said):
            return time.sleep(HEARTBEAT_SECONDS + NOTICE_SECONDS)
        error = error.__cause__ or error.__context__


def leave(code: int) -> None:
    """End this process without waiting for the others, as Python's exit would."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    os._exit(code)


def are_several() -> bool:
    """Whether this process is one of several."""
    return jax.distributed.is_initialized() and jax.process_count() > 1


def is_first() -> bool:
    """Whether this is the process that plans, claims and writes."""
    return jax.process_index() == 0


def await_others() -> None:
    """Wait until every process has arrived here; from then on, all may read what one of them has written.

    There is no time limit: nothing waits on a device, where a waiting collective ends in an error.
    """
    gathered(None)


def first_then_others(make: Callable[[], T]) -> T:
    """Call `make` in the first process, then in the others, which find what the first has written."""
    if not is_first():
        await_others()
        return make()
    made = make()
    await_others()
    return made


def shared(make: Callable[[], Any]) -> Any:
    """The JSON value that `make` returns in the first process; it is called only there."""
    return gathered(make() if is_first() else None)[0]


def gathered(value: Any) -> list[Any]:
    """The JSON values of all processes, in their order. Waits for all, but not on a device."""
    if not are_several():
        return [value]
    number, service = next(_numbers), _service()
    _send(f"itt_jax/{number}/{jax.process_index()}", json.dumps(value).encode())
    found = [json.loads(_received(f"itt_jax/{number}/{index}")) for index in range(jax.process_count())]
    if number and is_first():  # every process has sent this value, so it has received all earlier ones
        service.key_value_delete(f"itt_jax/{number - 1}/")
    return found


def _send(name: str, content: bytes) -> None:
    """Send a message, once for each name."""
    parts = range(0, len(content), PART_BYTES)
    for number, at in enumerate(parts):
        _service().key_value_set_bytes(f"{name}/{number}", content[at : at + PART_BYTES])
    _service().key_value_set_bytes(f"{name}/parts", str(len(parts)).encode())


def _received(name: str) -> bytes:
    """A message, once it is sent."""
    count = int(_value(f"{name}/parts"))
    return b"".join(_value(f"{name}/{number}") for number in range(count))


def _value(key: str) -> bytes:
    """A value of the service, once it is there. Signals are handled every POLL_MILLISECONDS."""
    while True:
        try:
            return _service().blocking_key_value_get_bytes(key, POLL_MILLISECONDS)
        except jax.errors.JaxRuntimeError as error:
            if "DEADLINE_EXCEEDED" not in str(error):
                raise


def shared_name() -> str:
    """A name for temporary paths, the same in every process: host and id of the first process, and a random number."""
    return shared(lambda: f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}")


def smallest(value: int) -> int:
    """The smallest value among all processes."""
    return min(gathered(value))


def part() -> None:
    """Leave the run; all processes call it together, so that each ends with its own exit code."""
    if jax.distributed.is_initialized():
        jax.distributed.shutdown()


def _service() -> Any:
    """The client of the service through which JAX's processes find each other; it has no public name."""
    from jax._src import distributed

    return distributed.global_state.client
