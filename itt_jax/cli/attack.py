"""`attack`: texts chosen against one checkpoint, and its accuracy under attack."""

import argparse
import json
import pathlib

from itt_jax.cli.options import add_data_root, add_json, add_own_tasks, add_precision, data_root, number, path
from itt_jax.errors import InputError

SUMMARY = "Attack a checkpoint on the rows of a task: accuracy under attack, queries, edits, and the texts as CSV."
OF_RECIPES = ("budget", "edits", "operators", "severity", "draws", "lexicon", "proposer", "shift")
"""Options that change a recipe."""
DEFAULT = "deepwordbug"
"""The recipe where none is named."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--checkpoint", type=path, help="a checkpoint with a head, or OUT/stages/ID")
    parser.add_argument("--task", help="a task of the catalogue (see `list tasks`), or of --config")
    parser.add_argument("--recipe", help="see `list attacks`, or an attack of --config; default: deepwordbug")
    add_own_tasks(parser)
    parser.add_argument("--budget", type=int, metavar="QUERIES", help="maximum number of queries a row")
    parser.add_argument("--edits", type=int, help="maximum number of edits (charmer)")
    parser.add_argument("--operators", nargs="+", metavar="NAME", help="perturbations (worst_of, greedy_operators)")
    parser.add_argument("--severity", type=number, help="of --operators")
    parser.add_argument("--draws", type=int, help="of each of --operators")
    parser.add_argument("--lexicon", help="word list, for operators that read one; may contain {language}")
    parser.add_argument("--proposer", metavar="DIR", help="checkpoint of a masked LM that proposes words (bert_attack)")
    parser.add_argument(
        "--shift", type=number, metavar="X", help="regression: an attack moves the score by X; default 1"
    )
    parser.add_argument("--field", help="the field to edit; default: the last that may be edited")
    parser.add_argument("--languages", nargs="+", default=[], help="default: all of the task")
    parser.add_argument("--split", default="test")
    parser.add_argument("--rows", type=int, help="maximum number of rows a language")
    parser.add_argument("--seed", type=int, default=0, help="seed of random choices")
    parser.add_argument("--max-length", type=int, help="maximum tokens of an example; default: as in evaluate")
    parser.add_argument(
        "--allow-contaminated", action="store_true", help="attack text that the checkpoint was trained on"
    )
    parser.add_argument("--labels", metavar="A=B,...", help="which output is which label, as in evaluate")
    add_precision(parser)
    add_data_root(parser)
    parser.add_argument("--out", type=path, help="results folder; default: runs/attack-RECIPE-TASK-CHECKPOINT")
    parser.add_argument("--csv", type=path, metavar="FILE", help="write the rows here too, in TextAttack's columns")
    parser.add_argument("--sheet", type=path, metavar="FILE", help="write the successes for people to judge, as CSV")
    parser.add_argument("--read", type=path, metavar="FILE", help="only print the figures of such a CSV")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Attack the checkpoint, or read a CSV; print the figures."""
    from itt_jax.attack.csv_files import judged_lines, read_csv, write_csv
    from itt_jax.attack.outcomes import summaries, summary_lines
    from itt_jax.perturb.sheet import write_sheet

    if options.read is not None:
        for name in ("checkpoint", "task", "recipe", "csv", "out", "sheet"):
            if getattr(options, name) is not None:
                raise InputError(f"--{name} does not go with --read")
        found = read_csv(options.read)
    else:
        found = _attacked(options)
        if options.csv:
            write_csv(options.csv, found)
        if options.sheet:
            write_sheet(options.sheet, lambda: judged_lines(found, options.recipe or DEFAULT, options.seed))
    figures = summaries(found)
    print(json.dumps(figures, ensure_ascii=False, indent=1) if options.json else "\n".join(summary_lines(figures)))
    return 0


def _attacked(options: argparse.Namespace) -> list:
    """The outcomes of the attack that the options describe."""
    from itt_jax import attack, config, tasks

    for name in ("checkpoint", "task"):
        if getattr(options, name) is None:
            raise InputError(f"the following arguments are required: --{name} (see attack --help)")
    own_tasks = config.load_tasks(options.config)[0] if options.config else ()
    own_attacks = config.load_attacks(options.config, attack.Attack) if options.config else ()
    settings = {name: getattr(options, name) for name in OF_RECIPES}
    recipe = attack.adapted(
        attack.get(options.recipe or DEFAULT, own_attacks), **settings | {"operators": options.operators or ()}
    )
    if options.shift is not None and (kind := tasks.get(options.task, own_tasks).kind) != "regression":
        raise InputError(f"--shift goes with tasks of kind regression, not {kind}")

    from itt_jax.models import checkpoint_name
    from itt_jax.study.attacking import AttackRequest, attack_checkpoint
    from itt_jax.study.request import Evaluation

    out = options.out or pathlib.Path(f"runs/attack-{recipe.name}-{options.task}-{checkpoint_name(options.checkpoint)}")
    evaluation = Evaluation(
        checkpoint=options.checkpoint,
        task=options.task,
        languages=tuple(options.languages),
        split=options.split,
        rows=options.rows,
        noise_seed=options.seed,
        max_length=options.max_length,
        allow_contaminated=options.allow_contaminated,
        labels=options.labels,
        precision=options.precision or "auto",
        tasks=own_tasks,
    )
    return attack_checkpoint(AttackRequest(evaluation, recipe, options.field), out, data_root(options), options.json)
