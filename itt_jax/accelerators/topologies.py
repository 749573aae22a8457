"""Accelerators that programs can be compiled for on any machine: a row each, and slices or hosts of them by name."""

import contextlib
import dataclasses
import importlib.util
import math
import os
import re
from typing import Any

import jax
from jax.experimental import topologies as jax_topologies

from itt_jax.accelerators.schedules import written_schedules
from itt_jax.errors import InputError, unknown
from itt_jax.models.hardware import Hardware

GIB = 1 << 30
GPUS_PER_HOST = 8
GPU_SHARE = 0.75
"""Share of a GPU's memory that a JAX process takes by default (XLA_PYTHON_CLIENT_MEM_FRACTION)."""
_NAME = re.compile(r"([a-z0-9]+?)(?::([0-9]+(?:x[0-9]+){1,2})|x([0-9]+))?")


@dataclasses.dataclass(frozen=True)
class Accelerator:
    """A kind of device, as JAX counts devices: a chip, or a core of chips that JAX counts as two.

    Attributes:
        name: name in topologies. sizes: number of sizes in a topology's name; 1 for GPUs.
        peak: FLOP/s of bfloat16 matrix products. bandwidth: bytes/s of the main memory. bytes: the memory's size.
        hertz: clock rate, for the compiler's estimates in cycles; 0 if it makes none.
        share: share of the memory that a JAX process takes.
        chip_config: libtpu's name of the use of a chip's cores; None for its default. cores: of a device.
        capability: compute capability of a GPU.
        description: fields of `gpu_device_info` in XLA's target configuration of a GPU.
    """

    name: str
    sizes: int
    peak: float
    bandwidth: float
    bytes: int
    hertz: float = 0.0
    share: float = 1.0
    chip_config: str | None = None
    cores: int = 1
    capability: int | None = None
    description: tuple[tuple[str, int | float], ...] = ()

    @property
    def platform(self) -> str:
        """ "tpu" or "gpu"."""
        return "gpu" if self.description else "tpu"

    @property
    def example(self) -> str:
        """A topology of it."""
        return {1: f"{self.name}x8", 2: f"{self.name}:2x4", 3: f"{self.name}:2x2x1"}[self.sizes]

    @property
    def target_config(self) -> str:
        """XLA's description of the GPU (xla.gpu.GpuTargetConfigProto, as text)."""
        fields = "\n".join(f"  {name}: {value}" for name, value in self.description)
        return (
            f"gpu_device_info {{\n{fields}\n  memory_bandwidth: {self.bandwidth:.0f}\n"
            f"  device_memory_size: {self.bytes}\n"
            f"  cuda_compute_capability {{ major: {self.capability} }}\n}}\n"
            'platform_name: "CUDA"\ndnn_version_info { major: 9 minor: 10 }\nruntime_version { major: 13 }\n'
            f'device_description_str: "NVIDIA {self.name.upper()}"\n'
        )


_CUDA = (
    ("threads_per_block_limit", 1024),
    ("threads_per_warp", 32),
    ("shared_memory_per_block", 49152),
    ("threads_per_core_limit", 2048),
    ("block_dim_limit_x", 2147483647),
    ("block_dim_limit_y", 65535),
    ("block_dim_limit_z", 65535),
    ("registers_per_core_limit", 65536),
    ("registers_per_block_limit", 65536),
)
"""Limits of every NVIDIA GPU of compute capability 8 and 9 (CUDA's programming guide, table of capabilities)."""
_AMPERE = (
    *_CUDA,
    ("core_count", 108),
    ("fpus_per_core", 64),
    ("shared_memory_per_core", 167936),
    ("shared_memory_per_block_optin", 166912),
    ("l2_cache_size", 41943040),
    ("clock_rate_ghz", 1.41),
)
_HOPPER = (
    *_CUDA,
    ("core_count", 132),
    ("fpus_per_core", 128),
    ("shared_memory_per_core", 233472),
    ("shared_memory_per_block_optin", 232448),
    ("l2_cache_size", 52428800),
    ("clock_rate_ghz", 1.98),
)

