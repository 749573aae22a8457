"""`plan`: what a study would do."""

import argparse
import json

from itt_jax.cli.options import add_json, add_study, data_root, read_study

SUMMARY = "Show a study's stages and cells, which of them are done and what the rest would cost; trains nothing."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_study(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the plan."""
    from itt_jax.study import describe

    study, out = read_study(options)
    description = describe(study, out, data_root(options))
    print(json.dumps(description.as_dict(), indent=1) if options.json else description.text())
    return 0
