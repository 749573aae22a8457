"""Our side of the benches of training and evaluation; no other module of the benches knows how a stage is built."""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import jax
import numpy as np

from itt_jax import families, kinds
from itt_jax.batch import Batch
from itt_jax.bench import torch_peer
from itt_jax.bench.choices import SIZES, Data
from itt_jax.bench.workload import Training, Workload
from itt_jax.config import LanguageModel, Recipe
from itt_jax.data import packing
from itt_jax.data.examples import Examples, assemble
from itt_jax.data.order import step_indices
from itt_jax.data.tokenizing import load_tokenizer
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import RowForms, row_forms
from itt_jax.kinds import kind
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.models import Encoder, make_encoder, make_head
from itt_jax.models.hardware import multiplies_bfloat16
from itt_jax.ragged import offsets_of
from itt_jax.tasks.catalog import get
from itt_jax.train import ceiling, corpus, described, precision
from itt_jax.train.compiling import program
from itt_jax.train.feeds import Feed, build_step
from itt_jax.train.flops import PASSES, forward_flops
from itt_jax.train.jobs import Job, TaskData
from itt_jax.train.language_feeds import language_feed
from itt_jax.train.loop import Run, Stack
from itt_jax.train.memory import keep_freed_memory
from itt_jax.train.predict import predict, stream_shape
from itt_jax.train.prefetch import prefetched
from itt_jax.train.sharding import Share, data_shards, on_host, place_batch, place_by_run, stack_mesh
from itt_jax.train.state import Params, stacked
from itt_jax.train.step import predict_step, train_step
from itt_jax.train.task_feeds import job_feeds

BATCH = 32
STAGE_STEPS = 3000  # length of the stage that the timed steps belong to: long enough for all its row shapes
SEED = 0
CEILING_REPEATS = 3
VOCABULARY = 30_000  # number of distinct random ids


@dataclasses.dataclass(frozen=True)
class Counts:
    """Tokens and FLOPs of a number of steps.

    Attributes:
        tokens: tokens without padding.
        positions: tokens with padding.
        flops: FLOPs of a forward pass over the tokens without padding; of a trainer's steps, without what the last
            layer leaves out.
        position_flops: the same if every row held one example of its full length.
    """

    tokens: int
    positions: int
    flops: float
    position_flops: float

    @property
    def packing_efficiency(self) -> float:
        """Share of the positions that are not padding."""
        return self.tokens / self.positions


AnyWork = TypeVar("AnyWork", bound=Training)


def with_dtype(work: AnyWork, dtype: str) -> AnyWork:
    """The same workload with activations and matrix products in `dtype`."""
    own = precision.ARITHMETICS[dtype]
    task = dataclasses.replace(work.task, head=precision.computing_in(work.task.head, own))
    return dataclasses.replace(work, encoder=precision.computing_in(work.encoder, own), task=task)


def recipe_of(work: Training, batch_size: int = BATCH) -> Recipe:
    """The default recipe: AdamW with clipping, linear warm-up and dropout."""
    data = work.data
    return Recipe(steps=STAGE_STEPS, batch_size=batch_size, accumulate=data.accumulate, max_length=data.max_length)


def initial(work: Training, seed: int = SEED) -> Params:
    """Random parameters: {"encoder": ..., "head": ...}."""
    encoder_key, head_key = jax.random.split(jax.random.key(seed))
    return {"encoder": jax.jit(work.encoder.init)(encoder_key), "head": jax.jit(work.task.head.init)(head_key)}


def batches_of(work: Training, steps: Sequence[int]) -> list[list[int]]:
    """Indices of the examples of each step, which the peer gets too."""
    return [step_indices(work.task.examples.items, BATCH, SEED, step).tolist() for step in steps]


