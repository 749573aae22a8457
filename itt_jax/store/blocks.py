"""Blocks: Parquet files that are written once, whole, and named by their content.

FOLDER/<key>-<checksum>.parquet   the checksum covers every byte; each page also has its own, for other readers
"""

import contextlib
import hashlib
import os
import pathlib
import re
from typing import TYPE_CHECKING, Any

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store.parquet import DamagedError, reading

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

CHARACTERS = 16
"""Length of the checksum in a name: 64 bits."""
_NAME = re.compile(rf"(.+)-([0-9a-f]{{{CHARACTERS}}})\.parquet")


class Blocks:
    """The blocks of a folder.

    Args:
        aside: the folder to which damaged ones are moved.

    Attributes:
        damaged: name -> what is wrong with it, for those that `check` found. They count as absent.
    """

    def __init__(self, folder: pathlib.Path, aside: pathlib.Path):
        self.folder, self._aside = folder, aside
        self.damaged: dict[str, str] = {}
        self._sound: set[str] = set()
        self._seen: set[str] = set()

    def there(self) -> set[str]:
        """The names of all blocks that are not known to be damaged.

        Raises:
            InputError: the folder has Parquet files that are not blocks.
        """
        try:
            found = set(os.listdir(self.folder))
        except FileNotFoundError:
            return set()
        # The folder is listed for each block that is written, so names seen before are not parsed again.
        new = {own for own in found - self._seen if own.endswith(".parquet") and own[0] != "."}
        if others := [own for own in new if not _NAME.fullmatch(own)]:
            raise InputError(
                f"{self.folder / min(others)}: named as earlier versions named their files; choose another --out, or "
                f"remove cells/ and transfer/ from {self.folder.parent} to report the results alone"
            )
        self._seen |= new
        return (found & self._seen) - self.damaged.keys()

    def names(self) -> list[str]:
        """The same, sorted."""
        return sorted(self.there())

    def by_key(self) -> dict[str, str]:
        """Key -> the first of its blocks, by name."""
        return {_key(name): name for name in reversed(self.names())}

    def write(self, key: str, table: "pa.Table", about: dict[str, str]) -> str:
        """Write a block, with `about` and the key in its metadata; returns its name."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink, table = pa.BufferOutputStream(), table.replace_schema_metadata({**about, "key": key})
        pq.write_table(
            table, sink, use_dictionary=_repeated(table.schema), compression="zstd", write_page_checksum=True
        )
        content = sink.getvalue()
        name = f"{key}-{_checksum(content)}.parquet"
        files.write_bytes(self.folder / name, content)
        self._sound.add(name)
        return name

    def open(self, name: str, **options: Any) -> "pq.ParquetFile":
        """A block, after every byte of it is checked.

        Raises:
            DamagedError: its content is wrong.
            InputError: it cannot be read.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.folder / name
        with reading(path):
            content = path.read_bytes()
        if not is_whole(name, content):
            raise DamagedError(
                f"{path}: damaged: its {len(content):,} bytes do not match the checksum in its name; the command "
                "that made it, called again, makes it anew"
            )
        with reading(path):
            file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True, **options)
        key = _key(name)
        written = (file.metadata.metadata or {}).get(b"key", key.encode())  # earlier versions wrote none
        if written != key.encode():
            raise DamagedError(f"{path}: renamed: it has the content of {written.decode(errors='replace')!r:.80}")
        self._sound.add(name)
        return file

    def about(self, name: str) -> dict[bytes, bytes]:
        """The metadata of a block; this process checks every byte of it once. Raises as `open`."""
        import pyarrow.parquet as pq

        if name not in self._sound:
            return self.open(name).metadata.metadata or {}
        with reading(self.folder / name):
            return pq.read_metadata(self.folder / name).metadata or {}

    def check(self) -> None:
        """Check every block that this process has not read yet.

        Raises:
            InputError: one cannot be read, so nobody knows whether it is damaged.
        """
        for name in self.names():
            if name not in self._sound and (fault := self._fault(name)):
                self.damaged[name] = fault

    def set_aside(self) -> list[str]:
        """Move away the blocks that `check` found damaged, if they still are; returns a line for each.

        Raises:
            InputError: one cannot be read.
        """
        lines = []
        for name in self.damaged:
            if not self._fault(name):  # another worker has made it again since
                continue
            path, aside = self.folder / name, self._aside / name
            aside.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another worker was first
                os.replace(path, aside)
                lines.append(f"{path}: damaged; it is set aside ({aside}) and made again")
        self.damaged = {}
        return lines

    def _fault(self, name: str) -> str:
        """What is wrong with a block; "" for a sound one, and for one that another worker has moved away."""
        try:
            self.open(name)
        except DamagedError as error:
            return str(error)
        except InputError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
        return ""


def is_whole(name: str, content: bytes) -> bool:
    """Whether a block's content matches the checksum in its name.

    Args:
        name: name of the block, which may include folders.
    """
    found = _NAME.fullmatch(pathlib.PurePosixPath(name).name)
    return found is not None and found[2] == _checksum(content)


def _key(name: str) -> str:
    """The key in the name of a block."""
    found = _NAME.fullmatch(name)
    assert found is not None  # other names are refused
    return found[1]


def _repeated(schema: "pa.Schema") -> list[str]:
    """The columns, as Parquet names them, whose values repeat: all but fractions."""
    import pyarrow as pa

    leaves = {}
    for field in schema:
        name, kind = field.name, field.type
        while pa.types.is_list(kind):
            name, kind = f"{name}.list.element", kind.value_type
        leaves[name] = kind
    return [name for name, kind in leaves.items() if not pa.types.is_floating(kind) and not pa.types.is_boolean(kind)]


def _checksum(content: Any) -> str:
    return hashlib.sha256(content).hexdigest()[:CHARACTERS]
