"""The loop of every stage: runs of one shape, trained together around one compiled step.

Resuming (all of it):
1. What a run does at step u depends on (seed, u) and its state alone: order, mixture, masks and dropout keys are
   counter-based, so there is nothing else to replay.
2. Every `checkpoint_every` steps a run's state, its best parameters so far and its record (histories, counts) are
   written aside, flushed, renamed. A kill loses the steps since then, never more. Each run is saved by itself, so
   that it may go on in another stack, or alone.
3. On the same kind and count of devices, with the same versions and stack, the resumed result is bitwise the
   uninterrupted one.
4. Several processes see one file system: the first writes, all read.
5. The state of another stage (another digest of inputs) is refused, not overwritten.
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from itt_jax.batch import Batch
from itt_jax.config import Recipe
from itt_jax.errors import InputError
from itt_jax.train.checkpoint import Resume
from itt_jax.train.clock import Clock
from itt_jax.train.compiling import Program
from itt_jax.train.memory import device_bytes, extra_bytes, halved, is_out_of_memory
from itt_jax.train.optimizer import make_optimizer
from itt_jax.train.prefetch import prefetched
from itt_jax.train.result import Outcome, Record
from itt_jax.train.sharding import (
    Share,
    data_shards,
    on_host,
    place,
    place_batch,
    place_by_run,
    place_optimizer,
    place_params,
    run_on_host,
)
from itt_jax.train.state import Params, Rates, TrainState, member, stacked
from itt_jax.train.step import Objective, train_program

Progress = Callable[[int, int, dict[str, float]], None]
LOG_EVERY = 50
HALVED = "halvings"
"""What progress is told beside losses and scores: how often microbatches were halved so far."""
SHARE_OF_FREE = 0.9
"""Of a device's free memory a step may take: the rest is lost to fragmentation."""


@dataclasses.dataclass(frozen=True)
class Feed:
    """One step's input of one run, known by its lengths before any row of it is built.

    Attributes:
        rows: that its largest microbatch needs.
        build: rows [start, stop) -> the batch of each microbatch, of these rows alone; past the last one they are
            empty. What is by example is whole in each.
        tokens, flops: of the whole step, wherever its rows lie.
    """

    objective: Objective
    rows: int
    build: Callable[[slice], list[Batch]]
    tokens: int
    flops: float


@dataclasses.dataclass(frozen=True)
class Run:
    """What one run of a stack has of its own.

    Attributes:
        params: {"encoder", "heads"}; not changed. feed: step number from 0 -> its input. key: of dropout.
    """

    params: Params
    feed: Callable[[int], Feed]
    key: jax.Array
    learning_rate: float
    steps: int
    resume: Resume | None = None


