"""Making one stage of a plan: parameters in, parameters out, saved with what they cost."""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import numpy as np

from itt_jax.config import EncoderSpec
from itt_jax.data import contamination
from itt_jax.data.answers import Answers
from itt_jax.data.parallel import ParallelTexts
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer, load_tokenizer, train_tokenizer
from itt_jax.models import Encoder, Head, from_pretrained, local_folder, make_encoder, make_head
from itt_jax.ragged import Ragged
from itt_jax.store.folder import Store
from itt_jax.study.material import Material, Selection
from itt_jax.study.plan import Plan, Stage
from itt_jax.tasks import Task, metrics
from itt_jax.tasks.inputs import kept_examples, outputs_of
from itt_jax.tasks.span_decoding import SpanGold
from itt_jax.train.checkpoint import forget_resume, load_checkpoint, load_seen, save_checkpoint
from itt_jax.train.language import Corpus, language_model
from itt_jax.train.precision import in_dtype, training_dtype
from itt_jax.train.predict import default_metric
from itt_jax.train.result import StageResult
from itt_jax.train.stage import Job, TaskData, fine_tune_stack, stack_size

MOST_TOGETHER = 64
"""Stages claimed at once on an accelerator; how many of them train at once its memory decides."""


@dataclasses.dataclass(frozen=True)
class Body:
    """An encoder with its parameters and tokenizer, as a stage starts from and leaves it."""

    encoder: Encoder
    params: dict
    tokenizer: Tokenizer


