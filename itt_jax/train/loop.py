"""The loop of every stage: runs of one shape, trained together around one compiled step.

Resume policy:
1. A run's step n depends only on (seed, n) and the run's state: order, mixture, masks and dropout keys are
   counter-based, so nothing else needs to be replayed.
2. Every `checkpoint_every` steps a run's state, its best parameters so far and its record (histories, counts) are
   written to a temporary folder, flushed and renamed. A killed process loses the steps since then, never more. Runs are
   saved separately, so that each can continue in another stack, or alone.
3. On the same kind and number of devices, with the same versions and stack, the resumed result equals the uninterrupted
   one bit for bit. On others it goes on: without dropout the result is equal to rounding, and the record names both.
4. All processes see one file system: the first writes, all read.
5. Texts that attacks made during a run are saved when they are made, and read when it is resumed.
6. The state of another stage (another digest of its inputs) is refused, not overwritten; a damaged one is removed.
"""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from itt_jax.batch import Batch
from itt_jax.config import Recipe
from itt_jax.errors import InputError
from itt_jax.models import Encoder
from itt_jax.train.clock import Clock
from itt_jax.train.compiling import Program
from itt_jax.train.feeds import Feed, build_step
from itt_jax.train.layouts import laid_out
from itt_jax.train.memory import extra_bytes, free_bytes, is_out_of_memory
from itt_jax.train.microbatches import fitted
from itt_jax.train.optimizer import make_optimizer
from itt_jax.train.prefetch import prefetched
from itt_jax.train.processes import await_others
from itt_jax.train.result import Outcome, Record
from itt_jax.train.resume import Resume
from itt_jax.train.rounds import Rounds
from itt_jax.train.sharding import (
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
from itt_jax.train.step import train_program

Progress = Callable[[int, int, dict[str, float]], None]
"""Called after each step with (steps done, steps, values): losses, dev scores, speed or `HALVED`, often nothing."""
LOG_EVERY = 50
HALVED = "halvings"
"""Name of a progress value: how often microbatches have been halved so far."""
SHARE_OF_FREE = 0.9
"""Share of a device's free memory that a step may take; the rest is lost to fragmentation."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a stack.

    Attributes:
        params: {"encoder", "heads"}; not changed.
        feed: step number, from 0 -> input. key: dropout key.
        learning_rate: the peak. steps: total number of steps.
        resume: where the run saves its state, or None. rounds: rounds of attacks on its rows, or None.
    """

    params: Params
    feed: Callable[[int], Feed]
    key: jax.Array
    learning_rate: float
    steps: int
    resume: Resume | None = None
    rounds: Rounds | None = None


@dataclasses.dataclass(frozen=True)
class _StepInput:
    """The input of one step of the stack, on the device, with its program.

    Attributes:
        row_tokens: positions of the rows of one run, padding included.
        halvings: how often its microbatches have been halved.
    """

    batch: Batch
    program: Future[Program]
    feeds: list[Feed]
    row_tokens: int
    halvings: int


class Stack:
    """Runs of one shape in training; `train` is the loop.

    A run that has finished keeps its state while the others continue: no run waits for another.

    Args:
        encoder: the encoder of every run.
        runs: with parameters of one shape and feeds with one objective (a single run may change its objective from step
            to step).
        evaluate: parameters of the stack -> dev score of each run; higher is better.
        mesh: for several devices, None for one; see sharding.py.
    """

    def __init__(
        self,
        encoder: Encoder,
        runs: Sequence[Run],
        recipe: Recipe,
        *,
        evaluate: Callable[[Params], Sequence[float]] | None = None,
        progress: Progress | None = None,
        mesh: Mesh | None = None,
    ):
        self.encoder, self.mesh = encoder, mesh
        self.runs, self.recipe, self.evaluate, self.progress = runs, recipe, evaluate, progress
        self.optimizer = make_optimizer(recipe)
        self.records, self.best = [Record() for _ in runs], [None for _ in runs]
        self.starts, self.halvings = [0] * len(runs), 0
        self.state = self._initial_state(encoder.family)
        self._resume()
        self.state = laid_out(self.state)
        self.shapes = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding if self.mesh else None),
            self.state,
        )
        self.done, self.stopped = list(self.starts), [False] * len(runs)
        self.key = place_by_run(stacked([run.key for run in runs]), mesh)
        self.active: tuple[bool, ...] = ()
        self.losses: list[tuple[jax.Array, tuple[bool, ...]]] = []  # on the device, with the runs they belong to
        self.programs: dict[Hashable, Future[Program]] = {}
        self.known: set[Program] = set()
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
        """Replace the initial state by the saved states of the runs."""
        saved = [run.resume.record() if run.resume else None for run in self.runs]
        if not any(saved):
            return
        like = jax.eval_shape(lambda: member(self.state, 0))
        states = []
        for index, (run, found) in enumerate(zip(self.runs, saved, strict=True)):
            resume = run.resume
            if resume is None or found is None:
                states.append(run_on_host(self.state, index, self.mesh))
                continue
            self.starts[index] = found[0]
            try:
                self.records[index] = Record(**found[1])
            except TypeError as error:  # written by another version of this software
                raise InputError(f"{resume.directory}: resume-{found[0]}/record.json: {error}; remove it") from error
            self.halvings = max(self.halvings, self.records[index].halvings)
            wanted = {"state": like}
            wanted |= {"best": like.params} if self.records[index].best_step is not None else {}
            tree = resume.tree(found[0], wanted)
            states.append(tree["state"])
            self.best[index] = tree.get("best")
        # Without a mesh nothing is committed to a device; a committed state would need separate programs.
        structure = jax.tree.structure(self.state)
        shardings = [leaf.sharding if self.mesh else None for leaf in jax.tree.leaves(self.state)]
        del self.state  # a device may lack room for two
        by_leaf = zip(shardings, *map(jax.tree.leaves, states), strict=True)
        self.state = structure.unflatten(place(np.stack(own), sharding) for sharding, *own in by_leaf)

    # --- Input

    def _input(self, number: int) -> _StepInput:
        """The input of step `number` since the start or resume; a finished run repeats its last. Runs in a thread."""
        feeds = [
            run.feed(min(start + number, run.steps - 1)) for run, start in zip(self.runs, self.starts, strict=True)
        ]
        batch, share = build_step(feeds, self.mesh)
        own = fitted(batch, self.encoder, self.mesh, self.halvings, feeds[0].choices)
        # Microbatches are halved only in a single process, whose share is everything.
        placed = place_batch(own, self.mesh, share=share if own is batch else None)
        active = jax.ShapeDtypeStruct((len(feeds),), bool, sharding=self.key.sharding if self.mesh else None)
        shape = (feeds[0].objective, *((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(placed)))
        if shape not in self.programs:
            self.programs[shape] = train_program(
                self.shapes, placed, self.key, active, objective=feeds[0].objective, optimizer=self.optimizer
            )
        halvings = (own.row_shape[1] // batch.row_shape[1]).bit_length() - 1
        return _StepInput(placed, self.programs[shape], feeds, math.prod(placed.row_shape[1:]), halvings)

    # --- Loop

    def train(self) -> list[Outcome]:
        """Train every run to its last step.

        Raises:
            InputError: a step does not fit the memory even in the smallest microbatches.
        """
        number, end = 0, max(run.steps - start for run, start in zip(self.runs, self.starts, strict=True))
        while number < end:
            stop = self._begin_part(number, end)
            with contextlib.closing(prefetched(self._input, range(number, stop))) as inputs:
                for given in inputs:
                    if not self._step(given):
                        break  # repeat the step with smaller microbatches
                    number += 1
                    if not self._after_step():
                        number = end
                        break
        return [self._outcome(index) for index in range(len(self.runs))]

    def _begin_part(self, number: int, end: int) -> int:
        """Attack the rows of runs whose next part begins; returns the step up to which the input is then known."""
        stop = end
        for index, run in enumerate(self.runs):
            step = self.starts[index] + number
            if run.rounds is None or step >= run.steps:
                continue
            with self._pausing():
                params = None
                if on_host(self.state.finite)[index]:
                    own = run_on_host(self.state.params, index, self.mesh)
                    params = {"encoder": own["encoder"], "head": own["heads"][0]}
                self.records[index].flops += run.rounds.begin(step, params)
            stop = min(stop, run.rounds.end(step) - self.starts[index])
        return stop

    def _step(self, given: _StepInput) -> bool:
        """Do one step. Returns False if it did not fit the memory, and microbatches have been halved instead."""
        if not given.program.done():
            jax.block_until_ready(self.state.step)
        try:
            with self.clock.compiling():
                program = given.program.result()
        except jax.errors.JaxRuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return self._halve(given)
        if program not in self.known:
            self.known.add(program)
            await_others()  # on CPUs, the first collective waits only half a minute for other processes
            if self._needs_more_than_is_free(given, program):
                return self._halve(given)
        active = tuple(
            not stopped and done < run.steps
            for stopped, done, run in zip(self.stopped, self.done, self.runs, strict=True)
        )
        if active != self.active:
            self.active, self.active_on_device = active, place_by_run(np.array(active), self.mesh)
        try:
            with jax.transfer_guard("disallow"):  # a step that waits for the host costs more than it computes
                self.state, metrics = program.run(self.state, given.batch, self.key, self.active_on_device)
        except jax.errors.JaxRuntimeError as error:
            if not is_out_of_memory(error) or any(leaf.is_deleted() for leaf in jax.tree.leaves(self.state)):
                raise
            return self._halve(given)
        self.losses.append((metrics["loss"], active))
        for index in np.flatnonzero(active):
            record, feed = self.records[index], given.feeds[index]
            record.tokens += feed.tokens
            record.row_tokens += given.row_tokens
            record.flops += feed.passes * feed.flops
            self.done[index] += 1
            self.clock.count(feed.tokens, given.row_tokens, feed.passes * feed.flops)
        self.clock.steps += 1
        return True

    @contextlib.contextmanager
    def _pausing(self) -> Iterator[None]:
        """A context in which nothing is trained; waits first for steps under way, whose time counts as training."""
        jax.block_until_ready(self.state.step)
        with self.clock.pausing():
            yield

    def _needs_more_than_is_free(self, given: _StepInput, program: Program) -> bool:
        """Whether the step needs smaller microbatches."""
        if jax.process_count() > 1:  # processes might decide differently
            return False
        if given.batch.row_shape[2] <= data_shards(self.mesh) or given.feeds[0].choices > 1:
            return False
        free, needed = free_bytes(), extra_bytes(program.run)
        return free is not None and needed is not None and needed > SHARE_OF_FREE * free

    def _halve(self, given: _StepInput) -> bool:
        """Use microbatches of half as many rows as these from now on. Returns False, as no step was done.

        Raises:
            InputError: there are several processes; the others would not halve theirs.
        """
        if jax.process_count() > 1:
            raise InputError(
                "a step does not fit the memory of a device, and with several processes microbatches are not halved "
                "automatically: expected a larger accumulate, a smaller batch_size or max_length, or more devices"
            )
        self.halvings = given.halvings + 1
        self._tell({HALVED: self.halvings})
        return False

    def _after_step(self) -> bool:
        """Log, evaluate and save what is due. Returns whether any run continues."""
        self._tell({})
        active = [int(index) for index in np.flatnonzero(self.active)]
        ended = {index: self.done[index] == self.runs[index].steps for index in active}
        logged = [index for index in active if ended[index] or self.done[index] % LOG_EVERY == 0]
        if logged:
            self._log(logged)
        every, going = self.recipe.evaluate_every, [index for index in active if not self.stopped[index]]
        due = [index for index in going if ended[index] or (every and self.done[index] % every == 0)]
        if self.evaluate and due:
            with self._pausing():
                self._select(due, self.evaluate(self.state.params))
        kept = [index for index in going if not ended[index] and self.done[index] % self.recipe.checkpoint_every == 0]
        if any(self.runs[index].resume for index in kept):
            with self._pausing():
                self._save(kept)
        return any(not ended[index] for index in going)

    def _fetch_losses(self) -> None:
        """Move the losses from the device to the records."""
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
        if self.progress is None:
            return
        longest = max(range(len(self.runs)), key=lambda index: self.runs[index].steps)
        self.progress(self.done[longest], self.runs[longest].steps, values)

    def _select(self, which: list[int], scores: Sequence[float]) -> None:
        """Record dev scores of the stack, and keep the parameters of runs that have improved."""
        for index in which:
            record, score = self.records[index], float(scores[index])
            record.dev_history.append((self.done[index], score))
            if score > record.best_score and self.recipe.keep == "best":
                record.best_step, record.best_score = self.done[index], score
                self.best[index] = run_on_host(self.state.params, index, self.mesh)
        self._tell({"dev": float(np.mean([scores[index] for index in which]))})

    def _save(self, which: list[int]) -> None:
        """Save the state of these runs: gathered from all processes, written by the first."""
        self._fetch_losses()
        for index in which:
            best, record, resume = self.best[index], self.records[index], self.runs[index].resume
            record.halvings = self.halvings
            tree = {"state": run_on_host(self.state, index, self.mesh)} | ({"best": best} if best is not None else {})
            if resume is not None:
                resume.save(self.done[index], tree, dataclasses.asdict(record))

    def _outcome(self, index: int) -> Outcome:
        record, best = self.records[index], self.best[index]
        if best is None:
            record.best_step, best = self.done[index], run_on_host(self.state.params, index, self.mesh)
        finite = bool(on_host(self.state.finite)[index])
        clock = self.clock
        return Outcome(best, record, self.done[index], finite, clock.compile_seconds, clock.seconds())
