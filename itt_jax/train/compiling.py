"""Programs compiled ahead of time, in the background, and kept from one process to the next."""

import collections
import contextlib
import contextvars
import dataclasses
import functools
import hashlib
import os
import pathlib
import platform
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
from jax.experimental.layout import Format
from jax.sharding import NamedSharding, SingleDeviceSharding

from itt_jax.models.hardware import hardware
from itt_jax.train.layouts import state_format, state_layout

KEPT = 64
"""Maximum number of programs in memory; the least recently used is dropped."""
_LEVEL = "xla_backend_optimization_level"


@dataclasses.dataclass(frozen=True)
class Program:
    """A compiled function.

    Attributes:
        run: takes arrays of the shapes and shardings that it was compiled for. seconds: compile time.
    """

    run: jax.stages.Compiled
    seconds: float


_programs: collections.OrderedDict[Hashable, Future[Program]] = collections.OrderedDict()
_lock = threading.Lock()
_background = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compile")


@dataclasses.dataclass(frozen=True)
class Request:
    """A function to compile for the shapes of its arguments.

    Attributes:
        function: defined at module level. arguments: trees of arrays or of jax.ShapeDtypeStruct.
        static: keyword arguments.
        state: whether the first argument is a train state, laid out as in layouts.py; it is donated, and the first of
            the two results is the next state.
    """

    function: Callable[..., Any]
    arguments: tuple
    static: dict[str, Hashable]
    state: bool = False

    @property
    def shapes(self) -> tuple:
        """The arguments as jax.ShapeDtypeStruct, placed on the first device if it is only described."""
        there = hardware()
        placed = SingleDeviceSharding(there.devices[0]) if there.described else None
        shapes = jax.tree.map(lambda leaf: _shape(leaf, placed), self.arguments)
        return (jax.tree.map(_laid_out, shapes[0]), *shapes[1:]) if self.state else shapes

    @property
    def key(self) -> Hashable:
        """A key that is equal for requests with the same program."""
        leaves, structure = jax.tree.flatten(self.shapes)
        described = tuple((leaf.shape, leaf.dtype, leaf.format) for leaf in leaves)
        return self.function, tuple(sorted(self.static.items())), structure, described, hardware()

    def lowered(self) -> jax.stages.Lowered:
        """The function, traced for `hardware()`."""

        @functools.wraps(self.function)  # a new function: JAX would reuse the trace for other devices
        def own(*arguments: Any, **static: Any) -> Any:
            return self.function(*arguments, **static)

        shapes = self.shapes
        jitted = jax.jit(
            own,
            static_argnames=tuple(self.static),
            donate_argnums=(0,) if self.state else (),
            out_shardings=(jax.tree.map(_format, shapes[0]), None) if self.state else None,
            compiler_options=compiler_options(),
        )
        shardings = (leaf.sharding for leaf in jax.tree.leaves(shapes))
        mesh = next((given.mesh for given in shardings if isinstance(given, NamedSharding)), None)
        with jax.set_mesh(mesh) if mesh else contextlib.nullcontext():  # read by kernels that XLA cannot partition
            return jitted.lower(*shapes, **self.static)


def program(request: Request) -> Future[Program]:
    """The compiled program of a request; equal requests share one.

    Describing the hundreds of arrays of a train state takes tens of milliseconds, so loops keep the result.
    """
    shapes = dataclasses.replace(request, arguments=request.shapes)  # without the arrays, which may be large
    key = shapes.key
    with _lock:
        if key not in _programs or (_programs[key].done() and _programs[key].exception() is not None):
            compiling = contextvars.copy_context().run  # the thread sees the same `hardware`
            _programs[key] = _background.submit(compiling, _compiled, shapes)
            if len(_programs) > KEPT:
                _programs.popitem(last=False)
        _programs.move_to_end(key)
        return _programs[key]


def _shape(leaf: Any, placed: SingleDeviceSharding | None) -> jax.ShapeDtypeStruct:
    """Shape and dtype, with the sharding if it spans a mesh, otherwise `placed` (None unless devices are described)."""
    sharding = getattr(leaf, "sharding", None)
    named = sharding if isinstance(sharding, NamedSharding) else placed
    found = getattr(leaf, "format", None)
    if found is not None and found.layout is not None and state_layout(leaf.shape):  # it may belong to a train state
        named = found
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=named)


def _laid_out(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    """A leaf of a train state, with its layout."""
    found = state_format(leaf.shape, leaf.sharding or SingleDeviceSharding(hardware().devices[0]))
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=found or leaf.sharding)


def _format(leaf: jax.ShapeDtypeStruct) -> Format | None:
    """The layout that a leaf of the next train state has; None: the compiler's choice."""
    return leaf.format if state_layout(leaf.shape) else None


def _compiled(request: Request) -> Program:
    began = time.perf_counter()
    run = request.lowered().compile()
    return Program(run, time.perf_counter() - began)


def compiler_options() -> dict[str, int] | None:
    """Options of the compiler: on a CPU, LLVM's optimisation level 1, unless XLA_FLAGS sets one.

    A step (BERT, 2 layers, width 64) then compiles in 4.5 instead of 11.5 CPU seconds and runs as fast, since matrix
    products are library calls.
    """
    chosen = _LEVEL in os.environ.get("XLA_FLAGS", "")
    return {_LEVEL: 1} if hardware().platform == "cpu" and not chosen else None


def keep_compiled_programs() -> None:
    """Save compiled programs, so that later processes on this machine load them.

    The folder's name contains JAX's version and the processor's features, since a program may contain instructions that
    other processors lack. JAX's environment variable JAX_COMPILATION_CACHE_DIR overrides it.
    """
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / f"{jax.__version__}-{_processor()}"))


def cache_folder() -> pathlib.Path:
    """The folder for everything that is kept between a user's processes: `itt_jax` in $XDG_CACHE_HOME."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return cache / "itt_jax"


def _processor() -> str:
    """A short name of this kind of processor."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        features = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        features = platform.processor()
    return hashlib.sha256(f"{platform.machine()} {features}".encode()).hexdigest()[:12]
