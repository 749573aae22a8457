"""Fine-tuning: stages on one task or several, alone or many of one shape together."""

import dataclasses
import hashlib
import math
import pathlib
from collections.abc import Callable, Sequence

import jax
import numpy as np

from itt_jax import kinds, metrics
from itt_jax.batch import Batch
from itt_jax.config import Recipe, content_id
from itt_jax.data import packing
from itt_jax.data.examples import Examples
from itt_jax.data.order import step_indices
from itt_jax.errors import InputError
from itt_jax.kinds.kind import Gold
from itt_jax.metrics import Metric
from itt_jax.models import Encoder, Head
from itt_jax.train import predict
from itt_jax.train.checkpoint import Resume
from itt_jax.train.counters import derived_seed, mixture
from itt_jax.train.feeds import Feed
from itt_jax.train.flops import forward_flops
from itt_jax.train.loop import Progress, Run, Stack
from itt_jax.train.memory import device_bytes, needed_bytes
from itt_jax.train.objectives import TaskObjective
from itt_jax.train.result import Outcome, StageResult
from itt_jax.train.sharding import data_shards, stack_mesh
from itt_jax.train.state import Params

# Another row shape saves a twentieth of a stage's work or less, and costs some ten seconds to compile.
FLOPS_A_SHAPE, MOST_SHAPES = {"cpu": 2e13, "gpu": 2e16}, 4
SHARE_OF_MEMORY = 0.8  # of what is free; the rest is for evaluation on dev and for what the compiler did not count


@dataclasses.dataclass(frozen=True)
class TaskData:
    """One task's rows, ready to train on or to select with.

    Attributes:
        name: of the task; a dev task selects with the head of the training task of its name.
        kind: name of one of `kinds.KINDS`. labels: number of classes or candidates of an item; 1 for a score.
        gold: what dev scores are compared with; None where the labels of the examples are enough.
    """

    name: str
    head: Head
    examples: Examples
    kind: str
    labels: int
    gold: Gold | None = None

    @property
    def expected(self) -> Gold:
        """What dev scores are compared with."""
        return self.gold or kinds.kind(self.kind).gold_of(self.examples)


@dataclasses.dataclass(frozen=True)
class Job:
    """One fine-tuning: every weight of encoder and head(s) is trained on `tasks`.

    Attributes:
        tasks: one, or several drawn in proportion to size ** (1 / recipe.temperature), one task per step.
        dev: evaluated every `recipe.evaluate_every` steps and at the end; it selects a checkpoint (recipe.keep), it
            never changes the length. Its name must be that of a training task.
        params: {"encoder": ...}, and "head" (one task) where training goes on with a trained head; else heads are
            initialised from the seed. Not changed, not donated.
        seed: fixes heads, order and dropout. directory: where the stage keeps what it resumes from.
        metric: dev metric, default the kind's own. NaN is recorded where it is undefined.
    """

    tasks: Sequence[TaskData]
    dev: TaskData | None
    params: Params
    recipe: Recipe
    learning_rate: float
    seed: int
    directory: str | pathlib.Path | None = None
    metric: Metric | None = None

    @property
    def steps(self) -> int:
        """Updates of the whole stage."""
        return total_steps(self.recipe, sum(task.examples.items for task in self.tasks))

    @property
    def dev_index(self) -> int:
        """Which of the tasks `dev` selects for."""
        return next((index for index, task in enumerate(self.tasks) if self.dev and task.name == self.dev.name), 0)

    @property
    def shape(self) -> tuple:
        """Equal for jobs that may train together: one task each, of one kind, head and recipe; lengths may differ."""
        recipe = dataclasses.replace(self.recipe, steps=None, epochs=0.0, learning_rates=())
        tasks = tuple((task.head, task.kind, task.labels, task.examples.choices) for task in self.tasks)
        return tasks, recipe, self.dev is None


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
    """Fine-tunings of one shape trained together, on a leading axis; each has the result that it would have alone.

    Equal to rounding with dropout off; with dropout the draws depend on the rows of a batch, which a stack fills up to
    one count. Lengths, data, seeds, learning rates and parents may differ.

    Args:
        progress: called with (steps done, steps, {"loss" or "dev": value, ...}).

    Raises:
        InputError: no tasks or rows, labels outside the label space, a dev task that is not trained, a batch size that
            accumulation does not divide, a directory of another stage, or jobs of several shapes.
    """
    # --- Input
    for job in jobs:
        _check(job.tasks, job.dev, job.recipe)
    if len(jobs) > 1 and (len({job.shape for job in jobs}) > 1 or any(len(job.tasks) > 1 for job in jobs)):
        raise InputError("only jobs of one shape, with one task each, train together")
    mesh = stack_mesh(len(jobs))
    feeds = _feeds(encoder, jobs, data_shards(mesh))
    runs = [_run(encoder, job, feed) for job, feed in zip(jobs, feeds, strict=True)]

    # --- Loop
    evaluate = _dev_evaluation(encoder, jobs) if jobs[0].dev else None
    recipe = jobs[0].recipe
    stack = Stack(encoder.family, runs, recipe, evaluate=evaluate, progress=progress, mesh=mesh)
    outcomes = stack.train()
    return [_result(job, outcome, len(jobs)) for job, outcome in zip(jobs, outcomes, strict=True)]


