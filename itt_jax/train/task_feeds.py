"""Inputs of fine-tuning: the order of a task's items, their mixture, and the packed batches of each step."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from itt_jax.batch import Batch
from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.data.examples import Examples
from itt_jax.data.order import step_epochs, step_indices
from itt_jax.models import Encoder
from itt_jax.study.hardening import Hardening
from itt_jax.train.counters import derived_seed, mixture
from itt_jax.train.feeds import Feed, row_plan
from itt_jax.train.flops import PASSES, forward_flops
from itt_jax.train.jobs import DrawForms, Job, TaskData
from itt_jax.train.objectives import TaskObjective, hardened, named

DRAWN_TOGETHER = 2048
"""Examples whose forms are drawn together: operators work on many texts at a time."""


def job_feeds(
    encoder: Encoder, jobs: Sequence[Job], shards: int, attacked: Sequence["DrawnSteps | None"] = ()
) -> list[Callable[[int], Feed]]:
    """For each job, a function from the number of a step to its input; jobs share one row plan per task.

    Args:
        attacked: for each job, the reader of its examples if its hardening attacks them; empty: all are read clean.
    """
    by_task = []  # for each task, the feeds of all jobs
    for index in range(len(jobs[0].tasks)):
        tasks, recipe = [job.tasks[index] for job in jobs], jobs[0].recipe
        draws = [own or _drawn_steps(job, index) for job, own in zip(jobs, attacked or [None] * len(jobs), strict=True)]
        lengths = _lengths(tasks, draws, recipe)
        slots = recipe.batch_size // recipe.accumulate * tasks[0].examples.choices
        longest = max(job.steps for job in jobs)
        plan = row_plan(encoder, lengths, slots, recipe, shards, longest, len(jobs))
        by_task.append(
            [_task_feed(encoder, job, index, plan, slots, drawn) for job, drawn in zip(jobs, draws, strict=True)]
        )
    return [_mixed(job, feeds) for job, feeds in zip(jobs, zip(*by_task, strict=True), strict=True)]


def _lengths(tasks: Sequence[TaskData], draws: Sequence["DrawnSteps | None"], recipe: Recipe) -> np.ndarray:
    """Lengths of examples, from which rows are planned; if forms are drawn, those of the first step are a sample.

    Attacked texts are not known yet, and may be longer than the clean ones.
    """
    longer = tasks[0].forms is not None or tasks[0].attacks is not None
    if tasks[0].forms is None:
        lengths = [examples.lengths for examples in {id(task.examples): task.examples for task in tasks}.values()]
    else:
        lengths = [packing.longest(drawn(0)) for drawn in draws if drawn is not None]
    return np.concatenate([*lengths, np.full(int(longer), recipe.max_length)])


def _mixed(job: Job, feeds: Sequence[Callable[[int], Feed]]) -> Callable[[int], Feed]:
    """A job's steps, each drawn from one of its tasks."""
    sizes = [task.examples.items for task in job.tasks]
    draws, before = mixture(sizes, job.recipe.temperature, job.seed, job.steps)
    return lambda step: feeds[draws[step]](int(before[step]))


DrawnSteps = Callable[[int], list[Examples]]
"""The number of a task's step -> its examples in K forms, in the order of the slots."""


def _drawn_steps(job: Job, index: int) -> DrawnSteps | None:
    task = job.tasks[index]
    if task.forms is None:
        return None
    return drawn_steps(task.examples, task.forms, job.recipe, derived_seed(job.seed, index), job.steps)


