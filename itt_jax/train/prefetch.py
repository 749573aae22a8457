"""Inputs made in the background, so that the device does not wait for the host."""

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def prefetched(make: Callable[[int], T], numbers: Iterable[int], depth: int = 2) -> Iterator[T]:
    """`make(number)` for each of `numbers`, in order, made in a thread of its own at most `depth` ahead.

    While the caller holds the k-th, no more than `depth` after it exist or are being made, so that many batches are in
    the device's memory besides the caller's. The thread begins with the first step and ends with the generator: use

        with contextlib.closing(prefetched(make, range(start, stop))) as inputs:
            for given in inputs: ...

    and an exception or a break in the loop (KeyboardInterrupt too) waits for the one `make` that runs, drops what is
    ahead, and joins the thread. Without `closing` that happens when the generator is collected.

    Args:
        make: runs in the other thread, so what JAX keeps by thread (transfer guards, `jax.set_mesh`,
            `jax.default_device`) does not reach it. It must start no collective, for each host would start it at
            another place among those of its steps. `jax.device_put` to devices of several hosts is one (it compares
            what they put); `jax.make_array_from_callback` and `jax.make_array_from_process_local_data` are none.
        numbers: read in the caller's thread.

    Raises:
        ValueError: `depth` below 1. Whatever `make` raises, at the step that would have given its result; what was made
            before it is given first.
    """
    if depth < 1:
        raise ValueError(f"depth {depth}: expected at least 1")
    numbers, ahead = iter(numbers), collections.deque()
    with ThreadPoolExecutor(1, "prefetch") as thread:
        try:
            ahead.extend(thread.submit(make, number) for number in itertools.islice(numbers, depth))
            while ahead:
                given = ahead.popleft().result()
                ahead.extend(thread.submit(make, number) for number in itertools.islice(numbers, 1))
                yield given
        finally:
            thread.shutdown(wait=False, cancel_futures=True)  # leaving the block joins it