class Trainer:
    """Input and steps as in a training stage, for one run or for vmapped runs with the given seeds."""

    def __init__(self, work: Training, batch_size: int = BATCH, seeds: Sequence[int] = (SEED,)):
        self._work, recipe, self._mesh = work, recipe_of(work, batch_size), stack_mesh(len(seeds))
        params = initial(work)
        jobs = [Job((work.task,), None, params, recipe, 2e-5, seed) for seed in seeds]
        self._feeds = job_feeds(work.encoder, jobs, data_shards(self._mesh))
        started = {"encoder": params["encoder"], "heads": (params["head"],)}
        keys = [jax.random.key(seed) for seed in seeds]
        runs = [Run(started, feed, key, 2e-5, STAGE_STEPS) for key, feed in zip(keys, self._feeds, strict=True)]
        self._stack = Stack(work.encoder, runs, recipe, mesh=self._mesh)
        self._active = place_by_run(np.ones(len(seeds), bool), self._mesh)

    def run(self, steps: Sequence[int]) -> float:
        """Make these steps, with input from a background thread; returns the last loss, averaged over runs."""
        stack = self._stack
        with contextlib.closing(prefetched(self._input, steps)) as inputs:
            for objective, batch in inputs:
                stack.state, metrics = train_step(
                    stack.state, batch, stack.key, self._active, objective=objective, optimizer=stack.optimizer
                )
        jax.block_until_ready(stack.state)
        return float(on_host(metrics["loss"]).mean())

    def wait(self) -> None:
        """Block until the parameters are initialised."""
        jax.block_until_ready(self._stack.state)

    def feed(self, steps: Sequence[int]) -> None:
        """Make only the input of these steps."""
        for step in steps:
            self._together(step)

    def shapes(self, steps: Sequence[int]) -> list[int]:
        """One step of each input shape; running them compiles all programs."""
        return list({self._together(step)[1].row_shape: step for step in steps}.values())

    def counts(self, steps: Sequence[int]) -> Counts:
        """Tokens of these steps in all runs."""
        fed = [self._together(step) for step in steps]
        shapes = [batch.row_shape for _, batch, _ in fed]
        rows = np.concatenate([np.full(np.prod(shape[:-1]), shape[-1]) for shape in shapes])
        own = [feed for feeds, *_ in fed for feed in feeds]
        tokens, flops = sum(feed.tokens for feed in own), sum(feed.flops for feed in own)
        share = computed(self._work.encoder, tokens, int(sum(batch.by_example["weights"].sum() for _, batch, _ in fed)))
        return Counts(tokens, int(rows.sum()), share * flops, share * forward_flops(self._work.encoder, rows))

    def _together(self, step: int) -> tuple[list[Feed], Batch, Share]:
        feeds = [feed(step) for feed in self._feeds]
        return feeds, *build_step(feeds, self._mesh)

    def _input(self, step: int) -> tuple[Any, Batch]:
        feeds, batch, share = self._together(step)
        return feeds[0].objective, place_batch(batch, self._mesh, share=share)


def computed(encoder: Encoder, tokens: int, examples: int) -> float:
    """Share of a forward pass's model FLOPs that are computed: for one token of each example all, else not the last
    layer's, but for its keys and values. For encoders with as many heads of keys as of queries."""
    layer = encoder.config.matmul_parameters / encoder.config.layers
    left_out = 1 - 2 * encoder.width**2 / layer
    return 1 - left_out * (1 - examples / tokens) / encoder.config.layers


def typical_steps(work: Training, trainer: Trainer, count: int, among: int) -> list[int]:
    """The `count` consecutive steps among the first `among` whose numbers of positions are nearest to the mean.

    Positions are counted both packed and dynamically padded. Only a few steps are timed, so an unusually long example
    would decide the result.
    """
    lengths = work.task.examples.lengths
    packed = np.array([trainer.counts([step]).positions for step in range(among)])
    parts = [torch_peer.parts_of([batch], work.data.accumulate) for batch in batches_of(work, range(among))]
    padded = np.array([padded_counts(work.encoder, lengths, part, None).positions for part in parts])
    windows = np.ones(count) / count
    off = sum(np.abs(np.convolve(one, windows, "valid") / one.mean() - 1) for one in (packed, padded))
    first = int(np.argmin(off))
    return list(range(first, first + count))


def compiled_step(work: Training, batch_size: int, seeds: Sequence[int]) -> tuple[jax.stages.Compiled, Counts, int]:
    """A step of vmapped runs over all devices, compiled from shapes; its token counts; one run's parameter count."""
    jobs = [Job((work.task,), None, {}, recipe_of(work, batch_size), 2e-5, seed) for seed in seeds]
    step = described.training(work.encoder, jobs, stack_mesh(len(seeds)))[0]
    rows = np.full(math.prod(step.row_shape[:-1]), step.row_shape[-1])
    counts = Counts(
        tokens=step.tokens,
        positions=math.prod(step.row_shape),
        flops=step.flops / PASSES,
        position_flops=forward_flops(work.encoder, rows),
    )
    parameters = jax.tree.leaves((work.encoder.shapes(), work.task.head.shapes()))
    return program(step.request).result().run, counts, sum(leaf.size for leaf in parameters)


def padded_counts(encoder: Encoder, lengths: np.ndarray, batches: Sequence[Sequence[int]], fixed: int | None) -> Counts:
    """Tokens of batches whose rows are padded to `fixed`, or to the longest of each batch."""
    own = [lengths[np.asarray(batch)] for batch in batches]
    rows = np.concatenate([np.full(len(batch), fixed or batch.max()) for batch in own])
    real = np.concatenate(own)
    return Counts(int(real.sum()), int(rows.sum()), forward_flops(encoder, real), forward_flops(encoder, rows))


# --- Evaluation


