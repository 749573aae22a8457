"""Finished and present work on a results folder; only reads the folder."""

from itt_jax.monitor.status import Status, Watcher
from itt_jax.monitor.view import line, shown

__all__ = ["Status", "Watcher", "line", "shown"]
