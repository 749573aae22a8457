"""A step in smaller microbatches is the same step."""

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.batch import Batch
from itt_jax.config import LanguageModel, Recipe
from itt_jax.data import packing
from itt_jax.errors import InputError
from itt_jax.models import make_head
from itt_jax.models.hardware import Hardware, compiling_for
from itt_jax.train import microbatches
from itt_jax.train.counters import MASKS, generator
from itt_jax.train.feeds import stack_batches
from itt_jax.train.language_feeds import masked_batches
from itt_jax.train.objectives import LanguageObjective, TaskObjective
from tests.train.toy import assert_close, drawn_params, loss_and_gradient, tiny_encoder, toy_examples


def labelled(examples, kind):
    """Labels of a kind of head for toy examples."""
    random = np.random.default_rng(3)
    if kind == "multilabel":
        return random.random((len(examples), 3)) < 0.5
    if kind == "token_classification":
        return random.integers(-1, 3, len(examples.ids)).astype(np.int32)
    if kind == "question_answering":
        labels = np.zeros(len(examples.ids), np.int32)
        first = examples.offsets[:-1] + random.integers(0, examples.lengths)
        np.add.at(labels, first, 1)
        np.add.at(labels, first + random.integers(0, examples.offsets[1:] - first), 2)
        return labels
    return examples.labels


def one_plan(examples, parts):
    """A plan of one shape: rows of 32 tokens, as many as the largest part needs."""
    roomy = packing.RowPlan(32, tuple(range(1, 40)), 1.0)
    return packing.RowPlan(32, (max(packing.rows_of_step(examples, part, roomy) for part in parts),), 1.0)


