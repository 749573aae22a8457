"""`run`: train and evaluate a study, then write its report."""

import argparse
import json
from typing import TYPE_CHECKING

from itt_jax.cli.options import add_cache, add_json, add_stack, add_study, data_root, read_study, stack
from itt_jax.errors import InputError

if TYPE_CHECKING:
    from itt_jax.study import Results

SUMMARY = "Train and evaluate whatever a study still lacks, then write its report."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_study(parser)
    add_json(parser)
    add_stack(parser)
    add_cache(parser)
    parser.add_argument(
        "--until-decided",
        action="store_true",
        help="add seeds, up to each look of the study's `stopping`, until every primary question is decided",
    )
    parser.add_argument("--max-seeds", type=int, metavar="N", help="with --until-decided: last look after N seeds")
    parser.add_argument(
        "--distributed",
        nargs="*",
        metavar=("ADDRESS:PORT COUNT", "INDEX"),
        help="be one of several processes that train together, one on each host of a slice; with the address of the "
        "first, their number and the index of this one where JAX does not find them",
    )
    parser.add_argument(
        "--tensorboard", action="store_true", help="write training curves for TensorBoard to OUT/tensorboard"
    )
    parser.add_argument("--wandb", metavar="PROJECT", help="log training curves to this project of wandb too")
    parser.add_argument(
        "--share",
        metavar="URL",
        help="a folder that workers on several machines share, so that all drain one plan: a prefix of a bucket "
        "(gs://..., s3://...) or a path; each machine then has an --out of its own",
    )
    parser.add_argument("--profile", action="store_true", help="write a trace of a few training steps to OUT/profile")


def run(options: argparse.Namespace) -> int:
    """Run the study; print the summary of its report."""
    from itt_jax import study as studies
    from itt_jax.analysis import look_at
    from itt_jax.study.tracking import Tracking
    from itt_jax.train import processes

    study, out = read_study(options)
    root = data_root(options)
    if options.distributed is not None:
        processes.join(options.distributed)
    if options.max_seeds is not None and not options.until_decided:
        raise InputError("--max-seeds: needs --until-decided")
    settings = {"quiet": options.json, "stack": stack(options), "profile": options.profile}
    settings |= {"cache": options.cache}
    if options.wandb == "":
        raise InputError("--wandb: expected the name of a project, found ''")
    settings["share"] = options.share
    settings |= {"tracking": Tracking(options.tensorboard, options.wandb)}
    if processes.is_first():
        settings["tracking"].check()
    if options.until_decided:
        results = studies.run_until_decided(study, out, look_at, root, max_seeds=options.max_seeds, **settings)
    else:
        results = studies.run(study, out, root, **settings)
    if processes.is_first():
        _report(results, options.json)
    processes.await_others()
    return 0


def _report(results: "Results", as_json: bool) -> None:
    """Write the report; print its summary."""
    from itt_jax.analysis import analyse
    from itt_jax.report import summary_markdown, write_report
    from itt_jax.study.progress import Progress

    with Progress(quiet=as_json) as progress:
        progress.at("report", f"analysing {results.cells:,} cells")
        analysis = analyse(results.out)
        progress.tell("tables and figures")
        page = write_report(results.out, analysis)
    if as_json:
        print(json.dumps({"out": str(results.out), "report": str(page), "cells": results.cells, "made": results.made}))
    else:
        print(summary_markdown(analysis))
        print(f"\nThis run made {results.made} of {results.cells} cells. Report: {page}")
