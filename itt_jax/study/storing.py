"""Stores the cells of one model from its scores. A score that is not finite is never stored."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from itt_jax.errors import NotFiniteError
from itt_jax.evaluate.evaluator import Evaluator, Scores
from itt_jax.evaluate.forms import Place
from itt_jax.store import Store
from itt_jax.store.finite import check_finite
from itt_jax.study.cells import Cell
from itt_jax.tasks import Task

Made = tuple[dict[str, Any], dict[str, Any]]
"""A cell's row of the results, and its columns."""


def store_cells(
    store: Store,
    evaluator: Evaluator,
    scores: dict[Place, Scores],
    cells: Sequence[Cell],
    task_of: Callable[[str], Task],
    params: dict[str, Any],
    provenance: dict[str, Any],
    diverged: bool = False,
) -> list[str]:
    """Store the cells of one model, except those with a score that is not finite.

    Cells on the same rows are written together. Nothing more is stored once another worker has taken over the stage.

    Args:
        scores: what `evaluator` predicted with `params`. provenance: that of the scores. diverged: whether the training
            of `params` diverged.

    Returns:
        for each cell that is not stored, its stage, the row, and the cause.
    """
    failed: list[str] = []
    for place in dict.fromkeys(cell.place for cell in cells):
        own = [cell for cell in cells if cell.place == place]
        made, lacking = made_cells(store, evaluator, scores, own, task_of(place[0]), params, diverged)
        failed += lacking
        if store.is_lost(cells[0].stage):
            break
        store.cells.write(made, provenance)
    return failed


def made_cells(
    store: Store,
    evaluator: Evaluator,
    scores: dict[Place, Scores],
    cells: Sequence[Cell],
    task: Task,
    params: dict[str, Any],
    diverged: bool = False,
) -> tuple[list[Made], list[str]]:
    """The cells of one model on the same rows, in the form for `Cells.write`.

    Args:
        scores, params, diverged: as in `store_cells`.

    Returns:
        the cells whose scores are finite; and for the others the result of `store_cells`, which is logged.
    """
    made, failed, cause = [], [], ""
    for cell in cells:
        with np.errstate(all="ignore"):  # values computed from scores that are not finite are not kept
            result = evaluator.cell(scores, cell.place, cell.variant, task)
        row = cell.row(result.figures)
        try:
            check_finite(row, result.columns)
        except NotFiniteError as error:
            cause = cause or _cause(params) + ", as its training diverged" * diverged
            failed.append(f"{error}: {cause}")
            store.log("failed", stage=cell.stage, cell=cell.cell, error=failed[-1])
        else:
            made.append((row, result.columns))
    return made, failed


def check_stored(failed: Sequence[str], out: pathlib.Path) -> None:
    """Raise an error for the cells that `store_cells` did not store.

    Raises:
        NotFiniteError: there are some.
    """
    if failed:
        more = f" ({len(failed) - 1} more cells are not written)" if len(failed) > 1 else ""
        raise NotFiniteError(f"{failed[0]}; the cell is not written{more}, the others are in {out}")


def _cause(params: dict[str, Any]) -> str:
    for path, leaf in jax.tree.leaves_with_path(params):
        if not np.isfinite(np.asarray(leaf)).all():
            first = jax.tree_util.keystr(path, simple=True, separator="/")
            return f"parameters of the model are not finite (first {first})"
    return "the parameters of the model are finite, its activations overflow"
