"""Quickstart: the study that `python -m itt_jax.main` runs; defined in the package, so that a wheel contains it."""

from itt_jax.study.quickstart import study

__all__ = ["study"]
