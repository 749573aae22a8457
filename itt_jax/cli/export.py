"""`export`: one of our checkpoints to Hugging Face's format."""

import argparse
import pathlib

SUMMARY = "Write one of our checkpoints as a Hugging Face directory."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("source", type=pathlib.Path, metavar="CKPT")
    parser.add_argument("destination", type=pathlib.Path, metavar="OUT_DIR")


def run(options: argparse.Namespace) -> int:
    """Export; print the new directory."""
    from itt_jax.train.checkpoint import export_checkpoint

    export_checkpoint(options.source, options.destination)
    print(options.destination)
    return 0
