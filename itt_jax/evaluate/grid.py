"""Many cells at once: every perturbed form of the evaluation rows, encoded once, predicted in one stream."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from itt_jax import perturb
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.evaluate import token_noise
from itt_jax.evaluate.answers import editable_around, moved_answers
from itt_jax.evaluate.inputs import Inputs, encode_block
from itt_jax.evaluate.ranking import Mined, Ranked, mined_cell, pool_examples, ranked_cell, rankings, vectors_of
from itt_jax.evaluate.token_noise import TOKEN_NOISES, NoisyInputs, noisy_inputs
from itt_jax.evaluate.words import LOST, clean_words, kept, moved_words
from itt_jax.models import Encoder, Head
from itt_jax.perturb.engine import LexiconFile
from itt_jax.ragged import Ragged
from itt_jax.tasks import Task, metrics
from itt_jax.tasks.retrieval_metrics import r_precisions
from itt_jax.tasks.span_decoding import answers_of
from itt_jax.tasks.span_metrics import span_item_scores
from itt_jax.tasks.task import MINING_METRICS
from itt_jax.train.predict import predict_stack
from itt_jax.train.sharding import place_params, stack_mesh

CLEAN = ("clean", 0.0, 0)
Key = tuple[str, float, int]
"""A variant: operator name, severity, replicate."""
Place = tuple[str, str, str]
"""Task, split (or slice of one), language."""
Scores = np.ndarray | dict[Key, Ranked] | dict[Key, Mined]
"""Of one block: an array of its distinct inputs, or of retrieval the rankings or mined pairs of each form."""


@dataclasses.dataclass(frozen=True)
class Form:
    """One perturbed form of n rows.

    Attributes:
        fields: field -> n texts. changed: bool [n], some field differs from the clean text.
        edit_rate: grapheme edits per grapheme cluster of the editable fields, over all rows.
        words: of tagging: where each word of each row now begins, or LOST (see `evaluate.words`); None otherwise.
        applicable: bool [n], of spans: whether the right answers still stand in the context; None otherwise.
    """

    fields: dict[str, list[str]]
    changed: np.ndarray
    edit_rate: float
    words: Ragged | None = None
    applicable: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Block:
    """The rows of one task in one language, in every form; token noises follow with a tokenizer."""

    task: Task
    rows: Rows
    forms: dict[Key, Form]
    token_noises: tuple[Key, ...] = ()
    noise_seed: int = 0


def perturbed_block(task: Task, rows: Rows, variants: Mapping[Key, LexiconFile], noise_seed: int) -> Block:
    """Every variant of `rows`; only the task's editable fields are perturbed.

    Args:
        variants: (operator, severity, replicate), for each operator every severity with every replicate; CLEAN is the
            text itself. Each with its lexicon, or None.
    """
    tagged = rows.fields[task.fields[0]] if task.kind == "token_classification" else None
    words = None if tagged is None else clean_words(tagged)
    answered = "context" if task.kind == "question_answering" else None
    forms = {CLEAN: Form(rows.fields, np.zeros(len(rows), bool), 0.0, words)}
    lexicons = {name: lexicon for (name, _, _), lexicon in variants.items() if name != CLEAN[0]}
    for name, lexicon in lexicons.items():
        if name in TOKEN_NOISES:
            continue
        severities = sorted({severity for other, severity, _ in variants if other == name})
        replicates = sorted({replicate for other, _, replicate in variants if other == name})
        made = [
            perturb.variants(
                rows.fields[field],
                name,
                severities,
                rows.language,
                noise_seed,
                ids=list(rows.item_ids),
                field=field,
                replicates=replicates,
                lexicon=lexicon,
                align=tagged is not None or field == answered,
                editable=editable_around(rows.labels, rows.fields[field]) if field == answered else None,
            )
            for field in task.editable_fields
        ]
        for by_field in zip(*made, strict=True):
            texts = {field: variant.texts for field, variant in zip(task.editable_fields, by_field, strict=True)}
            edits, clusters = (sum(int(getattr(v, what).sum()) for v in by_field) for what in ("edits", "clusters"))
            changed = np.logical_or.reduce([variant.changed for variant in by_field])
            key = (name, by_field[0].severity, by_field[0].replicate)
            words = None if tagged is None else moved_words(tagged, by_field[0].sources)
            applicable = None
            if answered in texts:
                sources = by_field[task.editable_fields.index(answered)].sources
                _, applicable = moved_answers(rows.labels, texts[answered], sources)
            forms[key] = Form(rows.fields | texts, changed, edits / max(1, clusters), words, applicable)
    token_noises = [key for key in variants if key[0] in TOKEN_NOISES and task.kind in token_noise.KINDS]
    return Block(task, rows, forms, tuple(token_noises), noise_seed)


@dataclasses.dataclass(frozen=True)
class _Encoded:
    """A block for one tokenizer, with what is the same for every encoder of it."""

    block: Block
    inputs: Inputs
    token_change_rate: dict[Key, float]
    chance: float
    noisy: NoisyInputs | None = None


class Grid:
    """Evaluation blocks as one tokenizer's token ids; predicts with any encoder of that tokenizer.

    Args:
        tokenizer: of the encoder. max_length: tokens of an example. blocks: as `perturbed_block` makes them.
    """

    def __init__(self, tokenizer: Tokenizer, max_length: int, blocks: dict[Place, Block]):
        self._blocks = {place: _encode(tokenizer, max_length, block) for place, block in blocks.items()}
        pools = {id(block.rows.pool): block.rows.pool for block in blocks.values() if block.rows.pool is not None}
        self._pools = {key: pool_examples(tokenizer, max_length, pool) for key, pool in pools.items()}

    def predict(self, encoder: Encoder, head: Head | None, params: dict[str, Any]) -> dict[Place, Scores]:
        """Scores of the distinct inputs of every block, as `train.predict` gives them; of retrieval, rankings.

        Args:
            head: None where every task is retrieval by the encoder alone.
        """
        return self.predict_stack(encoder, head, [params])[0]

    def predict_stack(
        self, encoder: Encoder, head: Head | None, models: Sequence[dict[str, Any]]
    ) -> list[dict[Place, Scores]]:
        """`predict` of each of several parameters, from one stream of inputs (retrieval: one after the other)."""
        found: list[dict[Place, Scores]] = [{} for _ in models]
        if any(own.block.task.kind == "retrieval" for own in self._blocks.values()):
            for params, scores in zip(models, found, strict=True):
                scores |= self._rankings(encoder, head, params)
        others = {place: own for place, own in self._blocks.items() if own.block.task.kind != "retrieval"}
        if others:
            placed = place_params(models, encoder.family, stack_mesh(len(models)))
        for place, own in others.items():
            by_model = predict_stack(encoder, head, placed, own.inputs.examples)
            if own.noisy is not None:
                noisy = predict_stack(encoder, head, placed, own.noisy.examples, own.noisy.change)
                by_model = np.concatenate([by_model, noisy], axis=1)
            for scores, mine in zip(found, by_model, strict=True):
                scores[place] = mine
        return found

    def _rankings(self, encoder: Encoder, head: Head | None, params: dict[str, Any]) -> dict[Place, Scores]:
        pools = {key: vectors_of(encoder, head, params, examples) for key, examples in self._pools.items()}
        return {
            place: rankings(encoder, head, params, own.block, own.inputs, pools.get(id(own.block.rows.pool)))
            for place, own in self._blocks.items()
            if own.block.task.kind == "retrieval"
        }

    def cell(self, scores: dict[Place, Scores], place: Place, variant: Key, task: Task) -> "Result":
        """One cell from the scores of `predict`.

        Args:
            place, variant: which rows, and which form of them.
        """
        own = self._blocks[place]
        form, rows = own.block.forms[variant], own.block.rows
        direct = task.kind in ("question_answering", "retrieval")
        found = None if direct else own.inputs.scores_of(scores[place], variant)
        if task.kind == "token_classification":
            value, columns = _tagged(task, rows, form, found)
        elif task.metric in MINING_METRICS:
            value, columns = mined_cell(rows, scores[place][variant], scores[place][CLEAN])
        elif task.kind == "retrieval":
            value, columns = ranked_cell(task, rows, scores[place][variant])
        elif task.kind == "question_answering":
            value, columns = _answered(task, rows, form, own.inputs, scores[place], variant)
        elif task.kind == "multilabel":
            value, columns = _labelled(task, rows, found)
        else:
            predictions = metrics.predictions_of(task.kind, found)
            value = metrics.value(task, predictions, rows.labels)
            columns = {"prediction": predictions, "scores": list(found), "label": rows.labels}
        applicable = columns.pop("applicable", np.ones(len(rows), bool))
        figures = {
            "metric": task.metric,
            "value": value,
            "chance": own.chance,
            "n": int(applicable.sum()),
            "n_changed": int((form.changed & applicable).sum()),
            "n_not_applicable": int((~applicable).sum()),
            "n_words_lost": 0 if form.words is None else int((form.words.values == LOST).sum()),
            "edit_rate": form.edit_rate,
            "token_change_rate": own.token_change_rate[variant],
        }
        about = {"item_id": [str(item) for item in rows.item_ids]}
        return Result(figures, about | columns | {"changed": form.changed, "applicable": applicable})


@dataclasses.dataclass(frozen=True)
class Result:
    """A cell's figures (columns of the results) and its table of predictions (columns per example)."""

    figures: dict[str, Any]
    columns: dict[str, Any]


