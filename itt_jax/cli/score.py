"""`score`: scores predictions in an official layout, and writes a results folder's predictions in one."""

import argparse
import json

from itt_jax.cli.options import add_json, path
from itt_jax.errors import InputError

SUMMARY = "Score predictions in an official layout, or write those of a results folder (or questions) in it."

# The options that select predictions of a results folder; text is clean by default.
SELECTED = {"model": str, "arm": str, "target": str, "seed": int}
SELECTED |= {"perturbation": str, "severity": float, "replicate": int}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--benchmark", required=True, help="xtreme, xtreme-r, lextreme or multichecklist")
    parser.add_argument("--predictions", type=path, help="folder of predictions")
    parser.add_argument("--labels", type=path, help="folder of labels; for multichecklist: of templates")
    parser.add_argument("--tagging", help="rules of entity F1: seqeval, or seqeval-0.0.12 as published (the default)")
    parser.add_argument(
        "--languages", nargs="+", help="score only these; default: all of each task, as the benchmark does"
    )
    parser.add_argument(
        "--write", type=path, metavar="DIR", help="multichecklist: its questions; with --store: its predictions"
    )
    parser.add_argument("--store", type=path, metavar="OUT", help="write the predictions of this results folder")
    for name, kind in SELECTED.items():
        parser.add_argument(f"--{name}", type=kind, help="with --store: required where the folder holds several")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Score predictions, or write predictions to be scored."""
    given = {name for name, value in vars(options).items() if value is not None}
    needed = {"write"} if options.store else {"labels"}
    refused = {"predictions", "labels", "tagging", "languages"} if options.store else set(SELECTED)
    for name in sorted(needed - given):
        raise InputError(f"the following arguments are required: --{name} (see score --help)")
    for name in sorted(refused & given):
        raise InputError(f"--{name} {'does not go with' if options.store else 'goes with'} --store")
    if options.store:
        found = _write_predictions(options)
    elif options.write:
        return _write_questions(options)
    else:
        found = _score(options)
    print(json.dumps(found.as_dict(), ensure_ascii=False, indent=1) if options.json else found.text())
    return 0


def _write_predictions(options: argparse.Namespace):
    from itt_jax.report.official import write_official

    selection = {name: getattr(options, name) for name in SELECTED}
    return write_official(options.store, options.benchmark, options.write, selection)


def _write_questions(options: argparse.Namespace) -> int:
    from itt_jax.score import write_questions

    paths = [str(path) for path in write_questions(options.benchmark, options.labels, options.write)]
    print(json.dumps(paths) if options.json else "\n".join(paths))
    return 0


def _score(options: argparse.Namespace):
    from itt_jax.score import score

    more = {"tagging": options.tagging} if options.tagging else {}
    return score(options.benchmark, options.predictions, options.labels, languages=options.languages or (), **more)
