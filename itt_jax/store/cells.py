"""The cells of a results folder: those of one stage on the same rows are one block, a file that is written once.

OUT/cells/<block>-<checksum>.parquet   examples of the cells one after the other; their rows of the results and where
                                       they were computed are in the file's metadata
OUT/cells/index.json                   which cells each block holds; made again from the blocks if absent, damaged or
                                       out of date
"""

import contextlib
import hashlib
import itertools
import json
import math
import pathlib
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, KeysView, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store.blocks import Blocks
from itt_jax.store.shared_folders import together

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
"""Format version of the blocks; raised when they have to be read differently."""
LISTED_SECONDS = 1.0
"""How long a listing of the folder is used at least; longer where listing it takes long."""
TAIL_BYTES = 1 << 16
"""Bytes at the end of a block that are read first: the metadata of about 100 cells."""


class Examples(NamedTuple):
    """Examples of several cells of one block, read together.

    Attributes:
        path: of the block. table: the columns. parts: cell -> its rows of the table.
    """

    path: pathlib.Path
    table: "pa.Table"
    parts: dict[str, slice]

    def of(self, cell: str) -> "pa.Table":
        """The examples of one cell."""
        part = self.parts[cell]
        return self.table.slice(part.start, part.stop - part.start)


class Cells:
    """Reads and writes the cells; finds which there are from the index and from blocks that are not in it.

    Args:
        out: the results folder.
    """

    def __init__(self, out: pathlib.Path):
        self.folder = out / "cells"
        self.blocks = Blocks(self.folder, out / "damaged")
        self._held: dict[str, list[str]] = {}  # block -> its cells
        self._block_of: dict[str, str] = {}
        self._until = -math.inf

    def __contains__(self, cell: str) -> bool:
        self._look()
        return cell in self._block_of

    def ids(self) -> KeysView[str]:
        """The ids of all cells."""
        self._look()
        return self._block_of.keys()

    def forget(self) -> None:
        """Drop the listing of the folder: another worker may have added to it."""
        self._until = -math.inf

    def write(
        self, made: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], provenance: Mapping[str, Any] | None = None
    ) -> None:
        """Write those cells that are not known to be there, as one block.

        If another worker wrote a cell a moment ago, every process takes it from the same block (`_add`).

        Args:
            made: for each cell its row of the results (with its id, "cell") and its columns, one entry an example.
            provenance: where and with which software they were computed; kept in the file's metadata.
        """
        import pyarrow as pa

        if any(row["cell"] in self for row, _ in made):
            self.forget()  # the folder is listed again only where that may change what is written
        made = [own for own in made if own[0]["cell"] not in self]
        if not made:
            return
        ids = [row["cell"] for row, _ in made]
        counts = [len(next(iter(columns.values()))) for _, columns in made]
        own = pa.array(np.repeat(np.array(ids, dtype=object), counts), pa.string())
        names = dict.fromkeys(name for _, columns in made for name in columns)
        parts = {
            name: [columns.get(name, [None] * count) for (_, columns), count in zip(made, counts, strict=True)]
            for name in names
        }
        table = pa.table({"cell": own} | {name: _joined(own) for name, own in parts.items()})
        about = {"format": FORMAT, "examples": counts, "rows": [row for row, _ in made]}
        key = hashlib.sha256("\0".join(sorted(ids)).encode()).hexdigest()[:16]
        metadata = {"cells": json.dumps(about)} | ({"provenance": json.dumps(provenance)} if provenance else {})
        name = self.blocks.write(key, table, metadata)
        self._add(name, ids)

    def rows(self, planned: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """The result rows of those cells that are there, in the order given.

        Args:
            planned: the plan's fields of each cell, with its id, "cell"; they override the block's.

        Raises:
            InputError: a block is damaged.
        """
        self._look()
        name, rows = None, {}
        for own in planned:
            if (of := self._block_of.get(own["cell"])) is None:
                continue
            if of != name:
                name, rows = of, {row["cell"]: row for row in self._about(of)["rows"]}
            yield {**rows[own["cell"]], **own}

    def read(self, wanted: Mapping[str, Sequence[str]], **options: Any) -> Iterator[Examples]:
        """Columns of some cells, each block opened once.

        Args:
            wanted: cell -> names of its columns. options: of `Blocks.open`.

        Raises:
            InputError: a cell is missing or lacks a column, or a block is damaged.
        """
        self._look()
        if absent := [cell for cell in wanted if cell not in self._block_of]:
            raise InputError(
                f"{self.folder}: cell {absent[0]!r} not found, though results.parquet or selection.parquet names it "
                f"({len(absent)} such cells)"
            )
        by_block: dict[str, dict[tuple[str, ...], list[str]]] = {}
        for cell, columns in wanted.items():
            by_block.setdefault(self._block_of[cell], {}).setdefault(tuple(columns), []).append(cell)
        for name, groups in by_block.items():
            file, path = self.blocks.open(name, **options), self.folder / name
            parts = self._parts(name, file.metadata.metadata or {})
            held = set(file.schema_arrow.names)
            for columns, cells in groups.items():
                if lacking := [column for column in columns if column not in held]:
                    raise InputError(f"{path}: cell {cells[0]!r} lacks the columns {', '.join(lacking)}")
                table = file.read(columns=list(columns), use_threads=False)
                yield Examples(path, table, {cell: parts[cell] for cell in cells})

    def file(self, cell: str) -> pathlib.Path:
        """The path of the block that holds a cell; the cell must be there."""
        self._look()
        return self.folder / self._block_of[cell]

    def table(self, cell: str, columns: Sequence[str]) -> "pa.Table":
        """Some columns of one cell; raises as `read`."""
        (examples,) = self.read({cell: columns})
        return examples.of(cell)

    def columns(self, cell: str) -> list[str]:
        """The names of a cell's columns."""
        return [name for name in self.blocks.open(self.file(cell).name).schema_arrow.names if name != "cell"]

    def save_index(self) -> None:
        """Write the index if it is out of date."""
        self._look()
        if self.indexed() != self._held:
            text = json.dumps(dict(sorted(self._held.items())), separators=(",", ":"))
            files.write_text(self._index, f"{zlib.crc32(text.encode()):08x}\n{text}\n")

    def indexed(self) -> dict[str, list[str]]:
        """Block -> its cells, from the index; empty if that is absent or damaged."""
        try:
            checksum, text = self._index.read_text(encoding="utf-8").split("\n", 1)
            text = text.removesuffix("\n")
            return json.loads(text) if checksum == f"{zlib.crc32(text.encode()):08x}" else {}
        except (OSError, ValueError):
            return {}

    def _look(self) -> None:
        """List the folder unless it was listed a moment ago."""
        began = time.monotonic()
        if began < self._until:
            return
        names, known = self.blocks.there(), self._held
        if known.keys() - names:
            self._held, self._block_of = {}, {}
        if new := sorted(names - self._held.keys()):
            known = known or self.indexed()
            for name in new:
                self._add(name, known.get(name) or [row["cell"] for row in self._about(name)["rows"]])
        took = time.monotonic() - began
        self._until = began + took + max(LISTED_SECONDS, 10 * took)

    def _add(self, name: str, cells: list[str]) -> None:
        self._held[name] = cells
        for cell in cells:  # if two blocks have a cell, every process takes the same one
            self._block_of[cell] = min(name, self._block_of.get(cell, name))

    def _parts(self, name: str, metadata: Mapping[bytes, bytes]) -> dict[str, slice]:
        """Cell -> its rows of the block."""
        about, first, parts = self._parsed(name, metadata), 0, {}
        for row, count in zip(about["rows"], about["examples"], strict=True):
            parts[row["cell"]] = slice(first, first + count)
            first += count
        return parts

    def _about(self, name: str) -> dict[str, Any]:
        return self._parsed(name, self.blocks.about(name))

    def _parsed(self, name: str, metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
        """A block's description of itself.

        Raises:
            InputError: it is of another version.
        """
        about = json.loads(metadata.get(b"cells", b"{}"))
        if about.get("format") != FORMAT:
            raise InputError(
                f"{self.folder / name}: a block of format {about.get('format')}, expected {FORMAT}; read it with the "
                "version that wrote it"
            )
        return about

    @property
    def _index(self) -> pathlib.Path:
        return self.folder / "index.json"


class BlockEnds:
    """The cells of blocks, from the ends of the files alone, read once and unchecked; for readers who only look.

    A block that is gone, or damaged there, has none; it is read again the next time, since workers repair it.

    Args:
        tail: (name of a block, n) -> its last n bytes, or all of a smaller one; None if it is gone.
        known: block -> its cells, for blocks that need not be read.
    """

    def __init__(self, tail: Callable[[str, int], bytes | None], known: Mapping[str, list[str]] | None = None):
        self._tail, self._found = tail, dict(known or {})
        self._there: set[str] = set()
        self._cells: set[str] = set()

    def cells(self, names: Collection[str]) -> set[str]:
        """The ids of the cells of these blocks; the same object as before if nothing changed."""
        together(self._read, [name for name in names if name not in self._found])
        there = {name for name in names if name in self._found}
        if there != self._there:
            self._there, self._cells = there, {cell for name in there for cell in self._found[name]}
        return self._cells

    def _read(self, name: str) -> None:
        if found := _cells_in(lambda size: self._tail(name, size) or b""):
            self._found[name] = found


def _cells_in(tail: Callable[[int], bytes]) -> list[str]:
    """The ids of the cells in a block; empty if the file is not one of ours.

    Args:
        tail: n -> the last n bytes of the file, or all of a smaller one.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = tail(TAIL_BYTES)
    size = int.from_bytes(content[-8:-4], "little") + 8  # a Parquet file ends with its metadata, their size and a mark
    if size > len(content):
        content = tail(size)
    with contextlib.suppress(pa.ArrowException, OSError, ValueError, KeyError, TypeError, RecursionError):
        about = json.loads(pq.read_metadata(pa.BufferReader(content)).metadata[b"cells"])
        if about["format"] == FORMAT:
            return [str(row["cell"]) for row in about["rows"]]
    return []


def _joined(parts: Sequence[Sequence[Any]]) -> "pa.Array":
    """Several columns, concatenated."""
    import pyarrow as pa

    if all(isinstance(own, np.ndarray) for own in parts):
        return pa.array(np.concatenate(parts))
    entries = list(itertools.chain.from_iterable(parts))
    if set(map(type, entries)) != {np.ndarray}:
        return pa.array(entries)
    offsets = np.cumsum([0, *map(len, entries)], dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(np.concatenate(entries)))
