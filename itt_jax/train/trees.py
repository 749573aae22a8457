"""Pytrees of arrays on disk, in folders written whole or not at all. The only module that uses Orbax."""

import contextlib
import logging
import os
import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.train.processes import await_others, is_first, shared_name


@contextlib.contextmanager
def new_folder(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """`files.new_folder` with a manifest, for all processes of a run together, as Orbax saves in all of them."""
    partial = directory.with_name(f".{directory.name}.{shared_name()}")
    if is_first():
        partial.mkdir(parents=True)
    await_others()
    try:
        yield partial
        await_others()
        if is_first():
            files.write_manifest(partial)
            files.publish_folder(partial, directory)
        await_others()
    finally:
        if is_first():
            shutil.rmtree(partial, ignore_errors=True)


def save_tree(directory: pathlib.Path, tree: Any) -> None:
    """Write a pytree of arrays into the new folder `directory`.

    Raises:
        OSError: the disk is full, or the file system fails otherwise.
    """
    from orbax.checkpoint import v1 as ocp

    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.CRITICAL)  # Orbax writes a traceback before it raises
    try:
        ocp.save(directory.resolve(), jax.tree.map(np.asarray, tree))
    except ValueError as error:
        code = re.search(r"os_error_code='(\d+)'", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(directory)) from error
    finally:
        log.setLevel(level)


def load_tree(directory: pathlib.Path, like: Any) -> Any:
    """The pytree saved at `directory`, as numpy arrays with the structure, shapes and dtypes of `like`.

    Raises:
        InputError: it has another structure or other shapes. `files.check_manifest` detects damage.
    """
    from orbax.checkpoint import v1 as ocp

    like = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), like)
    try:
        tree = ocp.load(directory.resolve(), like)
    except (ValueError, KeyError) as error:
        raise InputError(f"{directory}: parameters of another structure: {str(error).splitlines()[0][:300]}") from error
    for (path, wanted), found in zip(jax.tree.leaves_with_path(like), jax.tree.leaves(tree), strict=True):
        if wanted.shape != found.shape:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            raise InputError(f"{directory}: {name} has shape {found.shape}, expected {wanted.shape}")
    return tree