class StageMaker:
    """Makes the stages of one plan; keeps the body that stages of one encoder start from.

    Args:
        progress: called with (steps done, steps, {"loss" or "dev": value, ...}).
        stack: fine-tunings trained together at most; None decides by the memory at hand.
    """

    def __init__(self, store: Store, plan: Plan, material: Material, progress: Callable, stack: int | None = None):
        self.store, self.stack = store, stack
        self.plan = plan
        self.material = material
        self.progress = progress
        self.specs = {spec.name: spec for spec in plan.study.encoders}
        self._bodies: dict[str, Body] = {}
        self._data: dict[tuple, TaskData] = {}

    def stack_key(self, stage: Stage) -> tuple | None:
        """Equal for stages that may train together, by what the plan knows; None for one that trains alone."""
        if stage.recipe is None or len({selection.task for selection in stage.training}) != 1:
            return None
        task = self.material.task(stage.training[0].task)
        recipe = dataclasses.replace(stage.recipe, steps=None, epochs=0.0, learning_rates=())
        return stage.model, task.kind, outputs_of(task), task.fields, recipe

    @property
    def most_together(self) -> int:
        """Stages that may train together at most."""
        return self.stack or (1 if jax.default_backend() == "cpu" else MOST_TOGETHER)

    def make(self, stages: Sequence[Stage]) -> list[dict]:
        """Train stages, save their parameters; returns what to record of each.

        Several are fine-tunings of one `stack_key`; they train together, as many at once as `stack` (None: as fit).
        """
        first = stages[0]
        if first.purpose == "pretraining":
            return [self.pretrain(first)]
        if first.purpose == "adaptation":
            return [self.adapt(first)]
        return self.tune(stages)

    def pretrain(self, stage: Stage) -> dict:
        """Make an encoder: its tokenizer, its parameters, its language-model stage."""
        spec = self.specs[stage.model]
        corpus = as_corpus([self.material.corpus(corpus) for corpus in spec.corpus])
        texts = [text for own in corpus.texts.values() for text in own]
        if spec.tokenizer is not None:
            tokenizer = load_tokenizer(local_folder(spec.tokenizer))
        else:
            tokenizer = train_tokenizer(texts, spec.family, spec.vocabulary_size)
        encoder = made_encoder(spec, tokenizer)
        params = encoder.init(jax.random.key(spec.seed))
        recorded = {"steps": 0}
        if stage.settings is not None:
            result = language_model(
                in_dtype(encoder, training_dtype()),
                corpus,
                tokenizer,
                {"encoder": params},
                stage.settings,
                stage.seed,
                directory=self.store.stage(stage.id),
                progress=self.progress,
            )
            params, recorded = result.params["encoder"], summary(result)
        self.save(stage, Body(encoder, params, tokenizer), None, texts)
        forget_resume(self.store.stage(stage.id))
        return recorded

    def adapt(self, stage: Stage) -> dict:
        """Go on with language modelling on domain text (`dapt`), or on as much general text (its control)."""
        body = self.parent(stage)
        texts = [text for selection in stage.training for text in self.material.texts(selection)]
        if stage.match_tokens_of:
            wanted = sum(len(text) for selection in stage.match_tokens_of for text in self.material.texts(selection))
            texts = as_much_text(texts, wanted)
        language = self.material.task(stage.training[0].task).source_language
        result = language_model(
            body.encoder,
            Corpus({language: texts}, []),
            body.tokenizer,
            {"encoder": body.params},
            stage.settings,
            stage.seed,
            directory=self.store.stage(stage.id),
            progress=self.progress,
        )
        self.save(stage, dataclasses.replace(body, params=result.params["encoder"]), None, texts)
        forget_resume(self.store.stage(stage.id))
        return summary(result)

    def tune(self, stages: Sequence[Stage]) -> list[dict]:
        """Fine-tune each stage with each learning rate of its grid; the best on the source language's dev is kept."""
        made = [self.jobs(stage) for stage in stages]
        encoder = made[0][0].encoder
        together = [job for _, jobs in made for job in jobs]
        size = stack_size(encoder, together, self.stack)
        results = []
        for first in range(0, len(together), size):
            results += fine_tune_stack(encoder, together[first : first + size], self.progress)
        recorded = []
        for stage, (body, jobs) in zip(stages, made, strict=True):
            own, results = results[: len(jobs)], results[len(jobs) :]
            recorded.append(self.keep_best(stage, body, jobs, own))
        return recorded

    def jobs(self, stage: Stage) -> tuple[Body, list[Job]]:
        """What a stage starts from, and a fine-tuning for each learning rate."""
        body = self.parent(stage)
        training = self.task_data(stage, body)
        dev = self.data_of(stage, body, (stage.dev,), training=False)
        metric, params = dev_metric(self.material.task(stage.dev.task)), {"encoder": body.params}
        return body, [
            Job(
                training,
                dev,
                params,
                stage.recipe,
                rate,
                stage.seed,
                directory=self.store.stage(stage.id) / f"rate-{rate:g}",
                metric=metric,
            )
            for rate in stage.recipe.learning_rates
        ]

    def keep_best(self, stage: Stage, body: Body, jobs: list[Job], results: list[StageResult]) -> dict:
        """Save the best of a stage's fine-tunings (the first of equals); returns what to record."""
        best = max(range(len(jobs)), key=lambda index: (best_score(results[index]), -index))
        task, result = self.material.task(stage.dev.task), results[best]
        trained = dataclasses.replace(body, params=result.params["encoder"])
        head = (jobs[best].tasks[0].head, result.params["head"], task)
        self.save(stage, trained, head, [t for s in stage.training for t in self.material.texts(s)])
        for job in jobs:
            forget_resume(job.directory)
        return summary(result) | {
            "learning_rate": jobs[best].learning_rate,
            "tried": [
                {"learning_rate": job.learning_rate, "dev": best_score(result)}
                for job, result in zip(jobs, results, strict=True)
            ],
            "flops_of_grid": sum(result.flops for result in results),
        }

    def data_of(self, stage: Stage, body: Body, selections: tuple[Selection, ...], training: bool) -> TaskData:
        """Rows of one task (several languages are joined) as a stage takes them.

        The same object for stages that read alike, so that a stack knows what its runs share.
        """
        length = stage.recipe.max_length
        shuffle = stage.seed if training and stage.shuffle_labels else None
        key = (selections, training, shuffle, stage.model, length)
        if key not in self._data:
            rows_of = self.material.training_rows if training else self.material.rows
            rows = join([rows_of(selection) for selection in selections])
            if shuffle is not None:
                rows = shuffled(self.material.task(selections[0].task), rows, shuffle)
            self._data[key] = self.prepared(selections[0].task, body, self.specs[stage.model], rows, length)
        return self._data[key]

    def task_data(self, stage: Stage, body: Body) -> list[TaskData]:
        """The training data of a stage: one entry a task."""
        by_task: dict[str, list[Selection]] = {}
        for selection in stage.training:
            by_task.setdefault(selection.task, []).append(selection)
        return [self.data_of(stage, body, tuple(selections), training=True) for selections in by_task.values()]

    def prepared(self, name: str, body: Body, spec: EncoderSpec, rows: Rows, max_length: int) -> TaskData:
        """A task's rows with a head for it; their tokens are kept in the store and mapped from there."""
        task = self.material.task(name)
        if task.kind in ("token_classification", "question_answering"):  # a head on tokens pools nothing
            head = make_head(body.encoder, task.kind, outputs_of(task))
        elif task.kind == "retrieval":  # BERT's and RoBERTa's poolers, as XTREME-R's code; XLNet has none
            pooling = "cls" if body.encoder.family == "xlnet" else "pretrained"
            head = make_head(body.encoder, "embedding", body.encoder.width, pooling)
        else:
            pair = spec.pair_features and (len(task.fields) == 2 or task.kind == "multiple_choice")
            head = make_head(body.encoder, task.kind, outputs_of(task), spec.pooling, pair)
        examples = kept_examples(self.store.tokens, task, body.tokenizer, rows, max_length)
        gold = rows.labels if task.kind == "token_classification" else None
        if task.kind == "question_answering":
            gold = SpanGold(examples.windows, rows.fields["context"], rows.labels, rows.language)
        labels = 2 if task.kind == "retrieval" else max(1, len(task.labels))
        return TaskData(task.name, head, examples, task.kind, labels, gold)

    # --- Parameters on disk

    def parent(self, stage: Stage) -> Body:
        """The body a stage starts from."""
        parent = self.plan.stages[stage.parent]
        if parent.id not in self._bodies:
            given = parent.purpose == "given"
            body = given_body(self.specs[parent.model]) if given else self.load(parent)[0]
            encoder = in_dtype(body.encoder, training_dtype())
            self._bodies = {parent.id: dataclasses.replace(body, encoder=encoder)}
        return self._bodies[parent.id]

    def load(self, stage: Stage) -> tuple[Body, Head | None, dict | None]:
        """A finished stage's body, head and head parameters."""
        saved = load_checkpoint(self.store.stage(stage.id) / "checkpoint")
        return Body(saved.encoder, saved.params["encoder"], saved.tokenizer), saved.head, saved.params.get("head")

    def save(self, stage: Stage, body: Body, head: tuple | None, texts: list[str]) -> None:
        """Save a stage's parameters, with digests of the text that it and its parents saw."""
        folder = self.store.stage(stage.id)
        seen = contamination.digests(texts)
        if stage.parent is not None and self.plan.stages[stage.parent].purpose != "given":
            seen = np.union1d(seen, load_seen(self.store.stage(stage.parent) / "checkpoint"))
        params = {"encoder": body.params} | ({"head": head[1]} if head else {})
        save_checkpoint(
            folder / "checkpoint",
            body.encoder,
            params,
            head=head[0] if head else None,
            labels=head[2].labels if head else None,
            task=head[2].name if head else None,
            tokenizer=body.tokenizer,
            seen=seen,
        )