class PerturbedGrid:
    """The parts of an evaluation: perturb rows with every operator and severity, encode, predict.

    Attributes:
        fields: texts of the clean rows, by field.
        inputs: number of rows in all forms.
        distinct: number of distinct inputs among them.
    """

    def __init__(self, work: Workload, rows: int, operators: Sequence[str], severities: Sequence[float]):
        self._work = work
        self._task = get(work.data.task)
        self._rows = work.rows.select(np.arange(len(work.rows)) < rows)
        self._variants = {CLEAN_FORM: None} | {(name, one, 0): None for name in operators for one in severities}
        self._params = initial(work)
        self._block = self.perturb(None)  # also reads the operators' tables, so that reading is not timed
        self._examples = (
            kinds.kind(self._task.kind)
            .inputs(self._task, work.tokenizer, self._rows, self._block.forms, work.data.max_length)
            .examples
        )
        self.fields = list(self._rows.fields.values())
        self.inputs = len(self._rows) * len(self._variants)
        self.distinct = len(self._examples)

    def perturb(self, _: None) -> RowForms:
        """The rows in every form: clean, and each operator at each severity."""
        return row_forms(self._task, self._rows, self._variants, SEED)

    def encode(self, block: RowForms) -> Evaluator:
        """Token ids, with a new tokenizer whose chunk table is empty."""
        tokenizer = load_tokenizer(self._work.tokenizer_folder)
        return Evaluator(tokenizer, self._work.data.max_length, {("task", "split", "en"): block})

    def predict(self, grid: Evaluator) -> None:
        """Predict every distinct input."""
        grid.predict(self._work.encoder, self._work.task.head, self._params)

    def forms(self) -> list[list[str]]:
        """The texts of all forms, by field."""
        return [
            [text for form in self._block.forms.values() for text in form.fields[field]] for field in self._rows.fields
        ]

    @property
    def packing_efficiency(self) -> float:
        """Packing efficiency of the stream of distinct inputs."""
        return evaluation_efficiency(self._examples)

    @property
    def all_batches(self) -> int:
        """Number of batches of the stream without de-duplication."""
        return sum(1 for _ in packing.stream(self._all_examples(), *stream_shape(self._examples)))

    def packed_batches(self) -> dict[tuple, tuple[Batch, int]]:
        """Shape -> (one batch of this shape, their number), for the stream of distinct inputs."""
        return _by_shape(batch for _, batch in packing.stream(self._examples, *stream_shape(self._examples)))

    def padded_batches(self) -> dict[tuple, tuple[Batch, int]]:
        """The same for all rows, one in each row of a batch."""
        return _by_shape(padded_stream(self._all_examples()))

    def runner(self, batch: Batch, dtype: str) -> Callable[[], np.ndarray]:
        """A function that predicts one batch."""
        work = with_dtype(self._work, dtype)
        arrays = jax.device_put(batch.inputs)
        params = stacked([self._params])
        return lambda: np.asarray(predict_step(params, arrays, encoder=work.encoder, head=work.task.head))

    def _all_examples(self) -> Examples:
        tokens = [self._work.tokenizer.encode(texts, self._rows.language) for texts in self.forms()]
        return assemble(self._work.tokenizer, tokens, self._work.data.max_length)


def _by_shape(batches: Iterable[Batch]) -> dict[tuple, tuple[Batch, int]]:
    found: dict[tuple, tuple[Batch, int]] = {}
    for batch in batches:
        shape = batch.row_shape
        found[shape] = (batch, found[shape][1] + 1 if shape in found else 1)
    return found


def evaluation_efficiency(examples: Examples) -> float:
    """Packing efficiency of an evaluation's stream."""
    return _efficiency(examples, (batch for _, batch in packing.stream(examples, *stream_shape(examples))))


def padded_efficiency(examples: Examples) -> float:
    """Share of the positions of `padded_stream` that are tokens."""
    return _efficiency(examples, padded_stream(examples))


