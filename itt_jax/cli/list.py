"""`list`: the names that a config can use."""

import argparse
import json
import pathlib

from itt_jax.cli.listing import LISTED, listing, perturbation_lines, presence_lines, presences
from itt_jax.cli.options import add_data_root, add_json
from itt_jax.errors import InputError

SUMMARY = "List the names that a config can use: models, tasks, kinds, metrics, perturbations, attacks, arms."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("kind", choices=LISTED)
    add_data_root(parser, help="tasks: list those with files in this folder, and their rows by split and language")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the rows."""
    if options.data_root is not None:
        if options.kind != "tasks":
            raise InputError(f"--data-root goes with list tasks, not with list {options.kind}")
        _list_present(options.data_root, options.json)
        return 0
    rows = listing(options.kind)
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    elif options.kind == "perturbations":
        print("\n".join(perturbation_lines(rows)).rstrip())
    else:
        for row in rows:
            print(f"{row['name']:<24} {row['summary']}")
    return 0


def _list_present(folder: pathlib.Path, as_json: bool) -> None:
    from itt_jax.data.sources import data_root

    data_root(folder)  # which checks that it is a folder
    if as_json:
        print(json.dumps(list(presences(folder)), ensure_ascii=False, indent=1))
        return
    for row in presences(folder):  # a line as soon as it is known: counting takes a while
        print("\n".join(presence_lines(row)), flush=True)
