"""Scores of a whole set of examples: streamed once in packed batches, for one model or a stack of models."""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Iterator

import jax
import numpy as np

from itt_jax.batch import Batch
from itt_jax.data import packing
from itt_jax.data.examples import Examples
from itt_jax.models import Encoder, Head
from itt_jax.models.hardware import hardware
from itt_jax.train.memory import extra_bytes, free_bytes, is_out_of_memory
from itt_jax.train.microbatches import on_chip_tokens
from itt_jax.train.outputs import gather
from itt_jax.train.processes import await_others, smallest
from itt_jax.train.sharding import Share, data_shards, place_batch, place_params, place_whole, stack_mesh
from itt_jax.train.state import Params
from itt_jax.train.step import predict_program

LENGTHS = (64, 128, 256, 512)
"""Row lengths of evaluation streams: few, so that stages share their programs."""
TOKENS_PER_BATCH = 4096
"""Tokens per batch and device; larger batches do not help on a CPU."""
FEW_TOKENS, FEW_FLOPS = (256, 1024), 1e9
"""Fewest and most tokens, and FLOPs, per batch on a CPU for callers with few examples at a time. At base size a token
takes no longer in 256 than in a larger batch, and less of a call's last batch is padding. With two layers of width 128
it takes half as long in 1024."""
MOST_TOKENS = 65536
"""Maximum number of tokens per batch on an accelerator, where memory allows."""
SHARE_OF_MEMORY = 0.8
"""Share of the free memory that a batch may take."""
IN_FLIGHT = 8
"""Maximum number of batches in flight; more would only keep outputs in the device's memory."""


@dataclasses.dataclass(frozen=True)
class Change:
    """A change of every batch on the device, before the encoder reads it.

    Attributes:
        function: pure function (batch, shared) -> batch, defined at module level so that its program is found again.
        by_example: arrays [n, ...], one entry per example; a batch holds those of its examples.
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
    encoder: Encoder,
    head: Head,
    params: Params,
    examples: Examples,
    change: Change | None = None,
    progress: Callable[[int], None] | None = None,
    few: bool = False,
) -> np.ndarray:
    """Scores float32 [S, n, outputs] of S models for all examples, in their order; no dropout.

    Scores that are not finite are those of the example itself, never of its neighbours in a packed row.

    Token classification: [S, words, outputs], in the order of `Examples.anchors`. Multiple choice: [S, items, choices].
    Question answering: [S, n, 4], as `data.span_decoding.decoded` returns them.

    Args:
        params: {"encoder": ..., "head": ...}, a stack [S, ...]; on several devices placed by `place_params`.
        progress: called with the number of examples of each batch that is done.
        few: the caller has few examples at a time, again and again. On a CPU, batches are then small.

    Raises:
        InputError: the examples' tokenizer does not fit the encoder.
    """
    examples.check_fits(encoder.config)
    stream = _Stream(encoder, head, params, examples, change)
    most = on_chip_tokens(encoder, stream.models, stream.mesh)
    sizes = batch_sizes(len(examples.ids), encoder.config.matmul_parameters if few else None, most)
    tried = [stream_shape(examples, data_shards(stream.mesh), tokens, few) for tokens in sizes]
    shape = next((shape for shape in tried[:-1] if stream.fits(shape)), tried[-1])
    gathered, share = gather(head, examples, stream.models), stream.share(shape)

    def fill(batches: Iterable[tuple[np.ndarray, Batch]]) -> None:
        for indices, batch, outputs in stream.outputs(batches, share):
            gathered.add(indices, batch, outputs)
            if progress:
                progress(len(indices))

    fill(packing.stream(examples, *shape, share.own_rows))
    if len(alone := packing.to_repeat(gathered.spoiled)):
        fill(packing.stream_alone(examples, alone, *shape, share.own_rows))
    return gathered.scores


class _Stream:
    """A stack of models and the examples that are streamed through it; arguments as of `predict_stack`."""

    def __init__(self, encoder: Encoder, head: Head, params: Params, examples: Examples, change: Change | None):
        self.models: int = jax.tree.leaves(params)[0].shape[0]
        self.mesh = stack_mesh(self.models)
        self.params = jax.device_put(params) if self.mesh is None else params
        self.examples, self.change = examples, change
        self.static = {"encoder": encoder, "head": head, "change": change and change.function, "mesh": self.mesh}
        self.shared = place_whole(change.shared, self.mesh) if change else None

    def share(self, shape: tuple[int, int, int]) -> Share:
        """This process's share of batches of a shape."""
        return Share.of(self.mesh, self.models, shape[0])

    def placed(self, indices: np.ndarray, batch: Batch, share: Share) -> Batch:
        """The batch of examples `indices` on the devices."""
        own = self.change.added_to(batch.inputs, indices) if self.change else batch.inputs
        return place_batch(own, self.mesh, stack=False, share=share)

    def fits(self, shape: tuple[int, int, int]) -> bool:
        """Whether batches of a shape fit the free memory."""
        share = self.share(shape)
        first = self.placed(*next(packing.stream(self.examples, *shape, share.own_rows)), share)
        try:
            program = predict_program(self.params, first, self.shared, **self.static).result()
        except jax.errors.JaxRuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return False
        free, needed = free_bytes(), extra_bytes(program.run)
        return free is None or needed is None or needed <= SHARE_OF_MEMORY * smallest(free)

    def outputs(
        self, batches: Iterable[tuple[np.ndarray, Batch]], share: Share
    ) -> Iterator[tuple[np.ndarray, Batch, np.ndarray]]:
        """Each batch with the outputs of all models on the host; IN_FLIGHT more are on the devices."""
        pending: collections.deque[tuple[np.ndarray, Batch, jax.Array]] = collections.deque()
        run = None
        for indices, batch in batches:
            given = self.placed(indices, batch, share)
            if run is None:
                run = predict_program(self.params, given, self.shared, **self.static).result().run
                await_others()  # a first collective of processes on CPUs waits for them for half a minute only
            pending.append((indices, batch, run(self.params, given, self.shared)))
            if len(pending) > IN_FLIGHT:
                yield jax.device_get(pending.popleft())
        while pending:
            yield jax.device_get(pending.popleft())


