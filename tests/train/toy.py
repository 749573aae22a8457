"""Tiny encoders, toy examples and helpers for the tests of training; no tokenizers, no files."""

import contextlib
import functools
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax import kinds
from itt_jax.batch import Batch
from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.data.examples import Examples
from itt_jax.models import Encoder, make_encoder, make_head
from itt_jax.train import loop
from itt_jax.train.feeds import stack_batches
from itt_jax.train.jobs import TaskData
from itt_jax.train.objectives import Objective, TaskObjective
from itt_jax.train.optimizer import make_optimizer
from itt_jax.train.predict import stream_shape
from itt_jax.train.state import stacked
from itt_jax.train.step import predict_step, summed_gradients


def slow(value: str):
    """A parameter that only the slow tests use."""
    return pytest.param(value, marks=pytest.mark.slow)


FAMILIES = ("bert", "roberta", "xlnet", *map(slow, ("modernbert", "eurobert", "deberta")))
QUICK_FAMILIES = ("bert", slow("roberta"), "xlnet", slow("modernbert"))
"""RoBERTa, whose layers are BERT's, runs with the slow tests."""
BERT_FIRST = ("bert", slow("roberta"), slow("xlnet"), slow("modernbert"))
"""For what concerns a kind of task, BERT is enough among the quick tests."""
PAD = {"bert": 0, "roberta": 1, "xlnet": 5, "modernbert": 0, "eurobert": 0, "deberta": 0}
FIRST_WORD = 10  # ids below are special
ROUNDING = 2e-5  # float32 sums in another order, relative to the largest gradient


# --- Models and examples


def tiny_encoder(family: str, **sizes) -> Encoder:
    """One layer of width 32; ids 0 to 9 are special."""
    sizes = {
        "layers": 1,
        "width": 32,
        "heads": 2,
        "feed_forward": 64,
        "vocabulary_size": 60,
        "max_positions": 64,
    } | sizes
    return make_encoder(family, pad_id=PAD[family], **sizes)


def toy_examples(
    family: str, count: int, seed: int = 0, regression: bool = False, longest: int = 20, lengths: Sequence[int] = ()
) -> Examples:
    """Texts of random words; the label is whether most words are of the vocabulary's upper half (or their share).

    Args:
        lengths: drawn from these; by default 4 to `longest`.
    """
    generator = np.random.default_rng(seed)
    lengths = generator.choice(lengths, count) if lengths else generator.integers(4, longest + 1, count)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = generator.integers(FIRST_WORD, 60, offsets[-1]).astype(np.int32)
    fields = np.ones(offsets[-1], np.int8)
    types = np.zeros(offsets[-1], np.int8)
    last = family == "xlnet"
    summaries = (lengths - 1 if last else np.zeros(count)).astype(np.int32)
    places = offsets[:-1] + summaries
    ids[places], fields[places] = 3, 0
    share = np.add.reduceat((ids >= 35) & (fields > 0), offsets[:-1]) / (lengths - 1)
    labels = share.astype(np.float32) if regression else (share > 0.5).astype(np.int32)
    if last:
        types[places] = 2
    return Examples(ids, types, fields, offsets, summaries, labels, PAD[family], 3 if last else 0)


def task_data(encoder: Encoder, kind: str, examples: Examples, classes: int, outputs: int = 0, **head) -> TaskData:
    """Examples as a task of this kind, with a head of `outputs` (default: `classes`) outputs."""
    own = kinds.kind(kind)
    return TaskData("toy", make_head(encoder, own.head, outputs or classes, **head), examples, own, classes)


def toy_task(encoder: Encoder, count: int = 200, seed: int = 0, pooling: str = "max_mean", **options) -> TaskData:
    """A classification task on toy examples; with regression=True, a regression."""
    kind, classes = ("regression", 1) if options.get("regression") else ("classification", 2)
    examples = toy_examples(encoder.family, count, seed, **options)
    return task_data(encoder, kind, examples, classes, pooling=pooling)