# Peak, bandwidth and memory: the makers' data sheets, divided by two where JAX counts a chip's two cores. A TPU's clock
# is its peak divided by the FLOPs a cycle of its matrix units.
ACCELERATORS = (
    Accelerator("v3", 2, 61.5e12, 450e9, 16 * GIB, 0.94e9),
    Accelerator("v4", 3, 275e12, 1228e9, 32 * GIB, 1.05e9, chip_config="megacore", cores=2),
    Accelerator("v5e", 2, 197e12, 819e9, 16 * GIB, 1.5e9),
    Accelerator("v5p", 3, 459e12, 2765e9, 95 * GIB, 1.75e9, cores=2),
    Accelerator("v6e", 2, 918e12, 1640e9, 32 * GIB, 1.75e9),
    Accelerator("tpu7x", 3, 1153.5e12, 3690e9, 96 * GIB, 2.2e9),
    Accelerator("a100", 1, 312e12, 2039e9, 80 * GIB, share=GPU_SHARE, capability=8, description=_AMPERE),
    Accelerator("h100", 1, 989e12, 3352e9, 80 * GIB, share=GPU_SHARE, capability=9, description=_HOPPER),
    Accelerator("h200", 1, 989e12, 4800e9, 141 * GIB, share=GPU_SHARE, capability=9, description=_HOPPER),
)


@dataclasses.dataclass(frozen=True)
class Topology:
    """Several devices of one kind, connected.

    Attributes:
        name: as given, "v5e:2x4". sizes: (2, 4); for GPUs (hosts, devices of a host).
        hardware: the devices, for `models.hardware.compiling_for`.
    """

    name: str
    accelerator: Accelerator
    sizes: tuple[int, ...]
    hardware: Hardware

    @property
    def count(self) -> int:
        """Number of devices."""
        return len(self.hardware.devices)

    @property
    def bytes(self) -> int:
        """Memory of each device that programs can use."""
        assert self.hardware.bytes is not None  # a described device states it
        return self.hardware.bytes


def topology(name: str) -> Topology:
    """The topology of that name: "v5e:2x4", "v5p:2x2x1", "h100x8", "h100".

    Imports the accelerator's compiler. JAX's own devices become those of the CPU, unless they were used before.

    Raises:
        InputError: an unknown accelerator or layout, or its compiler is not installed.
    """
    accelerator, sizes = parsed(name)
    package, extra = {"tpu": ("libtpu", "compile-tpu"), "gpu": ("jax_cuda13_plugin", "compile-cuda")}[
        accelerator.platform
    ]
    if importlib.util.find_spec(package) is None:
        raise InputError(f"--topology {name}: its compiler is not installed; pip install 'itt_jax[{extra}]'")
    _use_no_device()
    try:
        with written_schedules():
            devices = tuple(_described(name, accelerator, sizes).devices)
    except (jax.errors.JaxRuntimeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"--topology {name}: {reason} (expected a layout as {accelerator.example!r} has it)"
        ) from error
    usable = int(accelerator.share * accelerator.bytes)
    hardware = Hardware(accelerator.platform, devices, accelerator.capability, usable)
    return Topology(name, accelerator, sizes, hardware)


def parsed(name: str) -> tuple[Accelerator, tuple[int, ...]]:
    """The accelerator and the layout in a name."""
    found = _NAME.fullmatch(name)
    known = {own.name: own for own in ACCELERATORS}
    if found is None or found[1] not in known:
        raise unknown("--topology", name, (own.example for own in ACCELERATORS))
    accelerator = known[found[1]]
    if accelerator.sizes == 1:
        count = int(found[3] or 1)
        hosts = count // GPUS_PER_HOST if count % GPUS_PER_HOST == 0 else 1
        sizes: tuple[int, ...] = (hosts, count // max(1, hosts))
        fits = found[2] is None and 0 < sizes[1] <= GPUS_PER_HOST
    else:
        sizes = tuple(int(size) for size in (found[2] or "").split("x") if size)
        fits = found[3] is None and len(sizes) == accelerator.sizes and math.prod(sizes) > 0
    if not fits:
        raise InputError(f"--topology {name}: expected a layout such as {accelerator.example!r}")
    return accelerator, sizes


def _described(name: str, accelerator: Accelerator, sizes: tuple[int, ...]) -> Any:
    """JAX's description."""
    if accelerator.platform == "gpu":
        layout = "x".join(map(str, (1, *sizes)))
        return jax_topologies.get_topology_desc(
            platform="cuda", topology=layout, target_config=accelerator.target_config
        )
    bounds = tuple(min(size, most) for size, most in zip((*sizes, 1)[:3], (2, 2, 1), strict=True))
    own = {"chip_config_name": accelerator.chip_config} if accelerator.chip_config else {}
    return jax_topologies.get_topology_desc(name, platform="tpu", chips_per_host_bounds=bounds, **own)


def _use_no_device() -> None:
    """Let compilers start without devices: libtpu asks for its own chips and a metadata server otherwise."""
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    os.environ.setdefault("TPU_ACCELERATOR_TYPE", "v5litepod-8")
    os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
    os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with contextlib.suppress(RuntimeError):  # its backends have started
        jax.config.update("jax_platforms", "cpu")
