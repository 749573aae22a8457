"""The base class of sources."""

import abc
import dataclasses
import pathlib
import types
import typing
from collections.abc import Mapping
from typing import ClassVar

from itt_jax.data.sources.paths import spell
from itt_jax.data.table import Table

NO_LABELS: Mapping[str, str | None] = types.MappingProxyType({})
NO_DOCUMENT = typing.cast("str | int | None", None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source(abc.ABC):
    """A place from which rows are read.

    A source knows how data is published (files, columns, names of labels) and nothing about tasks. A new one is a
    frozen dataclass with a `read` method; a task takes it as it is.

    Attributes:
        languages: language code -> its spelling in paths and columns. If given, the source has no other language.
        slices: split -> a slice of a published split: {"dev": "train[90%:]"}.
        local: whether the rows are on this machine; otherwise they come over the network.
        splits_in: name of the field whose keys are the published splits.
        labels: published label -> class name, or None to leave its rows out. Empty: published labels are class names.
        document: what names the document of a row, if indices are made with it; None if they are as published.
    """

    languages: dict[str, str] = dataclasses.field(default_factory=dict)
    slices: dict[str, str] = dataclasses.field(default_factory=dict)
    local: ClassVar[bool] = True
    splits_in: ClassVar[str] = "paths"
    # Not annotated, so that they are not fields here: sources that can translate labels or name documents have them.
    labels = NO_LABELS
    document = NO_DOCUMENT

    @abc.abstractmethod
    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """A published split in one language.

        Raises:
            InputError: a file is malformed, or a package that the source needs is not installed.
            AbsentError: the data is not on this machine and cannot be fetched.
        """

    def indices(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> list[str]:
        """The indices of the rows of a published split, to count them. Raises as `read`."""
        return self.read(split, language, data_root).indices

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published splits."""
        return tuple(getattr(self, self.splits_in))

    @property
    def all_splits(self) -> tuple[str, ...]:
        """Names of all splits, published or sliced."""
        return tuple(dict.fromkeys((*self.published, *self.slices)))

    def where(self, split: str, language: str) -> str:
        """The local files of a published split, as they are named in the source; "" if it is not a file."""
        found = getattr(self, self.splits_in, {}).get(split, "") if self.local else ""
        names = found.values() if isinstance(found, dict) else [found] if isinstance(found, str) else found
        return ", ".join(spell(name, self.spelling(language)) for name in names)

    def spelling(self, language: str) -> str:
        """How the source spells a language."""
        return self.languages.get(language, language)
