"""Evaluation of one checkpoint: cells in a results folder, without a study and without training."""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence

import jax

from itt_jax import kinds, perturb, tasks
from itt_jax.config import Perturbation, Precision, content_id
from itt_jax.config.ids import LATER
from itt_jax.data.contamination import RULES, contaminated
from itt_jax.data.fit import check_length
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError, unknown
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.evaluate.noises import TOKEN_NOISES, operator_of
from itt_jax.models import checkpoint_folder, checkpoint_name
from itt_jax.store import Store
from itt_jax.store.place import check_place
from itt_jax.study import arms
from itt_jax.study.cells import Evaluated, cells_of, variants_of
from itt_jax.study.material import digest_files, digest_rows, mean_tokens
from itt_jax.study.predictor import Predictor, load_predictor
from itt_jax.study.progress import EXPECTED_SHARE, Estimate, Progress, duration
from itt_jax.study.provenance import agreed_dtype, check_precision, provenance
from itt_jax.study.storing import check_stored, store_cells
from itt_jax.train.ceiling import matmul_rate
from itt_jax.train.compiling import keep_compiled_programs
from itt_jax.train.memory import keep_freed_memory
from itt_jax.train.precision import keep_precision

DEFAULT_LENGTH = 128
DEFAULT_SEVERITIES = (0.05, 0.1, 0.2)
ARM = "direct"
"""The arm under which a checkpoint's cells are stored: it is compared with none."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A checkpoint, and what to evaluate it on.

    Attributes:
        checkpoint: a directory of ours or Hugging Face's, or the folder of a stage, with a head for the task, or an
            encoder for a task that needs no head.
        perturbations: beside clean text, which is always evaluated.
        languages: empty means all of the task.
        rows: maximum number a language, the same items in each.
        max_length: maximum tokens of an example; None: that of sentence-transformers' files, or else
            DEFAULT_LENGTH, or the encoder's positions if it has fewer.
        allow_contaminated: evaluate text that the checkpoint was trained on (the report says so).
        labels: which output is which label, where the checkpoint's names do not say so: "name or number=label,...".
        precision: as in `config.Study`.
        pooling, prefix: how an encoder without a head gives vectors: "mean", "cls" or "layer:K", and what precedes each
            text; None as the checkpoint's files say, or else as in XTREME.
        metric: None: the task's.
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


def parse_perturbations(texts: Sequence[str] | None, lexicon: str | None = None) -> tuple[Perturbation, ...]:
    """Operators as the command line writes them: "swap", at DEFAULT_SEVERITIES, or "swap:0.1,0.2".

    Args:
        texts: None means the whole catalogue.
        lexicon: for the operators that read one; may contain "{language}".

    Raises:
        InputError: an unknown operator, or severities that are no numbers.
    """
    found = []
    for text in texts or sorted(perturb.CATALOG):
        name, _, severities = text.partition(":")
        operator = operator_of(name)
        try:
            values = tuple(float(value) for value in severities.split(",")) if severities else DEFAULT_SEVERITIES
        except ValueError as error:
            raise InputError(f"--perturbations {text!r}: expected NAME or NAME:SEVERITY,SEVERITY") from error
        found.append(Perturbation(name, values, lexicon=lexicon if operator.lexicon else None))
    return tuple(found)


def evaluate_checkpoint(
    evaluation: Evaluation, out: pathlib.Path, data_root: pathlib.Path | None = None, quiet: bool = True
) -> None:
    """Predict the task's rows, clean and perturbed, and store the cells in the results folder `out`.

    Raises:
        InputError: no such checkpoint or task, a head that does not fit the task, text that the checkpoint was trained
            on (unless allowed), or an `out` that belongs to something else.
        NotFiniteError: cells with a score that is not finite; the others are stored.
    """
    keep_compiled_programs()
    keep_freed_memory()
    keep_precision(evaluation.precision)
    check_place(out)
    evaluation = dataclasses.replace(evaluation, checkpoint=checkpoint_folder(evaluation.checkpoint))
    task = tasks.get(evaluation.task)
    if evaluation.metric is not None:
        task = dataclasses.replace(task, metric=evaluation.metric)
    unknown_languages = set(evaluation.languages) - set(task.languages)
    if unknown_languages:
        raise unknown(f"language of task {task.name!r}", min(unknown_languages), task.languages)
    predictor = load_predictor(evaluation.checkpoint, task, evaluation.labels, evaluation.pooling, evaluation.prefix)
    if evaluation.max_length is None:
        length = predictor.max_length or DEFAULT_LENGTH
        length = min(length, predictor.encoder.max_positions or length)
        evaluation = dataclasses.replace(evaluation, max_length=length)
    check_length(evaluation.max_length, predictor.encoder.config, "--max-length")
    by_head = kinds.kind(task.kind).token_noise and predictor.embedder is None
    for perturbation in evaluation.perturbations:
        if perturbation.name in TOKEN_NOISES and not by_head:
            fitting = " and ".join(kind.name for kind in kinds.KINDS if kind.token_noise)
            raise InputError(
                f"perturbation {perturbation.name!r} is for {fitting} with a head, not for {task.name!r} here"
            )
    store = Store(out)
    checkpoint_id = digest_files(evaluation.checkpoint)
    name = checkpoint_name(evaluation.checkpoint)
    described = dataclasses.replace(evaluation, checkpoint=pathlib.Path(checkpoint_id))
    study_id = content_id(described)
    store.open(study_id, f"evaluation of {name}")
    check_precision(store, evaluation.precision, [name])
    rows = {
        language: _rows(task, evaluation, language, data_root) for language in evaluation.languages or task.languages
    }
    rule = task.contamination or RULES[0]
    for language, own in rows.items():
        if not evaluation.allow_contaminated and contaminated(tasks.identifying(task, own), predictor.seen, rule).any():
            raise InputError(
                f"task {task.name!r}, split {evaluation.split!r}, language {language!r}: the checkpoint has seen some "
                "of this text in training; choose other rows, or evaluate all the same with --allow-contaminated"
            )
    dtype = agreed_dtype(store, name, predictor.encoder, evaluation.precision)
    store.write_plan(
        {
            "study_id": study_id,
            "name": f"evaluation of {name}",
            "description": f"Robustness of {name} on {task.name}, without training. {predictor.note}".strip(),
            "encoders": [name],
            "arms": [arms.as_row(arms.arm(ARM))],
            "targets": [task.name],
            "seeds": [0],
            "contaminated": [name] if evaluation.allow_contaminated else [],
            "precision": {"asked": evaluation.precision, "evaluation": store.dtypes([name])},
            "provenance": provenance(dtype),
        }
    )
    cells, stage = [], content_id([checkpoint_id, *predictor.chosen]) if predictor.chosen else checkpoint_id
    failed: list[str] = []
    with Progress() as progress:
        size, counts = predictor.encoder.config.matmul_parameters, _cells_by_language(evaluation, rows)
        work = {language: 2 * size * counts[language] * len(own) * mean_tokens(own) for language, own in rows.items()}
        rate = EXPECTED_SHARE * matmul_rate(dtype) * jax.device_count()
        progress.estimate = Estimate({"evaluation": work}, rate)
        progress.say(f"{sum(counts.values()):,} cells, about {duration(progress.estimate.seconds())}")
        for number, (language, own) in enumerate(rows.items(), 1):
            progress.at(f"{number}/{len(rows)} {name}, {task.name} {language}", "making forms")
            progress.estimate.begin("evaluation", [language])
            cells += _evaluate_rows(evaluation, task, own, predictor.in_dtype(dtype), store, stage, failed, progress)
            progress.estimate.end([language])
    store.write_results(cells)
    check_stored(failed, out)


def _cells_by_language(evaluation: Evaluation, languages: Iterable[str]) -> dict[str, int]:
    """Number of cells of each language."""
    return {own: len(variants_of(evaluation.perturbations, own, lambda reason: None)) for own in languages}


def _rows(task: tasks.Task, evaluation: Evaluation, language: str, data_root: pathlib.Path | None) -> Rows:
    rows = tasks.load_rows(task, evaluation.split, language, data_root)
    if rows.labels is None:
        raise InputError(f"task {task.name!r}, split {evaluation.split!r}, language {language!r}: it has no labels")
    return tasks.limit(rows, evaluation.rows)


def _evaluate_rows(
    evaluation,
    task,
    rows: Rows,
    predictor: Predictor,
    store: Store,
    stage: str,
    failed: list[str],
    progress: Progress,
) -> list[dict]:
    """Store the cells of one language that are missing; returns the plan of all of them.

    Messages on cells not stored go to `failed`.
    """
    evaluated = Evaluated(
        stage=stage,
        model=checkpoint_name(evaluation.checkpoint),
        arm=ARM,
        target=task.name,
        seed=0,
        trained_on=task,
        task=task,
        split=evaluation.split,
        language=rows.language,
        rows=digest_rows(kinds.kind(task.kind), rows),
        max_length=evaluation.max_length,
        noise_seed=evaluation.noise_seed,
    )
    wanted = variants_of(evaluation.perturbations, rows.language, lambda reason: None)
    cells = list(cells_of(evaluated, wanted, lambda reason: None))
    missing = [cell for cell in cells if not store.has_cell(cell.cell)]
    if not missing:
        return [cell.row({}) for cell in cells]
    forms = row_forms(task, rows, {cell.variant: wanted[cell.variant] for cell in missing}, evaluation.noise_seed)
    evaluator = Evaluator(
        predictor.tokenizer,
        evaluation.max_length,
        {(task.name, evaluation.split, rows.language): forms},
        predictor.embedder,
        progress.tell,
    )
    scores = evaluator.predict(predictor.encoder, predictor.head, predictor.params)
    failed += store_cells(store, evaluator, scores, missing, lambda name: task, predictor.params)
    return [cell.row({}) for cell in cells]