def _tagged(task: Task, rows: Rows, form: Form, scores: Ragged) -> tuple[float, dict[str, Any]]:
    """The value and the columns of a cell of tagging, over the words that are left; a row without any counts nowhere.

    Columns hold lists, one entry a word: "word" is its number in the clean text, "scores" the log-probability of the
    predicted tag. "correct", "predicted" and "actual" count the row's entities (or words), which the metric sums.
    """
    labels = kept(rows.labels, form.words)
    predictions = labels.with_values(metrics.predictions_of(task.kind, scores.values))
    numbers = Ragged.of(map(np.arange, form.words.lengths), np.int32)
    counts = metrics.tagging_counts(task.metric, predictions, labels, task.labels)
    likelihood = scores.values.max(1) - np.logaddexp.reduce(scores.values, axis=1)
    columns = {
        "prediction": predictions.arrays(),
        "scores": labels.with_values(likelihood).arrays(),
        "label": labels.arrays(),
        "word": kept(numbers, form.words).arrays(),
        "applicable": labels.lengths > 0,
    }
    columns |= dict(zip(metrics.COUNTS, counts.T, strict=True))
    return float(metrics.of_counts(counts.sum(0))), columns


def _answered(
    task: Task, rows: Rows, form: Form, inputs: Inputs, scores: np.ndarray, variant: Key
) -> tuple[float, dict[str, Any]]:
    """The value and the columns of a cell of answers, over the rows whose right answers are still in the context.

    Columns: "prediction" is text, "label" the right answers, "scores" those of the answer and of none,
    "exact_match", "f1" and (the task's metric) "item_value" score each row.
    """
    texts, own = answers_of(scores, inputs.examples.windows, form.fields["context"], inputs.index[variant])
    protocol, _, name = task.metric.partition("_")
    by_item = span_item_scores(texts, rows.labels.texts, protocol, rows.language)
    applicable = np.ones(len(rows), bool) if form.applicable is None else form.applicable
    columns = {"prediction": texts, "scores": list(own), "label": rows.labels.texts, **by_item}
    columns |= {metrics.ITEM_VALUE: by_item[name], "applicable": applicable}
    return float(by_item[name][applicable].mean()) if applicable.any() else 0.0, columns


