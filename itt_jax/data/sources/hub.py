"""Hub: data sets of the Hugging Face hub, or of a folder that `datasets` can read."""

import contextlib
import dataclasses
import functools
import pathlib
import socket
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from itt_jax.data.answers import Answers
from itt_jax.data.sources.paths import spell
from itt_jax.data.sources.source import Source
from itt_jax.data.sources.squad import answers_of
from itt_jax.data.sources.values import Column, label_of, text_of
from itt_jax.data.table import Table
from itt_jax.errors import AbsentError, InputError

SPLITS = {"train": "train", "dev": "validation", "test": "test"}
"""Our names of the published splits -> those most data sets use."""


@dataclasses.dataclass(frozen=True)
class Hub(Source):
    """A data set that `datasets` reads from the Hugging Face hub or a local folder; no code of the hub is run.

    Attributes:
        id: "owner/name", or a folder of parquet, csv or json files.
        columns: field -> column name; several are joined by a space.
        config: its configuration; "{language}" is replaced by the language.
        label: the column of the label. Class labels are spelled by name; answers are in one column, as in SQuAD.
        labels: published label -> class name, or None to leave its rows out. Empty: published labels are class names.
        splits: our name of a published split -> the hub's.
        index: the column of a row's published index; without one it is the row's number, from 0.
        revision: a branch, tag or commit.
        prefix: if one table holds all languages, what the index of a row begins with ("{language}-").
        language: if one table holds all languages, the column of a row's language.
    """

    id: str
    columns: dict[str, Column]
    config: str | None = None
    label: str | None = None
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)
    splits: dict[str, str] = dataclasses.field(default_factory=SPLITS.copy)
    index: str | None = None
    revision: str | None = None
    prefix: str = ""
    language: str = ""
    local: ClassVar[bool] = False
    splits_in: ClassVar[str] = "splits"

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """A published split in one language.

        Raises:
            InputError: `datasets` is not installed, or the data set has no such column.
            AbsentError: `datasets` cannot give the split (no network; no such id, config or split).
        """
        spelling = self.spelling(language)
        table, where = self._load(split, spelling)
        records = list(table)
        numbers = list(range(len(records)))
        if self.prefix:
            if self.index is None:
                raise InputError(f"{where}: prefix {self.prefix!r} needs index, the column whose values begin with it")
            begins = spell(self.prefix, spelling)
            numbers = [i for i in numbers if label_of(records[i], self.index, where).startswith(begins)]
        if self.language:
            numbers = [i for i in numbers if label_of(records[i], self.language, where) == spelling]
        records = [records[i] for i in numbers]

        def place(i: int) -> str:
            return f"{where}, row {numbers[i]}"

        fields, indices = fields_of(records, self.columns, place), [str(i) for i in numbers]
        if self.index:
            indices = [label_of(record, self.index, place(i)) for i, record in enumerate(records)]
        if self.label is None:
            return Table(fields, None, indices, place)
        if self.label not in table.column_names:
            raise InputError(f"{where}: no column {self.label!r}; the columns are {', '.join(table.column_names)}")
        if records and isinstance(records[0][self.label], dict):
            return Table(fields, self._answers(records, place), indices, place)
        feature = table.features[self.label]
        names = getattr(getattr(feature, "feature", feature), "names", None)
        return Table(fields, [printed(record[self.label], names) for record in records], indices, place)

    def _load(self, split: str, spelling: str) -> tuple[Any, str]:
        """The published split as `datasets` gives it, and its name for error messages."""
        try:
            import datasets
        except ImportError as error:
            raise InputError(f"hub data set {self.id!r} needs the package datasets; or give --data-root DIR") from error
        config = self.config and spell(self.config, spelling)
        where = f"hub data set {self.id}" + (f" ({config})" if config else "") + f", split {self.splits[split]}"
        try:
            with without_retries():
                table = datasets.load_dataset(self.id, config, split=self.splits[split], revision=self.revision)
        except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            raise AbsentError(f"{where}: {first_line(error)}") from error
        return table, where

    def _answers(self, records: list[dict], place: Callable[[int], str]) -> Answers | None:
        """Answers in the form {"text": [...], "answer_start": [...]}; None if no row has one."""
        items = []
        for i, record in enumerate(records):
            given = record[self.label]
            entries = zip(given.get("text", []), given.get("answer_start", []), strict=True)
            listed = [{"text": text, "answer_start": start} for text, start in entries]
            items.append(tuple(answers_of(listed, record[self.columns["context"]], place(i))))
            if bool(items[-1]) != bool(items[0]):
                raise InputError(
                    f"{place(i)}: some rows have an answer and others none; expected the form of SQuAD 1.1"
                )
        return Answers(tuple(items)) if items[0] else None


def fields_of(records: list[dict], columns: dict[str, Column], place: Callable[[int], str]) -> dict[str, list[str]]:
    """Field -> the texts of its column."""
    return {
        field: [text_of(record, column, place(i)) for i, record in enumerate(records)]
        for field, column in columns.items()
    }


def printed(value: object, names: list[str] | None) -> str:
    """A label as text: the class name of an index, or the value; tags in a list are joined by spaces.

    -1 stays "-1": it is how `datasets` marks rows without a label.
    """
    if isinstance(value, list):
        return " ".join(printed(tag, names) for tag in value)
    return names[value] if names and isinstance(value, int) and value >= 0 else str(value)


def first_line(error: Exception) -> str:
    """The first line of an exception's message, or its type."""
    message = str(error).strip()
    return message.splitlines()[0] if message else type(error).__name__


@contextlib.contextmanager
def without_retries() -> Iterator[None]:
    """Put `datasets` in offline mode if the hub's address cannot be resolved: its cache is still read.

    Otherwise `datasets` would ask for each data set that is not cached six times, for half a minute.
    """
    import datasets
    import huggingface_hub.constants

    if _has_address(huggingface_hub.constants.ENDPOINT):
        yield
        return
    modules = (huggingface_hub.constants, datasets.config)
    before = [module.HF_HUB_OFFLINE for module in modules]
    try:
        for module in modules:
            module.HF_HUB_OFFLINE = True
        yield
    finally:
        for module, value in zip(modules, before, strict=True):
            module.HF_HUB_OFFLINE = value


@functools.cache
def _has_address(endpoint: str) -> bool:
    """Whether the endpoint's name resolves; assumed behind a proxy, which resolves names itself."""
    parts = urllib.parse.urlsplit(endpoint)
    if parts.scheme in urllib.request.getproxies() or "all" in urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(parts.hostname, parts.port or 443)
    except OSError:
        return False
    return True
