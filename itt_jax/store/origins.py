"""Which trainings the predictions in a results folder come from.

A stage that is trained twice has two models, whose predictions must not be mixed. A training is identified by its
version, a hash of its record.
"""

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator

from itt_jax import files

MADE = (
    "attacks/*/rows/*.jsonl",
    "attacks/*/attack.json",
    "attacks/*/summary.json",
    "attacks/*/results.csv",
    "transfer/*.parquet",
    "cells/*.parquet",
)
"""Patterns of the files in a results folder that hold predictions of stages' models."""


def version(content: bytes) -> str:
    """The version of a training: a hash of the bytes of its record."""
    return hashlib.sha256(content).hexdigest()[:16]


def versions(out: pathlib.Path) -> set[str]:
    """The versions of all recorded trainings in a results folder."""
    return {version(path.read_bytes()) for path in out.glob("stages/*/record.json")}


def origin(out: pathlib.Path, name: str, content: bytes) -> str | None:
    """The version of the training that a file comes from, by the records in the results folder.

    A file made from several trainings has a digest of their versions.

    Args:
        name: path of a file of MADE, relative to `out`. content: its bytes.

    Returns:
        None if a record is missing, or the file does not say what it was made from.
    """
    stages = _stages_of(out, name, content)
    records = [out / "stages" / stage / "record.json" for stage in stages]
    if not records or not all(path.is_file() for path in records):
        return None
    found = [version(path.read_bytes()) for path in records]
    return found[0] if len(found) == 1 else version(" ".join(sorted(found)).encode())


def set_aside(out: pathlib.Path, stage: str) -> list[str]:
    """Move what was made from a stage to OUT/damaged/<version>/, before another training of it is recorded.

    Returns:
        the names of the files that are no longer there.
    """
    record = out / "stages" / stage / "record.json"
    if not record.is_file():
        return []
    aside, moved = out / "damaged" / version(record.read_bytes()), []
    for name in list(names(out)):
        with contextlib.suppress(FileNotFoundError):  # another process was first
            if stage in _stages_of(out, name, (out / name).read_bytes()):
                moved.append(name)
    # attack.json last: it leads a resumed run to the rest.
    for name in sorted(moved, key=lambda name: name.endswith("/attack.json")):
        (aside / name).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.replace(out / name, aside / name)
    return moved


def names(out: pathlib.Path) -> Iterator[str]:
    """The names of the files in a results folder that are MADE."""
    for pattern in MADE:
        for path in out.glob(pattern):
            if not path.name.startswith("."):
                yield path.relative_to(out).as_posix()


def _stages_of(out: pathlib.Path, name: str, content: bytes) -> list[str]:
    """The ids of the stages whose models a file was made with; none where it does not say."""
    kind, inner = name.split("/")[:2]
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # damaged, or begun a moment ago
        if kind == "attacks":
            about = content if name.endswith("/attack.json") else files.read_bytes(out / kind / inner / "attack.json")
            return [str(json.loads(about)["stage"])]
        return _stages_of_block(kind, content)
    return []


def _stages_of_block(kind: str, content: bytes) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(content))
    if kind == "cells":
        return sorted({row["stage"] for row in json.loads(file.metadata.metadata[b"cells"])["rows"]})
    table = file.read(columns=["stage", "made_on_stage"], use_threads=False)
    return sorted(set(table["stage"].to_pylist()) | set(table["made_on_stage"].to_pylist()))
