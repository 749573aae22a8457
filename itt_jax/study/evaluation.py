"""Robustness of one fine-tuned checkpoint: cells and a store without a study, without training."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from itt_jax import files, perturb, tasks
from itt_jax.config import Perturbation, content_id
from itt_jax.data import contamination
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer, load_tokenizer
from itt_jax.errors import InputError, unknown
from itt_jax.evaluate.grid import CLEAN, Grid, perturbed_block
from itt_jax.evaluate.token_noise import KINDS, TOKEN_NOISES, operator_of
from itt_jax.models import Encoder, Head, load_model
from itt_jax.store.folder import Store
from itt_jax.store.precision import agreed_dtype
from itt_jax.study.material import digest_files
from itt_jax.study.plan import Cell, cell_row, variants
from itt_jax.study.running import provenance
from itt_jax.tasks.inputs import outputs_of
from itt_jax.train.checkpoint import load_checkpoint
from itt_jax.train.compiling import keep_compiled_programs
from itt_jax.train.memory import keep_freed_memory
from itt_jax.train.precision import in_dtype

DEFAULT_SEVERITIES = (0.05, 0.1, 0.2)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What to evaluate.

    Attributes:
        checkpoint: a directory of ours or of Hugging Face's, with a head for the task.
        perturbations: empty means every operator of the catalogue at three severities.
        languages: empty means all of the task. rows: at most this many a language, the same items in each.
    """

    checkpoint: pathlib.Path
    task: str
    perturbations: tuple[Perturbation, ...] = ()
    languages: tuple[str, ...] = ()
    split: str = "test"
    rows: int | None = None
    noise_seed: int = 0
    max_length: int = 128
    allow_seen: bool = False


