"""Examples -> batches of fixed shape: many examples in a row, kept apart by segment ids, or one example a row.

Packed and padded batches hold the same numpy arrays, so that one train step serves both:

    by_row      input_ids, segment_ids, token_type_ids, example_ids  int32 [B, T]
                field_ids                                             int8 [B, T]
                labels, where they are per token                     int32 [B, T]; -1 for padding and unlabelled tokens
    by_example  summary_rows, summary_positions                      int32 [E]
                weights                                              float32 [E]; 0 for an empty slot
                labels, where they are per example                   [E] or [E, classes]

Slot e holds the e-th requested example. Segments are numbered from 1 in each row; padding has segment 0, example E and
field 0.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from itt_jax.batch import Batch
from itt_jax.data.examples import Examples
from itt_jax.errors import InputError
from itt_jax.ragged import ragged_positions

_LENGTHS = (32, 48, 64, 96, 128, 192, 256, 384, 512)  # candidate row lengths, besides those near the longest example
_SIMULATED = 200  # steps drawn to choose a plan
_WINDOW = 16_384  # examples that evaluation sorts and packs together


@dataclasses.dataclass(frozen=True)
class RowPlan:
    """The shapes that the rows of a step may take.

    Attributes:
        length: tokens of a row, T.
        row_counts: the allowed numbers of rows, ascending; the last always suffices.
        packing_efficiency: share of real tokens in the simulated steps.
    """

    length: int
    row_counts: tuple[int, ...]
    packing_efficiency: float


@dataclasses.dataclass(frozen=True)
class _Places:
    """Where each item goes: its row, the position of its first token, its segment (from 1), each int64 [n]."""

    rows: np.ndarray
    starts: np.ndarray
    segments: np.ndarray
    count: int


def _best_fit(lengths: np.ndarray, length: int) -> _Places:
    """Best fit, longest first: each item goes to the fullest row that still has room.

    The rows with room r are kept in a list under r, and which r occur in the bits of one integer.
    """
    order = np.argsort(-lengths, kind="stable")
    open_rows: list[list[int]] = [[] for _ in range(length + 1)]
    occurs = 0
    filled: list[int] = []  # items in each row
    rows, starts, segments = [], [], []
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
        open_rows[room].append(row)
        occurs |= 1 << room
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    rows, starts, segments = (np.array(values, np.int64)[back] for values in (rows, starts, segments))
    return _Places(rows, starts, segments, len(filled))


def _check_fit(lengths: np.ndarray, length: int, slots: int) -> None:
    if len(lengths) and lengths.max() > length:
        raise InputError(f"an example of {lengths.max()} tokens does not fit a row of {length}")
    if len(lengths) > slots:
        raise InputError(f"{len(lengths)} examples do not fit {slots} slots")


def _build(examples: Examples, indices: np.ndarray, places: _Places, rows: slice, length: int, slots: int) -> Batch:
    """The batch that has examples `indices` at `places`; of its rows only `rows`, of its examples all."""
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

    def slots_of(values: np.ndarray, dtype: type = np.int32) -> np.ndarray:
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
        "weights": slots_of(np.ones(len(indices)), np.float32),
    }
    if examples.labels is not None and examples.labels_by_token:
        by_row["labels"] = rows_of(examples.labels[source], -1)
    elif examples.labels is not None:
        by_example["labels"] = slots_of(examples.labels[indices], examples.labels.dtype)
    return Batch(by_row, by_example)


def rows_of_step(examples: Examples, indices: Sequence[int] | np.ndarray, plan: RowPlan) -> int:
    """The number of rows that `pack_step` gives.

    Raises:
        InputError: an example longer than a row, or more rows than the plan has.
    """
    return _packed(examples, np.asarray(indices, np.int64), plan, len(indices))[1]


def pack_step(
    examples: Examples, indices: Sequence[int] | np.ndarray, plan: RowPlan, slots: int, rows: slice | None = None
) -> Batch:
    """The examples `indices` of one step in as few rows as the plan allows.

    Args:
        rows: only these rows [start, stop) of the batch are built, a host's share of them; past the last row they are
            empty. What is by example stays whole, and `summary_rows` counts the rows of the whole batch.

    Raises:
        InputError: an example longer than a row, more examples than slots, or more rows than the plan has.
    """
    indices = np.asarray(indices, np.int64)
    places, count = _packed(examples, indices, plan, slots)
    return _build(examples, indices, places, rows or slice(0, count), plan.length, slots)


def _packed(examples: Examples, indices: np.ndarray, plan: RowPlan, slots: int) -> tuple[_Places, int]:
    """Where each example of a step goes, and the number of rows."""
    lengths = examples.offsets[indices + 1] - examples.offsets[indices]
    _check_fit(lengths, plan.length, slots)
    places = _best_fit(lengths, plan.length)
    rows = next((count for count in plan.row_counts if count >= places.count), None)
    if rows is None:
        raise InputError(f"{places.count} rows are needed, the plan has at most {plan.row_counts[-1]}")
    return places, rows


def pad_step(
    examples: Examples, indices: Sequence[int] | np.ndarray, length: int, slots: int, rows: slice | None = None
) -> Batch:
    """The examples `indices`, each in a row of its own: `slots` rows of `length` tokens. The reference of packing.

    Args:
        rows: as in `pack_step`.

    Raises:
        InputError: an example longer than a row, or more examples than slots.
    """
    indices = np.asarray(indices, np.int64)
    _check_fit(examples.offsets[indices + 1] - examples.offsets[indices], length, slots)
    n = len(indices)
    places = _Places(np.arange(n), np.zeros(n, np.int64), np.ones(n, np.int64), n)
    return _build(examples, indices, places, rows or slice(0, slots), length, slots)


def plan_rows(
    lengths: np.ndarray, examples_per_step: int, max_length: int, shards: int = 1, stack: int = 1, usual: int = 2
) -> RowPlan:
    """The row length and row counts with the largest share of real tokens in simulated steps.

    At most `usual` row counts serve nearly all simulated steps, one alone serves all; one more is as far above the
    largest that was seen as that is above their median, and the last always suffices: these two are compiled only if an
    step ever needs them.
    Among lengths within half a point of the best share the shortest is taken, because attention is quadratic.

    Args:
        lengths: tokens of each example, special tokens included.
        examples_per_step: examples of one step.
        max_length: the longest that an example may be; rows are never shorter than the longest that there is.
        shards: devices that share the rows; row counts are multiples of it.
        stack: steps that are packed apart and take the largest row count among them.
        usual: row counts, each a program to compile, among which most steps choose.
    """
    lengths = np.minimum(np.asarray(lengths, np.int64), max_length)
    longest = -(-int(lengths.max()) // 8) * 8
    candidates = {*range(longest, 2 * longest, max(8, longest // 64 * 8)), *(c for c in _LENGTHS if c >= longest)}
    generator = np.random.Generator(np.random.Philox(key=0))
    draws = lengths[generator.integers(0, len(lengths), (max(_SIMULATED, stack), examples_per_step))]
    plans = [_plan(draws, length, shards, stack, usual) for length in sorted(candidates)]
    best = max(plan.packing_efficiency for plan in plans)
    return next(plan for plan in plans if plan.packing_efficiency >= best - 0.005)


def _plan(draws: np.ndarray, length: int, shards: int, stack: int, usual: int) -> RowPlan:
    """Good row counts at this row length for the simulated steps: lengths [steps, examples]."""
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
    for _ in range(usual if usual > 1 else 0):  # each in turn the one that saves most rows
        counts = min((sorted({*counts, one}) for one in distinct), key=rows_used)
    real = draws[: len(needed)].sum() / (rows_used(counts) * length)
    return RowPlan(length, tuple(sorted({*counts, above, always})), float(real))


def stream(examples: Examples, rows: int, length: int, slots: int) -> Iterator[tuple[np.ndarray, Batch]]:
    """All examples once, for evaluation, in well-filled batches of one shape.

    Windows of consecutive examples are packed together; the rows of a window are dealt to its batches so that each has
    about equally many examples. Rows are left empty in the last batches of a window, and where examples are so short
    that `slots` runs out.

    Yields:
        (indices int64 [m], batch): slot e of the batch is example indices[e].

    Raises:
        InputError: an example longer than a row, or a row that holds more examples than there are slots.
    """
    for first in range(0, len(examples), _WINDOW):
        window = np.arange(first, min(first + _WINDOW, len(examples)))
        lengths = examples.offsets[window + 1] - examples.offsets[window]
        _check_fit(lengths, length, len(window))
        places = _best_fit(lengths, length)
        batch_of, row_of = _deal(np.bincount(places.rows), rows, slots)
        batches = batch_of[places.rows]
        for members in np.split(np.argsort(batches, kind="stable"), np.cumsum(np.bincount(batches))[:-1]):
            mine = _Places(row_of[places.rows[members]], places.starts[members], places.segments[members], rows)
            yield window[members], _build(examples, window[members], mine, slice(0, rows), length, slots)


def _deal(items: np.ndarray, rows: int, slots: int) -> tuple[np.ndarray, np.ndarray]:
    """The batch of each packed row and its row there; `items` counts the examples of each packed row."""
    if items.max() > slots:
        raise InputError(f"a row holds {items.max()} examples, more than {slots} slots")
    order = np.argsort(-items, kind="stable")
    batches = max(-(-len(items) // rows), -(-int(items.sum()) // slots))
    while True:
        turn, seat = np.divmod(np.arange(len(items)), batches)
        seat = np.where(turn % 2, batches - 1 - seat, seat)  # there and back, so that the counts even out
        if np.bincount(seat, items[order]).max() <= slots:
            break
        batches += 1
    batch_of, row_of = np.empty(len(items), np.int64), np.empty(len(items), np.int64)
    batch_of[order], row_of[order] = seat, turn
    return batch_of, row_of
