"""Inputs of a step: the feed of each run, the shapes of its rows, and the batch of a whole stack."""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax.sharding import Mesh

from itt_jax.batch import Batch
from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.models import Encoder
from itt_jax.models.hardware import hardware
from itt_jax.train.flops import PASSES, forward_flops
from itt_jax.train.objectives import Objective
from itt_jax.train.sharding import Share, data_shards

# Each further row count saves at most 5 % of a stage's computation and takes about ten seconds to compile.
FLOPS_PER_ROW_COUNT, MOST_ROW_COUNTS = {"cpu": 2e13, "gpu": 2e16}, 4


@dataclasses.dataclass(frozen=True)
class Feed:
    """The input of one step of one run, described before any of its rows is built.

    Attributes:
        objective: the loss that the step minimises.
        rows: number of rows that the largest microbatch needs.
        build: rows [start, stop) -> these rows of each microbatch. Rows beyond the last are padding; per-example arrays
            are never split.
        tokens, flops: totals of the step over all hosts; FLOPs of a forward pass.
        passes: cost of the step, in forward passes.
        choices: number of examples per item; they must stay in one microbatch.
    """

    objective: Objective
    rows: int
    build: Callable[[slice], list[Batch]]
    tokens: int
    flops: float
    choices: int = 1
    passes: int = PASSES


def build_step(feeds: Sequence[Feed], mesh: Mesh | None) -> tuple[Batch, Share]:
    """This process's share of the input of one step of a stack: arrays [runs, microbatches, ...].

    All runs get the row count of the run that needs most, rounded up to a multiple of the data shards.
    """
    shards = data_shards(mesh)
    rows = -(-max(feed.rows for feed in feeds) // shards) * shards
    share = Share.of(mesh, len(feeds), rows)
    return stack_batches([feed.build(share.own_rows) for feed in feeds[share.own_runs]]), share


def stack_batches(runs: Sequence[list[Batch]]) -> Batch:
    """The microbatches of each run, all of one row count, as one batch [S, microbatches, ...]."""
    microbatches = [one for own in runs for one in own]
    return jax.tree.map(lambda *arrays: np.stack(arrays).reshape(len(runs), -1, *arrays[0].shape), *microbatches)


def row_plan(
    encoder: Encoder, lengths: np.ndarray, size: int, recipe: Recipe, shards: int, steps: int, stack: int = 1
) -> packing.RowPlan:
    """The row shapes of a stage. Stages with more computation get more row counts, since each costs a compilation.

    Args:
        lengths: tokens of each example. size: examples of a microbatch. stack: number of runs that train together.
    """
    flops = PASSES * forward_flops(encoder, lengths) / len(lengths) * size * recipe.accumulate * steps * stack
    there = hardware()
    usual = 1 + int(flops / FLOPS_PER_ROW_COUNT.get(there.platform, FLOPS_PER_ROW_COUNT["gpu"]))
    usual = min(usual, MOST_ROW_COUNTS)
    return packing.plan_rows(lengths, size, recipe.max_length, shards, stack, usual, there.row_multiple)