def parse_perturbations(texts: Sequence[str] | None, lexicon: str | None = None) -> tuple[Perturbation, ...]:
    """Operators as the command line writes them: "swap" or "swap:0.1,0.2"; None means the whole catalogue.

    Args:
        lexicon: given to the operators that read one; "{language}" in it stands for the language.
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


def evaluate_checkpoint(evaluation: Evaluation, out: pathlib.Path, data_root: pathlib.Path | None = None) -> None:
    """Predict the task's rows, clean and perturbed, and store the cells at `out`.

    Raises:
        InputError: no such checkpoint or task, a head that does not fit the task, text that the checkpoint has seen in
            training (unless allowed), or an `out` that belongs to something else.
    """
    keep_compiled_programs()
    keep_freed_memory()
    task = tasks.get(evaluation.task)
    unknown_languages = set(evaluation.languages) - set(task.languages)
    if unknown_languages:
        raise unknown(f"language of task {task.name!r}", min(unknown_languages), task.languages)
    encoder, head, params, tokenizer, seen = load_fine_tuned(evaluation.checkpoint, task)
    for perturbation in evaluation.perturbations:
        if perturbation.name in TOKEN_NOISES and task.kind not in KINDS:
            raise InputError(f"perturbation {perturbation.name!r} is for {' and '.join(KINDS)}, not for {task.kind}")
    store = Store(out)
    checkpoint_id = digest_files(evaluation.checkpoint)
    name = evaluation.checkpoint.resolve().name
    described = dataclasses.replace(evaluation, checkpoint=pathlib.Path(checkpoint_id))
    study_id = content_id(described)
    store.open(study_id, f"evaluation of {name}")
    rows = {
        language: _rows(task, evaluation, language, data_root) for language in evaluation.languages or task.languages
    }
    for language, own in rows.items():
        if np.isin(contamination.digests(tasks.telling(task, own)), seen).any() and not evaluation.allow_seen:
            raise InputError(
                f"task {task.name!r}, split {evaluation.split!r}, language {language!r}: the checkpoint has seen some "
                "of this text in training; choose other rows, or evaluate all the same with --allow-seen"
            )
    dtype = agreed_dtype(store, name, encoder)
    encoder, head = in_dtype(encoder, dtype), head and in_dtype(head, dtype)
    files.write_json(
        out / "plan.json",
        {
            "study_id": study_id,
            "name": f"evaluation of {name}",
            "description": f"Robustness of {name} on {task.name}, without training.",
            "encoders": [name],
            "arms": ["direct"],
            "targets": [task.name],
            "seeds": [0],
            "seen": [name] if evaluation.allow_seen else [],
            "provenance": provenance(dtype),
        },
    )
    for language, own in rows.items():
        _evaluate_language(evaluation, task, own, language, (encoder, head, params, tokenizer), store, checkpoint_id)
    store.write_results(sorted(path.stem for path in (out / "cells").glob("*.parquet")))


def _rows(task: tasks.Task, evaluation: Evaluation, language: str, data_root: pathlib.Path | None) -> Rows:
    rows = tasks.load_rows(task, evaluation.split, language, data_root)
    if rows.labels is None:
        raise InputError(f"task {task.name!r}, split {evaluation.split!r}, language {language!r}: it has no labels")
    return tasks.limit(rows, evaluation.rows)


def _evaluate_language(evaluation, task, rows: Rows, language: str, model, store: Store, checkpoint_id: str) -> None:
    """The cells of one language."""
    encoder, head, params, tokenizer = model
    wanted = variants(evaluation.perturbations, language)
    place = (task.name, evaluation.split, language)
    block = perturbed_block(task, rows, wanted, evaluation.noise_seed)
    grid = Grid(tokenizer, evaluation.max_length, {place: block})
    scores = grid.predict(encoder, head, params)
    for perturbation, severity, replicate in wanted:
        cell = Cell(
            cell=content_id(
                [checkpoint_id, dataclasses.replace(evaluation, perturbations=()), language, severity, perturbation]
            ),
            stage=checkpoint_id,
            model=evaluation.checkpoint.resolve().name,
            arm="direct",
            target=task.name,
            task=task.name,
            split=evaluation.split,
            language=language,
            domain=task.domain,
            perturbation=perturbation,
            severity=severity,
            replicate=replicate,
            seed=0,
            adapted=True,
            source_language=language == task.source_language,
            changes_label=perturbation != CLEAN[0] and operator_of(perturbation).changes_label,
        )
        result = grid.cell(scores, place, cell.variant, task)
        store.write_cell(cell_row(cell, result.figures), result.columns)


def load_fine_tuned(folder: pathlib.Path, task: tasks.Task) -> tuple[Encoder, Head | None, dict, Tokenizer, np.ndarray]:
    """Encoder, head, parameters, tokenizer and seen-text digests of a checkpoint whose head fits the task.

    Retrieval reads the encoder's states, so any head fits it, or none.
    """
    if not folder.is_dir():
        raise InputError(f"--checkpoint {folder}: no such directory")
    if (folder / "checkpoint.json").is_file():
        saved = load_checkpoint(folder)
        encoder, head, params, labels = saved.encoder, saved.head, saved.params, saved.labels
        tokenizer, seen = saved.tokenizer, saved.seen
    else:
        encoder, head, params, labels = load_model(folder)
        tokenizer, seen = load_tokenizer(folder), np.zeros(0, np.uint64)
    if task.kind == "retrieval":
        return encoder, head, params, tokenizer, seen
    if head is None:
        raise InputError(f"--checkpoint {folder}: holds an encoder without a head; fine-tune it first")
    outputs = outputs_of(task)
    if (head.kind, head.outputs) != (task.kind, outputs):
        raise InputError(
            f"--checkpoint {folder}: its head is {head.kind} with {head.outputs} outputs, expected {task.kind} with "
            f"{outputs} for task {task.name!r}"
        )
    return encoder, head, in_task_order(params, labels, task), tokenizer, seen


def in_task_order(params: dict, labels: tuple[str, ...] | None, task: tasks.Task) -> dict:
    """Parameters whose outputs stand in the order of the task's labels.

    Labels that a checkpoint names otherwise (LABEL_0, ...) are taken to be in the task's order already.
    """
    names = [label.casefold() for label in labels or ()]
    wanted = [label.casefold() for label in task.labels]
    if sorted(names) != sorted(wanted) or names == wanted:
        return params
    order = np.array([names.index(label) for label in wanted])
    last = {"kernel", "bias"}

    def reordered(tree: dict) -> dict:
        if last >= set(tree) and tree["bias"].shape == (len(order),):
            return {"kernel": tree["kernel"][:, order], "bias": tree["bias"][order]}
        return {key: reordered(value) if isinstance(value, dict) else value for key, value in tree.items()}

    return params | {"head": reordered(params["head"])}
