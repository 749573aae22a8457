"""`evaluate`: the robustness report of one checkpoint."""

import argparse
import pathlib
from typing import TYPE_CHECKING

from itt_jax.cli.options import add_data_root, add_own_tasks, add_precision, data_root, delimiter, path
from itt_jax.errors import InputError

if TYPE_CHECKING:
    from itt_jax.config import Adversary, Perturbation, Study
    from itt_jax.tasks import Task

OF_TABLE = ("text", "label", "kind", "language", "delimiter", "encoding", "quoted", "header")
"""Options that need --task-file."""
SUMMARY = "Write the robustness report of a checkpoint, ours or Hugging Face's; trains nothing."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--checkpoint", type=path, required=True, help="a checkpoint, or OUT/stages/ID")
    parser.add_argument("--task", help="a task of the catalogue (see `list tasks`), or of --config")
    add_own_tasks(parser)
    parser.add_argument(
        "--task-file", type=path, metavar="TABLE", help="rows to evaluate: csv, tsv, jsonl, parquet; no --task"
    )
    parser.add_argument("--text", nargs="+", metavar="COLUMN", help="column of the text in --task-file; two for pairs")
    parser.add_argument("--label", metavar="COLUMN", help="column of the label in --task-file")
    parser.add_argument(
        "--quoted",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether quotation marks of --task-file quote; default: in a csv, as its lines show; not in a tsv",
    )
    parser.add_argument("--kind", help="of the task in --task-file (`list kinds`); default: classification")
    parser.add_argument("--language", help="of the texts in --task-file, ISO 639-1; default: en")
    parser.add_argument(
        "--delimiter", type=delimiter, help="what separates columns in --task-file; default: its suffix's"
    )
    parser.add_argument("--encoding", help="of --task-file; default: utf-8")
    parser.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="whether its first line names the columns; otherwise they are numbered from 0; default: it does",
    )
    parser.add_argument(
        "--perturbations",
        nargs="+",
        metavar="NAME[:S,S...]",
        help="operators with severities, such as swap:0.1,0.2; none; all; default: those of the study in --config, or "
        "a dozen, at 0.1 and 0.2",
    )
    parser.add_argument(
        "--attacks",
        nargs="+",
        metavar="NAME[:QUERIES]",
        help="recipes (`list attacks`) with a budget of queries a row, such as deepwordbug:200; default: those of the "
        "study in --config, or none",
    )
    parser.add_argument("--attack-rows", type=int, metavar="ROWS", help="maximum number of attacked rows a language")
    parser.add_argument("--lexicon", help="word list, for operators that read one; may contain {language}")
    parser.add_argument("--languages", nargs="+", default=[], help="default: all of the task")
    parser.add_argument("--split", help="default: test")
    parser.add_argument("--rows", type=int, help="maximum number of rows a language")
    parser.add_argument("--seed", type=int, help="noise seed; default: 0")
    parser.add_argument(
        "--max-length",
        type=int,
        help="maximum tokens of an example; default: the model's own, otherwise 128, or its positions if fewer",
    )
    parser.add_argument(
        "--allow-contaminated", action="store_true", help="evaluate text that the checkpoint was trained on"
    )
    parser.add_argument(
        "--labels",
        metavar="A=B,...",
        help="which output is which label, where the checkpoint's names do not say so: its name or number = the label",
    )
    add_precision(parser)
    parser.add_argument("--metric", help="in place of the task's own, such as spearman")
    parser.add_argument(
        "--pooling",
        metavar="mean|cls|layer:K",
        help="how an encoder without a head gives vectors; default: as its modules.json says, otherwise as in XTREME",
    )
    parser.add_argument("--prefix", help="precedes every text of such an encoder, as 'query: '; never perturbed")
    add_data_root(parser)
    parser.add_argument("--out", type=path, help="results folder; default: runs/evaluate-TASK-CHECKPOINT")