def stack_size(encoder: Encoder, jobs: Sequence[Job], most: int | None = None) -> int:
    """How many of `jobs` to train together.

    Args:
        most: at most as many; None means as many as the memory of the devices holds, by the compiled step of one, and
            one on a CPU, where a stack gains little (docs/benchmarks.md).
    """
    if most is None and jax.default_backend() == "cpu":
        return 1
    if most is None:
        free, one = device_bytes(jax.local_devices()[0]), _bytes_of(encoder, jobs[0])
        most = len(jobs) if free is None or one is None else max(1, int(SHARE_OF_MEMORY * free / one))
        most *= len(jax.devices())
    same = next((at for at, job in enumerate(jobs) if job.shape != jobs[0].shape or len(job.tasks) > 1), len(jobs))
    size = max(1, min(most, same))
    return size - size % len(jax.devices()) if size > len(jax.devices()) else size


def _bytes_of(encoder: Encoder, job: Job) -> int | None:
    """Memory that the step of one job takes, parameters and moments included."""
    run = _run(encoder, dataclasses.replace(job, directory=None), _feeds(encoder, [job], 1)[0])
    return needed_bytes(Stack(encoder.family, [run], job.recipe).program(0).run)


def _run(encoder: Encoder, job: Job, feed: Callable[[int], Feed]) -> Run:
    """What the loop needs of a job."""
    head_key, step_key = jax.random.split(jax.random.key(job.seed))
    if len(job.tasks) == 1 and "head" in job.params:
        heads = (job.params["head"],)
    else:
        heads = tuple(task.head.init(jax.random.fold_in(head_key, index)) for index, task in enumerate(job.tasks))
    params = {"encoder": job.params["encoder"], "heads": heads}
    return Run(params, feed, step_key, job.learning_rate, job.steps, _resume(encoder, job))


def _dev_evaluation(encoder: Encoder, jobs: Sequence[Job]) -> Callable[[Params], list[float]]:
    """A stack's parameters -> dev scores; rows that the jobs share are streamed once."""
    chosen, together = jobs[0].dev_index, len({id(job.dev.examples) for job in jobs}) == 1

    def scores_of(params: Params, dev: TaskData) -> np.ndarray:
        own = {"encoder": params["encoder"], "head": params["heads"][chosen]}
        return predict.predict_stack(encoder, dev.head, own, dev.examples)

    def evaluate(trained: Params) -> list[float]:
        if together:
            found = scores_of(trained, jobs[0].dev)
        else:
            one = [jax.tree.map(lambda leaf, at=at: leaf[at : at + 1], trained) for at in range(len(jobs))]
            found = [scores_of(params, job.dev)[0] for params, job in zip(one, jobs, strict=True)]
        return [_dev_value(job, scores) for job, scores in zip(jobs, found, strict=True)]

    return evaluate


def _dev_value(job: Job, scores: np.ndarray) -> float:
    """The metric that selects the job's checkpoint: higher is better, NaN where it says nothing."""
    kind = kinds.kind(job.dev.kind)
    return kind.dev_value(job.metric or metrics.metric(kind.dev_metric), scores, job.dev.expected)


def _result(job: Job, outcome: Outcome, stack: int) -> StageResult:
    heads = outcome.params["heads"]
    own = {"encoder": outcome.params["encoder"], "head": heads[job.dev_index]}
    named = {task.name: head for task, head in zip(job.tasks, heads, strict=True)}
    return StageResult.create(own, named, outcome, stack)


def total_steps(recipe: Recipe, rows: int) -> int:
    """Updates of a stage on `rows` training rows: the recipe's number, or its epochs (part batches are completed)."""
    return recipe.steps if recipe.steps is not None else math.ceil(recipe.epochs * rows / recipe.batch_size)


