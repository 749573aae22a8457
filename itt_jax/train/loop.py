"""The loop of every stage: one readable function, around one jitted step.

Resuming (all of it):
1. What a stage does at update u depends on (seed, u) and the state alone: order, mixture, masks and dropout keys are
   counter-based, so there is nothing else to replay.
2. Every `checkpoint_every` updates the state, the best parameters so far and the record (histories, counts) are
   written aside, flushed, renamed. A kill loses the updates since then, never more.
3. On the same kind and count of devices, with the same versions, the resumed result is bitwise the uninterrupted one.
4. The state of another stage (another digest of inputs) is refused, not overwritten.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from itt_jax.config import Recipe
from itt_jax.train.checkpoint import Resume
from itt_jax.train.optimizer import initial_optimizer_state, make_optimizer
from itt_jax.train.sharding import place_batch, place_optimizer, place_params, place_whole
from itt_jax.train.state import Params, Rates, TrainState
from itt_jax.train.step import Objective, train_step

Progress = Callable[[int, int, dict[str, float]], None]
LOG_EVERY = 50


@dataclasses.dataclass(frozen=True)
class Feed:
    """One update's input: arrays with a leading axis of microbatches, and what they count."""

    objective: Objective
    batch: dict[str, Any]
    tokens: int
    row_tokens: int
    flops: float


@dataclasses.dataclass
class Record:
    """What a stage remembers besides parameters: JSON, part of the resumable state.

    `recent` are the losses since the last entry of `losses`; on the device until the stage is saved.
    """

    dev_history: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    losses: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    recent: list[float] = dataclasses.field(default_factory=list)
    best_update: int | None = None
    best_score: float = -math.inf
    tokens: int = 0
    row_tokens: int = 0
    flops: float = 0.0


@dataclasses.dataclass(frozen=True)
class StageResult:
    """What a stage gives back.

    Attributes:
        params: {"encoder": ..., "head": ...}, numpy on the host: those of the best dev evaluation, or the last.
        heads: task name -> head parameters, for stages of several tasks.
        updates: done, always those of the recipe, but for a degenerate stage, which stops where it was noticed.
        dev_history: (updates done, score); losses: (updates done, mean loss since the entry before).
        tokens: real tokens trained on; real_token_share: of all positions of the rows; flops: model FLOPs, forward
            and backward, of the real tokens (see flops.py).
        best_update: updates done at the parameters that are returned.
        degenerate: a loss or gradient was not finite; reported, never dropped.
    """

    params: Params
    heads: dict[str, Params]
    updates: int
    dev_history: tuple[tuple[int, float], ...]
    losses: tuple[tuple[int, float], ...]
    tokens: int
    real_token_share: float
    flops: float
    best_update: int
    degenerate: bool

    @classmethod
    def create(
        cls, params: Params, heads: dict[str, Params], record: "Record", updates: int, finite: bool
    ) -> "StageResult":
        """The result of a stage that ended with `record`."""
        return cls(
            params=params,
            heads=heads,
            updates=updates,
            dev_history=tuple(map(tuple, record.dev_history)),
            losses=tuple(map(tuple, record.losses)),
            tokens=record.tokens,
            real_token_share=record.tokens / max(1, record.row_tokens),
            flops=record.flops,
            best_update=record.best_update,
            degenerate=not finite,
        )


def on_host(tree: Any) -> Any:
    """A copy of `tree` in numpy: on CPU a mere view would hold the buffers that the next step reuses."""
    return jax.tree.map(lambda leaf: np.array(leaf), tree)


def _floats(losses: list) -> list[float]:
    return [float(loss) for loss in jax.device_get(losses)]


def run_updates(
    family: str,
    params: Params,
    feed: Callable[[int], Feed],
    key: jax.Array,
    recipe: Recipe,
    learning_rate: float,
    updates: int,
    *,
    evaluate: Callable[[Params], float] | None = None,
    resume: Resume | None = None,
    progress: Progress | None = None,
    mesh: Mesh | None = None,
) -> tuple[Params, Record, int, bool]:
    """Train `params` ({"encoder", "heads"}) for `updates` updates.

    Args:
        family: of the encoder. feed: update number from 0 -> its input.
        evaluate: parameters -> dev score, higher is better.
        mesh: of several devices, or None for one; rows lie along its axis "data", see sharding.py.

    Returns:
        Parameters on the host (best or last, as the recipe keeps), the record, updates done, and whether all losses and
        gradients were finite.
    """
    # --- State
    optimizer = make_optimizer(recipe)
    params = place_params(params, family, mesh)  # a copy: the step donates, callers keep theirs
    rates = Rates.create(learning_rate, recipe.embedding_learning_rate, updates, recipe.warmup)
    rates, update, finite, key = place_whole((rates, jnp.zeros((), jnp.int32), jnp.ones((), bool), key), mesh)
    moments = place_optimizer(initial_optimizer_state(optimizer, params), params, mesh)
    state = TrainState(params, moments, rates, update, finite)
    record, best, start = Record(), None, 0

    # --- Resume
    saved = resume.record() if resume else None
    if saved:
        start, values = saved
        record = Record(**values)
        like = {"state": state} | ({"best": params} if record.best_update is not None else {})
        tree = resume.tree(start, like)
        # Without a mesh nothing is bound to a device: a state that is would need programs of its own.
        shardings = jax.tree.map(lambda leaf: leaf.sharding, state) if mesh else None
        state, best = jax.device_put(tree["state"], shardings), tree.get("best")

    # --- Loop
    done = start
    for update in range(start, updates):
        fed = feed(update)
        batch = place_batch(fed.batch, mesh)
        with jax.transfer_guard("disallow"):  # a step that waited for the host would cost more than it computes
            state, metrics = train_step(state, batch, key, objective=fed.objective, optimizer=optimizer)
        record.recent.append(metrics["loss"])
        record.tokens += fed.tokens
        record.row_tokens += fed.row_tokens
        record.flops += 3 * fed.flops  # the backward pass costs two forward passes
        done = update + 1

        # --- Log
        if done % LOG_EVERY == 0 or done == updates:
            record.losses.append((done, float(np.mean(_floats(record.recent)))))
            record.recent = []
            if progress:
                progress(done, updates, {"loss": record.losses[-1][1]})
            if not jax.device_get(state.finite):
                break

        # --- Evaluate on dev
        due = recipe.evaluate_every and done % recipe.evaluate_every == 0
        if evaluate and (due or done == updates):
            score = evaluate(state.params)
            record.dev_history.append((done, score))
            if score > record.best_score and recipe.keep == "best":
                record.best_update, record.best_score, best = done, score, on_host(state.params)
            if progress:
                progress(done, updates, {"dev": score})

        # --- Checkpoint
        if resume and done % recipe.checkpoint_every == 0 and done < updates:
            record.recent = _floats(record.recent)
            tree = {"state": state} | ({"best": best} if best is not None else {})
            resume.save(done, tree, dataclasses.asdict(record))

    # --- Result
    if best is None:
        record.best_update, best = done, on_host(state.params)
    return best, record, done, bool(jax.device_get(state.finite))
