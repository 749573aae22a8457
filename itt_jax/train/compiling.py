"""Compiled programs, kept between processes."""

import hashlib
import os
import pathlib
import platform

import jax


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
