"""Quickstart: the study that `python -m itt_jax.main` runs; it is defined in the package, so that a wheel holds it."""

from itt_jax.study.quickstart import study

__all__ = ["study"]
