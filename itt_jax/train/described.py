"""Training and prediction programs from shapes only: nothing is placed on a device, so the device may be elsewhere."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding

from itt_jax.batch import Batch
from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.data.examples import Examples
from itt_jax.models import Encoder, Head
from itt_jax.train.compiling import Request
from itt_jax.train.feeds import Feed, stack_batches
from itt_jax.train.flops import PASSES, forward_flops
from itt_jax.train.jobs import Job
from itt_jax.train.microbatches import fitted
from itt_jax.train.objectives import Objective
from itt_jax.train.optimizer import Optimizer, initial_optimizer_state, make_optimizer
from itt_jax.train.predict import stream_shape
from itt_jax.train.sharding import (
    BY_RUN,
    batch_shardings,
    data_shards,
    optimizer_shardings,
    partition,
)
from itt_jax.train.state import Params, Rates, TrainState
from itt_jax.train.step import predict_request, train_request
from itt_jax.train.task_feeds import job_feeds

SAMPLED = 8
"""Number of steps sampled to find the shapes of a stage's programs."""


@dataclasses.dataclass(frozen=True)
class Typical:
    """A program, with the work that it typically does.

    Attributes:
        request: the function and the shapes of its arguments.
        row_shape: [runs, microbatches, rows, length] for training, [rows, length] for prediction.
        share: share of the stage's steps that use the program. examples: number per execution.
        choices: number of examples per item, as `Examples.choices`; if more than one, microbatches are never halved.
        tokens: without padding. flops: model FLOPs of these tokens. Both per execution, summed over runs.
    """

    request: Request
    row_shape: tuple[int, ...]
    share: float
    choices: int
    examples: int
    tokens: int
    flops: float


def training(encoder: Encoder, jobs: Sequence[Job], mesh: Mesh | None, halvings: int = 0) -> list[Typical]:
    """The step programs of jobs that train together, one per task, each in its most frequent row shape.

    Args:
        jobs: their parameters are not read. mesh: None on one device.
        halvings: how often microbatches are halved to fit the memory.
    """
    feeds = job_feeds(encoder, jobs, data_shards(mesh))
    heads = tuple(task.head.shapes() for task in jobs[0].tasks)
    params = {"encoder": encoder.shapes(), "heads": heads}
    return steps(encoder, feeds, params, jobs[0].recipe, max(job.steps for job in jobs), mesh, halvings)


def steps(
    encoder: Encoder,
    feeds: Sequence[Callable[[int], Feed]],
    params: Params,
    recipe: Recipe,
    total: int,
    mesh: Mesh | None,
    halvings: int = 0,
) -> list[Typical]:
    """The step programs of a stack with these feeds, each in its most frequent row shape.

    Args:
        params: shapes of one run's {"encoder", "heads"}. total: number of steps.
    """
    optimizer = make_optimizer(recipe)
    found: dict[Objective, list[tuple[int, list[Feed]]]] = {}
    numbers = sorted(set(np.linspace(0, total - 1, SAMPLED).astype(int).tolist()))
    for number in numbers:
        fed = [feed(number) for feed in feeds]
        rows = -(-max(own.rows for own in fed) // data_shards(mesh)) * data_shards(mesh)
        found.setdefault(fed[0].objective, []).append((rows, fed))
    state = state_shapes(encoder.family, params, len(feeds), optimizer, mesh)
    keys = jax.eval_shape(lambda: jax.vmap(jax.random.key)(jnp.arange(len(feeds))))
    key, active = _placed((keys, jax.ShapeDtypeStruct((len(feeds),), bool)), mesh and NamedSharding(mesh, BY_RUN))
    made = []
    for objective, numbered in found.items():
        counts = [rows for rows, _ in numbered]
        rows, feeds_of_step = max(numbered, key=lambda own: (counts.count(own[0]), own[0]))
        batch = stack_batches([own.build(slice(0, rows)) for own in feeds_of_step])
        batch = fitted(batch, encoder, mesh, halvings, feeds_of_step[0].choices)
        request = train_request(state, batch_shapes(batch, mesh), key, active, objective=objective, optimizer=optimizer)
        share, work = len(numbered) / len(numbers), (own for _, steps in numbered for own in steps)
        tokens, flops = np.sum([(own.tokens, own.flops) for own in work], axis=0) / len(numbered)
        choices, examples = feeds_of_step[0].choices, len(feeds) * recipe.batch_size
        made.append(Typical(request, batch.row_shape, share, choices, examples, int(tokens), PASSES * float(flops)))
    return made


def prediction(
    encoder: Encoder, head: Head, examples: Examples, models: int, tokens: int, mesh: Mesh | None
) -> Typical:
    """The prediction of `models` models on batches of `tokens` tokens per device; `examples` are typical of them."""
    shape = stream_shape(examples, data_shards(mesh), tokens)
    indices, batch = next(packing.stream(examples, *shape))
    params = stack_shapes(encoder.family, {"encoder": encoder.shapes(), "head": head.shapes()}, models, mesh)
    request = predict_request(
        params, batch_shapes(batch.inputs, mesh, stack=False), None, encoder=encoder, head=head, change=None, mesh=mesh
    )
    lengths = examples.lengths[indices]
    work = models * forward_flops(encoder, lengths)
    return Typical(request, batch.row_shape, 1.0, examples.choices, len(indices), models * int(lengths.sum()), work)


# --- Shapes


def state_shapes(family: str, params: Params, size: int, optimizer: Optimizer, mesh: Mesh | None) -> TrainState:
    """The train state of `size` runs with parameters of these shapes, as `loop.Stack` places it."""
    params = stack_shapes(family, params, size, mesh)
    moments = jax.eval_shape(lambda own: initial_optimizer_state(optimizer, own), params)
    moments = _placed(moments, mesh and optimizer_shardings(optimizer, params, mesh))
    number, count = (jax.ShapeDtypeStruct((size,), dtype) for dtype in (jnp.float32, jnp.int32))
    counters = Rates(number, number, count, count), count, jax.ShapeDtypeStruct((size,), bool)
    return TrainState(params, moments, *_placed(counters, mesh and NamedSharding(mesh, BY_RUN)))


def stack_shapes(family: str, params: Params, size: int, mesh: Mesh | None) -> Params:
    """Parameters [size, ...] of `size` runs, sharded by the family's rules."""
    together = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape), leaf.dtype), params)
    return _placed(together, mesh and partition(family, together, mesh))


def batch_shapes(batch: Batch, mesh: Mesh | None, stack: bool = True) -> Batch:
    """A batch as `sharding.place_batch` would place it."""
    if mesh is None:
        return _placed(batch, None)
    by_row, by_example = batch_shardings(mesh, stack)
    return Batch(_placed(batch.by_row, by_row), _placed(batch.by_example, by_example))


def _placed(tree: Any, shardings: Any) -> Any:
    """The shapes of a tree's arrays; `shardings` is None, one for all of them, or a tree of them."""
    if shardings is None:
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), tree)
    return jax.tree.map(
        lambda leaf, own: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=own),
        tree,
        jax.tree.broadcast(shardings, tree),
    )
