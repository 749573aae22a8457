"""`attack`: texts chosen against one checkpoint, and its accuracy under attack."""

import argparse
import json
import pathlib

from itt_jax.cli.options import add_json, add_rows, data_root, number, path, read_rows
from itt_jax.errors import InputError

SUMMARY = "Attack a checkpoint on the rows of a task: accuracy under attack, queries, edits, and the texts as CSV."
OF_RECIPES: tuple[str, ...] = ("budget", "edits", "operators", "severity", "draws", "lexicon", "proposer", "shift")
OF_RECIPES += ("similarity", "least_similarity")
"""Options that change a recipe."""
DEFAULT = "deepwordbug"
"""The default recipe."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_rows(parser)
    parser.add_argument("--recipe", help="see `list attacks`, or an attack of --config; default: deepwordbug")
    parser.add_argument("--budget", type=int, metavar="QUERIES", help="maximum number of queries a row")
    parser.add_argument("--edits", type=int, help="maximum number of edits, for searches that count them")
    parser.add_argument("--operators", nargs="+", metavar="NAME", help="perturbations (worst_of, greedy_operators)")
    parser.add_argument("--severity", type=number, help="of --operators")
    parser.add_argument("--draws", type=int, help="of each of --operators")
    parser.add_argument(
        "--lexicon", help="words to write (textfooler, code_mixing, operators that read one); may contain {language}"
    )
    parser.add_argument("--proposer", metavar="DIR", help="checkpoint of a masked LM that proposes words (bert_attack)")
    parser.add_argument(
        "--shift",
        type=number,
        metavar="X",
        help="regression: an attack moves the score by X; default: a fifth of the task's range (STS-B: 1 of 0-5)",
    )
    parser.add_argument("--similarity", metavar="DIR", help="encoder that compares texts with the clean one")
    parser.add_argument("--least-similarity", type=number, metavar="X", help="minimum cosine under --similarity")
    parser.add_argument("--out", type=path, help="results folder; default: runs/attack-RECIPE-TASK-CHECKPOINT")
    parser.add_argument("--csv", type=path, metavar="FILE", help="also write the rows here, in TextAttack's columns")
    parser.add_argument("--sheet", type=path, metavar="FILE", help="write the successes as CSV for human judgement")
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
        found, page = read_csv(options.read), None
    else:
        found, page = _attacked(options)
        if options.csv:
            write_csv(options.csv, found)
        if options.sheet:
            write_sheet(options.sheet, lambda: judged_lines(found, options.recipe or DEFAULT, options.seed))
    figures = summaries(found)
    print(json.dumps(figures, ensure_ascii=False, indent=1) if options.json else "\n".join(summary_lines(figures)))
    if page is not None and not options.json:
        print(f"\nReport: {page}")
    return 0


def _attacked(options: argparse.Namespace) -> tuple[list, pathlib.Path | None]:
    """The outcomes of the attack that the options describe, and the path of its page."""
    from itt_jax import attack, config, tasks
    from itt_jax.models import checkpoint_name
    from itt_jax.report import write_page_of_parts
    from itt_jax.study.attacking import AttackRequest, attack_checkpoint

    evaluation = read_rows(options, "attack")
    own_attacks = config.load_attacks(options.config, attack.Attack) if options.config else ()
    settings = {name: getattr(options, name) for name in OF_RECIPES}
    recipe = attack.adapted(
        attack.get(options.recipe or DEFAULT, own_attacks), **settings | {"operators": options.operators or ()}
    )
    if options.shift is not None and (kind := tasks.get(options.task, evaluation.tasks).kind) != "regression":
        raise InputError(f"--shift goes with tasks of kind regression, not {kind}")
    out = options.out or pathlib.Path(f"runs/attack-{recipe.name}-{options.task}-{checkpoint_name(options.checkpoint)}")
    found = attack_checkpoint(AttackRequest(evaluation, recipe, options.field), out, data_root(options), options.json)
    return found, write_page_of_parts(out)