def made_encoder(spec: EncoderSpec, tokenizer: Tokenizer) -> Encoder:
    """An encoder of the spec's sizes for a tokenizer."""
    sizes = {name: getattr(spec, name) for name in ("layers", "width", "heads", "feed_forward")}
    if spec.family != "xlnet":  # relative positions have no table
        sizes["max_positions"] = spec.max_positions
    sizes |= {"vocabulary_size": tokenizer.vocabulary_size, "pad_id": tokenizer.pad_id}
    return as_specified(make_encoder(spec.family, **sizes), spec)


def as_specified(encoder: Encoder, spec: EncoderSpec) -> Encoder:
    """The encoder with the rates that the spec sets."""
    if spec.attention_dropout is None:
        return encoder
    return dataclasses.replace(
        encoder, config=dataclasses.replace(encoder.config, attention_dropout=spec.attention_dropout)
    )


def given_body(spec: EncoderSpec) -> Body:
    """An encoder from a checkpoint directory, ours or Hugging Face's."""
    folder = local_folder(spec.checkpoint)
    if (folder / "checkpoint.json").is_file():
        saved = load_checkpoint(folder)
        return Body(as_specified(saved.encoder, spec), saved.params["encoder"], saved.tokenizer)
    encoder, params = from_pretrained(folder)
    tokenizer = load_tokenizer(local_folder(spec.tokenizer) if spec.tokenizer else folder)
    return Body(as_specified(encoder, spec), params, tokenizer)


