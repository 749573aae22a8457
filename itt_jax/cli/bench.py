"""`bench`: our measured figures and those of other implementations."""

import argparse
import json

from itt_jax.bench import BENCHES, Request
from itt_jax.bench import run as run_bench
from itt_jax.cli.options import add_data_root, add_json, data_root
from itt_jax.errors import InputError

SUMMARY = "Measure our speed and that of other implementations on this machine, in one run."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(["NAME:", *(f"  {bench.name:<12} {bench.summary}" for bench in BENCHES)])
    parser.add_argument("name", metavar="NAME", help="what to measure; see below")
    parser.add_argument("--repeats", type=int, help="measurements per figure; the median is reported")
    parser.add_argument(
        "--sentences",
        type=int,
        help="sentences for perturb (20000), rows for evaluate (100), lengths (384), attack (64)",
    )
    parser.add_argument("--steps", type=int, help="steps in one measurement of training; default: by data")
    parser.add_argument(
        "--encoders", nargs="+", default=[], help="bert, roberta, xlnet; xlm-r, mmbert for lengths; default: by bench"
    )
    parser.add_argument(
        "--sizes", nargs="+", default=[], help="base, distil, small, tiny, toy; cells for store; default: by bench"
    )
    parser.add_argument("--data", nargs="+", default=[], help="sst2, xnli, reviews; default: by bench")
    parser.add_argument("--topologies", nargs="+", default=[], help="of compile: v5e:2x4, h100x8 ...; default v5e:1x1")
    add_data_root(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Print the figures."""
    for name in ("repeats", "sentences", "steps"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise InputError(f"--{name}: found {getattr(options, name)}, expected at least 1")
    request = Request(
        data_root=data_root(options),
        repeats=options.repeats,
        sentences=options.sentences,
        encoders=tuple(options.encoders),
        data=tuple(options.data),
        sizes=tuple(options.sizes),
        steps=options.steps,
        topologies=tuple(options.topologies),
    )
    figures, text = run_bench(options.name, request)
    print(json.dumps(figures, ensure_ascii=False, indent=1) if options.json else text)
    return 0