def task_step(kind, encoder, count=2):
    """Objective and batch [1, M, ...] of a step; the last microbatch has an empty slot."""
    examples = toy_examples(encoder.family, 26)
    outputs = 2 if kind in ("classification", "question_answering") else 3
    head = make_head(encoder, kind, outputs, "cls" if kind == "classification" else "pretrained")
    by_token = {"anchors": np.zeros(0, np.int64)} if kind in ("token_classification", "question_answering") else {}
    examples = dataclasses.replace(examples, labels=labelled(examples, kind), **by_token)
    parts = np.array_split(np.arange(len(examples) - 1), count)
    plan, slots = one_plan(examples, parts), -(-len(examples) // count)
    batches = [packing.pack_step(examples, part, plan, slots) for part in parts]
    return TaskObjective(encoder, head, 0, dropout=False), stack_batches([batches])


def language_step(encoder):
    """Objective and batch [1, 2, ...] of a step of the family's language model."""
    head = make_head(encoder, encoder.language_model, 60)
    settings = LanguageModel(recipe=Recipe(batch_size=26, accumulate=2, max_length=32), masking=0.3)
    tokenizer = types.SimpleNamespace(mask_id=4, vocabulary_size=60, word_starts=lambda ids: np.ones(len(ids), bool))
    examples = dataclasses.replace(toy_examples(encoder.family, 26), labels=None)
    plan = one_plan(examples, np.array_split(np.arange(26), 2))
    batches = masked_batches(examples, tokenizer, settings, encoder.language_model, plan, generator(0, MASKS, 0))
    return LanguageObjective(encoder, head, False), stack_batches([batches])


def parts_of(batch: Batch) -> list[Batch]:
    """The microbatches of a batch of one run."""
    return [jax.tree.map(lambda array, at=at: array[0, at], batch) for at in range(batch.row_shape[1])]


def assert_same_step(objective, batch, other):
    params, rows = drawn_params(objective.encoder, objective.head), batch.row_shape[2]
    found, expected = (loss_and_gradient(objective, params, parts_of(own), rows) for own in (other, batch))
    assert_close(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classification", "token_classification", "question_answering"])
def test_a_halved_step_is_the_same_step(kind):
    objective, batch = task_step(kind, tiny_encoder("bert"))
    rows = batch.row_shape[2]
    assert rows > 2 and batch.by_row["segment_ids"].max() > 1
    twice = microbatches.halved(microbatches.halved(batch))  # with an odd number of rows on the way
    assert twice.row_shape[:3] == (1, 8, -(-rows // 4))
    assert twice.by_example["weights"].sum() == batch.by_example["weights"].sum()
    assert jax.tree.map(lambda array: array.dtype, twice) == jax.tree.map(lambda array: array.dtype, batch)
    assert_same_step(objective, batch, twice)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "xlnet"])
def test_a_halved_step_of_a_language_model_is_the_same_step(family):
    objective, batch = language_step(tiny_encoder(family))
    halved = microbatches.halved(batch)
    assert halved.row_shape[:3] == (1, 4, -(-batch.row_shape[2] // 2))
    assert halved.by_row["weights"].sum() == batch.by_row["weights"].sum()
    assert_same_step(objective, batch, halved)


@pytest.mark.parametrize("kind", ["classification", "multilabel"])
def test_halves_are_multiples_of_the_shards_and_lose_no_example(kind):
    _, batch = task_step(kind, tiny_encoder("bert"), count=1)
    halved = microbatches.halved(batch, shards=4)
    np.testing.assert_array_equal(halved.by_example["labels"], np.repeat(batch.by_example["labels"], 2, axis=1))
    assert halved.row_shape[2] % 4 == 0
    weights = halved.by_example["weights"]
    assert (weights.sum(axis=1) == batch.by_example["weights"].sum(axis=1)).all()
    for part in range(2):
        used = weights[0, part] > 0
        places = (halved.by_example[name][0, part] for name in ("summary_rows", "summary_positions"))
        held = halved.by_row["example_ids"][0, part][*places]
        np.testing.assert_array_equal(held[used], np.flatnonzero(used))


TPU = Hardware("tpu", (None,), bytes=1)


def assert_same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_on_a_tpu_microbatches_fit_on_the_chip(monkeypatch):
    """They are halved until they do, or more often if the memory needs it; elsewhere only the latter."""
    encoder = tiny_encoder("bert")
    _, batch = task_step("classification", encoder, count=1)
    rows, length = batch.row_shape[2:]
    halved = microbatches.halved
    assert rows >= 4 and microbatches.fitted(batch, encoder, None, 0, 1) is batch
    assert_same(microbatches.fitted(batch, encoder, None, 1, 1), halved(batch))
    token = encoder.config.feed_forward * 4
    with compiling_for(TPU):
        assert microbatches.on_chip_tokens(encoder, 1, None) == microbatches.ON_CHIP // token
        bfloat16 = dataclasses.replace(encoder, dtype=jnp.bfloat16)
        assert microbatches.on_chip_tokens(bfloat16, 4, None) == microbatches.ON_CHIP // (2 * token)
        assert microbatches.fitted(batch, encoder, None, 0, 1) is batch
        monkeypatch.setattr(microbatches, "ON_CHIP", -(-rows // 2) * length * token)
        assert_same(microbatches.fitted(batch, encoder, None, 0, 1), halved(batch))
        assert_same(microbatches.fitted(batch, encoder, None, 1, 1), halved(batch))
        assert_same(microbatches.fitted(batch, encoder, None, 2, 1), halved(halved(batch)))
        assert microbatches.fitted(batch, encoder, None, 0, 2) is batch  # items of two examples stay together
        monkeypatch.setattr(microbatches, "ON_CHIP", 1)
        assert microbatches.fitted(batch, encoder, None, 0, 1).row_shape[2] == 1


def test_what_cannot_be_halved_is_refused():
    _, batch = task_step("classification", tiny_encoder("bert"), count=1)
    with pytest.raises(InputError, match="items of 2 examples"):
        microbatches.halved(batch, choices=2)
    rows = batch.row_shape[2]
    with pytest.raises(InputError, match=f"{rows} rows of"):
        microbatches.halved(batch, shards=rows)
