"""itt_jax: does intermediate-task training make cross-lingual transfer robust?

Sub-packages are imported on first use, which keeps the command line quick.
"""

import importlib

__version__ = "0.1.0"

_SUBPACKAGES = ("models", "perturb", "tasks", "data", "train", "evaluate", "study", "report")


def __getattr__(name: str):
    if name in _SUBPACKAGES:
        return importlib.import_module(f"itt_jax.{name}")
    raise AttributeError(f"module 'itt_jax' has no attribute {name!r}")