def drawn_steps(examples: Examples, forms: DrawForms, recipe: Recipe, seed: int, steps: int) -> DrawnSteps:
    """The forms of each step's examples, drawn for many steps at a time, which does not change them.

    Args:
        steps: the largest number of steps of the task.
    """
    together = max(1, DRAWN_TOGETHER // (recipe.batch_size * examples.choices))
    size = recipe.batch_size * examples.choices

    @functools.lru_cache(maxsize=2)
    def block(number: int) -> list[Examples]:
        """The forms of `together` steps, those of each step one after the other."""
        numbers = range(number * together, min((number + 1) * together, max(steps, number * together + 1)))
        indices = [step_examples(examples, recipe, seed, step) for step in numbers]
        epochs = [np.repeat(step_epochs(examples.items, recipe.batch_size, step), examples.choices) for step in numbers]
        return forms(np.concatenate(indices), np.concatenate(epochs))

    def drawn(step: int) -> list[Examples]:
        number, place = divmod(step, together)
        return [form.select(np.arange(place * size, (place + 1) * size)) for form in block(number)]

    return drawn


def _task_feed(
    encoder: Encoder, job: Job, index: int, plan: packing.RowPlan, slots: int, drawn: DrawnSteps | None
) -> Callable[[int], Feed]:
    """The task's steps, numbered from 0; each is determined by (seed, number)."""
    task, recipe, seed = job.tasks[index], job.recipe, derived_seed(job.seed, index)
    own = TaskObjective(encoder, task.head, index, recipe.dropout, task.examples.choices)
    objective = named(recipe.objective).wrap(hardened(own, job.hardening))
    passes, choices = PASSES if job.hardening is None else job.hardening.passes, task.examples.choices

    def feed(number: int) -> Feed:
        """The input of a step; its rows are packed when they are needed."""
        indices = step_examples(task.examples, recipe, seed, number)
        forms = [task.examples.select(indices)] if drawn is None else drawn(number)
        microbatches = [
            [form.select(part) for form in forms] for part in np.split(np.arange(len(indices)), recipe.accumulate)
        ]
        own_plan = plan if recipe.packed else None
        needed = max(packing.rows_of_forms(part, plan) for part in microbatches) if recipe.packed else slots

        def build(rows: slice) -> list[Batch]:
            return [packing.pack_forms(part, own_plan, recipe.max_length, slots, rows) for part in microbatches]

        tokens = sum(int(form.lengths.sum()) for form in forms)
        return Feed(objective, needed, build, tokens, _mean_flops(encoder, forms), choices, passes)

    return feed


def step_examples(examples: Examples, recipe: Recipe, seed: int, number: int) -> np.ndarray:
    """The examples of a task's step `number`: int64 [examples]."""
    return examples.of_items(step_indices(examples.items, recipe.batch_size, seed, number))


def _mean_flops(encoder: Encoder, forms: Sequence[Examples]) -> float:
    """Model FLOPs of a forward pass over one form of each example; which one is chosen is not known beforehand."""
    return sum(forward_flops(encoder, form.lengths) for form in forms) / len(forms)


def passes_of(hardening: Hardening | None) -> float:
    """Mean cost of a step in forward passes, known before any training: attacks are taken to use all their budget."""
    return PASSES if hardening is None else hardening.passes + hardening.queries


def step_flops(encoder: Encoder, examples: Examples, recipe: Recipe, seed: int, number: int) -> float:
    """Model FLOPs of step `number` of fine-tuning on one task, forward and backward, known before any training."""
    return PASSES * forward_flops(encoder, examples.lengths[step_examples(examples, recipe, seed, number)])


def run_flops(
    encoder: Encoder,
    tasks: Sequence[Examples],
    recipe: Recipe,
    seed: int,
    hardening: Hardening | None = None,
    forms: Sequence[DrawForms | None] | None = None,
) -> float:
    """Model FLOPs of a whole run on `tasks`, all passes included; `recipe.steps` must be set.

    Args:
        forms: `TaskData.forms` of each task; None: no task has any.
    """
    assert recipe.steps is not None
    draws, before = mixture([examples.items for examples in tasks], recipe.temperature, seed, recipe.steps)
    total = 0.0
    for task, examples in enumerate(tasks):
        own, numbers = derived_seed(seed, task), before[draws == task].tolist()
        draw = None if forms is None or forms[task] is None else forms[task]
        drawn = draw and drawn_steps(examples, draw, recipe, own, recipe.steps)
        for number in numbers:
            if drawn is None:
                total += passes_of(hardening) / PASSES * step_flops(encoder, examples, recipe, own, number)
            else:
                total += passes_of(hardening) * _mean_flops(encoder, drawn(number))
    return total
