"""What the workers on a results folder do and have done; reads the folder, and never writes."""

from itt_jax.monitor.status import Status, Watcher
from itt_jax.monitor.view import line, shown

__all__ = ["Status", "Watcher", "line", "shown"]
