"""Studies: from a config to a plan, to a results folder."""

import importlib

_HOMES = {"Results": "running", "run": "running", "describe": "description", "evaluate_checkpoint": "evaluation"}
_HOMES |= {"run_until_decided": "deciding", "estimates": "estimating"}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    # On first use: running imports JAX, which configs and listings do not need.
    if name not in _HOMES:
        raise AttributeError(f"module 'itt_jax.study' has no attribute {name!r}")
    return getattr(importlib.import_module(f"itt_jax.study.{_HOMES[name]}"), name)
