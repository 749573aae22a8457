"""Compilers' estimates for a study's programs, as text and as JSON."""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from itt_jax.accelerators import Topology
from itt_jax.store.place import size
from itt_jax.study.estimating import Work
from itt_jax.study.progress import duration, flop

NOTE = (
    "Compilers' estimates; nothing has run. Seconds are a roofline: each instruction takes its FLOPs at peak rate or "
    "its bytes at full bandwidth. Left out: host, dev evaluations during training, cells of dev rows, transfers of "
    "attacks, tasks that compare vectors, checkpoints, compiling. Perturbed forms count as long as the clean rows, "
    "attacks as the number of queries that is expected of them."
)
_HEADERS = ["encoder", "stage", "runs", "rows", "padding", "memory", "FLOPs", "bytes", "ms", "cycles", "use"]
_HEADERS += ["bound by", "times", "hours"]


def text(works: Sequence[Work], there: Topology) -> str:
    """The estimates as text for a terminal."""
    own = there.accelerator
    lines = [
        f"{there.name}: {there.count} devices, each {own.peak / 1e12:,.0f} TFLOP/s, {own.bandwidth / 1e9:,.0f} GB/s, "
        f"{size(there.bytes)} that programs can use",
        "",
        *_table([_HEADERS, *map(_row, works)]),
        "",
    ]
    for work in works:
        lines += [f"{work.encoder}, {work.stage}, {_shape(work)}: {'; '.join(_details(work))}"]
    hours = sum(work.hours for work in works)
    lines += ["", _in_all(works, hours), *_shares(works, hours), NOTE]
    return "\n".join(lines)


def as_dict(works: Sequence[Work], there: Topology) -> dict[str, Any]:
    """The estimates as JSON values."""
    return {
        "topology": there.name,
        "devices": there.count,
        "accelerator": {
            name: getattr(there.accelerator, name) for name in ("name", "peak", "bandwidth", "bytes", "hertz")
        },
        "programs": [
            dataclasses.asdict(work)
            | {name: getattr(work, name) for name in ("fits", "utilisation", "hours")}
            | {"bound": work.report.bound}
            for work in works
        ],
        "hours": sum(work.hours for work in works),
        "not_fitting": sum(not work.fits for work in works),
        "note": NOTE,
    }


def _row(work: Work) -> list[str]:
    report = work.report
    if report.needed is None:
        return [work.encoder, work.stage, str(work.runs), _shape(work), f"{work.padding:.0%}", "too large", *["-"] * 8]
    return [
        work.encoder,
        work.stage,
        str(work.runs),
        _shape(work),
        f"{work.padding:.0%}",
        size(report.needed) + ("" if work.fits else ", too large"),
        flop(report.flops),
        size(report.bytes),
        f"{1000 * report.seconds:.3g}",
        "-" if report.cycles is None else f"{report.cycles / 1e6:.3g} M",
        "-" if work.utilisation is None else f"{work.utilisation:.1%}",
        report.bound,
        f"{work.times:,}",
        f"{work.hours:.3g}",
    ]


def _shape(work: Work) -> str:
    """Rows and length of a batch; "2 x 16 x 128" has two microbatches."""
    return " x ".join(map(str, [work.microbatches] * (work.microbatches > 1) + [work.rows, work.length]))


def _details(work: Work) -> list[str]:
    """Communication, kernels, what is not counted, and compile time."""
    report = work.report
    collectives = [f"{own.count} {own.kind} {own.dtype} {size(own.bytes)}" for own in report.collectives]
    kernels = [f"{count} {name}" for name, count in report.kernels.items()]
    parts = [", ".join(collectives) or "no collectives", ", ".join(kernels) or "no kernels but XLA's"]
    if report.uncounted:
        parts.append(f"FLOPs not counted: {', '.join(report.uncounted)}")
    if report.cycles and report.unscheduled:
        parts.append(f"cycles not counted: {', '.join(report.unscheduled)}")
    if loops := report.unknown_loops:
        parts.append(f"{loops} loop{'s' * (loops > 1)} of unknown length, counted once")
    return [*parts, f"compiled in {report.compile_seconds:.0f} s"]


def _in_all(works: Sequence[Work], hours: float) -> str:
    """The time of all programs; the time of those that do not fit is unknown."""
    large = sum(not work.fits for work in works)
    if not large:
        return f"about {duration(3600 * hours)} in all"
    return f"at least {duration(3600 * hours)} in all, {large} program{'s do' if large > 1 else ' does'} not fit"


def _shares(works: Sequence[Work], hours: float) -> list[str]:
    """The share of all hours that each kind of stage takes, and what bounds it."""
    taken: defaultdict[str, float] = defaultdict(float)
    bounds: defaultdict[tuple[str, str], float] = defaultdict(float)
    for work in works:
        taken[work.stage] += work.hours
        bounds[work.stage, work.report.bound] += work.hours
    lines = []
    for stage, own in taken.items():
        bound = "FLOPs" if bounds[stage, "FLOPs"] > bounds[stage, "bytes"] else "bytes"
        lines.append(f"  {stage}: {own / hours if hours else 0:.0%}, bound by {bound}")
    return lines


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns, the first two left-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
