"""What fits: a device's free memory, what a compiled program needs, and a step in twice as many microbatches."""

import ctypes
import pathlib

import jax
import numpy as np

from itt_jax.batch import Batch
from itt_jax.errors import InputError

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt, as malloc.h numbers them
_UNLIMITED = 1 << 60  # a control group without a limit says so with a number near 2 ** 63


def keep_freed_memory() -> None:
    """On a CPU, let a step write where the last one did; to be called before JAX's backend starts.

    glibc maps a buffer as large as a step's temporary memory anew each time, and the kernel clears it page by page: in
    a step of BERT-base 426,000 page faults, a fifth of its processor time. So large buffers come from the heap of
    the main thread, which is kept, and steps run in the thread that calls them, as other threads' heaps are small. What
    was once used goes back to the system when the process ends. Without glibc, and on accelerators, nothing is changed.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    libc = ctypes.CDLL(None)
    if jax.default_backend() == "cpu" and hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, -1)


# --- Bytes


def device_bytes(device: jax.Device) -> int | None:
    """Free memory of `device` in bytes, or None where it does not tell.

    Of an accelerator what its allocator may still give; of a CPU what the kernel and the process's control groups
    leave without swapping (its devices share it).
    """
    if device.platform == "cpu":
        return _host_bytes(pathlib.Path("/"))
    found = device.memory_stats() or {}
    return found["bytes_limit"] - found["bytes_in_use"] if "bytes_limit" in found else None


def needed_bytes(compiled: jax.stages.Compiled) -> int | None:
    """Bytes on each device while `compiled` runs: arguments, results and temporaries, donated memory counted once.

    Arguments that are on the device already (parameters) are in here and in no `device_bytes` any more. None where the
    backend does not tell.
    """
    found = compiled.memory_analysis()
    if found is None:
        return None
    held = found.argument_size_in_bytes + found.output_size_in_bytes - found.alias_size_in_bytes
    return held + found.temp_size_in_bytes


def extra_bytes(compiled: jax.stages.Compiled) -> int | None:
    """Bytes on each device that `compiled` needs besides its arguments."""
    needed = needed_bytes(compiled)
    return None if needed is None else needed - compiled.memory_analysis().argument_size_in_bytes


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a program could not be compiled or run for want of memory (XLA's RESOURCE_EXHAUSTED, or the host's)."""
    return isinstance(error, MemoryError) or (
        isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
    )


def _host_bytes(root: pathlib.Path) -> int | None:
    """The least of what the kernel and each control group of this process, up to the root, has free."""
    free = [_available(root / "proc/meminfo")]
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mount, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            mount = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        own = pathlib.PurePath(path.strip("/"))
        free += [_group_bytes(mount / group, *names) for group in (own, *own.parents)]
    known = [found for found in free if found is not None]
    return min(known) if known else None


def _available(meminfo: pathlib.Path) -> int | None:
    found = [line.split() for line in _lines(meminfo) if line.startswith("MemAvailable:")]
    return int(found[0][1]) * 1024 if found else None


def _group_bytes(group: pathlib.Path, limit: str, usage: str, reclaimable: str) -> int | None:
    """What a control group has free; the page cache that it holds and does not use counts as free."""
    limits, usages = _lines(group / limit), _lines(group / usage)
    if not limits or not usages or limits[0] == "max" or int(limits[0]) > _UNLIMITED:
        return None
    cached = [int(line.split()[1]) for line in _lines(group / "memory.stat") if line.split()[0] == reclaimable]
    return max(0, int(limits[0]) - int(usages[0]) + sum(cached))


def _lines(path: pathlib.Path) -> list[str]:
    """The lines of a file of the kernel's; none where it is absent or may not be read."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


# --- Microbatches


def halved(batch: Batch, shards: int = 1, choices: int = 1) -> Batch:
    """The same step in twice as many microbatches of half the rows.

    Every example is counted in the microbatch that holds its row, so sum(weights * losses) and sum(weights) over all
    microbatches stay; dropout differs, for its keys are numbered by microbatch.

    Args:
        batch: numpy arrays with a leading axis of microbatches, [M, B, ...] and [M, E, ...].
        shards: devices that share the rows; both halves have a multiple of it, with empty rows where need be.
        choices: examples of an item, as `Examples.choices`.

    Raises:
        InputError: the rows cannot be halved, or an item's examples (choice, retrieval) might come apart: its loss is
            over all of them, and a retrieval query's over all candidates of its microbatch.
    """
    rows, length = batch.row_shape[1:]
    if choices > 1:
        raise InputError(
            f"a microbatch of items of {choices} examples does not fit the device's memory and cannot be halved by "
            "rows, as an item's loss reads all its examples (in retrieval, all candidates); expected a smaller "
            "batch_size or (choice) more accumulate"
        )
    if rows <= shards:
        raise InputError(
            f"a microbatch of {rows} rows of {length} tokens does not fit the device's memory; "
            "expected a shorter max_length, a smaller encoder or more memory"
        )
    half = -(-rows // (2 * shards)) * shards
    if not batch.by_example:
        return Batch({name: _rows_apart(array, half, 0) for name, array in batch.by_row.items()}, {})
    empty = {"example_ids": batch.slots, "labels": -1}
    by_row = {name: _rows_apart(array, half, empty.get(name, 0)) for name, array in batch.by_row.items()}
    by_example = {name: np.repeat(array, 2, axis=0) for name, array in batch.by_example.items()}
    here = by_example["summary_rows"]
    own = here // half == np.tile([0, 1], len(here) // 2)[:, None]  # whether a slot's example is in this half
    by_example["summary_rows"] = here % half
    for name in ("weights", "summary_rows", "summary_positions"):
        by_example[name] = np.where(own, by_example[name], 0).astype(by_example[name].dtype)
    return Batch(by_row, by_example)


def _rows_apart(array: np.ndarray, half: int, empty: int) -> np.ndarray:
    """[M, B, ...] -> [2 M, half, ...]; missing rows hold `empty`."""
    missing = np.full((len(array), 2 * half - array.shape[1], *array.shape[2:]), empty, array.dtype)
    return np.concatenate([array, missing], axis=1).reshape(2 * len(array), half, *array.shape[2:])
