"""Directories that outlive a process: stages to resume, and finished encoders. The only module that knows Orbax."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from itt_jax.errors import InputError

FORMAT = 1


@contextlib.contextmanager
def written_aside(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """A fresh folder beside `directory` that becomes it at the end, and is removed if the body raises.

    Every file is flushed to the disk before the rename, so that what has the name is whole.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    aside = directory.with_name(f".{directory.name}.{os.getpid()}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
        for path in [*aside.rglob("*"), aside]:
            _flush(path)
        old = directory.with_name(f".{directory.name}.{os.getpid()}.old")
        if directory.exists():
            os.rename(directory, old)
        os.rename(aside, directory)
        _flush(directory.parent)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _flush(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save_tree(directory: pathlib.Path, tree: Any) -> None:
    """Write a pytree of arrays into the new folder `directory`."""
    from orbax.checkpoint import v1 as ocp

    ocp.save(directory.resolve(), jax.tree.map(np.asarray, tree))


def load_tree(directory: pathlib.Path, like: Any) -> Any:
    """The pytree written at `directory`, as numpy arrays with the structure, shapes and dtypes of `like`.

    Raises InputError where it is incomplete, damaged, or of another structure.
    """
    from orbax.checkpoint import v1 as ocp

    like = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), like)
    try:
        tree = ocp.load(directory.resolve(), like)
    except Exception as error:  # Orbax and TensorStore raise many types for a damaged folder
        reason = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise InputError(f"{directory}: not a complete checkpoint: {reason}") from error
    for (path, wanted), found in zip(jax.tree.leaves_with_path(like), jax.tree.leaves(tree), strict=True):
        if wanted.shape != found.shape:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            raise InputError(f"{directory}: {name} has shape {found.shape}, expected {wanted.shape}")
    return tree


# --- stages to resume


@dataclasses.dataclass(frozen=True)
class Resume:
    """Where one stage keeps its latest resumable state: `directory`/resume-<updates done>, the newest complete one.

    `fingerprint` is a digest of everything that determines the stage; another stage's state is refused.
    """

    directory: pathlib.Path
    fingerprint: str

    def save(self, update: int, tree: Any, record: dict[str, Any]) -> None:
        """Keep `tree` (arrays) and `record` (JSON) as the state after `update` updates; older ones are removed."""
        older = self._found()
        with written_aside(self.directory / f"resume-{update}") as aside:
            save_tree(aside / "tree", tree)
            (aside / "record.json").write_text(json.dumps({"fingerprint": self.fingerprint, **record}))
        for path in older.values():
            shutil.rmtree(path, ignore_errors=True)

    def record(self) -> tuple[int, dict[str, Any]] | None:
        """Updates done and the record of the newest state, or None. Raises InputError if it is another stage's."""
        found = self._found()
        if not found:
            return None
        update = max(found)
        record = json.loads((found[update] / "record.json").read_text())
        if record.pop("fingerprint") != self.fingerprint:
            raise InputError(f"{found[update]} belongs to another stage; remove it or choose another directory")
        return update, record

    def tree(self, update: int, like: Any) -> Any:
        """The arrays of the state after `update` updates, shaped like `like`."""
        return load_tree(self._found()[update] / "tree", like)

    def _found(self) -> dict[int, pathlib.Path]:
        return {int(path.name.split("-")[1]): path for path in self.directory.glob("resume-*")}


def forget_resume(directory: pathlib.Path) -> None:
    """Remove the resumable states of a stage whose result is kept elsewhere by now."""
    for path in pathlib.Path(directory).glob("resume-*"):
        shutil.rmtree(path)
