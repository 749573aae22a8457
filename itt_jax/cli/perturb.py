"""`perturb`: a filter from lines to perturbed lines, and sheets of perturbed rows for human judgement."""

import argparse
from collections.abc import Callable

from itt_jax.cli.options import add_data_root, add_own_tasks, delimiter, number, path
from itt_jax.errors import InputError

SUMMARY = "Perturb lines of text: lines in, lines out; or write and read sheets for people to judge."

OF_TABLE = ("format", "delimiter", "quoted")
"""Options that need --column."""
# The option that selects what `perturb` does -> the options it needs, and those it allows.
MODES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "read_sheet": ((), ("json",)),
    "sheet": (("task",), ("names", "languages", "split", "rows", "severity", "seed", "lexicon", "data_root", "config")),
    "": (("name", "severity", "language"), ("seed", "lexicon", "source", "out", "column", *OF_TABLE)),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--name", help="an operator (see `list perturbations`), or several applied in order, such as a+b"
    )
    parser.add_argument("--severity", type=number, help="from 0 to 1; default for a sheet: 0.2")
    parser.add_argument("--language", help="ISO 639-1 code")
    parser.add_argument("--seed", type=int, help="noise seed; default: 0")
    parser.add_argument("--lexicon", type=path, help="word list, for operators that read one")
    parser.add_argument("--in", dest="source", type=path, help="default: standard input")
    parser.add_argument("--out", type=path, help="default: standard output")
    parser.add_argument("--column", help="perturb this column of a table; everything else keeps its bytes")
    parser.add_argument(
        "--format",
        choices=("csv", "tsv", "jsonl"),
        help="of a table with --column; default: what the name of --in ends in",
    )
    parser.add_argument("--delimiter", type=delimiter, help="what separates the columns of a csv; default: a comma")
    parser.add_argument(
        "--quoted",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether quotation marks of the table quote; default: in a csv, as its lines show; not in a tsv",
    )
    parser.add_argument("--sheet", type=path, metavar="FILE", help="write perturbed rows of --task to judge, as CSV")
    parser.add_argument("--task", help="task of the sheet")
    parser.add_argument("--names", nargs="+", help="operators of the sheet; default: all")
    parser.add_argument("--languages", nargs="+", help="languages of the sheet; default: all of the task")
    parser.add_argument("--split", help="split of the task for the sheet; default: test")
    parser.add_argument("--rows", type=int, help="rows of the sheet; default: 200")
    add_own_tasks(parser)
    add_data_root(parser)
    parser.add_argument("--read-sheet", type=path, metavar="FILE", help="count the verdicts of a judged sheet")
    parser.add_argument("--json", action="store_true", default=None, help="print the counts as JSON")


def run(options: argparse.Namespace) -> int:
    """Do the work that the options select."""
    given = {name: value for name, value in vars(options).items() if value is not None}
    mode = next((name for name in MODES if name in given), "")
    needed, allowed = MODES[mode]
    missing = [_flag(name) for name in needed if name not in given]
    if missing:
        raise InputError(f"the following arguments are required: {', '.join(missing)} (see perturb --help)")
    for name in given:
        if name not in (mode, *needed, *allowed):
            raise InputError(f"{_flag(name)} does not go with {_flag(mode) if mode else _flag('name')}")
    works: dict[str, Callable[..., None]] = {"read_sheet": _read_sheet, "sheet": _write_sheet, "": _perturb_lines}
    works[mode](**given)
    return 0


def _flag(name: str) -> str:
    return "--in" if name == "source" else f"--{name.replace('_', '-')}"


def _perturb_lines(source=None, out=None, column=None, **rest) -> None:
    from itt_jax.perturb.columns import perturb_column
    from itt_jax.perturb.filter import perturb_lines

    if column is not None:
        perturb_column(source, out, column, **rest)
    elif given := next((name for name in OF_TABLE if name in rest), None):
        raise InputError(f"{_flag(given)} goes with --column")
    else:
        perturb_lines(source, out, **rest)


def _write_sheet(sheet, task, data_root=None, config=None, **rest) -> None:
    from itt_jax.config import load_tasks
    from itt_jax.data.sources import data_root as checked
    from itt_jax.tasks.sheet import task_sheet

    own = load_tasks(config)[0] if config else ()
    lines = task_sheet(sheet, task, own_tasks=own, data_root=checked(data_root), **rest)
    operators, languages = ({getattr(line, name) for line in lines} for name in ("operator", "language"))
    print(f"{sheet}: {len(lines)} rows, {len(operators)} operators, {len(languages)} languages.")
    print("Fill in the column verdict: valid where the label still holds for the perturbed text, invalid where not.")


def _read_sheet(read_sheet, json=None) -> None:
    from itt_jax.perturb import sheet

    counts = sheet.verdict_counts(sheet.read_sheet(read_sheet))
    print(sheet.counts_json(counts) if json else "\n".join(sheet.count_lines(counts)))
