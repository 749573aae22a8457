"""Results folders: the only code that knows their paths and formats."""

from itt_jax.store.folder import Store

__all__ = ["Store"]