def run(options: argparse.Namespace) -> int:
    """Evaluate the checkpoint; print the summary of its report."""
    from itt_jax import config
    from itt_jax.analysis import analyse
    from itt_jax.models import checkpoint_name
    from itt_jax.report import summary_markdown, write_report
    from itt_jax.store import Store
    from itt_jax.study.evaluation import evaluate_checkpoint
    from itt_jax.study.growth import shown
    from itt_jax.study.progress import Progress
    from itt_jax.study.request import Evaluation, settings_of

    task, own_tasks, study = _task(options)
    out = options.out or pathlib.Path(f"runs/evaluate-{task}-{checkpoint_name(options.checkpoint)}")
    given = {
        "perturbations": _perturbations(options, study),
        "attacks": _attacks(options),
        "languages": tuple(options.languages) or None,
        "split": options.split,
        "rows": options.rows,
        "noise_seed": options.seed,
        "max_length": options.max_length,
        "allow_contaminated": options.allow_contaminated or None,
        "precision": options.precision,
    }
    settings, said = {}, []
    if study:
        settings = settings_of(study, task)
        taken = [f"{name} {shown(config.canonical(settings[name]))}" for name in settings if given[name] is None]
        if taken:
            said = [f"as in study {study.name!r} (options precede it): {', '.join(taken)}"]
    evaluation = Evaluation(
        checkpoint=options.checkpoint,
        task=task,
        labels=options.labels,
        pooling=options.pooling,
        prefix=options.prefix,
        metric=options.metric,
        tasks=own_tasks,
        **settings | {name: value for name, value in given.items() if value is not None},
    )
    evaluate_checkpoint(evaluation, out, data_root(options), said=said)
    with Progress() as progress:
        progress.at("report", "analysing, tables and figures")
        analysis = analyse(out)
        page = write_report(out, analysis)
    print(f"{Store(out).plan()['description']}\n")
    print(summary_markdown(analysis))
    print(f"\nReport: {page}")
    return 0


def _perturbations(options: argparse.Namespace, study: "Study | None") -> "tuple[Perturbation, ...] | None":
    """The perturbations of --perturbations; None to take the study's."""
    from itt_jax.study.perturbations import parse_perturbations

    if study is not None and study.perturbations and options.perturbations is None and options.lexicon is None:
        return None
    return parse_perturbations(options.perturbations, options.lexicon)


def _attacks(options: argparse.Namespace) -> "tuple[Adversary, ...] | None":
    """The attacks of --attacks; None to take the study's."""
    from itt_jax.study.perturbations import parse_attacks

    if options.attacks is None and options.attack_rows is not None:
        raise InputError("--attack-rows goes with --attacks")
    return None if options.attacks is None else parse_attacks(options.attacks, options.attack_rows)


def _task(options: argparse.Namespace) -> "tuple[str, tuple[Task, ...], Study | None]":
    """The name of the task, the user's own tasks (those of --config or --task-file), and the study of --config.

    Raises:
        InputError: options that do not go together, or see `config.load_tasks` and `tasks.table.table_task`.
    """
    from itt_jax import config

    of_table = {name: getattr(options, name) for name in OF_TABLE}
    if options.task_file is None:
        if given := next((name for name, value in of_table.items() if value is not None), None):
            raise InputError(f"--{given} goes with --task-file")
        if options.task is None:
            raise InputError("expected --task, or --task-file with --text and --label (see evaluate --help)")
        return options.task, *(config.load_tasks(options.config) if options.config else ((), None))
    if given := next((name for name in ("task", "config", "languages") if getattr(options, name)), None):
        raise InputError(f"--{given} does not go with --task-file")
    if options.text is None or options.label is None:
        raise InputError(f"--task-file {options.task_file}: expected --text COLUMN and --label COLUMN")
    from itt_jax.models import checkpoint_folder
    from itt_jax.study.predictor import head_outputs
    from itt_jax.tasks.table import table_task

    outputs, names = head_outputs(checkpoint_folder(options.checkpoint))
    head = {"outputs": outputs, "names": names, "given": options.labels, "metric": options.metric}
    told = {name: value for name, value in of_table.items() if value is not None}
    task = table_task(options.task_file, **told, **head)
    config.validate(task, f"--task-file {options.task_file}")
    return task.name, (task,), None
