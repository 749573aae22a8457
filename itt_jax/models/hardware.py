"""The devices that programs are compiled for: those of this process, or others that are only described.

A compiler for an accelerator runs on any machine. Whatever depends on the kind or number of devices asks `hardware()`,
never JAX's backend, so that a program compiled for absent devices is the one that would run there.
"""

import contextlib
import contextvars
import dataclasses
import pathlib
from collections.abc import Iterator

import jax
from jax.experimental.compilation_cache import compilation_cache

CPU_INFO = pathlib.Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
"""What Linux calls the instructions of x86 and Arm processors that multiply bfloat16."""


@dataclasses.dataclass(frozen=True)
class Hardware:
    """Devices of one kind.

    Attributes:
        platform: "cpu", "gpu" or "tpu".
        devices: all of them, over all processes.
        capability: major compute capability of NVIDIA GPUs; None for others.
        bytes: memory of a described device that programs can use; None for devices of this process, which report it.
    """

    platform: str
    devices: tuple[jax.Device, ...]
    capability: int | None = None
    bytes: int | None = None

    @property
    def row_multiple(self) -> int:
        """What row lengths are multiples of: the lanes of a TPU, which its attention kernel needs, or a GPU's tiles."""
        return {"tpu": 128, "gpu": 64}.get(self.platform, 8)

    @property
    def kind(self) -> str:
        """JAX's name of such a device: "TPU v5 lite", "NVIDIA H100 80GB HBM3"."""
        return getattr(self.devices[0], "device_kind", "")

    @property
    def described(self) -> bool:
        """Whether the devices are only described: programs are compiled for them and nothing is placed on them."""
        return self.bytes is not None


_described: contextvars.ContextVar[Hardware | None] = contextvars.ContextVar("hardware", default=None)


def hardware() -> Hardware:
    """The devices to compile for: the described ones inside of `compiling_for`, else those of this process."""
    if (found := _described.get()) is not None:
        return found
    major = str(getattr(jax.local_devices()[0], "compute_capability", "")).partition(".")[0]
    capability = int(major) if major.isdigit() else None  # those of AMD's GPUs are names
    return Hardware(jax.default_backend(), tuple(jax.devices()), capability)


def multiplies_bfloat16() -> bool:
    """Whether the devices have instructions that multiply bfloat16, or may have them: some systems do not say."""
    return hardware().platform != "cpu" or processor_multiplies_bfloat16() is not False


def processor_multiplies_bfloat16() -> bool | None:
    """Whether the processor has instructions that multiply bfloat16; None where the system does not say."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), None)
    return None if flags is None else not BFLOAT16_FLAGS.isdisjoint(flags.split())


@contextlib.contextmanager
def compiling_for(described: Hardware) -> Iterator[None]:
    """Compile for described devices in this context; nothing can be run.

    JAX's cache of compiled programs is off in it: programs for absent devices can be saved, but not loaded again.
    """
    token, cached = _described.set(described), jax.config.jax_enable_compilation_cache
    _keep_programs(False)
    try:
        yield
    finally:
        _keep_programs(cached)
        _described.reset(token)


def _keep_programs(kept: bool) -> None:
    """Switch JAX's cache of compiled programs on or off."""
    if jax.config.jax_enable_compilation_cache != kept:
        jax.config.update("jax_enable_compilation_cache", kept)
        compilation_cache.reset_cache()  # JAX reads the setting once, for its first program, and keeps the answer
