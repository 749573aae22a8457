"""itt_jax: does intermediate-task training make cross-lingual transfer robust?

Sub-packages are imported on first use, which keeps the command line quick.
"""

import importlib

__version__ = "0.1.0"

__all__ = ["accelerators", "analysis", "attack", "bench", "certify", "config", "data", "evaluate", "families", "kinds"]
__all__ += [
    "metrics",
    "models",
    "monitor",
    "perturb",
    "query",
    "reading",
    "report",
    "score",
    "store",
    "study",
    "tasks",
    "train",
]


def __getattr__(name: str):
    if name in __all__:
        return importlib.import_module(f"itt_jax.{name}")
    raise AttributeError(f"module 'itt_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