def _feeds(encoder: Encoder, jobs: Sequence[Job], shards: int) -> list[Callable[[int], Feed]]:
    """The input of each job's steps, in rows of one plan for each task."""
    by_task = []  # of each task of the jobs, a feeder for each job
    for index in range(len(jobs[0].tasks)):
        tasks, recipe = [job.tasks[index] for job in jobs], jobs[0].recipe
        distinct = {id(task.examples): task.examples for task in tasks}.values()
        lengths = np.concatenate([examples.lengths for examples in distinct])
        slots = recipe.batch_size // recipe.accumulate * tasks[0].examples.choices
        longest = max(job.steps for job in jobs)
        plan = row_plan(encoder, lengths, slots, recipe, shards, longest, len(jobs))
        by_task.append(
            [
                _feeder(encoder, task, index, recipe, derived_seed(job.seed, index), plan, slots)
                for job, task in zip(jobs, tasks, strict=True)
            ]
        )
    return [_mixed(job, list(feeders)) for job, feeders in zip(jobs, zip(*by_task, strict=True), strict=True)]


def _mixed(job: Job, feeders: list[Callable[[int], Feed]]) -> Callable[[int], Feed]:
    """The input of a job's steps, each drawn from one of its tasks."""
    sizes = [task.examples.items for task in job.tasks]
    draws, before = mixture(sizes, job.recipe.temperature, job.seed, job.steps)
    return lambda step: feeders[draws[step]](int(before[step]))


def _feeder(
    encoder: Encoder, task: TaskData, index: int, recipe: Recipe, seed: int, plan: packing.RowPlan, slots: int
) -> Callable[[int], Feed]:
    """The input of the task's n-th step, n from 0: a function of (seed, n)."""
    examples, lengths = task.examples, task.examples.lengths
    objective = TaskObjective(encoder, task.head, index, recipe.dropout, examples.choices)

    def feed(number: int) -> Feed:
        indices = examples.of_items(step_indices(examples.items, recipe.batch_size, seed, number))
        parts, chosen = np.split(indices, recipe.accumulate), lengths[indices]
        needed = max(packing.rows_of_step(examples, part, plan) for part in parts) if recipe.packed else slots

        def build(rows: slice) -> list[Batch]:
            if recipe.packed:
                return [packing.pack_step(examples, part, plan, slots, rows) for part in parts]
            return [packing.pad_step(examples, part, recipe.max_length, slots, rows) for part in parts]

        return Feed(objective, needed, build, int(chosen.sum()), forward_flops(encoder, chosen), examples.choices)

    return feed


def row_plan(
    encoder: Encoder, lengths: np.ndarray, size: int, recipe: Recipe, shards: int, steps: int, stack: int = 1
) -> packing.RowPlan:
    """The row shapes of a stage: the more it computes, the more of them, as each is a program to compile.

    Args:
        lengths: tokens of each example. size: examples of a microbatch. stack: runs that train together.
    """
    flops = 3 * forward_flops(encoder, lengths) / len(lengths) * size * recipe.accumulate * steps * stack
    usual = 1 + int(flops / FLOPS_A_SHAPE.get(jax.default_backend(), FLOPS_A_SHAPE["gpu"]))
    return packing.plan_rows(lengths, size, recipe.max_length, shards, stack, min(usual, MOST_SHAPES))


def _check(tasks: Sequence[TaskData], dev: TaskData | None, recipe: Recipe) -> None:
    if not tasks:
        raise InputError("a stage needs at least one task")
    for task in [*tasks, *([dev] if dev else [])]:
        labels = task.examples.labels
        if labels is None or not len(task.examples):
            raise InputError(f"{task.name}: no labelled rows")
        kinds.kind(task.kind).check_examples(task.name, task.examples, task.labels)
    if dev and dev.name not in {task.name for task in tasks}:
        raise InputError(f"dev task {dev.name!r} is not trained; known: {', '.join(task.name for task in tasks)}")
    if recipe.batch_size % recipe.accumulate:
        raise InputError(f"batch_size {recipe.batch_size} is not a multiple of accumulate {recipe.accumulate}")


def _resume(encoder: Encoder, job: Job) -> Resume | None:
    """Where this stage resumes, named by a digest of everything that determines its result."""
    if job.directory is None:
        return None
    parts = [
        (task.name, task.kind, repr(task.head), digest(task.examples))
        for task in [*job.tasks, *([job.dev] if job.dev else [])]
    ]
    inputs = (job.recipe, job.learning_rate, job.seed)
    return Resume(pathlib.Path(job.directory), content_id([repr(encoder), parts, *inputs]))


def digest(examples: Examples) -> str:
    """A short name for the content of `examples`."""
    found = hashlib.sha256()
    for array in (examples.ids, examples.token_type_ids, examples.fields, examples.offsets, examples.labels):
        found.update(np.ascontiguousarray(array))
    return found.hexdigest()[:16]
