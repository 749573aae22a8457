"""`export`: one of our checkpoints to Hugging Face's format."""

import argparse

from itt_jax.cli.options import path
from itt_jax.errors import InputError

SUMMARY = "Write one of our checkpoints as a Hugging Face directory."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "paths",
        nargs="+",
        type=path,
        metavar="PATH",
        help="CKPT OUT_DIR, where CKPT is a checkpoint or OUT/stages/ID; with --out, OUT_DIR alone",
    )
    parser.add_argument("--out", type=path, help="results folder; the options below select its stage")
    parser.add_argument("--encoder", help="this and the others: needed if the folder has several")
    parser.add_argument("--target")
    parser.add_argument("--arm")
    parser.add_argument("--seed", type=int)


def run(options: argparse.Namespace) -> int:
    """Export; print the new directory."""
    from itt_jax.store.stages import NAMED, find_stage
    from itt_jax.train.checkpoint import export_checkpoint

    named = {name: getattr(options, name) for name in NAMED}
    *source, destination = options.paths
    if options.out is None and set(named.values()) != {None}:
        raise InputError(f"export: --{', --'.join(NAMED)} name a stage of a results folder; expected --out as well")
    if len(source) != (options.out is None):
        expected = "CKPT OUT_DIR" if options.out is None else "OUT_DIR alone beside --out"
        raise InputError(f"export: found {' '.join(map(str, options.paths))}, expected {expected}")
    export_checkpoint(source[0] if source else find_stage(options.out, **named), destination)
    print(destination)
    return 0
