"""Batches of fixed shape: several examples per row, separated by segment ids, or one example per row.

Packed and padded batches hold the same numpy arrays, so one train step serves both:

    by_row      input_ids, segment_ids, token_type_ids, example_ids  int32 [B, T]
                field_ids                                             int8 [B, T]
                labels, where they are per token                     int32 [B, T]; -1 for padding and unlabelled tokens
    by_example  summary_rows, summary_positions, segments            int32 [E]; segment 0 for an empty slot
                weights                                              float32 [E]; 0 for an empty slot
                labels, where they are per example                   [E] or [E, classes]

Slot e holds the e-th requested example. Segments are numbered from 1 in each row, which has at most
`batch.most_examples` of them; padding has segment 0, example E and field 0.

A step may hold K forms of each example, in the same place of every form's rows: form k is [B, k T : (k + 1) T] of the
arrays by row and [E, k] of `summary_positions`; other arrays by example are shared.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from itt_jax.batch import Batch, most_examples
from itt_jax.data.examples import Examples
from itt_jax.errors import InputError
from itt_jax.ragged import ragged_positions

_LENGTHS = (32, 48, 64, 96, 128, 192, 256, 384, 512)  # candidate row lengths, with others near the longest example
_FINEST = 8
"""Row lengths are multiples of this where the device needs no larger multiple."""
_LONG = 256
"""Rows for examples of this length or more always use the device's multiple: attention takes much of their time."""
_SIMULATED = 200  # steps simulated to choose a plan
_WINDOW = 16_384  # examples that evaluation packs together


@dataclasses.dataclass(frozen=True)
class RowPlan:
    """The possible shapes of the rows of a step.

    Attributes:
        length: row length T.
        row_counts: possible numbers of rows, ascending; the last is enough for any step.
        packing_efficiency: share of real tokens in simulated steps.
    """

    length: int
    row_counts: tuple[int, ...]
    packing_efficiency: float


@dataclasses.dataclass(frozen=True)
class _Places:
    """The row, first position and segment (from 1) of each item, int64 [n] each; and the number of rows."""

    rows: np.ndarray
    starts: np.ndarray
    segments: np.ndarray
    count: int


def _best_fit(lengths: np.ndarray, length: int) -> _Places:
    """Best fit, longest first: each item goes into the fullest row that has room for it and may hold another.

    `open_rows[r]` lists the rows with r free positions; bit r of `occurs` says whether there are any.
    """
    order = np.argsort(-lengths, kind="stable")
    open_rows: list[list[int]] = [[] for _ in range(length + 1)]
    occurs = 0
    filled: list[int] = []  # items in each row
    most = most_examples(length)
    rows: list[int] = []
    starts: list[int] = []
    segments: list[int] = []
    for size in lengths[order].tolist():
        fitting = occurs >> size
        if fitting:
            room = size + (fitting & -fitting).bit_length() - 1
            row = open_rows[room].pop()
            if not open_rows[room]:
                occurs ^= 1 << room
        else:
            row, room = len(filled), length
            filled.append(0)
        filled[row] += 1
        rows.append(row)
        starts.append(length - room)
        segments.append(filled[row])
        room -= size
        if filled[row] < most:
            open_rows[room].append(row)
            occurs |= 1 << room
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    row_of, start, segment = (np.array(values, np.int64)[back] for values in (rows, starts, segments))
    return _Places(row_of, start, segment, len(filled))


def _check_fit(lengths: np.ndarray, length: int, slots: int) -> None:
    if len(lengths) and lengths.max() > length:
        raise InputError(f"an example of {lengths.max()} tokens does not fit a row of {length}")
    if len(lengths) > slots:
        raise InputError(f"{len(lengths)} examples do not fit {slots} slots")


