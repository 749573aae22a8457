"""`merge`: several results folders of one study as one."""

import argparse
import dataclasses
import json

from itt_jax.cli.options import add_json, path

SUMMARY = "Merge results folders of one study, made on several machines, into a new one; changes none of them."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("folders", type=path, nargs="+", metavar="DIR", help="results folders; results are the first's")
    parser.add_argument("--out", type=path, required=True, metavar="DIR", help="a new or empty folder")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Merge; print what the new folder holds."""
    from itt_jax.store.merging import merge

    found = merge(options.folders, options.out)
    if options.json:
        print(json.dumps({"out": str(options.out), **dataclasses.asdict(found)}))
        return 0
    print(f"{options.out}: {found.stages:,} stages, {found.cells:,} cells in its results")
    if found.others:
        print(
            f"{found.others:,} more cells are of other variants of the study than that of {options.folders[0]}; `run` "
            "with a config that asks for them takes them up"
        )
    return 0