def built(feeds: Sequence[Feed], mesh: Mesh | None) -> tuple[Batch, Share]:
    """The input of one step of a stack, what of it this process holds: arrays [runs, microbatches, ...].

    The runs take the row count of the one that needs most, a multiple of the data shards.
    """
    shards = data_shards(mesh)
    rows = -(-max(feed.rows for feed in feeds) // shards) * shards
    share = Share.of(mesh, len(feeds), rows)
    return stack_batches([feed.build(share.own_rows) for feed in feeds[share.own_runs]]), share


def stack_batches(runs: Sequence[list[Batch]]) -> Batch:
    """The microbatches of each run, all of one row count, as one batch of arrays [S, microbatches, ...]."""
    parts = [part for parts in runs for part in parts]
    return jax.tree.map(lambda *arrays: np.stack(arrays).reshape(len(runs), -1, *arrays[0].shape), *parts)


@dataclasses.dataclass(frozen=True)
class _Turn:
    """One step of every run that has not ended, on the device with its program."""

    batch: Batch
    program: Future[Program]
    feeds: list[Feed]
    row_tokens: int


class Stack:
    """Runs of one shape in training; `train` is the loop.

    A run that has had its steps keeps its state while the others go on: nobody waits, and nothing of it changes.

    Args:
        family: of the encoder. runs: of parameters of one shape and feeds of one objective (a run alone may change its
            objective from step to step).
        evaluate: the stack's parameters -> the dev score of every run, higher is better.
        mesh: of several devices, or None for one; see sharding.py.
    """

    def __init__(
        self,
        family: str,
        runs: Sequence[Run],
        recipe: Recipe,
        *,
        evaluate: Callable[[Params], Sequence[float]] | None = None,
        progress: Progress | None = None,
        mesh: Mesh | None = None,
    ):
        self.runs, self.recipe, self.evaluate, self.progress, self.mesh = runs, recipe, evaluate, progress, mesh
        self.optimizer = make_optimizer(recipe)
        self.records, self.best = [Record() for _ in runs], [None for _ in runs]
        self.starts, self.halvings = [0] * len(runs), 0
        self.state = self._initial_state(family)
        self._resume()
        self.shapes = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding if self.mesh else None),
            self.state,
        )
        self.done, self.stopped = list(self.starts), [False] * len(runs)
        self.key = place_by_run(stacked([run.key for run in runs]), mesh)
        self.active: tuple[bool, ...] = ()
        self.losses: list[tuple[jax.Array, tuple[bool, ...]]] = []  # on the device, with whose they are
        self.fitting: set[Program] = set()
        self.clock = Clock()

    # --- State

    def _initial_state(self, family: str) -> TrainState:
        recipe, mesh, size = self.recipe, self.mesh, len(self.runs)
        params = place_params([run.params for run in self.runs], family, mesh)
        rates = [
            Rates.create(run.learning_rate, recipe.embedding_learning_rate, run.steps, recipe.warmup)
            for run in self.runs
        ]
        counters = (stacked(rates), jnp.zeros(size, jnp.int32), jnp.ones(size, bool))
        rates, step, finite = place_by_run(counters, mesh)
        moments = place_optimizer(self.optimizer, params, mesh)
        return TrainState(params, moments, rates, step, finite)

    def _resume(self) -> None:
        """Go on from what the runs have saved."""
        saved = [run.resume.record() if run.resume else None for run in self.runs]
        if not any(saved):
            return
        like = jax.eval_shape(lambda: member(self.state, 0))
        states = []
        for index, found in enumerate(saved):
            if found is None:
                states.append(run_on_host(self.state, index, self.mesh))
                continue
            self.starts[index], self.records[index] = found[0], Record(**found[1])
            self.halvings = max(self.halvings, self.records[index].halvings)
            wanted = {"state": like}
            wanted |= {"best": like.params} if self.records[index].best_step is not None else {}
            tree = self.runs[index].resume.tree(found[0], wanted)
            states.append(tree["state"])
            self.best[index] = tree.get("best")
        # Without a mesh nothing is bound to a device: a state that is would need programs of its own.
        shardings = jax.tree.map(lambda leaf: leaf.sharding, self.state) if self.mesh else None
        self.state = place(stacked(states), shardings)

    # --- Input

    def _turn(self, turn: int) -> _Turn:
        """The input of step `turn` since the start; runs in the background. A run that has ended repeats its last."""
        feeds = [run.feed(min(start + turn, run.steps - 1)) for run, start in zip(self.runs, self.starts, strict=True)]
        batch, share = built(feeds, self.mesh)
        objective = feeds[0].objective
        for _ in range(self.halvings):  # only in one process, so that the batch is whole
            parts = jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:]), batch)
            parts = halved(parts, data_shards(self.mesh), getattr(objective, "choices", 1))
            batch = jax.tree.map(lambda array: array.reshape(len(feeds), -1, *array.shape[1:]), parts)
            share = None
        placed = place_batch(batch, self.mesh, share=share)
        active = jax.ShapeDtypeStruct((len(feeds),), bool, sharding=self.key.sharding if self.mesh else None)
        program = train_program(self.shapes, placed, self.key, active, objective=objective, optimizer=self.optimizer)
        return _Turn(placed, program, feeds, math.prod(placed.row_shape[1:]))

    def program(self, turn: int) -> Program:
        """The compiled step that `turn` needs."""
        return self._turn(turn).program.result()

    # --- Loop

    def train(self) -> list[Outcome]:
        """Train every run to its last step.

        Raises:
            InputError: a step needs more memory than there is, whatever its microbatches.
        """
        turn, turns = 0, max(run.steps - start for run, start in zip(self.runs, self.starts, strict=True))
        while turn < turns:
            with contextlib.closing(prefetched(self._turn, range(turn, turns))) as inputs:
                for given in inputs:
                    if not self._updated(given):
                        break  # the same step again, in smaller microbatches
                    turn += 1
                    if not self._after_step():
                        turn = turns
                        break
        return [self._outcome(index) for index in range(len(self.runs))]

    def _updated(self, given: _Turn) -> bool:
        """Do one step; False where it did not fit the memory and its microbatches were halved instead."""
        with self.clock.compiling():
            program = given.program.result()
        if self._needs_more_than_is_free(given, program):
            return self._halve()
        active = tuple(
            not stopped and done < run.steps
            for stopped, done, run in zip(self.stopped, self.done, self.runs, strict=True)
        )
        if active != self.active:
            self.active, self.active_on_device = active, place_by_run(np.array(active), self.mesh)
        try:
            with jax.transfer_guard("disallow"):  # a step that waited for the host would cost more than it computes
                self.state, metrics = program.run(self.state, given.batch, self.key, self.active_on_device)
        except jax.errors.JaxRuntimeError as error:
            if not is_out_of_memory(error) or any(leaf.is_deleted() for leaf in jax.tree.leaves(self.state)):
                raise
            return self._halve()
        self.losses.append((metrics["loss"], active))
        for index in np.flatnonzero(active):
            record, feed = self.records[index], given.feeds[index]
            record.tokens += feed.tokens
            record.row_tokens += given.row_tokens
            record.flops += 3 * feed.flops  # the backward pass costs two forward passes
            self.done[index] += 1
            self.clock.count(feed.tokens, given.row_tokens, 3 * feed.flops)
        self.clock.steps += 1
        return True

    def _needs_more_than_is_free(self, given: _Turn, program: Program) -> bool:
        """Whether the step is to be done in smaller microbatches; looked at once for each program."""
        if program in self.fitting or jax.process_count() > 1:  # each process would decide for itself
            return False
        self.fitting.add(program)
        rows, choices = given.batch.row_shape[2], getattr(given.feeds[0].objective, "choices", 1)
        if rows <= data_shards(self.mesh) or choices > 1:
            return False
        free, needed = device_bytes(jax.local_devices()[0]), extra_bytes(program.run)
        return free is not None and needed is not None and needed > SHARE_OF_FREE * free

    def _halve(self) -> bool:
        """From here on in microbatches of half the rows; False, as nothing was updated.

        Raises:
            InputError: in several processes, for the others do not know.
        """
        if jax.process_count() > 1:
            raise InputError(
                "a step does not fit the memory of a device; in several processes microbatches are not halved by "
                "themselves: expected more accumulate, a smaller batch_size or max_length, or more devices"
            )
        self.halvings += 1
        if self.progress:
            self._tell({HALVED: self.halvings})
        return False

    def _after_step(self) -> bool:
        """Log, evaluate and save what is due; returns whether a run is still going."""
        here = [int(index) for index in np.flatnonzero(self.active)]
        ended = {index: self.done[index] == self.runs[index].steps for index in here}
        logged = [index for index in here if ended[index] or self.done[index] % LOG_EVERY == 0]
        if logged:
            self._log(logged)
        every, going = self.recipe.evaluate_every, [index for index in here if not self.stopped[index]]
        due = [index for index in going if ended[index] or (every and self.done[index] % every == 0)]
        if self.evaluate and due:
            with self.clock.pausing():
                self._select(due)
        kept = [index for index in going if not ended[index] and self.done[index] % self.recipe.checkpoint_every == 0]
        if any(self.runs[index].resume for index in kept):
            with self.clock.pausing():
                self._save(kept)
        return any(not ended[index] for index in going)

    def _fetch_losses(self) -> None:
        """Hand the losses on the device to the records."""
        for losses, active in zip(on_host([loss for loss, _ in self.losses]), [a for _, a in self.losses], strict=True):
            for index in np.flatnonzero(active):
                self.records[index].recent.append(float(losses[index]))
        self.losses = []

    def _log(self, which: list[int]) -> None:
        self._fetch_losses()
        finite = on_host(self.state.finite)
        for index in which:
            record = self.records[index]
            record.losses.append((self.done[index], float(np.mean(record.recent))))
            record.recent = []
            self.stopped[index] = not finite[index]
        if self.progress:
            loss = float(np.mean([self.records[index].losses[-1][1] for index in which]))
            left = max(run.steps - done for run, done in zip(self.runs, self.done, strict=True))
            self._tell({"loss": loss} | self.clock.lap(left))

    def _tell(self, values: dict[str, float]) -> None:
        longest = max(range(len(self.runs)), key=lambda index: self.runs[index].steps)
        self.progress(self.done[longest], self.runs[longest].steps, values)

    def _select(self, which: list[int]) -> None:
        """Evaluate on dev, and keep the parameters of runs that are better than before."""
        scores = self.evaluate(self.state.params)
        for index in which:
            record, score = self.records[index], float(scores[index])
            record.dev_history.append((self.done[index], score))
            if score > record.best_score and self.recipe.keep == "best":
                record.best_step, record.best_score = self.done[index], score
                self.best[index] = run_on_host(self.state.params, index, self.mesh)
        if self.progress:
            self._tell({"dev": float(np.mean([scores[index] for index in which]))})

    def _save(self, which: list[int]) -> None:
        """Keep the state of these runs, gathered from all processes and written by the first."""
        self._fetch_losses()
        for index in which:
            best, record = self.best[index], self.records[index]
            record.halvings = self.halvings
            tree = {"state": run_on_host(self.state, index, self.mesh)} | ({"best": best} if best is not None else {})
            self.runs[index].resume.save(self.done[index], tree, dataclasses.asdict(record))

    def _outcome(self, index: int) -> Outcome:
        record, best = self.records[index], self.best[index]
        if best is None:
            record.best_step, best = self.done[index], run_on_host(self.state.params, index, self.mesh)
        finite = bool(on_host(self.state.finite)[index])
        clock = self.clock
        return Outcome(best, record, self.done[index], finite, clock.compile_seconds, clock.seconds())
