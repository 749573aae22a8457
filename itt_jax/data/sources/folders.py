"""LocalFolders: a folder for each class."""

import dataclasses
import pathlib
from typing import ClassVar

from itt_jax.data.sources.paths import resolve
from itt_jax.data.sources.source import Source
from itt_jax.data.table import Table
from itt_jax.reading.text import read_text


@dataclasses.dataclass(frozen=True)
class LocalFolders(Source):
    """A text file for each row in a folder for each class: path/FOLDER/*.txt, in the order of file names. Field "text".

    The only published split is "all"; a row's index is FOLDER-FILE.

    Attributes:
        path: the folder that holds the class folders, absolute or under the data root.
        folders: folder -> class name.
        encoding: that of the files.
    """

    path: str
    folders: dict[str, str]
    encoding: str = "utf-8"
    published: ClassVar[tuple[str, ...]] = ("all",)

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """All rows."""
        paths: list[pathlib.Path] = []
        labels: list[str] = []
        for folder, label in self.folders.items():
            files = sorted(resolve(f"{self.path}/{folder}", data_root).glob("*.txt"))
            paths += files
            labels += [label] * len(files)
        texts = [read_text(path, self.encoding) for path in paths]
        indices = [f"{path.parent.name}-{path.stem}" for path in paths]
        return Table({"text": texts}, labels, indices, lambda i: str(paths[i]))
