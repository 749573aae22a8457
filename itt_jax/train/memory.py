"""Free memory of a device, and the memory that a compiled program needs."""

import ctypes
import pathlib

import jax

from itt_jax.models.hardware import hardware

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # parameters of mallopt in malloc.h
_UNLIMITED = 1 << 60  # control groups without a limit report a number near 2 ** 63


def keep_freed_memory() -> None:
    """On a CPU, keep freed memory for the next step. Call it before JAX's backend starts.

    By default glibc maps a step's temporary buffer anew each time, and the kernel clears it page by page: 426,000 page
    faults in a step of BERT-base, 20 % of its processor time. With these settings, large buffers come from the main
    thread's heap, which is never trimmed, and steps run in the calling thread, as the heaps of other threads are small.
    The memory returns to the system when the process ends. Nothing changes without glibc or on accelerators.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    libc = ctypes.CDLL(None)
    if jax.default_backend() == "cpu" and hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, -1)


def device_bytes(device: jax.Device) -> int | None:
    """Free memory of `device` in bytes; None if the device does not report it.

    For an accelerator, the memory that its allocator has left. For a CPU, the memory that the kernel and the process's
    control groups have left without swapping; all CPU devices share it.
    """
    if device.platform == "cpu":
        return _host_bytes(pathlib.Path("/"))
    found = device.memory_stats() or {}
    return found["bytes_limit"] - found["bytes_in_use"] if "bytes_limit" in found else None


def free_bytes() -> int | None:
    """Free memory of each device to compile for, in bytes; None if unknown."""
    there = hardware()
    return there.bytes if there.described else device_bytes(jax.local_devices()[0])


def needed_bytes(compiled: jax.stages.Compiled) -> int | None:
    """Bytes on each device while `compiled` runs: arguments, results and temporaries; donated memory counts once.

    Arguments that are already on the device (parameters) count here, but `device_bytes` no longer contains them. None
    if the backend does not report it.
    """
    found = compiled.memory_analysis()
    if found is None:
        return None
    held = found.argument_size_in_bytes + found.output_size_in_bytes - found.alias_size_in_bytes
    return held + found.temp_size_in_bytes


def extra_bytes(compiled: jax.stages.Compiled) -> int | None:
    """Bytes on each device that `compiled` needs in addition to its arguments."""
    needed = needed_bytes(compiled)
    return None if needed is None else needed - compiled.memory_analysis().argument_size_in_bytes


def is_out_of_memory(error: BaseException) -> bool:
    """Whether compiling or running a program ran out of memory (XLA's RESOURCE_EXHAUSTED, or the host's)."""
    return isinstance(error, MemoryError) or (
        isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
    )


def _host_bytes(root: pathlib.Path) -> int | None:
    """The smallest free memory among the kernel and this process's control groups, up to the root."""
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
    """Free memory of a control group; its inactive page cache counts as free."""
    limits, usages = _lines(group / limit), _lines(group / usage)
    if not limits or not usages or limits[0] == "max" or int(limits[0]) > _UNLIMITED:
        return None
    cached = [int(line.split()[1]) for line in _lines(group / "memory.stat") if line.split()[0] == reclaimable]
    return max(0, int(limits[0]) - int(usages[0]) + sum(cached))


def _lines(path: pathlib.Path) -> list[str]:
    """The lines of a kernel file; empty if it is absent or unreadable."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
