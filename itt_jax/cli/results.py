"""`results`: SQL queries on one or several results folders."""

import argparse
import sys

from itt_jax.cli.options import path
from itt_jax.errors import InputError

SUMMARY = "Answer questions about one or several results folders, in SQL; changes nothing."
FORMATS = ("table", "csv", "json", "parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--out", type=path, nargs="+", required=True, metavar="DIR", help="results folders")
    parser.add_argument(
        "--sql",
        metavar="QUERY",
        help="one SELECT on the relations results, items, selection and the report's tables (SHOW TABLES; DESCRIBE "
        "results; docs/results_schema.md); default: scores of each arm in points, clean and perturbed",
    )
    parser.add_argument("--where", metavar="CONDITION", help="a condition on results; other cells are left out")
    parser.add_argument(
        "--pivot",
        nargs=2,
        metavar=("ROWS", "COLUMN"),
        help="mean of value over cells, such as: --pivot model,language arm",
    )
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0], help="default: table")


def run(options: argparse.Namespace) -> int:
    """Print the answer."""
    if options.format == "parquet" and sys.stdout.isatty():
        raise InputError("--format parquet: expected standard output in a file (add > FILE), found a terminal")
    from itt_jax.query import ask, rendered

    pivot = None if options.pivot is None else tuple(options.pivot)
    answer = ask(options.out, options.sql, options.where, pivot)
    sys.stdout.buffer.write(rendered(answer, options.format))
    sys.stdout.buffer.flush()
    return 0
