"""`convert`: a Hugging Face checkpoint to ours."""

import argparse

from itt_jax.cli.options import path

SUMMARY = "Convert a Hugging Face checkpoint directory to ours."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("source", type=path, metavar="HF_DIR")
    parser.add_argument("destination", type=path, metavar="OUT_DIR")


def run(options: argparse.Namespace) -> int:
    """Convert; print the new directory."""
    from itt_jax.train.checkpoint import convert

    convert(options.source, options.destination)
    print(options.destination)
    return 0
