"""Loads the Numba kernels when they pay off.

Importing Numba and the kernels takes a few tenths of a second, and compiling them, once per installation, takes
seconds, so small jobs run the NumPy version of each kernel; the results are identical.
"""

import functools
import importlib.util
import types

PLAIN = 1 << 22  # codepoints a process perturbs with NumPy before it loads the kernels
_seen = 0


@functools.cache
def _loaded() -> types.ModuleType | None:
    """The compiled kernels, or None without Numba, whose releases trail those of Python."""
    if importlib.util.find_spec("numba") is None:
        return None
    from itt_jax.perturb import kernels

    return kernels


def kernels(codepoints: int = 0) -> types.ModuleType | None:
    """Counts `codepoints` as work to do and returns the kernels, or None while the NumPy versions are to be used."""
    global _seen
    _seen += codepoints
    return _loaded() if _seen > PLAIN else None
