"""Inputs of a step: what each run feeds, and the batch of a whole stack."""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax.sharding import Mesh

from itt_jax.batch import Batch
from itt_jax.train.sharding import Share, data_shards
from itt_jax.train.step import Objective


@dataclasses.dataclass(frozen=True)
class Feed:
    """The input of one step of one run, described before any of its rows is built.

    Attributes:
        objective: the loss that the step minimises.
        rows: number of rows that the largest microbatch needs.
        build: rows [start, stop) -> these rows of each microbatch. Rows beyond the last are padding; per-example arrays
            are never split.
        tokens, flops: of the whole step, over all hosts.
        choices: number of examples per item; they must stay in one microbatch.
    """

    objective: Objective
    rows: int
    build: Callable[[slice], list[Batch]]
    tokens: int
    flops: float
    choices: int = 1


def build_step(feeds: Sequence[Feed], mesh: Mesh | None) -> tuple[Batch, Share]:
    """This process's share of the input of one step of a stack: arrays [runs, microbatches, ...].

    All runs get the row count of the one that needs most, rounded up to a multiple of the data shards.
    """
    shards = data_shards(mesh)
    rows = -(-max(feed.rows for feed in feeds) // shards) * shards
    share = Share.of(mesh, len(feeds), rows)
    return stack_batches([feed.build(share.own_rows) for feed in feeds[share.own_runs]]), share


def stack_batches(runs: Sequence[list[Batch]]) -> Batch:
    """The microbatches of each run, all of one row count, as one batch [S, microbatches, ...]."""
    microbatches = [one for own in runs for one in own]
    return jax.tree.map(lambda *arrays: np.stack(arrays).reshape(len(runs), -1, *arrays[0].shape), *microbatches)