def as_corpus(corpora: list[ParallelTexts]) -> Corpus:
    """Several sources as the one corpus of a language-model stage; a tuple with one language left is plain text."""
    texts: dict[str, list[str]] = {}
    tuples: list[dict[str, str]] = []
    for corpus in corpora:
        for language in corpus.languages:
            texts.setdefault(language, []).extend(text for text in corpus.texts[language] if text)
        tuples += corpus.tuples()
    return Corpus(texts, tuples)


def as_much_text(texts: list[str], characters: int) -> list[str]:
    """The first texts that hold `characters` characters together."""
    ends = np.cumsum([len(text) for text in texts])
    return texts[: int(np.searchsorted(ends, characters)) + 1]


def join(parts: list[Rows]) -> Rows:
    """Rows of several languages as one training set."""
    first = parts[0]
    return dataclasses.replace(
        first,
        item_ids=np.concatenate([part.item_ids for part in parts]),
        fields={name: [text for part in parts for text in part.fields[name]] for name in first.fields},
        labels=getattr(type(first.labels), "joined", np.concatenate)([part.labels for part in parts]),
    )


def shuffled(task: Task, rows: Rows, seed: int) -> Rows:
    """Rows whose labels have no relation to them: others' labels, an answer elsewhere, another row's candidate."""
    if isinstance(rows.labels, Answers):
        return dataclasses.replace(rows, labels=rows.labels.elsewhere(rows.fields["context"], seed))
    if task.kind == "retrieval":
        order = permuted(np.arange(len(rows)), seed)
        moved = {name: [rows.fields[name][i] for i in order] for name in task.candidates}
        return dataclasses.replace(rows, fields=rows.fields | moved)
    return dataclasses.replace(rows, labels=permuted(rows.labels, seed))


def permuted(labels: np.ndarray | Ragged, seed: int) -> np.ndarray | Ragged:
    """Labels in another order: the same shares, no relation to the rows (of tagging: to the words)."""
    if isinstance(labels, Ragged):
        return labels.with_values(permuted(labels.values, seed))
    return np.random.default_rng([seed, 0x5EED]).permutation(labels)


def dev_metric(task: Task):
    """(scores, labels) -> the task's metric, which selects checkpoint and learning rate."""

    def metric(scores: np.ndarray, labels: np.ndarray | Ragged | SpanGold) -> float:
        if isinstance(labels, SpanGold):
            return labels.value(scores, task.metric)
        if task.kind == "retrieval":
            return default_metric(task.kind)(scores, labels)
        predictions = metrics.predictions_of(task.kind, scores)
        if isinstance(labels, Ragged):
            predictions = labels.with_values(predictions)
        return metrics.value(task, predictions, labels)

    return metric


def best_score(result: StageResult) -> float:
    """The best dev score of a stage; a diverged one loses against any other."""
    scores = [score for _, score in result.dev_history if np.isfinite(score)]
    return -np.inf if result.diverged or not scores else max(scores)


def summary(result: StageResult) -> dict:
    """What the record keeps of a stage's result."""
    kept = ("steps", "tokens", "packing_efficiency", "flops", "best_step", "diverged", "dev_history", "losses")
    kept += ("compile_seconds", "stack")
    return {name: getattr(result, name) for name in kept}
