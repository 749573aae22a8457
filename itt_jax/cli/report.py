"""`report`: tables, figures and a page from a results folder."""

import argparse
import pathlib

SUMMARY = "Write tables, figures and report/index.html from a results folder."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--out", type=pathlib.Path, required=True, help="results folder of `run` or `evaluate`")


def run(options: argparse.Namespace) -> int:
    """Write the report; print the path of its page."""
    from itt_jax.report import write_report

    print(write_report(options.out))
    return 0
