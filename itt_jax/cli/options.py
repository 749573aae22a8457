"""Arguments that several commands share."""

import argparse
import dataclasses
import pathlib
from typing import TYPE_CHECKING

from itt_jax.errors import InputError
from itt_jax.reading.text import parse_number

if TYPE_CHECKING:
    from itt_jax.config import Study
    from itt_jax.study.request import Evaluation


DATA_ROOT = "folder of data in its published formats; default: $ITT_JAX_DATA"


def path(text: str) -> pathlib.Path:
    """A path on the command line; an empty one would be the current folder.

    Raises:
        argparse.ArgumentTypeError: it is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError("expected a path, found ''")
    return pathlib.Path(text)


def delimiter(text: str) -> str:
    """The column separator; "\\t" means a tab, which is hard to pass through a shell.

    Raises:
        argparse.ArgumentTypeError: it cannot separate columns.
    """
    text = "\t" if text == r"\t" else text
    if len(text) != 1 or text in ('"', "\n", "\r"):
        raise argparse.ArgumentTypeError(f"expected one character that separates columns, found {text!r:.80}")
    return text


def number(text: str) -> float:
    """A number on the command line.

    Raises:
        argparse.ArgumentTypeError: it is not a number, or has underscores, which `float` accepts: 0_1 would be 1.
    """
    try:
        return parse_number(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a number, found {text!r:.80}") from error


def add_data_root(parser: argparse.ArgumentParser, help: str = DATA_ROOT) -> None:
    """--data-root."""
    parser.add_argument("--data-root", type=path, help=help)


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_config(parser: argparse.ArgumentParser) -> None:
    """--config and --set."""
    parser.add_argument(
        "--config",
        type=path,
        help="a Python file that defines `study`, or the name of one that ships; default: the quickstart",
    )
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override a field")


def add_precision(parser: argparse.ArgumentParser) -> None:
    """--precision."""
    choices = ("auto", "float32", "bfloat16", "bfloat16_products")
    parser.add_argument("--precision", choices=choices, help="precision; default: the study's, or auto")


def add_study(parser: argparse.ArgumentParser) -> None:
    """--config, --set, --precision, --data-root and --out."""
    add_config(parser)
    add_precision(parser)
    add_data_root(parser)
    parser.add_argument("--out", type=path, help="results folder; default runs/NAME")


def add_stack(parser: argparse.ArgumentParser) -> None:
    """--stack."""
    parser.add_argument(
        "--stack",
        type=int,
        metavar="N",
        help="maximum number of fine-tunings trained together; default: what an accelerator's memory holds, 1 on a CPU",
    )


def add_cache(parser: argparse.ArgumentParser) -> None:
    """--cache."""
    about = "a folder of finished stages that studies share: those that are there are not trained again"
    parser.add_argument("--cache", type=path, metavar="DIR", help=about)


def stack(options: argparse.Namespace) -> int | None:
    """The value of --stack.

    Raises:
        InputError: it is less than 1.
    """
    if options.stack is not None and options.stack < 1:
        raise InputError(f"--stack: found {options.stack}, expected at least 1")
    return options.stack


def add_own_tasks(parser: argparse.ArgumentParser) -> None:
    """--config, for the tasks that it defines."""
    about = "a Python file that defines `tasks`, or a `study` with tasks, for --task"
    parser.add_argument("--config", type=path, help=about)


def add_rows(parser: argparse.ArgumentParser) -> None:
    """--checkpoint, --task and the choice of its rows, for work on one checkpoint."""
    parser.add_argument("--checkpoint", type=path, help="a checkpoint with a head, or OUT/stages/ID")
    parser.add_argument("--task", help="a task of the catalogue (see `list tasks`), or of --config")
    add_own_tasks(parser)
    parser.add_argument("--field", help="the field to edit; default: the last that may be edited")
    parser.add_argument("--languages", nargs="+", default=[], help="default: all of the task")
    parser.add_argument("--split", default="test")
    parser.add_argument("--rows", type=int, help="maximum number of rows a language")
    parser.add_argument("--seed", type=int, default=0, help="seed of random choices")
    parser.add_argument("--max-length", type=int, help="maximum tokens of an example; default: as in evaluate")
    parser.add_argument("--allow-contaminated", action="store_true", help="rows that the checkpoint was trained on too")
    parser.add_argument("--labels", metavar="A=B,...", help="which output is which label, as in evaluate")
    add_precision(parser)
    add_data_root(parser)


def read_rows(options: argparse.Namespace, name: str) -> "Evaluation":
    """The checkpoint and rows that `add_rows`'s options name.

    Args:
        name: the command's name.

    Raises:
        InputError: no checkpoint or task is named, or --config is wrong.
    """
    from itt_jax import config
    from itt_jax.study.request import Evaluation

    for required in ("checkpoint", "task"):
        if getattr(options, required) is None:
            raise InputError(f"the following arguments are required: --{required} (see {name} --help)")
    return Evaluation(
        checkpoint=options.checkpoint,
        task=options.task,
        languages=tuple(options.languages),
        split=options.split,
        rows=options.rows,
        noise_seed=options.seed,
        max_length=options.max_length,
        allow_contaminated=options.allow_contaminated,
        labels=options.labels,
        precision=options.precision or "auto",
        tasks=config.load_tasks(options.config)[0] if options.config else (),
    )


def read_config(options: argparse.Namespace) -> "Study":
    """The study that `add_config`'s options name.

    Raises:
        InputError: see `config.load`.
    """
    from itt_jax import config
    from itt_jax.study import quickstart

    return config.load(options.config or quickstart.__file__, options.set)


def read_study(options: argparse.Namespace) -> "tuple[Study, pathlib.Path]":
    """The study that `add_study`'s options name, and its results folder.

    Raises:
        InputError: see `config.load`.
    """
    study = read_config(options)
    if options.precision:
        study = dataclasses.replace(study, precision=options.precision)
    return study, options.out or pathlib.Path("runs") / study.name


def data_root(options: argparse.Namespace) -> pathlib.Path | None:
    """The folder that --data-root or $ITT_JAX_DATA names.

    Raises:
        InputError: it is not there.
    """
    from itt_jax.data.sources import data_root as checked

    return checked(options.data_root)
