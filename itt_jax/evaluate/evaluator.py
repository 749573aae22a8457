"""Many cells at once: every form of the evaluation rows is encoded once and predicted in one stream."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from itt_jax import kinds, metrics
from itt_jax.data.examples import Examples
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.evaluate.forms import Place, RowForms
from itt_jax.evaluate.token_noise import NoisyInputs, noisy_inputs
from itt_jax.evaluate.vectors import compared, pool_examples, vectors_of
from itt_jax.kinds.forms import CLEAN_FORM, LOST, Form, FormKey, Inputs
from itt_jax.kinds.retrieval import Mined, Ranked
from itt_jax.models import Encoder, Head
from itt_jax.models.embedder import Embedder
from itt_jax.tasks import Task
from itt_jax.train.predict import predict_stack
from itt_jax.train.sharding import place_params, stack_mesh
from itt_jax.train.stage import predicted_together
from itt_jax.train.vectors import xtreme_embedder

Scores = np.ndarray | dict[FormKey, Ranked] | dict[FormKey, Mined] | dict[FormKey, np.ndarray]
"""Scores of the distinct inputs of one task's rows; from vectors, the rankings, mined pairs or cosines of each form."""


@dataclasses.dataclass(frozen=True)
class CellResult:
    """A cell's figures (columns of the results) and its table of predictions (columns per example)."""

    figures: dict[str, Any]
    columns: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class _Encoded:
    """The forms of one task's rows for one tokenizer, with everything that is independent of the model."""

    block: RowForms
    inputs: Inputs
    token_change_rate: dict[FormKey, float]
    chance: float
    by_vectors: bool
    noisy: NoisyInputs | None = None


Tell = Callable[[str, float], None]
"""Called with the current activity, and the share of the predictions made so far."""


def tell_nobody(doing: str, share: float) -> None:
    """The `Tell` of a caller that shows no progress."""


class Evaluator:
    """Forms of evaluation rows as one tokenizer's token ids; predicts with any encoder of that tokenizer.

    Args:
        max_length: longest example in tokens. blocks: as `row_forms` returns them.
        embedder: makes the vectors of an encoder without a head, from which every task is then predicted. None: a head
            predicts the tasks that need one, and the others are predicted as in XTREME.
        tell: called with the progress of encoding and prediction.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        max_length: int,
        blocks: dict[Place, RowForms],
        embedder: Embedder | None = None,
        tell: Tell = tell_nobody,
    ):
        self._embedder, prefix, self._tell = embedder, embedder.prefix if embedder else "", tell
        self._predicted = 0
        self._blocks: dict[Place, _Encoded] = {}
        for number, (place, block) in enumerate(blocks.items(), 1):
            tell(f"encoding {len(block.forms):,} forms of {named(place)} ({number} of {len(blocks)})", 0.0)
            self._blocks[place] = _encode(tokenizer, max_length, block, embedder is not None, prefix)
        pools = {id(block.rows.pool): block.rows.pool for block in blocks.values() if block.rows.pool is not None}
        self._pools = {key: pool_examples(tokenizer, max_length, pool, prefix) for key, pool in pools.items()}

    def predict(self, encoder: Encoder, head: Head | None, params: dict[str, Any]) -> dict[Place, Scores]:
        """Scores of the distinct inputs at every place.

        Args:
            head: None if every task is predicted only from vectors of the encoder.
        """
        return self.predict_stack(encoder, head, [params])[0]

    def predict_stack(
        self, encoder: Encoder, head: Head | None, models: Sequence[dict[str, Any]]
    ) -> list[dict[Place, Scores]]:
        """`predict` for several models; those that fit the devices together share one stream of inputs. Predictions
        from vectors are made for one model after the other."""
        found: list[dict[Place, Scores]] = [{} for _ in models]
        self._predicted = 0
        others = {place: own for place, own in self._blocks.items() if not own.by_vectors}
        if len(others) < len(self._blocks):
            for number, (params, scores) in enumerate(zip(models, found, strict=True), 1):
                self._tell(f"vectors and neighbours ({number} of {len(models)})", 0.0)
                scores |= self._compared(encoder, head, params)
        size = predicted_together(models) if others else len(models)
        for first in range(0, len(models), size) if others else ():
            assert head is not None  # blocks that are not compared by vectors have one
            together = slice(first, first + size)
            self._predict_together(others, encoder, head, models[together], found[together], -(-len(models) // size))
        return found

    def _predict_together(
        self,
        blocks: dict[Place, _Encoded],
        encoder: Encoder,
        head: Head,
        models: Sequence[dict[str, Any]],
        found: Sequence[dict[Place, Scores]],
        streams: int,
    ) -> None:
        """Add the scores of models whose parameters are on the devices together.

        Args:
            streams: how often the inputs are streamed for all models.
        """
        placed = place_params(models, encoder.family, stack_mesh(len(models)))
        sizes = [len(part.examples) for own in blocks.values() for part in (own.inputs, own.noisy) if part is not None]
        for place, own in blocks.items():
            heard = self._counter(place, streams * sum(sizes))
            by_model = predict_stack(encoder, head, placed, own.inputs.examples, progress=heard)
            if own.noisy is not None:
                noisy = predict_stack(encoder, head, placed, own.noisy.examples, own.noisy.change, progress=heard)
                by_model = np.concatenate([by_model, noisy], axis=1)
            for scores, mine in zip(found, by_model, strict=True):
                scores[place] = mine

    def _counter(self, place: Place, total: int) -> Callable[[int], None]:
        """A function that is called with numbers of predicted inputs and reports their sum over all places."""

        def heard(count: int) -> None:
            self._predicted += count
            share = min(1.0, self._predicted / total)  # inputs that are repeated singly count twice
            self._tell(f"predicting {named(place)}, {self._predicted:,} of {total:,} distinct inputs", share)

        return heard

    def _compared(self, encoder: Encoder, head: Head | None, params: dict[str, Any]) -> dict[Place, Scores]:
        blocks = {place: own for place, own in self._blocks.items() if own.by_vectors}
        heads = {kinds.kind(own.block.task.kind).head for own in blocks.values()}
        trained = head if head is not None and head.kind.name in heads else None
        embedder = self._embedder or xtreme_embedder(encoder)

        def vectors(examples: Examples) -> np.ndarray:
            return vectors_of(encoder, trained, params, examples, embedder)

        pools = {key: vectors(examples) for key, examples in self._pools.items()}
        return {
            place: compared(vectors(own.inputs.examples), own.block, own.inputs, pools.get(id(own.block.rows.pool)))
            for place, own in blocks.items()
        }

    def cell(self, scores: dict[Place, Scores], place: Place, key: FormKey, task: Task) -> CellResult:
        """One cell from the scores that `predict` returned.

        Args:
            place: names the rows. key: names their form. task: supplies metric and label names.
        """
        own = self._blocks[place]
        form, rows = own.block.forms[key], own.block.rows
        kind = kinds.kind(task.kind)
        value, applicable, columns = kind.cell(task, rows, form, own.inputs, scores[place], key)
        figures = {
            "metric": task.metric,
            "value": value,
            "chance": own.chance,
            "n": int(applicable.sum()),
            "n_changed": int((form.changed & applicable).sum()),
            "n_not_applicable": int((~applicable).sum()),
            "n_words_lost": 0 if form.words is None else int((form.words.values == LOST).sum()),
            "edit_rate": form.edit_rate,
            "token_change_rate": own.token_change_rate[key],
            **form.figures,
        }
        about = {"item_id": [str(item) for item in rows.item_ids]}
        flags = {"changed": form.changed, "applicable": applicable}
        return CellResult(figures, about | columns | flags | dict(form.columns))


def named(place: Place) -> str:
    """The name of a place's rows in a line of progress."""
    task, split, language = place
    return f"{task} {language}" if split == "test" else f"{task} {split} {language}"