def _build(examples: Examples, indices: np.ndarray, places: _Places, rows: slice, length: int, slots: int) -> Batch:
    """The batch with examples `indices` at `places`: only its rows `rows`, but the per-example arrays of all."""
    count = rows.stop - rows.start
    mine = np.flatnonzero((places.rows >= rows.start) & (places.rows < rows.stop))
    starts = examples.offsets[indices[mine]]
    lengths = examples.offsets[indices[mine] + 1] - starts
    source = ragged_positions(starts, lengths)
    target = ragged_positions((places.rows[mine] - rows.start) * length + places.starts[mine], lengths)

    def rows_of(values: np.ndarray, empty: int, dtype: type = np.int32) -> np.ndarray:
        found = np.full(count * length, empty, dtype)
        found[target] = values
        return found.reshape(count, length)

    def slots_of(values: np.ndarray, dtype: npt.DTypeLike = np.int32) -> np.ndarray:
        found = np.zeros((slots, *values.shape[1:]), dtype)
        found[: len(indices)] = values
        return found

    by_row = {
        "input_ids": rows_of(examples.ids[source], examples.pad_id),
        "segment_ids": rows_of(np.repeat(places.segments[mine], lengths), 0),
        "token_type_ids": rows_of(examples.token_type_ids[source], examples.pad_type),
        "example_ids": rows_of(np.repeat(mine, lengths), slots),
        "field_ids": rows_of(examples.fields[source], 0, np.int8),
    }
    by_example = {
        "summary_rows": slots_of(places.rows),
        "summary_positions": slots_of(places.starts + examples.summaries[indices]),
        "segments": slots_of(places.segments),
        "weights": slots_of(np.ones(len(indices)), np.float32),
    }
    if examples.labels is not None and examples.labels_by_token:
        dtype = np.float32 if examples.labels.dtype.kind == "f" else np.int32
        by_row["labels"] = rows_of(examples.labels[source], -1, dtype)
    elif examples.labels is not None:
        by_example["labels"] = slots_of(examples.labels[indices], examples.labels.dtype)
    return Batch(by_row, by_example)


def rows_of_step(examples: Examples, indices: Sequence[int] | np.ndarray, plan: RowPlan) -> int:
    """The number of rows that `pack_step` returns.

    Raises:
        InputError: an example is longer than a row, or more rows are needed than the plan has.
    """
    return _packed(_lengths(examples, np.asarray(indices, np.int64)), plan, len(indices))[1]


def pack_step(
    examples: Examples, indices: Sequence[int] | np.ndarray, plan: RowPlan, slots: int, rows: slice | None = None
) -> Batch:
    """The examples `indices` of one step in as few rows as the plan allows.

    Args:
        rows: build only these rows [start, stop) of the batch, a host's share. Rows beyond the last are padding.
            Per-example arrays stay whole, and `summary_rows` are row numbers of the whole batch.

    Raises:
        InputError: an example is longer than a row, there are more examples than slots, or more rows are needed than
            the plan has.
    """
    indices = np.asarray(indices, np.int64)
    places, count = _packed(_lengths(examples, indices), plan, slots)
    return _build(examples, indices, places, rows or slice(0, count), plan.length, slots)


def _lengths(examples: Examples, indices: np.ndarray) -> np.ndarray:
    return examples.offsets[indices + 1] - examples.offsets[indices]


def _packed(lengths: np.ndarray, plan: RowPlan, slots: int) -> tuple[_Places, int]:
    """The place of each example of a step, and the number of rows."""
    _check_fit(lengths, plan.length, slots)
    places = _best_fit(lengths, plan.length)
    rows = next((count for count in plan.row_counts if count >= places.count), None)
    if rows is None:
        raise InputError(f"{places.count} rows are needed, the plan has at most {plan.row_counts[-1]}")
    return places, rows


def pad_step(
    examples: Examples, indices: Sequence[int] | np.ndarray, length: int, slots: int, rows: slice | None = None
) -> Batch:
    """The examples `indices`, one per row: `slots` rows of `length` tokens. The reference for packing.

    Args:
        rows: as in `pack_step`.

    Raises:
        InputError: an example is longer than a row, or there are more examples than slots.
    """
    indices = np.asarray(indices, np.int64)
    _check_fit(examples.offsets[indices + 1] - examples.offsets[indices], length, slots)
    return _build(examples, indices, _one_per_row(len(indices)), rows or slice(0, slots), length, slots)


