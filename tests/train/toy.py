"""Tiny encoders and examples for the tests of training, without tokenizers or files."""

import contextlib
from collections.abc import Iterator

import jax
import numpy as np

from itt_jax import kinds
from itt_jax.batch import Batch
from itt_jax.data.examples import Examples
from itt_jax.models import Encoder, make_encoder, make_head
from itt_jax.train import loop
from itt_jax.train.feeds import stack_batches
from itt_jax.train.jobs import TaskData
from itt_jax.train.state import stacked
from itt_jax.train.step import predict_step

FAMILIES = ("bert", "roberta", "xlnet")
PAD = {"bert": 0, "roberta": 1, "xlnet": 5}
FIRST_WORD = 10  # ids below are special


def tiny_encoder(family: str, **sizes) -> Encoder:
    """Two layers of width 32; ids 0 to 9 are special."""
    sizes = {
        "layers": 2,
        "width": 32,
        "heads": 2,
        "feed_forward": 64,
        "vocabulary_size": 60,
        "max_positions": 64,
    } | sizes
    return make_encoder(family, pad_id=PAD[family], **sizes)


def toy_examples(family: str, count: int, seed: int = 0, regression: bool = False, longest: int = 20) -> Examples:
    """Texts of random words; the label is whether most words are of the vocabulary's upper half (or their share)."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(4, longest + 1, count)
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


def same(a, b) -> bool:
    """Whether two trees are bitwise equal."""
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(np.array_equal(x, y) for x, y in leaves)


def step_of(batches: list[Batch]) -> Batch:
    """One run's step as the objective takes it: arrays [microbatches, ...], all of the largest number of rows."""
    rows = max(batch.row_shape[0] for batch in batches)

    def filled(batch: Batch) -> Batch:
        empty, missing = {"example_ids": batch.slots, "labels": -1}, rows - batch.row_shape[0]
        by_row = {
            name: np.pad(array, [(0, missing), (0, 0)], constant_values=empty.get(name, 0))
            for name, array in batch.by_row.items()
        }
        return Batch(by_row, batch.by_example)

    return jax.tree.map(lambda array: array[0], stack_batches([[filled(batch) for batch in batches]]))


def scores_of(encoder: Encoder, head, params: dict, batch: Batch) -> np.ndarray:
    """Scores of one batch by a single model, without streaming."""
    return np.asarray(predict_step(stacked([params]), batch.inputs, encoder=encoder, head=head))[0]


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
