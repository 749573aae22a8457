"""Embedded: the material that is part of this package."""

import dataclasses
import pathlib

from itt_jax.data import embedded
from itt_jax.data.sources.source import Source
from itt_jax.data.table import Table
from itt_jax.errors import unknown


@dataclasses.dataclass(frozen=True)
class Embedded(Source):
    """A task of the embedded material, see `itt_jax.data.embedded`.

    Attributes:
        name: a key of `embedded.TASKS`.

    Raises:
        InputError: an unknown name.
    """

    name: str

    def __post_init__(self):
        if self.name not in embedded.TASKS:
            raise unknown("embedded task", self.name, embedded.TASKS)

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published splits."""
        return embedded.TASKS[self.name].splits

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """A published split in one language."""
        return embedded.load(self.name, split, language)
