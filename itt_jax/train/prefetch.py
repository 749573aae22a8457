"""Inputs prepared in a background thread, so that the device does not wait for the host."""

import collections
import itertools
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def prefetched(make: Callable[[int], T], numbers: Iterable[int], depth: int = 2) -> Generator[T]:
    """`make(number)` for each of `numbers`, in order, computed in a background thread at most `depth` ahead.

    While the caller has the k-th result, at most `depth` later ones exist or are being made; device memory must hold
    that many more batches. The thread starts with the first step and ends with the generator:

        with contextlib.closing(prefetched(make, range(start, stop))) as inputs:
            for given in inputs: ...

    When the loop ends by an exception or a break (KeyboardInterrupt included), the running `make` is awaited, the
    results ahead are dropped and the thread is joined. Without `closing` this happens when the generator is collected.

    Args:
        make: runs in the background thread, where JAX's thread-local settings (transfer guards, `jax.set_mesh`,
            `jax.default_device`) of the caller do not apply. It must not start a collective, as each host would start
            it at a different point among those of its steps. `jax.device_put` to devices of several hosts is one, since
            it compares the values; `jax.make_array_from_callback` and `jax.make_array_from_process_local_data` are not.
        numbers: read in the caller's thread.

    Raises:
        ValueError: `depth` is below 1. An exception of `make` is raised in place of its result, after all earlier
            results.
    """
    if depth < 1:
        raise ValueError(f"depth {depth}: expected at least 1")
    numbers, ahead = iter(numbers), collections.deque[Future[T]]()
    with ThreadPoolExecutor(1, "prefetch") as thread:
        try:
            ahead.extend(thread.submit(make, number) for number in itertools.islice(numbers, depth))
            while ahead:
                given = ahead.popleft().result()
                ahead.extend(thread.submit(make, number) for number in itertools.islice(numbers, 1))
                yield given
        finally:
            thread.shutdown(wait=False, cancel_futures=True)  # leaving the block joins it
