"""`list`: the names that a config can use."""

import argparse
import json

from itt_jax.cli.listing import LISTED, listing, perturbation_lines
from itt_jax.cli.options import add_json

SUMMARY = "List the names that a config can use: models, tasks, kinds, metrics, perturbations, arms."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("kind", choices=LISTED)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the rows."""
    rows = listing(options.kind)
    if options.json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    elif options.kind == "perturbations":
        print("\n".join(perturbation_lines(rows)).rstrip())
    else:
        for row in rows:
            print(f"{row['name']:<24} {row['summary']}")
    return 0
