"""`merge`: several results folders of one study as one."""

import argparse
import dataclasses
import json

from itt_jax.cli.options import add_json, path

SUMMARY = "Merge results folders of one study, made on several machines, into a new one; changes none of them."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "folders",
        type=path,
        nargs="+",
        metavar="DIR",
        help="results folders; plan and results are those of the first folder's study",
    )
    parser.add_argument("--out", type=path, required=True, metavar="DIR", help="a new or empty folder")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Merge; print the contents of the new folder."""
    from itt_jax.store.merging import merge

    found = merge(options.folders, options.out)
    if options.json:
        print(json.dumps({"out": str(options.out), **dataclasses.asdict(found)}))
        return 0
    print(f"{options.out}: {found.stages:,} stages, {found.cells:,} cells in its results")
    if found.others:
        print(
            f"{found.others:,} more cells are not in the results: they are of other variants of the study than that of "
            f"{options.folders[0]}, or stored in a folder that held another before and not in its results; `run` with "
            "a config that asks for them takes them up"
        )
    return 0