def padded_stream(examples: Examples, step: int = 16) -> Iterator[Batch]:
    """All examples in batches of 32, padded to the longest of each batch, rounded up to a multiple of `step`."""
    for first in range(0, len(examples), BATCH):
        indices = np.arange(first, min(first + BATCH, len(examples)))
        length = -(-int(examples.lengths[indices].max()) // step) * step
        yield packing.pad_step(examples, indices, length, BATCH)


def _efficiency(examples: Examples, batches: Iterable[Batch]) -> float:
    return len(examples.ids) / sum(math.prod(batch.row_shape) for batch in batches)


def language_efficiency(work: Workload, batch_size: int, steps: int) -> float:
    """Packing efficiency of a language-model stage on the texts of the rows."""
    recipe = Recipe(steps=STAGE_STEPS, batch_size=batch_size, max_length=128, learning_rates=(1e-4,))
    settings = LanguageModel(recipe=recipe)
    objective = families.family(work.encoder.family).language_model
    head = make_head(work.encoder, objective, work.encoder.config.vocabulary_size)
    texts = [text for field in work.rows.fields.values() for text in field]
    encoded = corpus.encode(corpus.CorpusTexts({work.rows.language: texts}, ()), work.tokenizer, recipe.max_length, 1.0)
    feed = language_feed(head, encoded, work.tokenizer, settings, SEED, STAGE_STEPS, 1)
    fed = [feed(step) for step in range(steps)]
    rows = sum(math.prod(batch.row_shape) for one in fed for batch in one.build(slice(0, one.rows)))
    return sum(one.tokens for one in fed) / rows


# --- Examples of given lengths


def random_examples(encoder: Encoder, lengths: np.ndarray) -> Examples:
    """Random examples of these lengths, of two classes."""
    offsets, random = offsets_of(lengths), np.random.default_rng(SEED)
    return Examples(
        ids=random.integers(10, VOCABULARY, offsets[-1]).astype(np.int32),
        token_type_ids=np.zeros(offsets[-1], np.int8),
        fields=np.ones(offsets[-1], np.int8),
        offsets=offsets,
        summaries=np.zeros(len(lengths), np.int32),  # any position costs the same
        labels=random.integers(0, 2, len(lengths)).astype(np.int32),
        pad_id=encoder.config.pad_id or 0,
        pad_type=0,
    )


class Predictor:
    """An untrained classifier, which predicts random examples."""

    def __init__(self, family: str, sizes: Mapping[str, int]):
        self._encoder = make_encoder(family, vocabulary_size=VOCABULARY, max_positions=512, **sizes)
        self._head = make_head(self._encoder, "classification", 2)
        keys = jax.random.split(jax.random.key(SEED))
        self._params = {"encoder": jax.jit(self._encoder.init)(keys[0]), "head": jax.jit(self._head.init)(keys[1])}

    def examples(self, lengths: np.ndarray) -> Examples:
        """Examples of these lengths."""
        return random_examples(self._encoder, lengths)

    def packed(self, examples: Examples) -> np.ndarray:
        """Scores [n, 2] as an evaluation predicts them."""
        return predict(self._encoder, self._head, self._params, examples)

    def padded(self, examples: Examples) -> np.ndarray:
        """The same from `padded_stream`."""
        params = stacked([self._params])
        found = [
            predict_step(params, jax.device_put(batch.inputs), encoder=self._encoder, head=self._head)
            for batch in padded_stream(examples)
        ]
        return np.concatenate([np.asarray(scores)[0] for scores in found])[: len(examples)]


def full_rows(
    family: str, size: str, length: int, rows: int, dtype: str, steps: int
) -> tuple[dict[str, Callable[[], Any]], dict[str, float]]:
    """Training and inference of `steps` steps on `rows` random examples of `length` tokens, and their FLOPs."""
    encoder = make_encoder(family, vocabulary_size=VOCABULARY, max_positions=512, **SIZES[size])
    examples = random_examples(encoder, np.full(4 * rows, length))
    task = TaskData("full rows", make_head(encoder, "classification", 2), examples, kind("classification"), 2)
    data = Data("", "", max_length=length)
    work = with_dtype(Training(data, encoder, task), dtype)
    trainer, params = Trainer(work, rows), stacked([initial(work)])
    batch = packing.pad_step(examples, np.arange(rows), length, rows)
    arrays = jax.device_put(batch.inputs)

    def infer() -> None:
        for _ in range(steps):
            found = predict_step(params, arrays, encoder=work.encoder, head=work.task.head)
        jax.block_until_ready(found)

    flops = steps * forward_flops(encoder, np.full(rows, length)) * computed(encoder, rows * length, rows)
    works: dict[str, Callable[[], Any]] = {
        "training": functools.partial(trainer.run, range(steps)),
        "inference": infer,
    }
    return works, {"training": 3 * flops, "inference": flops}


# --- Device


def accelerator() -> bool:
    """Whether JAX runs on anything other than a CPU."""
    return jax.default_backend() != "cpu"


def device() -> str:
    """Name of the device; from this call on the process keeps freed memory, as a run does."""
    keep_freed_memory()
    kind = jax.devices()[0].device_kind
    return f"{kind} (a CPU alone)" if not accelerator() else kind


def ceilings() -> dict[str, float]:
    """FLOP/s of large matrix products on this device, by dtype: the best of a few measurements."""
    return {
        name: max(ceiling.measured(own.factor)[0] for _ in range(CEILING_REPEATS))
        for name, own in precision.ARITHMETICS.items()
    }


def training_precisions() -> list[str]:
    """float32, and the fastest with bfloat16: bfloat16 on an accelerator, bfloat16_products on a CPU that has it."""
    if not multiplies_bfloat16():
        return ["float32"]
    return ["float32", "bfloat16" if accelerator() else "bfloat16_products"]
