"""`config`: check a study and show it with every default and override resolved."""

import argparse
import json

from itt_jax.cli.options import add_config, add_json, read_config

SUMMARY = "Check a study's config; with --print, show every field, defaults and overrides resolved."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_config(parser)
    parser.add_argument(
        "--print", action="store_true", help="print a line PATH=VALUE for each field, in the form for --set"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the study, or that it is valid."""
    from itt_jax.config import canonical, settings

    study = read_config(options)
    if options.json:
        print(json.dumps(canonical(study), indent=1, ensure_ascii=False))
    elif options.print:
        print("\n".join(f"{path}={value!r}" for path, value in settings(study)))
    else:
        print(f"study {study.name}: every field is valid")
    return 0
