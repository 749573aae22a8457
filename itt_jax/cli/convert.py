"""`convert`: a Hugging Face checkpoint to ours."""

import argparse
import pathlib

SUMMARY = "Convert a Hugging Face checkpoint directory to ours."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("source", type=pathlib.Path, metavar="HF_DIR")
    parser.add_argument("destination", type=pathlib.Path, metavar="OUT_DIR")


def run(options: argparse.Namespace) -> int:
    """Convert; print the new directory."""
    from itt_jax.train.checkpoint import convert

    convert(options.source, options.destination)
    print(options.destination)
    return 0
