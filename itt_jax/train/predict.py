"""Scores of a whole set of examples."""

import collections
import dataclasses
from collections.abc import Callable

import jax
import numpy as np

from itt_jax.batch import Batch
from itt_jax.data import packing
from itt_jax.data.examples import Examples
from itt_jax.data.span_decoding import decoded
from itt_jax.models import Encoder, Head
from itt_jax.ragged import Ragged, offsets_of, ragged_positions
from itt_jax.train.memory import device_bytes, extra_bytes
from itt_jax.train.processes import smallest
from itt_jax.train.sharding import data_shards, place_batch, place_params, place_whole, stack_mesh
from itt_jax.train.state import Params
from itt_jax.train.step import predict_program, predict_step

# Row lengths that evaluation streams may have: few, so that stages share their programs.
LENGTHS = (64, 128, 256, 512)
TOKENS_PER_BATCH = 4096
"""And device. A CPU gains nothing from more; an accelerator gets as many as its memory holds of up to MOST_TOKENS."""
MOST_TOKENS = 65536
SHARE_OF_MEMORY = 0.8  # of what is free
IN_FLIGHT = 8
"""Batches that the device may be ahead of the host: more would only keep scores of tokens in its memory."""


def stream_shape(examples: Examples, shards: int = 1, tokens: int = TOKENS_PER_BATCH) -> tuple[int, int, int]:
    """Rows, row length and example slots of the batches that `examples` are streamed in.

    Args:
        shards: devices that share the rows, with `tokens` each.
    """
    longest = int(examples.lengths.max())
    length = next((length for length in LENGTHS if length >= longest), longest)
    rows = max(1, tokens // length) * shards
    return rows, length, rows * length // 16


@dataclasses.dataclass(frozen=True)
class Change:
    """A change of every batch on the device, before the encoder reads it.

    Attributes:
        function: pure function (batch, shared) -> batch, defined at module level so that its program is found again.
        by_example: arrays [n, ...], one entry an example; the batch holds those of its own examples.
        shared: arrays that are the same for every batch.
    """

    function: Callable[[Batch, dict[str, jax.Array]], Batch]
    by_example: dict[str, np.ndarray]
    shared: dict[str, np.ndarray]

    def added_to(self, batch: Batch, indices: np.ndarray) -> Batch:
        """The batch of examples `indices` with their entries of `by_example`."""
        own = {}
        for name, values in self.by_example.items():
            own[name] = np.zeros((batch.slots, *values.shape[1:]), values.dtype)
            own[name][: len(indices)] = values[indices]
        return Batch(batch.by_row, batch.by_example | own)


def predict(
    encoder: Encoder, head: Head, params: Params, examples: Examples, change: Change | None = None
) -> np.ndarray:
    """Scores of one model; arguments and result as `predict_stack`, without the leading axis."""
    mesh = stack_mesh()
    placed = place_params([params], encoder.family, mesh) if mesh else jax.tree.map(lambda leaf: leaf[None], params)
    return predict_stack(encoder, head, placed, examples, change)[0]


def predict_stack(
    encoder: Encoder, head: Head, params: Params, examples: Examples, change: Change | None = None
) -> np.ndarray:
    """Scores float32 [S, n, outputs] of S models in the order of `examples`, streamed once, packed; no dropout.

    Of spans: [S, n, 4], as `data.span_decoding.decoded` gives them. Of tagging: [S, words, outputs], in the order of
    `examples.anchors`. Of choice: [S, items, choices].

    Args:
        params: {"encoder": ..., "head": ...}, a stack [S, ...]; on several devices placed by `place_params`.

    Raises:
        InputError: examples of a tokenizer that does not belong to the encoder.
    """
    examples.check_fits(encoder.config)
    size = jax.tree.leaves(params)[0].shape[0]
    mesh = stack_mesh(size)
    params = jax.device_put(params) if mesh is None else params
    anchors = _anchors_by_example(examples) if head.kind.name == "token_classification" else None
    outputs = 4 if head.kind.name == "question_answering" else head.outputs
    scores = np.zeros((size, len(examples) if anchors is None else len(examples.anchors), outputs), np.float32)
    static = {"encoder": encoder, "head": head, "change": change and change.function, "mesh": mesh}
    shared = place_whole(change.shared, mesh) if change else None
    pending = collections.deque()

    def placed(indices: np.ndarray, batch: Batch) -> Batch:
        own = change.added_to(batch.inputs, indices) if change else batch.inputs
        return place_batch(own, mesh, stack=False)

    def fits(shape: tuple[int, int, int]) -> bool:
        program = predict_program(params, placed(*next(packing.stream(examples, *shape))), shared, **static).result()
        free, needed = device_bytes(jax.local_devices()[0]), extra_bytes(program.run)
        return free is None or needed is None or needed <= SHARE_OF_MEMORY * smallest(free)

    def collect() -> None:
        indices, batch, found = pending.popleft()
        found = jax.device_get(found)
        if head.kind.name == "question_answering":
            for own, logits in zip(scores, found, strict=True):
                ragged = _logits_of_batch(examples, indices, batch, logits)
                own[indices] = decoded(ragged, indices, examples.windows, examples.summaries[indices])
        elif anchors is None:
            scores[:, indices] = found[:, : len(indices)]
        else:
            words, rows, positions = _words_of_batch(examples, anchors, indices, batch)
            scores[:, words] = found[:, rows, positions]

    shapes = [stream_shape(examples, data_shards(mesh), tokens) for tokens in _tokens_per_batch(examples)]
    shape = next((shape for shape in shapes[:-1] if fits(shape)), shapes[-1])
    for indices, batch in packing.stream(examples, *shape):
        pending.append((indices, batch, predict_step(params, placed(indices, batch), shared, **static)))
        if len(pending) > IN_FLIGHT:
            collect()
    while pending:
        collect()
    return scores.reshape(size, -1, examples.choices) if head.kind.name == "multiple_choice" else scores


def _tokens_per_batch(examples: Examples) -> list[int]:
    """Sizes of a batch to try, largest first: none needlessly beyond all of the examples."""
    if jax.default_backend() == "cpu":
        return [TOKENS_PER_BATCH]
    doublings = range((MOST_TOKENS // TOKENS_PER_BATCH).bit_length())
    sizes = [TOKENS_PER_BATCH << doubling for doubling in doublings]
    return [size for size in sizes if size < 2 * len(examples.ids)][::-1] or sizes[:1]


def _anchors_by_example(examples: Examples) -> Ragged:
    """The numbers of the words (indices of `examples.anchors`) of each example."""
    owner = np.searchsorted(examples.offsets, examples.anchors, side="right") - 1
    return Ragged(np.argsort(owner, kind="stable"), offsets_of(np.bincount(owner, minlength=len(examples))))


def _logits_of_batch(examples: Examples, indices: np.ndarray, batch: Batch, found: np.ndarray) -> Ragged:
    """Of each example in a batch, the scores of its tokens: arrays [tokens, outputs] of found [B, T, outputs]."""
    slots, lengths = len(indices), examples.lengths[indices]
    first = batch.by_example["summary_positions"][:slots] - examples.summaries[indices]
    places = ragged_positions(
        batch.by_example["summary_rows"][:slots].astype(np.int64) * found.shape[1] + first, lengths
    )
    return Ragged(found.reshape(-1, found.shape[-1])[places], offsets_of(lengths))


def _words_of_batch(
    examples: Examples, anchors: Ragged, indices: np.ndarray, batch: Batch
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The words that a batch holds, with the row and position of the token that stands for each: int64 [w] each."""
    counts = anchors.lengths[indices]
    words = anchors.values[ragged_positions(anchors.offsets[indices], counts)]
    slots = np.repeat(np.arange(len(indices)), counts)
    first = batch.by_example["summary_positions"][: len(indices)] - examples.summaries[indices]
    within = examples.anchors[words] - examples.offsets[indices][slots]
    return words, batch.by_example["summary_rows"][slots], first[slots] + within
