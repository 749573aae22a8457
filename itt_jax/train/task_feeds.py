"""Inputs of fine-tuning: the order of a task's items, their mixture, and the packed batches of each step."""

from collections.abc import Callable, Sequence

import numpy as np

from itt_jax.batch import Batch
from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.data.examples import Examples
from itt_jax.data.order import step_indices
from itt_jax.models import Encoder
from itt_jax.train.counters import derived_seed, mixture
from itt_jax.train.feeds import Feed, row_plan
from itt_jax.train.flops import PASSES, forward_flops
from itt_jax.train.jobs import Job, TaskData
from itt_jax.train.objectives import TaskObjective, named


def job_feeds(encoder: Encoder, jobs: Sequence[Job], shards: int) -> list[Callable[[int], Feed]]:
    """For each job, a function from the number of a step to its input; jobs share one row plan per task."""
    by_task = []  # for each task, the feeds of all jobs
    for index in range(len(jobs[0].tasks)):
        tasks, recipe = [job.tasks[index] for job in jobs], jobs[0].recipe
        distinct = {id(task.examples): task.examples for task in tasks}.values()
        lengths = np.concatenate([examples.lengths for examples in distinct])
        slots = recipe.batch_size // recipe.accumulate * tasks[0].examples.choices
        longest = max(job.steps for job in jobs)
        plan = row_plan(encoder, lengths, slots, recipe, shards, longest, len(jobs))
        by_task.append(
            [
                _task_feed(encoder, task, index, recipe, derived_seed(job.seed, index), plan, slots)
                for job, task in zip(jobs, tasks, strict=True)
            ]
        )
    return [_mixed(job, feeds) for job, feeds in zip(jobs, zip(*by_task, strict=True), strict=True)]


def _mixed(job: Job, feeds: Sequence[Callable[[int], Feed]]) -> Callable[[int], Feed]:
    """A job's steps, each drawn from one of its tasks."""
    sizes = [task.examples.items for task in job.tasks]
    draws, before = mixture(sizes, job.recipe.temperature, job.seed, job.steps)
    return lambda step: feeds[draws[step]](int(before[step]))


def _task_feed(
    encoder: Encoder, task: TaskData, index: int, recipe: Recipe, seed: int, plan: packing.RowPlan, slots: int
) -> Callable[[int], Feed]:
    """The task's steps, numbered from 0; each is determined by (seed, number)."""
    examples, lengths = task.examples, task.examples.lengths
    own = TaskObjective(encoder, task.head, index, recipe.dropout, examples.choices)
    objective = named(recipe.objective).wrap(own)

    def feed(number: int) -> Feed:
        indices = _indices(examples, recipe, seed, number)
        parts, chosen = np.split(indices, recipe.accumulate), lengths[indices]
        needed = max(packing.rows_of_step(examples, part, plan) for part in parts) if recipe.packed else slots

        def build(rows: slice) -> list[Batch]:
            if recipe.packed:
                return [packing.pack_step(examples, part, plan, slots, rows) for part in parts]
            return [packing.pad_step(examples, part, recipe.max_length, slots, rows) for part in parts]

        return Feed(objective, needed, build, int(chosen.sum()), forward_flops(encoder, chosen), examples.choices)

    return feed


def _indices(examples: Examples, recipe: Recipe, seed: int, number: int) -> np.ndarray:
    """The examples of a task's step `number`: int64 [examples]."""
    return examples.of_items(step_indices(examples.items, recipe.batch_size, seed, number))


def step_flops(encoder: Encoder, examples: Examples, recipe: Recipe, seed: int, number: int) -> float:
    """Model FLOPs of step `number` of fine-tuning on one task, forward and backward, known before any training."""
    return PASSES * forward_flops(encoder, examples.lengths[_indices(examples, recipe, seed, number)])


def run_flops(encoder: Encoder, tasks: Sequence[Examples], recipe: Recipe, seed: int) -> float:
    """Model FLOPs of a whole run on `tasks`, forward and backward; the recipe has a number of steps."""
    draws, before = mixture([examples.items for examples in tasks], recipe.temperature, seed, recipe.steps)
    return sum(
        step_flops(encoder, tasks[task], recipe, derived_seed(seed, task), number)
        for task, number in zip(draws.tolist(), before.tolist(), strict=True)
    )
