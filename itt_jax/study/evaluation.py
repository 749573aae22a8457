"""Evaluation of one checkpoint: cells in a results folder, without a study and without training."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from itt_jax import kinds, perturb, tasks
from itt_jax.config import Perturbation, content_id
from itt_jax.data.contamination import RULES, Digests, contaminated
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer, load_tokenizer
from itt_jax.errors import InputError, unknown
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.evaluate.noises import TOKEN_NOISES, operator_of
from itt_jax.models import Encoder, Head, checkpoint_folder, checkpoint_name, load_model
from itt_jax.store import Store
from itt_jax.study import arms
from itt_jax.study.cells import Evaluated, cells_of, variants_of
from itt_jax.study.material import digest_files, digest_rows
from itt_jax.study.provenance import agreed_dtype, provenance
from itt_jax.train.checkpoint import load_checkpoint
from itt_jax.train.compiling import keep_compiled_programs
from itt_jax.train.memory import keep_freed_memory
from itt_jax.train.precision import in_dtype

DEFAULT_SEVERITIES = (0.05, 0.1, 0.2)
ARM = "direct"
"""The arm under which a checkpoint's cells are stored: it is compared with none."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A checkpoint, and what to evaluate it on.

    Attributes:
        checkpoint: a directory of ours or Hugging Face's, or the folder of a stage, with a head for the task.
        perturbations: beside clean text, which is always evaluated.
        languages: empty means all of the task.
        rows: maximum number a language, the same items in each.
        allow_contaminated: evaluate text that the checkpoint was trained on (the report says so).
    """

    checkpoint: pathlib.Path
    task: str
    perturbations: tuple[Perturbation, ...] = ()
    languages: tuple[str, ...] = ()
    split: str = "test"
    rows: int | None = None
    noise_seed: int = 0
    max_length: int = 128
    allow_contaminated: bool = False


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


def evaluate_checkpoint(evaluation: Evaluation, out: pathlib.Path, data_root: pathlib.Path | None = None) -> None:
    """Predict the task's rows, clean and perturbed, and store the cells in the results folder `out`.

    Raises:
        InputError: no such checkpoint or task, a head that does not fit the task, text that the checkpoint was trained
            on (unless allowed), or an `out` that belongs to something else.
    """
    keep_compiled_programs()
    keep_freed_memory()
    evaluation = dataclasses.replace(evaluation, checkpoint=checkpoint_folder(evaluation.checkpoint))
    task = tasks.get(evaluation.task)
    unknown_languages = set(evaluation.languages) - set(task.languages)
    if unknown_languages:
        raise unknown(f"language of task {task.name!r}", min(unknown_languages), task.languages)
    encoder, head, params, tokenizer, seen = load_fine_tuned(evaluation.checkpoint, task)
    for perturbation in evaluation.perturbations:
        if perturbation.name in TOKEN_NOISES and not kinds.kind(task.kind).token_noise:
            fitting = " and ".join(kind.name for kind in kinds.KINDS if kind.token_noise)
            raise InputError(f"perturbation {perturbation.name!r} is for {fitting}, not for {task.kind}")
    store = Store(out)
    checkpoint_id = digest_files(evaluation.checkpoint)
    name = checkpoint_name(evaluation.checkpoint)
    described = dataclasses.replace(evaluation, checkpoint=pathlib.Path(checkpoint_id))
    study_id = content_id(described)
    store.open(study_id, f"evaluation of {name}")
    rows = {
        language: _rows(task, evaluation, language, data_root) for language in evaluation.languages or task.languages
    }
    rule = task.contamination or RULES[0]
    for language, own in rows.items():
        if not evaluation.allow_contaminated and contaminated(tasks.identifying(task, own), seen, rule).any():
            raise InputError(
                f"task {task.name!r}, split {evaluation.split!r}, language {language!r}: the checkpoint has seen some "
                "of this text in training; choose other rows, or evaluate all the same with --allow-contaminated"
            )
    dtype = agreed_dtype(store, name, encoder)
    encoder, head = in_dtype(encoder, dtype), head and in_dtype(head, dtype)
    store.write_plan(
        {
            "study_id": study_id,
            "name": f"evaluation of {name}",
            "description": f"Robustness of {name} on {task.name}, without training.",
            "encoders": [name],
            "arms": [arms.as_row(arms.arm(ARM))],
            "targets": [task.name],
            "seeds": [0],
            "contaminated": [name] if evaluation.allow_contaminated else [],
            "provenance": provenance(dtype),
        }
    )
    cells = []
    for own in rows.values():
        cells += _evaluate_rows(evaluation, task, own, (encoder, head, params, tokenizer), store, checkpoint_id)
    store.write_results(cells)


def _rows(task: tasks.Task, evaluation: Evaluation, language: str, data_root: pathlib.Path | None) -> Rows:
    rows = tasks.load_rows(task, evaluation.split, language, data_root)
    if rows.labels is None:
        raise InputError(f"task {task.name!r}, split {evaluation.split!r}, language {language!r}: it has no labels")
    return tasks.limit(rows, evaluation.rows)


def _evaluate_rows(evaluation, task, rows: Rows, model, store: Store, checkpoint_id: str) -> list[str]:
    """Store the cells of one language; returns their ids."""
    encoder, head, params, tokenizer = model
    evaluated = Evaluated(
        stage=checkpoint_id,
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
    forms = row_forms(task, rows, wanted, evaluation.noise_seed)
    evaluator = Evaluator(tokenizer, evaluation.max_length, {(task.name, evaluation.split, rows.language): forms})
    scores = evaluator.predict(encoder, head, params)
    for cell in cells:
        result = evaluator.cell(scores, cell.place, cell.variant, task)
        store.write_cell(cell.row(result.figures), result.columns)
    return [cell.cell for cell in cells]


def load_fine_tuned(folder: pathlib.Path, task: tasks.Task) -> tuple[Encoder, Head | None, dict, Tokenizer, Digests]:
    """Encoder, head, parameters, tokenizer and digests of the training text of a checkpoint whose head fits the task.

    Retrieval reads the encoder's states, so any head fits it, or none.

    Raises:
        InputError: no such checkpoint, or a head that does not fit.
    """
    if not folder.is_dir():
        raise InputError(f"--checkpoint {folder}: no such directory")
    if (folder / "checkpoint.json").is_file():
        saved = load_checkpoint(folder)
        encoder, head, params, labels = saved.encoder, saved.head, saved.params, saved.labels
        tokenizer, seen = saved.tokenizer, saved.seen
    else:
        encoder, head, params, labels = load_model(folder)
        tokenizer, seen = load_tokenizer(folder), Digests.join([])
    kind = kinds.kind(task.kind)
    if kind.by_vectors:
        return encoder, head, params, tokenizer, seen
    if head is None:
        raise InputError(f"--checkpoint {folder}: holds an encoder without a head; fine-tune it first")
    outputs = kind.outputs(task)
    if (head.kind.name, head.outputs) != (kind.head, outputs):
        raise InputError(
            f"--checkpoint {folder}: its head is {head.kind.name} with {head.outputs} outputs, expected {kind.head} "
            f"with {outputs} for task {task.name!r}"
        )
    return encoder, head, in_task_order(params, labels, task), tokenizer, seen


def in_task_order(params: dict, labels: tuple[str, ...] | None, task: tasks.Task) -> dict:
    """Parameters with the head's outputs in the order of the task's labels.

    Outputs whose names are not the task's labels (LABEL_0, ...) are taken to be in that order already.
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
