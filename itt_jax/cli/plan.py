"""`plan`: the work and cost of a study."""

import argparse
import json
import sys
from typing import TYPE_CHECKING

from itt_jax.cli.options import add_cache, add_json, add_stack, add_study, data_root, path, read_study, stack
from itt_jax.errors import InputError

if TYPE_CHECKING:
    from itt_jax.config import Study

SUMMARY = "Show a study's stages and cells, which of them are done and what the rest would cost; trains nothing."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    add_study(parser)
    add_json(parser)
    add_cache(parser)
    parser.add_argument(
        "--topology",
        metavar="NAME",
        help="compile every program for accelerators that need not be here (v5e:2x4, v6e:2x4, v5p:2x2x1, h100x8) and "
        "show what the compiler says: memory, FLOPs, bytes, communication, hours",
    )
    add_stack(parser)
    parser.add_argument(
        "--power",
        action="store_true",
        help="seeds, rows and operators that decide the primary questions, and their cost",
    )
    parser.add_argument("--pilot", type=path, metavar="DIR", help="with --power: results folder of a pilot study")
    for name, what in (("seed", "seeds"), ("item", "items")):
        parser.add_argument(
            f"--{name}-sd",
            type=float,
            metavar="SD",
            help=f"with --power, without a pilot: standard deviation of the contrast between {what} (0.02: two points)",
        )


def run(options: argparse.Namespace) -> int:
    """Print the plan."""
    from itt_jax.study import describe

    study, out = read_study(options)
    if options.cache is not None and (options.power or options.topology is not None):
        raise InputError("--cache: cannot be combined with --power or --topology")
    if options.topology is not None:
        return compiled(options, study)
    if options.stack is not None:
        raise InputError("--stack: needs --topology")
    if options.power:
        return power(options, study)
    for name in ("pilot", "seed_sd", "item_sd"):
        if getattr(options, name) is not None:
            raise InputError(f"--{name.replace('_', '-')}: needs --power")
    description = describe(study, out, data_root(options), options.cache)
    print(json.dumps(description.as_dict(), indent=1) if options.json else description.text())
    return 0


def compiled(options: argparse.Namespace, study: "Study") -> int:
    """Print the compiler's estimates for the study's programs on other hardware."""
    if options.power:
        raise InputError("--power: cannot be combined with --topology")
    from itt_jax.accelerators import topology

    there = topology(options.topology)
    from itt_jax.study import estimates
    from itt_jax.study.estimate_tables import as_dict, text

    works = estimates(study, there, data_root(options), stack(options), lambda line: print(line, file=sys.stderr))
    print(json.dumps(as_dict(works, there), indent=1) if options.json else text(works, there))
    return 0


def power(options: argparse.Namespace, study: "Study") -> int:
    """Print the designs that decide a study's primary questions."""
    from itt_jax import report
    from itt_jax.analysis import analyse
    from itt_jax.analysis import power as powers
    from itt_jax.store import Store

    wanted, declared = powers.asked(study), (options.seed_sd, options.item_sd)
    if not wanted:
        raise InputError("--power: the study has no treatment with a baseline, so no primary question")
    if (options.pilot is None) == (None in declared):
        raise InputError("--power: expected either --pilot DIR or both --seed-sd and --item-sd")
    if options.pilot is None and min(declared) <= 0:
        raise InputError(f"--seed-sd, --item-sd: expected more than 0, found {declared[0]} and {declared[1]}")
    from itt_jax.study.prices import prices  # imports JAX

    pilot = None if options.pilot is None else analyse(options.pilot)
    done = [] if pilot is None else Store(options.pilot).plan().get("stages_done", ())
    cost = prices(study, data_root(options), done)
    most = max(cost.rows.values())
    if pilot is None:
        questions, rows = powers.declared(wanted, *declared, most), study.evaluation_rows or most
        operators: tuple[int, ...] = (max(cost.operators, 1),)
    else:
        questions, rows = powers.from_pilot(pilot, wanted, cost.languages()), powers.pilot_rows(pilot)
        operators = tuple(range(1, max(cost.operators, 1) + 1))
    unknown = [name for name in wanted if name not in {question.name for question in questions}]
    frame = powers.designs(questions, study.smallest_effect, rows, most, operators, cost.flops, len(wanted))
    frame["hours"] = frame["flops"] / cost.speed / 3600
    if options.json:
        found = {"bound": study.smallest_effect, "designs": json.loads(frame.to_json(orient="records"))}
        print(json.dumps(found | {"without_estimate": unknown}, indent=1))
    else:
        print(report.power_markdown(frame, study.smallest_effect, len(wanted), unknown))
    return 0
