"""Fine-tuning: one job alone, or several of one shape together."""

import math
import pathlib
from collections.abc import Callable, Sequence

import jax
import numpy as np

from itt_jax.config import Recipe
from itt_jax.errors import InputError
from itt_jax.metrics import Metric
from itt_jax.models import Encoder
from itt_jax.models.hardware import hardware
from itt_jax.train.compiling import Request, program
from itt_jax.train.described import training
from itt_jax.train.feeds import Feed
from itt_jax.train.jobs import Job, TaskData
from itt_jax.train.loop import Progress, Run, Stack
from itt_jax.train.memory import free_bytes, is_out_of_memory, needed_bytes
from itt_jax.train.predict import predict_stack
from itt_jax.train.processes import smallest
from itt_jax.train.result import Outcome, StageResult
from itt_jax.train.rounds import Rounds
from itt_jax.train.sharding import data_shards, stack_mesh
from itt_jax.train.state import Params
from itt_jax.train.task_feeds import job_feeds

SHARE_OF_MEMORY = 0.8
"""Share of the free memory that a stack may take; the rest is for dev evaluation and memory that the compiler omits."""
SHARE_OF_PARAMETERS = 0.5
"""Share of the free memory that parameters may take in an evaluation; the rest is for its batches."""


def fine_tune(
    encoder: Encoder,
    tasks: Sequence[TaskData],
    dev: TaskData | None,
    params: Params,
    recipe: Recipe,
    learning_rate: float,
    seed: int,
    directory: str | pathlib.Path | None = None,
    progress: Progress | None = None,
    metric: Metric | None = None,
) -> StageResult:
    """One fine-tuning alone; arguments as `Job`, result and errors as `fine_tune_stack`."""
    job = Job(tasks, dev, params, recipe, learning_rate, seed, directory, metric)
    return fine_tune_stack(encoder, [job], progress)[0]


def fine_tune_stack(encoder: Encoder, jobs: Sequence[Job], progress: Progress | None = None) -> list[StageResult]:
    """Fine-tunings of one shape, trained together on a leading axis; each has the result that it would have alone.

    Results are equal to rounding with dropout off. With dropout, draws depend on the rows of a batch, and a stack pads
    its runs to one number of rows. Lengths, data, seeds, learning rates and parent parameters may differ.

    Args:
        progress: called with (steps done, steps, {"loss" or "dev": value, ...}).

    Raises:
        InputError: there are no tasks or rows, labels are outside the label space, the dev task is not trained, the
            batch size is not a multiple of accumulate, the directory belongs to another stage, or jobs have different
            shapes.
    """
    # --- Input
    for job in jobs:
        job.check()
    if len(jobs) > 1 and (len({job.shape for job in jobs}) > 1 or any(len(job.tasks) > 1 for job in jobs)):
        raise InputError("only jobs of one shape, with one task each, train together")
    mesh = stack_mesh(len(jobs))
    rounds = [Rounds.of(job, job.resume(encoder)) for job in jobs]
    feeds = job_feeds(encoder, jobs, data_shards(mesh), [None if own is None else own.drawn for own in rounds])
    runs = [_run(encoder, *own) for own in zip(jobs, feeds, rounds, strict=True)]

    # --- Loop
    evaluate = _dev_evaluation(encoder, jobs) if jobs[0].dev else None
    stack = Stack(encoder, runs, jobs[0].recipe, evaluate=evaluate, progress=progress, mesh=mesh)
    return [_result(job, outcome, len(jobs)) for job, outcome in zip(jobs, stack.train(), strict=True)]


def compiled_bytes(request: Request) -> float | None:
    """Memory that a program takes on each device, as `needed_bytes`; infinite if the compiler runs out of memory."""
    try:
        return needed_bytes(program(request).result().run)
    except jax.errors.JaxRuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return math.inf


def stack_size(
    encoder: Encoder,
    jobs: Sequence[Job],
    most: int | None = None,
    bytes_of: Callable[[Request], float | None] = compiled_bytes,
) -> int:
    """The number of `jobs`, from the first, to train together.

    Args:
        most: the maximum; None: as many as fit the memory of the devices, judging by the compiled step of one job, but
            only one on a CPU, where a stack gains little (docs/benchmarks.md).
        bytes_of: memory that a program takes on each device; None if unknown.
    """
    devices = len(hardware().devices)
    if most is None and hardware().platform == "cpu":
        return 1
    same = next((at for at, job in enumerate(jobs) if job.shape != jobs[0].shape or len(job.tasks) > 1), len(jobs))
    if most is None:
        free, one = free_bytes(), bytes_of(training(encoder, jobs[:1], mesh=None)[0].request)
        if free is not None and one is not None:
            return largest_stack(max(1, same), devices, max(1, int(SHARE_OF_MEMORY * smallest(free) / one)))
        most = len(jobs)
    size = max(1, min(most, same))
    return size - size % devices if size > devices else size


def largest_stack(most: int, devices: int, fit: int) -> int:
    """The largest stack of at most `most` runs that leaves each device at most `fit` of them, as `stack_mesh` does."""
    return next(size for size in range(most, 0, -1) if size // math.gcd(size, devices) <= fit)


def predicted_together(models: Sequence[Params]) -> int:
    """The number of models, from the first, whose parameters fit the memory of the devices together."""
    free = free_bytes()
    if free is None or len(models) == 1:
        return len(models)
    one = sum(leaf.nbytes for leaf in jax.tree.leaves(models[0]))
    fit = int(SHARE_OF_PARAMETERS * smallest(free) / one)
    return largest_stack(len(models), len(hardware().devices), max(1, fit))


def _run(encoder: Encoder, job: Job, feed: Callable[[int], Feed], rounds: Rounds | None) -> Run:
    """The run of a job."""
    head_key, step_key = jax.random.split(jax.random.key(job.seed))
    heads: tuple[Params, ...]
    if len(job.tasks) == 1 and "head" in job.params:
        heads = (job.params["head"],)
    else:
        heads = tuple(task.head.init(jax.random.fold_in(head_key, index)) for index, task in enumerate(job.tasks))
    params = {"encoder": job.params["encoder"], "heads": heads}
    return Run(params, feed, step_key, job.learning_rate, job.steps, job.resume(encoder), rounds)


def _dev_evaluation(encoder: Encoder, jobs: Sequence[Job]) -> Callable[[Params], list[float]]:
    """A function from a stack's parameters to dev values. Dev rows that all jobs share are streamed once."""
    chosen, shared = jobs[0].dev_index, len({id(job.dev_task.examples) for job in jobs}) == 1

    def scores_of(params: Params, dev: TaskData) -> np.ndarray:
        own = {"encoder": params["encoder"], "head": params["heads"][chosen]}
        return predict_stack(encoder, dev.head, own, dev.examples)

    def alone(trained: Params, at: int) -> Params:  # whole on every device, so one run at a time
        return jax.tree.map(lambda leaf: leaf[at : at + 1], trained)

    def evaluate(trained: Params) -> list[float]:
        if shared:
            scores = list(scores_of(trained, jobs[0].dev_task))
        else:
            scores = [scores_of(alone(trained, at), job.dev_task)[0] for at, job in enumerate(jobs)]
        return [job.dev_value(own) for job, own in zip(jobs, scores, strict=True)]

    return evaluate


def _result(job: Job, outcome: Outcome, stack: int) -> StageResult:
    heads = outcome.params["heads"]
    own = {"encoder": outcome.params["encoder"], "head": heads[job.dev_index]}
    named = {task.name: head for task, head in zip(job.tasks, heads, strict=True)}
    return StageResult.create(own, named, outcome, stack)
