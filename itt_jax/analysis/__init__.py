"""Findings of a results folder: effects with their intervals, tests and verdicts. Reads the store alone."""

from itt_jax.analysis.findings import Analysis, analyse, look_at

__all__ = ["Analysis", "analyse", "look_at"]
