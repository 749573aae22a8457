"""A request to evaluate one checkpoint, and the reading and checking of its parts."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from itt_jax import kinds, tasks
from itt_jax.config import Adversary, Perturbation, Precision, Study
from itt_jax.config.ids import LATER
from itt_jax.config.validation import check_least_length
from itt_jax.data.contamination import RULES, contaminated
from itt_jax.data.fit import check_length
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError, unknown
from itt_jax.evaluate.noises import TOKEN_NOISES
from itt_jax.study.predictor import Predictor
from itt_jax.tasks import Task

DEFAULT_LENGTH = 128


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A checkpoint, and what to evaluate it on.

    Attributes:
        checkpoint: a directory of ours or Hugging Face's, or the folder of a stage, with a head for the task, or an
            encoder for a task that needs no head.
        perturbations: those to evaluate besides clean text, which always is.
        tasks: the user's own tasks, which take precedence over the catalogue's.
        languages: empty: all of the task.
        rows: maximum number a language, the same items in each.
        max_length: maximum tokens of an example; None: that of sentence-transformers' files, otherwise DEFAULT_LENGTH,
            or the encoder's positions if fewer.
        allow_contaminated: evaluate text that the checkpoint was trained on (the report says so).
        labels: which output is which label, if the checkpoint's names do not say so: "name or number=label,...".
        precision: as in `config.Study`.
        pooling, prefix: how an encoder without a head gives vectors: "mean", "cls" or "layer:K", and what precedes each
            text; None: as the checkpoint's files say, otherwise as in XTREME.
        metric: None: the task's.
        attacks: attacks under which to evaluate; they need a head.
    """

    checkpoint: pathlib.Path
    task: str
    perturbations: tuple[Perturbation, ...] = ()
    languages: tuple[str, ...] = ()
    split: str = "test"
    rows: int | None = None
    noise_seed: int = 0
    max_length: int | None = None
    allow_contaminated: bool = False
    labels: str | None = dataclasses.field(default=None, metadata=LATER)
    precision: Precision = dataclasses.field(default="auto", metadata=LATER)
    pooling: str | None = dataclasses.field(default=None, metadata=LATER)
    prefix: str | None = dataclasses.field(default=None, metadata=LATER)
    metric: str | None = dataclasses.field(default=None, metadata=LATER)
    tasks: tuple[Task, ...] = dataclasses.field(default=(), metadata=LATER)
    attacks: tuple[Adversary, ...] = dataclasses.field(default=(), metadata=LATER)


def settings_of(study: Study, task: str) -> dict[str, Any]:
    """The way a study evaluates a task, as fields of an `Evaluation`; only those that the study sets."""
    target = next((own for own in study.running_targets() if task in (own.evaluate or (own.train,))), None)
    languages = (target.languages if target else ()) or study.languages
    found = {
        "perturbations": study.perturbations,
        "attacks": study.attacks,
        "languages": tuple(own for own in languages if own in tasks.get(task, study.tasks).languages),
        "split": target.test_split if target else "test",
        "rows": study.evaluation_rows,
        "noise_seed": study.noise_seed,
        "max_length": study.max_length,
        "allow_contaminated": study.allow_contaminated,
        "precision": study.precision,
    }
    return {name: value for name, value in found.items() if value and value != "auto"}


def evaluated_task(evaluation: Evaluation) -> Task:
    """The task, with the requested metric.

    Raises:
        InputError: there is no such task, the task lacks a language, or the number of rows is below 1.
    """
    task = tasks.get(evaluation.task, evaluation.tasks)
    if evaluation.metric is not None:
        task = dataclasses.replace(task, metric=evaluation.metric)
    unknown_languages = set(evaluation.languages) - set(task.languages)
    if unknown_languages:
        raise unknown(f"language of task {task.name!r}", min(unknown_languages), task.languages)
    if evaluation.rows is not None and evaluation.rows < 1:
        raise InputError(f"--rows: found {evaluation.rows}, expected at least 1")
    return task


def evaluated_length(evaluation: Evaluation, predictor: Predictor) -> int:
    """Maximum tokens of an example.

    Raises:
        InputError: the requested length leaves no room, or exceeds the encoder's positions.
    """
    length = evaluation.max_length
    if length is None:
        length = predictor.max_length or DEFAULT_LENGTH
        length = min(length, predictor.encoder.max_positions or length)
    check_least_length(length, "--max-length")
    check_length(length, predictor.encoder.config, "--max-length")
    return length


def check_noises(evaluation: Evaluation, task: Task, predictor: Predictor) -> None:
    """Raises InputError for noise on token ids if no head reads them."""
    by_head = kinds.kind(task.kind).token_noise and predictor.embedder is None
    for perturbation in evaluation.perturbations:
        if perturbation.name in TOKEN_NOISES and not by_head:
            fitting = " and ".join(kind.name for kind in kinds.KINDS if kind.token_noise)
            raise InputError(
                f"perturbation {perturbation.name!r} is for {fitting} with a head, not for {task.name!r} here"
            )


def check_unseen(task: Task, split: str, rows: Mapping[str, Rows], predictor: Predictor) -> None:
    """Raises InputError if the checkpoint was trained on some of the rows (by language)."""
    rule = task.contamination or RULES[0]
    for language, own in rows.items():
        mask = contaminated(tasks.identifying(task, own), predictor.seen, rule)
        if mask.any():
            raise InputError(
                f"task {task.name!r}, split {split!r}, language {language!r}: the checkpoint has seen {mask.sum():,} "
                f"of {len(mask):,} rows in training (it {predictor.seen.note()}); choose other rows, or evaluate all "
                "the same with --allow-contaminated"
            )


def evaluated_rows(task: Task, evaluation: Evaluation, language: str, data_root: pathlib.Path | None) -> Rows:
    """The rows of one language.

    Raises:
        InputError: they are not there, or have no labels.
    """
    rows = tasks.load_rows(task, evaluation.split, language, data_root)
    if rows.labels is None:
        raise InputError(f"task {task.name!r}, split {evaluation.split!r}, language {language!r}: it has no labels")
    return tasks.limit(rows, evaluation.rows)