def _labelled(task: Task, rows: Rows, scores: np.ndarray) -> tuple[float, dict[str, Any]]:
    """The value and the columns of a cell of several labels a row; where it ranks, a row without any counts nowhere.

    Columns hold lists: "prediction" the indices of the classes with positive scores, "label" of the right ones,
    "scores" all scores (log-odds).
    """
    columns = {
        "prediction": [np.flatnonzero(own > 0) for own in scores],
        "label": [np.flatnonzero(own) for own in rows.labels],
        "scores": list(scores),
    }
    if task.metric == "r_precision":
        by_item, applicable = r_precisions(scores, rows.labels), rows.labels.any(axis=1)
        columns |= {metrics.ITEM_VALUE: np.where(applicable, by_item, 0.0), "applicable": applicable}
        return float(by_item[applicable].mean()) if applicable.any() else 0.0, columns
    columns[metrics.LABEL_COUNTS] = list(metrics.label_counts(scores, rows.labels).reshape(len(rows), -1))
    return metrics.value(task, scores, rows.labels), columns


def _encode(tokenizer: Tokenizer, max_length: int, block: Block) -> _Encoded:
    """A block's inputs and what follows from them and from its clean labels alone."""
    inputs = encode_block(tokenizer, max_length, block)
    rates = {key: inputs.token_change_rate(CLEAN, key) for key in block.forms}
    encoded = _Encoded(block, inputs, rates, metrics.chance_of(block.task, block.rows.labels))
    return _with_token_noises(tokenizer, encoded) if block.token_noises else encoded


def _with_token_noises(tokenizer: Tokenizer, own: _Encoded) -> _Encoded:
    """The block with a form for each of its token noises; their scores come after those of the distinct inputs."""
    block, inputs = own.block, own.inputs
    clean, n, distinct = inputs.index[CLEAN], len(block.rows), len(inputs.examples)
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