def pack_forms(
    forms: Sequence[Examples], plan: RowPlan | None, length: int, slots: int, rows: slice | None = None
) -> Batch:
    """The K forms of the examples of one step: [B, K T] rows in which a slot has room for the longest of its forms.

    Args:
        forms: example i of each is a form of the same example, in the order of the slots.
        plan: the row plan; None: one example per row of `length` tokens.
        slots, rows: as in `pack_step`.

    Raises:
        InputError: as `pack_step`.
    """
    indices, lengths = np.arange(len(forms[0])), longest(forms)
    if plan is None:
        _check_fit(lengths, length, slots)
        places, count = _one_per_row(len(indices)), slots
    else:
        places, count = _packed(lengths, plan, slots)
        length = plan.length
    batches = [_build(form, indices, places, rows or slice(0, count), length, slots) for form in forms]
    if len(batches) == 1:
        return batches[0]
    by_row = {name: np.concatenate([batch.by_row[name] for batch in batches], axis=1) for name in batches[0].by_row}
    positions = np.stack([batch.by_example["summary_positions"] for batch in batches], axis=1)
    return Batch(by_row, batches[0].by_example | {"summary_positions": positions})


def rows_of_forms(forms: Sequence[Examples], plan: RowPlan) -> int:
    """The number of rows that `pack_forms` returns; errors as `rows_of_step`."""
    return _packed(longest(forms), plan, len(forms[0]))[1]


def longest(forms: Sequence[Examples]) -> np.ndarray:
    """Tokens of the longest form of each example: int64 [n]."""
    return np.max([form.lengths for form in forms], axis=0)


def _one_per_row(n: int) -> _Places:
    return _Places(np.arange(n), np.zeros(n, np.int64), np.ones(n, np.int64), n)


def plan_rows(
    lengths: np.ndarray,
    examples_per_step: int,
    max_length: int,
    shards: int = 1,
    stack: int = 1,
    usual: int = 2,
    multiple: int = _FINEST,
) -> RowPlan:
    """The row length and row counts with the highest packing efficiency in simulated steps.

    The plan has at most `usual` row counts for the simulated steps. Two more are compiled only if a step needs them:
    one as far above the largest simulated count as that is above the median, and one that is enough for any step.
    Among row lengths within half a percentage point of the best efficiency, the shortest is chosen, as attention is
    quadratic.

    Args:
        lengths: tokens of each example, special tokens included.
        examples_per_step: number of examples in a step.
        max_length: maximum length of an example; rows are never shorter than the longest example.
        shards: devices that share the rows; row counts are multiples of it.
        stack: number of steps that are packed separately and then get the largest row count among them.
        usual: number of row counts, each with a program to compile, that most steps use.
        multiple: row lengths are multiples of this, as the device prefers. Rows shorter than `_LONG` are multiples
            of 8 instead where that would lose more than a tenth of the packing efficiency, as with one row a shard.
    """
    lengths = np.minimum(np.asarray(lengths, np.int64), max_length)
    generator = np.random.Generator(np.random.Philox(key=0))
    draws = lengths[generator.integers(0, len(lengths), (max(_SIMULATED, stack), examples_per_step))]
    longest = int(lengths.max())

    def best(multiple: int) -> RowPlan:
        """The shortest rows that pack almost as well as the best."""
        plans = [_plan(draws, length, shards, stack, usual) for length in _candidates(longest, multiple)]
        most = max(plan.packing_efficiency for plan in plans)
        return next(plan for plan in plans if plan.packing_efficiency >= most - 0.005)

    found = best(multiple)
    if multiple > _FINEST and longest < _LONG:
        finest = best(_FINEST)
        found = found if found.packing_efficiency >= 0.9 * finest.packing_efficiency else finest
    return found


