"""`run`: train and evaluate a study, then write its report."""

import argparse
import json

from itt_jax.cli.options import add_json, add_study, data_root, read_study
from itt_jax.errors import InputError

SUMMARY = "Train and evaluate whatever a study still lacks, then write its report."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_study(parser)
    add_json(parser)
    parser.add_argument(
        "--stack",
        type=int,
        metavar="N",
        help="maximum number of fine-tunings trained together; default: what an accelerator's memory holds, 1 on a CPU",
    )
    parser.add_argument(
        "--until-decided",
        action="store_true",
        help="add seeds, up to each look of the study's `stopping`, until every primary question is decided",
    )
    parser.add_argument("--max-seeds", type=int, metavar="N", help="with --until-decided: last look after N seeds")
    parser.add_argument("--profile", action="store_true", help="write a trace of a few training steps to OUT/profile")


def run(options: argparse.Namespace) -> int:
    """Run the study; print the summary of its report."""
    from itt_jax import study as studies
    from itt_jax.analysis import analyse, look_at
    from itt_jax.report import summary_markdown, write_report
    from itt_jax.study.progress import Progress

    study, out = read_study(options)
    if options.stack is not None and options.stack < 1:
        raise InputError(f"--stack: found {options.stack}, expected at least 1")
    root = data_root(options)
    if options.max_seeds is not None and not options.until_decided:
        raise InputError("--max-seeds: needs --until-decided")
    settings = {"quiet": options.json, "stack": options.stack, "profile": options.profile}
    if options.until_decided:
        results = studies.run_until_decided(study, out, look_at, root, max_seeds=options.max_seeds, **settings)
    else:
        results = studies.run(study, out, root, **settings)
    with Progress(quiet=options.json) as progress:
        progress.at("report", f"analysing {results.cells:,} cells")
        analysis = analyse(out)
        progress.tell("tables and figures")
        page = write_report(out, analysis)
    if options.json:
        print(json.dumps({"out": str(out), "report": str(page), "cells": results.cells, "made": results.made}))
    else:
        print(summary_markdown(analysis))
        print(f"\nThis run made {results.made} of {results.cells} cells. Report: {page}")
    return 0
