"""Packing: every example once, whole and separate from the others; few shapes, well filled."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itt_jax.batch import most_examples
from itt_jax.data.examples import Examples
from itt_jax.data.order import step_indices
from itt_jax.data.packing import RowPlan, pack_step, pad_step, plan_rows, rows_of_step, stream
from itt_jax.errors import InputError

LENGTHS = st.lists(st.integers(2, 24), min_size=1, max_size=40)


def make_examples(lengths, summary_last=False, labels=True) -> Examples:
    """Examples with distinct ids."""
    lengths = np.asarray(lengths, np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    n, total = len(lengths), int(offsets[-1])
    return Examples(
        ids=np.arange(1, total + 1, dtype=np.int32),
        token_type_ids=(np.arange(total) % 3).astype(np.int8),
        fields=(np.arange(total) % 2).astype(np.int8),
        offsets=offsets,
        summaries=((lengths - 1) * summary_last).astype(np.int32),
        labels=np.arange(n, dtype=np.float32) / 2 if labels else None,
        pad_id=0,
        pad_type=7,
    )


def sst2_like(n: int) -> np.ndarray:
    """Lengths distributed as SST-2's with BERT's tokenizer: mean 13, longest 66."""
    generator = np.random.default_rng(0)
    return np.clip(3 + generator.gamma(1.25, 8.3, n), 3, 66).astype(np.int64)


def xnli_like(n: int) -> np.ndarray:
    """Lengths distributed as XNLI's Russian pairs with mBERT's tokenizer: mean 54, longest 128."""
    generator = np.random.default_rng(0)
    return np.clip(10 + generator.gamma(4.5, 10, n), 10, 128).astype(np.int64)


def check(batch, examples: Examples, indices, slots: int) -> None:
    """Everything that a batch guarantees."""
    rows, length = batch.row_shape
    assert batch.slots == slots and not batch.by_row.keys() & batch.by_example.keys()
    batch = batch.by_row | batch.by_example
    assert {name: batch[name].dtype.name for name in batch if name != "labels"} == {
        "input_ids": "int32",
        "segment_ids": "int32",
        "token_type_ids": "int32",
        "example_ids": "int32",
        "field_ids": "int8",
        "summary_rows": "int32",
        "summary_positions": "int32",
        "segments": "int32",
        "weights": "float32",
    }
    assert batch["weights"].tolist() == [1.0] * len(indices) + [0.0] * (slots - len(indices))
    for slot, index in enumerate(indices):
        part = slice(examples.offsets[index], examples.offsets[index + 1])
        row, places = np.nonzero(batch["example_ids"] == slot)
        assert len(set(row)) == 1
        assert places.tolist() == list(range(places[0], places[0] + part.stop - part.start))
        for name, values in (("input_ids", "ids"), ("token_type_ids", "token_type_ids"), ("field_ids", "fields")):
            assert batch[name][row, places].tolist() == getattr(examples, values)[part].tolist()
        segment = batch["segment_ids"][row[0], places[0]]
        assert segment >= 1
        assert np.flatnonzero(batch["segment_ids"][row[0]] == segment).tolist() == places.tolist()
        assert batch["segments"][slot] == segment <= most_examples(length)
        assert batch["summary_rows"][slot] == row[0]
        assert batch["summary_positions"][slot] == places[0] + examples.summaries[index]
        if examples.labels is not None:
            assert batch["labels"][slot] == examples.labels[index]
    padding = batch["segment_ids"] == 0
    assert padding.sum() == rows * length - examples.lengths[np.asarray(indices, int)].sum()
    for name, value in (("input_ids", 0), ("token_type_ids", 7), ("field_ids", 0), ("example_ids", slots)):
        assert (batch[name][padding] == value).all()
    assert (np.diff(padding.astype(int), axis=1) >= 0).all(), "padding is on the right"
    assert ("labels" in batch) == (examples.labels is not None)


@pytest.mark.parametrize("dtype, expected", [(np.int8, "int32"), (np.int32, "int32"), (np.float64, "float32")])
def test_labels_of_tokens_keep_their_values(dtype, expected):
    examples = make_examples([3, 4])
    labels, anchors = (np.arange(7) * 0.5).astype(dtype), np.arange(7, dtype=np.int32)
    examples = dataclasses.replace(examples, labels=labels, anchors=anchors)
    batch = pack_step(examples, [0, 1], RowPlan(8, (1,), 1.0), 2)
    packed = batch.by_row["labels"]  # the longer example is first
    assert packed.tolist() == [[*labels[3:].tolist(), *labels[:3].tolist(), -1]] and packed.dtype == expected


@given(LENGTHS, st.integers(24, 60), st.booleans(), st.booleans())
def test_packed_batches(lengths, length, summary_last, labels):
    examples = make_examples(lengths, summary_last, labels)
    indices = np.random.default_rng(0).permutation(len(lengths))
    batch = pack_step(examples, indices, RowPlan(length, (3, 6, 40), 1.0), 41)
    check(batch, examples, indices, 41)
    assert batch.row_shape[0] in (3, 6, 40)


@given(LENGTHS, st.booleans())
def test_padded_batches_have_one_example_a_row(lengths, summary_last):
    examples = make_examples(lengths, summary_last)
    batch = pad_step(examples, range(len(lengths)), 30, 41)
    check(batch, examples, range(len(lengths)), 41)
    assert batch.row_shape == (41, 30)
    assert batch.by_example["summary_rows"][: len(lengths)].tolist() == list(range(len(lengths)))


@pytest.mark.parametrize("by_token", [False, True])
@given(LENGTHS, st.integers(24, 60), st.sampled_from([1, 2, 4]))
def test_hosts_build_their_own_rows_and_all_examples(by_token, lengths, length, hosts):
    examples = make_examples(lengths)
    if by_token:
        examples = dataclasses.replace(examples, labels=np.arange(len(examples.ids)) % 5, anchors=np.zeros(0, int))
    indices = np.random.default_rng(0).permutation(len(lengths))
    plan = RowPlan(length, (4, 8, 40), 1.0)
    for build, whole, rows in (
        (lambda share: pack_step(examples, indices, plan, 41, share), pack_step(examples, indices, plan, 41), 0),
        (lambda share: pad_step(examples, indices, length, 44, share), pad_step(examples, indices, length, 44), 44),
    ):
        rows = rows or rows_of_step(examples, indices, plan)
        assert whole.row_shape == (rows, length)
        for host in range(hosts):
            share = slice(host * rows // hosts, (host + 1) * rows // hosts)
            found = build(share)
            for own, expected in (
                (found.by_row, {name: array[share] for name, array in whole.by_row.items()}),
                (found.by_example, whole.by_example),
            ):
                assert own.keys() == expected.keys()
                for name, array in expected.items():
                    assert own[name].dtype == array.dtype
                    np.testing.assert_array_equal(own[name], array)


def test_a_hosts_rows_beyond_the_last_are_empty():
    examples = make_examples([3, 9, 3])
    batch = pack_step(examples, [0, 1, 2], RowPlan(12, (2,), 1.0), 3, rows=slice(2, 4))
    assert batch.row_shape == (2, 12)
    assert not batch.by_row["segment_ids"].any() and (batch.by_row["example_ids"] == 3).all()
    assert batch.by_example["weights"].tolist() == [1, 1, 1]


@given(st.lists(st.integers(2, 24), max_size=120), st.integers(1, 5), st.integers(24, 50), st.integers(13, 60))
def test_stream_has_every_example_once_in_one_shape(lengths, rows, length, slots):
    examples = make_examples(lengths)
    seen = []
    for indices, batch in stream(examples, rows, length, max(slots, length // 2)):
        check(batch, examples, indices, max(slots, length // 2))
        assert batch.row_shape == (rows, length)
        seen.extend(indices.tolist())
    assert sorted(seen) == list(range(len(lengths)))


def test_stream_over_several_windows_is_well_filled():
    for lengths in (sst2_like(40_000), xnli_like(20_000)):
        examples = make_examples(lengths)
        real = total = 0
        seen = []
        for indices, batch in stream(examples, 16, 128, 512):
            seen.append(indices)
            real += (batch.by_row["segment_ids"] > 0).sum()
            total += batch.by_row["segment_ids"].size
        assert np.array_equal(np.sort(np.concatenate(seen)), np.arange(len(lengths)))
        assert real / total >= 0.95


@pytest.mark.parametrize("lengths", [sst2_like(20_000), xnli_like(20_000)])
def test_steps_of_32_are_at_least_85_percent_real_tokens_in_few_shapes(lengths):
    examples = make_examples(lengths)
    plan = plan_rows(lengths, 32, 128)
    real = total = 0
    shapes = []
    for step in range(300):
        batch = pack_step(examples, step_indices(len(lengths), 32, 1, step), plan, 32)
        real += (batch.by_row["segment_ids"] > 0).sum()
        total += batch.by_row["segment_ids"].size
        shapes.append(batch.row_shape)
    assert real / total >= 0.85
    assert abs(real / total - plan.packing_efficiency) < 0.03
    assert len(set(shapes)) <= 3
    assert lengths.max() <= plan.length <= 2 * lengths.max()


@settings(max_examples=20, deadline=None)
@given(LENGTHS, st.integers(1, 12), st.sampled_from([1, 4, 8]))
def test_a_plan_suffices_for_any_step(lengths, examples_per_step, shards):
    plan = plan_rows(np.array(lengths), examples_per_step, 24, shards)
    assert all(count % shards == 0 for count in plan.row_counts)
    assert list(plan.row_counts) == sorted(set(plan.row_counts))
    longest = np.argmax(lengths)
    batch = pack_step(make_examples(lengths), [longest] * examples_per_step, plan, examples_per_step)
    assert batch.by_example["weights"].sum() == examples_per_step


@pytest.mark.parametrize("stack", [8, 300])
def test_steps_packed_separately_share_the_plan_of_the_largest(stack):
    lengths = sst2_like(2000)
    alone, together = plan_rows(lengths, 4, 128), plan_rows(lengths, 4, 128, stack=stack)
    assert together.packing_efficiency < alone.packing_efficiency
    assert together.row_counts[-1] == alone.row_counts[-1] == 4


@pytest.mark.parametrize(("multiple", "efficiency"), [(8, 0.85), (64, 0.85), (128, 0.7)])
def test_row_lengths_suit_the_device(multiple, efficiency):
    lengths = sst2_like(2000)
    plan = plan_rows(lengths, 32, 128, usual=4, multiple=multiple)
    assert plan.length % multiple == 0 and plan.length >= lengths.max() and plan.packing_efficiency > efficiency


def test_short_rows_keep_their_packing_efficiency():
    lengths = sst2_like(2000)
    assert plan_rows(lengths, 32, 128, 8, multiple=128) == plan_rows(lengths, 32, 128, 8)
    assert plan_rows(10 * lengths, 32, 512, 8, multiple=128).length % 128 == 0


def test_a_plan_is_deterministic():
    assert plan_rows(sst2_like(500), 32, 128) == plan_rows(sst2_like(500), 32, 128)


def test_no_examples():
    examples = make_examples([3, 4])
    check(pack_step(examples, [], RowPlan(8, (2,), 1.0), 4), examples, [], 4)
    assert list(stream(make_examples([]), 2, 8, 4)) == []


def test_what_does_not_fit_is_named():
    examples = make_examples([3, 9, 3])
    with pytest.raises(InputError, match="an example of 9 tokens does not fit a row of 8"):
        pack_step(examples, [0, 1], RowPlan(8, (2,), 1.0), 4)
    with pytest.raises(InputError, match="3 examples do not fit 2 slots"):
        pad_step(examples, [0, 1, 2], 16, 2)
    with pytest.raises(InputError, match="3 rows are needed, the plan has at most 2"):
        pack_step(examples, [1, 1, 1], RowPlan(16, (1, 2), 1.0), 4)
    with pytest.raises(InputError, match="a row holds 3 examples, more than 2 slots"):
        list(stream(examples, 2, 16, 2))