def _candidates(longest: int, multiple: int) -> list[int]:
    """Row lengths to try, ascending."""
    least = -(-longest // multiple) * multiple
    step = max(1, least // (8 * multiple)) * multiple
    usable = (length for length in _LENGTHS if length >= least and length % multiple == 0)
    return sorted({*range(least, 2 * least, step), *usable})


def _plan(draws: np.ndarray, length: int, shards: int, stack: int, usual: int) -> RowPlan:
    """The best row counts at this row length.

    Args:
        draws: lengths of the examples of simulated steps, [steps, examples].
    """
    needed = np.array([_best_fit(step, length).count for step in draws])
    together = needed[: len(needed) // stack * stack].reshape(-1, stack).max(1)
    needed = np.repeat(together, stack)
    needed = -(-needed // shards) * shards
    always = -(-draws.shape[1] // shards) * shards
    spread = int(needed.max() - np.median(needed))
    above = min(-(-int(needed.max() + max(spread, 1)) // shards) * shards, always)

    def rows_used(counts: list[int]) -> int:
        return int(np.array(counts)[np.searchsorted(counts, needed)].sum())

    distinct = np.unique(needed).tolist()
    counts = distinct[-1:] if usual == 1 else [above]
    for _ in range(usual if usual > 1 else 0):  # greedily, the count that saves most rows
        counts = min((sorted({*counts, one}) for one in distinct), key=rows_used)
    real = draws[: len(needed)].sum() / (rows_used(counts) * length)
    return RowPlan(length, tuple(sorted({*counts, above, always})), float(real))


def stream(
    examples: Examples, rows: int, length: int, slots: int, own: slice | None = None
) -> Iterator[tuple[np.ndarray, Batch]]:
    """All examples once, for evaluation, in well-filled batches of one shape.

    Windows of consecutive examples are packed together, and the rows of a window are distributed over its batches so
    that each has about as many examples. Some rows stay empty in the last batches of a window, and where short examples
    use up the slots.

    Args:
        own: as `rows` in `pack_step`.

    Yields:
        (indices int64 [m], batch): slot e of the batch holds example indices[e].

    Raises:
        InputError: an example is longer than a row, or a row holds more examples than there are slots.
    """
    for first in range(0, len(examples), _WINDOW):
        window = np.arange(first, min(first + _WINDOW, len(examples)))
        lengths = examples.offsets[window + 1] - examples.offsets[window]
        _check_fit(lengths, length, len(window))
        places = _best_fit(lengths, length)
        batch_of, row_of = _distribute(np.bincount(places.rows), rows, slots)
        batches = batch_of[places.rows]
        for members in np.split(np.argsort(batches, kind="stable"), np.cumsum(np.bincount(batches))[:-1]):
            mine = _Places(row_of[places.rows[members]], places.starts[members], places.segments[members], rows)
            yield window[members], _build(examples, window[members], mine, own or slice(0, rows), length, slots)


def stream_alone(
    examples: Examples, indices: np.ndarray, rows: int, length: int, slots: int, own: slice | None = None
) -> Iterator[tuple[np.ndarray, Batch]]:
    """The examples `indices` in batches of the same shape as `stream`'s, one per row; yields the same."""
    for part in np.split(indices, range(rows, len(indices), rows)):
        yield part, _build(examples, part, _one_per_row(len(part)), own or slice(0, rows), length, slots)


def to_repeat(spoiled: np.ndarray) -> np.ndarray:
    """The examples that are worth predicting alone: int64.

    In packed rows, attention multiplies values that are not finite by 0, so one such example spoils all in its row.

    Args:
        spoiled: bool [S, n], examples of each model with outputs that are not finite. A model all of whose outputs are
            spoiled is left out.
    """
    return np.flatnonzero(spoiled[~spoiled.all(axis=1)].any(axis=0))


def _distribute(items: np.ndarray, rows: int, slots: int) -> tuple[np.ndarray, np.ndarray]:
    """For each packed row, its batch and its row in that batch.

    Args:
        items: number of examples of each packed row.
    """
    if items.max() > slots:
        raise InputError(f"a row holds {items.max()} examples, more than {slots} slots")
    order = np.argsort(-items, kind="stable")
    batches = max(-(-len(items) // rows), -(-int(items.sum()) // slots))
    while True:
        row, batch = np.divmod(np.arange(len(items)), batches)
        batch = np.where(row % 2, batches - 1 - batch, batch)  # back and forth, so that the counts even out
        if np.bincount(batch, items[order]).max() <= slots:
            break
        batches += 1
    batch_of, row_of = np.empty(len(items), np.int64), np.empty(len(items), np.int64)
    batch_of[order], row_of[order] = batch, row
    return batch_of, row_of