def redrawn(shapes):
    """Parameters of these shapes, all drawn at random: initial biases are zeros, which would hide errors in them."""
    leaves, structure = jax.tree.flatten(shapes)
    keys = jax.random.split(jax.random.key(0), len(leaves))
    drawn = [0.2 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(structure, drawn)


def drawn_params(encoder: Encoder, head) -> dict:
    """{"encoder": ..., "heads": (...)}, all drawn at random."""
    return redrawn({"encoder": encoder.shapes(), "heads": (head.shapes(),)})


def own_params(params: dict) -> dict:
    """The parameters of a single task's model, {"encoder": ..., "head": ...}."""
    return {"encoder": params["encoder"], "head": params["heads"][0]}


def same(a, b) -> bool:
    """Whether two trees are bitwise equal."""
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(np.array_equal(x, y) for x, y in leaves)


# --- Steps


def step_of(batches: list[Batch], rows: int = 0) -> Batch:
    """One run's step as the objective takes it: arrays [microbatches, ...].

    Rows are filled up to the largest number among the batches, or to `rows`, so that steps can share a program.
    """
    rows = max([rows, *(batch.row_shape[0] for batch in batches)])
    return jax.tree.map(lambda array: array[0], stack_batches([[_filled(batch, rows) for batch in batches]]))


def _filled(batch: Batch, rows: int) -> Batch:
    empty = {"labels": -1, "ranks": -1} | ({"example_ids": batch.slots} if batch.by_example else {})
    missing = [(0, rows - batch.row_shape[0]), (0, 0)]
    by_row = {name: np.pad(own, missing, constant_values=empty.get(name, 0)) for name, own in batch.by_row.items()}
    return Batch(by_row, batch.by_example)


@functools.cache
def _sums(objective: Objective):
    optimizer = make_optimizer(Recipe())
    return jax.jit(lambda params, step: summed_gradients(params, step, jax.random.key(0), objective, optimizer))


def loss_and_gradient(
    objective: Objective, params: dict, batches: list[Batch], rows: int = 0, scan: bool = False
) -> tuple[jax.Array, dict]:
    """Mean loss and gradient of a step with these microbatches.

    One program computes them one after another, with their rows filled up to `rows`; with `scan`, a program of its own
    computes all of them.
    """
    steps = [step_of(batches, rows)] if scan else [step_of([batch], rows) for batch in batches]
    sums = [_sums(objective)(params, step) for step in steps]
    total, weight, gradient = jax.tree.map(lambda *parts: sum(parts), *sums)
    return total / weight, jax.tree.map(lambda leaf: leaf / weight, gradient)


def assert_close(found: tuple[jax.Array, dict], expected: tuple[jax.Array, dict]) -> None:
    """Loss and gradient are equal to rounding."""
    largest = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(expected[1]))
    np.testing.assert_allclose(found[0], expected[0], rtol=ROUNDING, equal_nan=False)
    for one, other in zip(jax.tree.leaves(found[1]), jax.tree.leaves(expected[1]), strict=True):
        np.testing.assert_allclose(one, other, atol=ROUNDING * largest, rtol=0, equal_nan=False)


def packed_and_padded_loss(task: TaskData, params: dict, items: np.ndarray) -> float:
    """The mean loss of some items, after checking that it and its gradient do not depend on packing.

    The items are packed, packed in three microbatches, and padded to one example per row; two more items are empty.
    """
    examples = task.examples
    objective = TaskObjective(task.head.encoder, task.head, 0, dropout=False, choices=examples.choices)
    indices = examples.of_items(items)
    slots = len(indices) + 2 * examples.choices
    plan = packing.plan_rows(examples.lengths, len(indices), 32)
    padded = packing.pad_step(examples, indices, plan.length, slots)
    packed = packing.pack_step(examples, indices, plan, slots)
    parts = [packing.pack_step(examples, examples.of_items(part), plan, slots) for part in np.split(items, 3)]
    assert packed.by_row["segment_ids"].max() > 1 and packed.row_shape[0] < padded.row_shape[0]
    expected, *others = (
        loss_and_gradient(objective, params, batches, rows=slots) for batches in ([padded], [packed], parts)
    )
    for found in others:
        assert_close(found, expected)
    return float(expected[0])


def outputs_of(task: TaskData, params: dict, indices: np.ndarray) -> np.ndarray:
    """The head's outputs for some examples, one per row, without gathering: [slots, outputs] or [rows, T, outputs].

    The batch has the shape of `predict`'s stream and shares its program.
    """
    rows, length, slots = stream_shape(task.examples)
    batch = packing.pad_step(task.examples, indices, length, slots, slice(0, rows))
    found = predict_step(stacked([params]), batch.inputs, encoder=task.head.encoder, head=task.head)
    return np.asarray(found)[0]


@contextlib.contextmanager
def killed_after(steps: int) -> Iterator[None]:
    """Training in the body is killed after `steps` steps: only what it has saved remains."""

    class Killed(BaseException):
        pass

    step, calls = loop.Stack._step, []

    def dying_step(*given):
        calls.append(None)
        if len(calls) > steps:
            raise Killed
        return step(*given)

    loop.Stack._step = dying_step
    try:
        yield
        raise AssertionError("training ended before it was killed")
    except Killed:
        pass
    finally:
        loop.Stack._step = step