def stream_shape(
    examples: Examples, shards: int = 1, tokens: int = TOKENS_PER_BATCH, few: bool = False
) -> tuple[int, int, int]:
    """Rows, row length and example slots of the batches in which `examples` are streamed.

    Args:
        shards: devices that share the rows, with `tokens` each.
        few: on a CPU, a row has room for two of the longest examples, as far as `LENGTHS` allows, so that less of it is
            padding where lengths are alike.
    """
    longest, there = int(examples.lengths.max()), hardware()
    if there.platform != "cpu":
        longest = -(-longest // there.row_multiple) * there.row_multiple
    room = 2 * longest if few and there.platform == "cpu" else longest
    fitting = [length for length in LENGTHS if length >= longest] or [longest]
    length = next((length for length in fitting if length >= room), fitting[-1])
    rows = max(1, tokens // length) * shards
    return rows, length, max(rows, 8) * length // 16  # few rows may be full of examples of two tokens


def batch_sizes(total: int, few: int | None = None, most: int | None = None) -> list[int]:
    """Tokens per batch and device to try, largest first; of several sizes, none is twice all examples' `total` or more.

    Args:
        few: the encoder's `matmul_parameters` if the caller has few examples at a time, as in `predict_stack`.
        most: the maximum, but for the smallest size; None: MOST_TOKENS.
    """
    if hardware().platform == "cpu":
        if few is None:
            return [TOKENS_PER_BATCH]
        least, tokens = FEW_TOKENS
        while tokens > least and 2 * few * tokens > FEW_FLOPS:
            tokens //= 2
        return [tokens]
    doublings = range((MOST_TOKENS // TOKENS_PER_BATCH).bit_length())
    sizes = [TOKENS_PER_BATCH << doubling for doubling in doublings]
    return [size for size in sizes if size < 2 * total and size <= (most or MOST_TOKENS)][::-1] or sizes[:1]