def _encode(tokenizer: Tokenizer, max_length: int, block: RowForms, by_vectors: bool, prefix: str) -> _Encoded:
    """A block's inputs, and the figures that follow from them and from its labels."""
    task, rows, kind = block.task, block.rows, kinds.kind(block.task.kind)
    by_vectors = by_vectors or kind.by_vectors
    if by_vectors:
        inputs = kind.compared_inputs(task, tokenizer, rows, block.forms, max_length, prefix)
    else:
        inputs = kind.inputs(task, tokenizer, rows, block.forms, max_length)
    rates = {key: inputs.token_change_rate(key) for key in block.forms}
    chance = metrics.metric(task.metric).chance(rows.labels, task.labels)
    encoded = _Encoded(block, inputs, rates, chance, by_vectors)
    return _with_token_noises(tokenizer, encoded) if block.token_noises else encoded


def _with_token_noises(tokenizer: Tokenizer, own: _Encoded) -> _Encoded:
    """The block with a form for each of its token noises, whose scores follow those of the distinct inputs."""
    block, inputs = own.block, own.inputs
    clean, n, distinct = inputs.index[CLEAN_FORM], len(block.rows), len(inputs.examples)
    ids = [str(item) for item in block.rows.item_ids]
    noisy = noisy_inputs(tokenizer, inputs.examples, clean, block.token_noises, ids, block.noise_seed)
    tokens = int(inputs.examples.lengths[clean].sum())
    forms, index, rates = dict(block.forms), dict(inputs.index), dict(own.token_change_rate)
    for k, (key, hits) in enumerate(zip(block.token_noises, noisy.hits, strict=True)):
        forms[key] = Form(block.rows.fields, hits > 0, 0.0)
        index[key] = distinct + k * n + np.arange(n)
        rates[key] = int(hits.sum()) / max(1, tokens)
    return dataclasses.replace(
        own,
        block=dataclasses.replace(block, forms=forms),
        inputs=dataclasses.replace(inputs, index=index),
        token_change_rate=rates,
        noisy=noisy,
    )
