"""One evaluation dtype an encoder in a store, whichever machines work on it.

    OUT/precision/<encoder>   "float32" or "bfloat16": what the first worker chose

Scores of one encoder are compared across arms, noises and seeds, to differences smaller than what another dtype makes.
"""

import pathlib
import urllib.parse
from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp

from itt_jax import files
from itt_jax.models import Encoder
from itt_jax.store.folder import Store
from itt_jax.train.precision import DTYPES, evaluation_dtype


def agreed_dtype(store: Store, model: str, encoder: Encoder) -> Any:
    """The dtype that all cells of `model` in this store are computed in; decided and written down at the first call.

    A store with cells from before such files has float32 ones.

    Args:
        model: the encoder's name in the study.
    """
    path = _path(store, model)
    if not path.is_file():
        cells = store.out / "cells"
        old = not path.parent.is_dir() and cells.is_dir() and any(cells.iterdir())
        chosen = "float32" if old else jnp.dtype(evaluation_dtype(encoder)).name
        files.create_text(path, chosen)
    return DTYPES[path.read_text(encoding="utf-8")]


def agreed(store: Store, models: Iterable[str]) -> dict[str, str]:
    """What those of `models` are evaluated in for which that is decided."""
    paths = {model: _path(store, model) for model in models}
    return {model: path.read_text(encoding="utf-8") for model, path in paths.items() if path.is_file()}


def _path(store: Store, model: str) -> pathlib.Path:
    return store.out / "precision" / urllib.parse.quote(model, safe="")
