"""Smaller microbatches: the same step with fewer rows at a time, to fit a device's memory, or the one on its chip."""

import jax
import numpy as np
from jax.sharding import Mesh

from itt_jax.batch import Batch
from itt_jax.errors import InputError
from itt_jax.models import Encoder
from itt_jax.models.hardware import hardware
from itt_jax.train.sharding import data_shards

ON_CHIP = 48 << 20
"""Bytes that the inner activations of a feed-forward layer may take on a TPU; a v5e or v6e has 128 MiB on the chip. By
the compiler's estimate, four times as many tokens at once take half as long again each (docs/accelerators.md)."""


def on_chip_tokens(encoder: Encoder, runs: int, mesh: Mesh | None) -> int | None:
    """Tokens of each run that a device should compute at once, all runs together; None if it is no TPU."""
    if hardware().platform != "tpu":
        return None
    together = -(-runs // (1 if mesh is None else mesh.shape.get("run", 1)))
    return ON_CHIP // (together * encoder.config.feed_forward * np.dtype(encoder.dtype).itemsize)


def fitted(batch: Batch, encoder: Encoder, mesh: Mesh | None, halvings: int, choices: int) -> Batch:
    """The same step in microbatches halved as often as given and, on TPUs, until they fit on the chip if rows allow it.

    Args:
        batch, choices: as of `halved`. halvings: how often at least.

    Raises:
        InputError: as `halved`, for those halvings.
    """
    shards, most = data_shards(mesh), on_chip_tokens(encoder, batch.row_shape[0], mesh)
    if choices > 1 or jax.process_count() > 1:  # every process builds its own share, an item's examples stay together
        most = None

    def too_large() -> bool:
        rows, length = batch.row_shape[2:]
        return most is not None and rows > shards and rows * length > most * shards

    done = 0
    while done < halvings or too_large():
        batch, done = halved(batch, shards, choices), done + 1
    return batch


def halved(batch: Batch, shards: int = 1, choices: int = 1) -> Batch:
    """The same step in twice as many microbatches of half as many rows.

    Every example counts in the microbatch that holds its row, so sum(weights * losses) and sum(weights) over all
    microbatches do not change. Dropout does: its keys are numbered by microbatch.

    Args:
        batch: numpy arrays [S, M, B, ...] and [S, M, E, ...] of S runs and M microbatches.
        shards: devices that share the rows; both halves get a multiple of it, with empty rows where needed.
        choices: number of examples per item, as `Examples.choices`.

    Raises:
        InputError: there are too few rows, or an item's examples might be separated: its loss reads all of them, and a
            retrieval query's loss reads all candidates of its microbatch.
    """
    _, _, rows, length = batch.row_shape
    if choices > 1:
        raise InputError(
            f"a microbatch of items of {choices} examples does not fit the device's memory and cannot be halved by "
            "rows, as an item's loss reads all its examples (in retrieval, all candidates); expected a smaller "
            "batch_size or (multiple choice) more accumulate"
        )
    if rows <= shards:
        raise InputError(
            f"a microbatch of {rows} rows of {length} tokens does not fit the device's memory; "
            "expected remat=True in the study, a shorter max_length, a smaller encoder or more memory"
        )
    half = -(-rows // (2 * shards)) * shards
    if not batch.by_example:
        return Batch({name: _rows_halved(array, half, 0) for name, array in batch.by_row.items()}, {})
    empty = {"example_ids": batch.slots, "labels": -1}
    by_row = {name: _rows_halved(array, half, empty.get(name, 0)) for name, array in batch.by_row.items()}
    by_example = {name: np.repeat(array, 2, axis=1) for name, array in batch.by_example.items()}
    row = by_example["summary_rows"]
    own = row // half == np.arange(row.shape[1])[:, None] % 2  # whether the slot's example is in this half
    by_example["summary_rows"] = row % half
    for name in ("weights", "summary_rows", "summary_positions", "segments"):
        kept = own.reshape(*own.shape, *[1] * (by_example[name].ndim - own.ndim))  # places may be of several forms
        by_example[name] = np.where(kept, by_example[name], 0).astype(by_example[name].dtype)
    return Batch(by_row, by_example)


def _rows_halved(array: np.ndarray, half: int, empty: int) -> np.ndarray:
    """[S, M, B, ...] -> [S, 2 M, half, ...]; missing rows hold `empty`."""
    runs, microbatches, rows, *rest = array.shape
    missing = np.full((runs, microbatches, 2 * half - rows, *rest), empty, array.dtype)
    return np.concatenate([array, missing], axis=2).reshape(runs, 2 * microbatches, half, *rest)
