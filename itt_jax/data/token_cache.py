"""Tokenise once: examples are kept as memory-mapped arrays in a folder named by everything that determines them.

    FOLDER/<key>/arrays.json    the dataclasses that the arrays are fields of
    FOLDER/<key>/*.npy          one file an array
    FOLDER/<key>/manifest.json  size and checksum of each file

Folders are written whole or not at all; if several processes make the same one, the first to finish decides. Arrays are
mapped read-only, so all processes of a host share one copy in memory. Each process reads a folder's checksums once, and
again if a file has changed since.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import logging
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from itt_jax import files
from itt_jax.data.answers import Answers
from itt_jax.data.examples import Examples
from itt_jax.data.located import LocatedTokens
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.data.windows import Windows
from itt_jax.errors import InputError
from itt_jax.ragged import Ragged

VERSION = 5
"""Must change whenever the same rows, tokenizer and length give other examples, or are kept in other files."""
TYPES = (Examples, Ragged, Windows, LocatedTokens)

_checked: dict[pathlib.Path, list[tuple[str, int, int]]] = {}
"""Folder -> its files, as they were when this process compared them with their checksums."""
log = logging.getLogger(__name__)
T = TypeVar("T")


def cached(folder: str | os.PathLike, key: str, make: Callable[[], T]) -> T:
    """The result of `make()`: mapped from `folder` if it was made before, else made now and kept there.

    A damaged folder is made again, and a result that cannot be written is not kept; both log a warning.

    Args:
        make: returns one of the dataclasses in `TYPES`, whose fields are arrays, numbers, strings, None and such
            dataclasses.
    """
    place = pathlib.Path(folder) / key
    found = _opened(place)
    if found is not None:
        return found
    made = make()
    try:
        _write(place, made)
    except OSError as error:
        log.warning("%s: token ids are not kept (%s)", place, error)
        return made
    found = _opened(place)
    return made if found is None else found


def examples_key(tokenizer: Tokenizer, rows: Rows, max_length: int, *task: Any) -> str:
    """A name for the examples of `rows`: 16 hexadecimal digits.

    Args:
        task: everything else that decides how rows are read (the kind, the roles of fields), as JSON values.
    """
    libraries = [importlib.metadata.version(name) for name in ("tokenizers", "sentencepiece")]
    parts = [VERSION, libraries, tokenizer.fingerprint, rows_digest(rows), max_length, task]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def rows_digest(rows: Rows) -> str:
    """A name for the fields and labels of `rows`, in their order: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, texts in rows.fields.items():
        digest.update(f"{name} {len(texts)}\n".encode())
        digest.update(np.array([len(text) for text in texts], np.int64).data)  # ["ab", "c"] differs from ["a", "bc"]
        digest.update("".join(texts).encode("utf-8", "surrogatepass"))
    labels = rows.labels
    if isinstance(labels, Answers):
        digest.update(labels.encoded())
    elif labels is not None:
        for array in (labels.values, labels.offsets) if isinstance(labels, Ragged) else (labels,):
            digest.update(f"{array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _write(place: pathlib.Path, made: Any) -> None:
    """Write the arrays of `made`, all or nothing."""
    arrays: dict[str, np.ndarray] = {}
    described = _described(made, "", arrays)
    with files.new_folder(place, keep_existing=True) as folder:
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        (folder / "arrays.json").write_text(json.dumps(described), encoding="utf-8")
        files.write_manifest(folder)


def _described(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """`value` as JSON; its arrays go into `arrays`, by the names of their files."""
    if isinstance(value, np.ndarray):
        name = path.removeprefix(".")
        arrays[name] = value
        return {"array": name}
    if dataclasses.is_dataclass(value):
        fields = {
            field.name: _described(getattr(value, field.name), f"{path}.{field.name}", arrays)
            for field in dataclasses.fields(value)
        }
        return {"type": type(value).__name__, "fields": fields}
    if value is None or isinstance(value, bool | int | float | str):
        return {"value": value}
    raise TypeError(f"{path}: cannot keep {type(value).__name__}")


def _opened(place: pathlib.Path) -> Any:
    """The value kept at `place`, mapped; None if there is none, or if it is damaged, which removes it."""
    if not place.is_dir():
        return None
    try:
        stamps = sorted((own.name, own.stat().st_size, own.stat().st_mtime_ns) for own in place.iterdir())
        if _checked.get(place) != stamps:
            files.check_manifest(place, "folder of token ids")
            _checked[place] = stamps
        return _restored(json.loads((place / "arrays.json").read_text(encoding="utf-8")), place)
    except (InputError, OSError, ValueError, KeyError, TypeError, EOFError) as error:
        log.warning("%s: cannot be read and is made again (%s)", place, error)
        shutil.rmtree(place, ignore_errors=True)
        return None


def _restored(described: dict, place: pathlib.Path) -> Any:
    if "array" in described:
        # As a plain array: indexing numpy's memmap class is slower.
        return np.load(place / f"{described['array']}.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray)
    if "type" in described:
        fields = {name: _restored(field, place) for name, field in described["fields"].items()}
        return {kind.__name__: kind for kind in TYPES}[described["type"]](**fields)
    return described["value"]
