"""`certify`: accuracy that no edit within a radius can lower, by deletion smoothing of one checkpoint."""

import argparse
import json
import pathlib

from itt_jax.cli.options import add_json, add_rows, data_root, number, path, read_rows

SUMMARY = "Certify a checkpoint's predictions by random deletion: accuracy that no edit within a radius can lower."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_rows(parser)
    parser.add_argument(
        "--unit",
        default="character",
        help="unit of deletions and edits: character (default) or word; every text is segmented anew",
    )
    parser.add_argument("--rate", type=number, default=0.9, help="probability that a unit is deleted (0.9)")
    parser.add_argument(
        "--selection",
        type=int,
        default=1000,
        help="samples that estimate the most probable class (1000)",
    )
    parser.add_argument("--estimation", type=int, default=4000, help="samples that bound its probability (4000)")
    parser.add_argument("--alpha", type=number, default=0.05, help="1 - confidence of a certificate (0.05)")
    parser.add_argument(
        "--attack", type=path, metavar="FILE", help="results of `attack` on the same field and rows, to compare with"
    )
    parser.add_argument("--out", type=path, help="results folder; default: runs/certify-UNIT-TASK-CHECKPOINT")
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Certify the rows; print the figures."""
    from itt_jax.attack.csv_files import read_csv
    from itt_jax.certify import Deletion, Smoothing, summaries, summary_lines
    from itt_jax.models import checkpoint_name
    from itt_jax.report import write_page_of_parts
    from itt_jax.study.certifying import CertifyRequest, attacked_checkpoint, certify_checkpoint

    evaluation = read_rows(options, "certify")
    deletion = Deletion(options.unit, options.rate)
    smoothing = Smoothing(deletion, options.selection, options.estimation, options.alpha)
    outcomes = read_csv(options.attack) if options.attack else None
    out = options.out or pathlib.Path(
        f"runs/certify-{options.unit}-{options.task}-{checkpoint_name(options.checkpoint)}"
    )
    request = CertifyRequest(evaluation, smoothing, options.field)
    attacked = attacked_checkpoint(options.attack) if options.attack else None
    found = certify_checkpoint(request, out, data_root(options), options.json, outcomes, attacked)
    figures = summaries(found, smoothing, outcomes)
    page = write_page_of_parts(out)
    print(json.dumps(figures, ensure_ascii=False, indent=1) if options.json else "\n".join(summary_lines(figures)))
    if not options.json:
        print(f"\nReport: {page}")
    return 0
