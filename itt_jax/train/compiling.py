"""Programs compiled ahead of time, in the background, and kept between processes."""

import collections
import contextlib
import dataclasses
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
from jax.sharding import NamedSharding

KEPT = 64
"""Programs held at once; the one unused for longest goes first."""
_LEVEL = "xla_backend_optimization_level"


@dataclasses.dataclass(frozen=True)
class Program:
    """A compiled function.

    Attributes:
        run: takes the arrays of the shapes and shardings that it was compiled for. seconds: that compiling took.
    """

    run: jax.stages.Compiled
    seconds: float


_programs: collections.OrderedDict[Hashable, Future[Program]] = collections.OrderedDict()
_lock = threading.Lock()
_background = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compile")


def program(
    function: Callable[..., Any], arguments: tuple, static: dict[str, Hashable], donated: tuple[int, ...] = ()
) -> Future[Program]:
    """`function` compiled for the shapes of `arguments`; the same one for the same question.

    Args:
        function: a module's own. arguments: trees of arrays or of jax.ShapeDtypeStruct. static: its keyword arguments.
        donated: which arguments may be overwritten.
    """
    shapes = jax.tree.map(_shape, arguments)
    leaves, structure = jax.tree.flatten(shapes)
    kinds = tuple((leaf.shape, leaf.dtype, leaf.sharding) for leaf in leaves)
    question = (function, tuple(sorted(static.items())), structure, kinds)
    with _lock:
        if question not in _programs:
            _programs[question] = _background.submit(_compiled, function, shapes, static, donated)
            if len(_programs) > KEPT:
                _programs.popitem(last=False)
        _programs.move_to_end(question)
        return _programs[question]


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    """Shape and dtype; a sharding only where it spans a mesh, for a single device binds nothing."""
    sharding = getattr(leaf, "sharding", None)
    named = sharding if isinstance(sharding, NamedSharding) else None
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=named)


def _compiled(function: Callable, shapes: tuple, static: dict, donated: tuple[int, ...]) -> Program:
    began = time.perf_counter()
    jitted = jax.jit(
        function, static_argnames=tuple(static), donate_argnums=donated, compiler_options=compiler_options()
    )
    mesh = next((leaf.sharding.mesh for leaf in jax.tree.leaves(shapes) if leaf.sharding is not None), None)
    with jax.set_mesh(mesh) if mesh else contextlib.nullcontext():  # for kernels that the compiler cannot divide
        run = jitted.lower(*shapes, **static).compile()
    return Program(run, time.perf_counter() - began)


def compiler_options() -> dict[str, int] | None:
    """On CPU, LLVM at level 1: a step compiles in 4.5 instead of 11.5 CPU seconds (BERT, 2 layers, width 64) and runs
    as fast, since the matrix products are library calls. A level in XLA_FLAGS stands."""
    chosen = _LEVEL in os.environ.get("XLA_FLAGS", "")
    return {_LEVEL: 1} if jax.default_backend() == "cpu" and not chosen else None


def keep_compiled_programs() -> None:
    """Let later processes on this machine load what this one compiles, instead of compiling it again.

    The folder is named by JAX's version and the processor's features, since a program may hold instructions that
    another processor lacks. JAX's own variable JAX_COMPILATION_CACHE_DIR, where set, says which folder instead.
    """
    if jax.config.jax_compilation_cache_dir is None:
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(cache / "itt_jax" / f"{jax.__version__}-{_processor()}"))


def _processor() -> str:
    """A short name for this kind of processor."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        features = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        features = platform.processor()
    return hashlib.sha256(f"{platform.machine()} {features}".encode()).hexdigest()[:12]
