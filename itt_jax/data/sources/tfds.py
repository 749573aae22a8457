"""Tfds: TensorFlow Datasets without TensorFlow; array_record files are read as a Python sequence."""

import dataclasses
import importlib
import pathlib
from typing import Any, ClassVar

from itt_jax.data.sources.hub import SPLITS, fields_of, first_line, printed
from itt_jax.data.sources.paths import spell
from itt_jax.data.sources.source import Source
from itt_jax.data.sources.values import Column, label_of
from itt_jax.data.table import Table
from itt_jax.errors import AbsentError, InputError


@dataclasses.dataclass(frozen=True)
class Tfds(Source):
    """A TensorFlow Datasets builder; its data is downloaded and prepared when first read.

    Attributes:
        name: "builder/config"; "{language}" is replaced by the language.
        module: the module that registers the builder.
        columns: field -> column name; several are joined by a space.
        directory: where data is prepared; None for TFDS's default.
        index: the column of a row's published index; without one it is the row's number in TFDS's fixed order, which is
            not the published order.
        label: the column of the label. Class labels are spelled by name.
        labels: published label -> class name, or None to leave its rows out. Empty: published labels are class names.
        splits: our name of a published split -> TFDS's.
    """

    name: str
    module: str
    columns: dict[str, Column]
    directory: str | None = None
    index: str | None = None
    label: str | None = None
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)
    splits: dict[str, str] = dataclasses.field(default_factory=SPLITS.copy)
    local: ClassVar[bool] = False
    splits_in: ClassVar[str] = "splits"

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """A published split in one language.

        Raises:
            InputError: a package is not installed, or the data set has no such column.
            AbsentError: the builder cannot give the split.
        """
        records, features, where = self._load(split, self.spelling(language))

        def place(i: int) -> str:
            return f"{where}, row {i}"

        records = [
            {key: value.decode("utf-8") if isinstance(value, bytes) else value for key, value in record.items()}
            for record in records
        ]
        fields, indices = fields_of(records, self.columns, place), [str(i) for i in range(len(records))]
        if self.index:
            indices = [label_of(record, self.index, place(i)) for i, record in enumerate(records)]
        labels = None
        if self.label is not None:
            if self.label not in features:
                raise InputError(f"{where}: no column {self.label!r}; the columns are {', '.join(features)}")
            names = getattr(features[self.label], "names", None)
            labels = [printed(record[self.label], names) for record in records]
        return Table(fields, labels, indices, place)

    def _load(self, split: str, spelling: str) -> tuple[list[dict[str, Any]], Any, str]:
        """The records, the features, and a name for error messages."""
        name = spell(self.name, spelling)
        where = f"TFDS data set {name}, split {self.splits[split]}"
        try:
            import tensorflow_datasets

            importlib.import_module(self.module)
        except ImportError as error:
            raise InputError(f"{where}: needs the packages tensorflow-datasets and array_record ({error})") from error
        try:
            builder = tensorflow_datasets.builder(name, data_dir=self.directory, file_format="array_record")
            builder.download_and_prepare()
            records = list(builder.as_data_source(split=self.splits[split]))
        except (OSError, ValueError, KeyError, RuntimeError, tensorflow_datasets.core.DatasetNotFoundError) as error:
            raise AbsentError(f"{where}: {first_line(error)}") from error
        return records, builder.info.features, where
