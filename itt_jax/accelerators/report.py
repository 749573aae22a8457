"""What a compiler says about a program for hardware that is not here. Estimates, all of them: nothing has run."""

import dataclasses
import hashlib
import importlib.metadata
import json
import time
from collections.abc import Sequence
from typing import Any

import jax

from itt_jax import files
from itt_jax.accelerators.costs import (
    UNESTIMATED,
    Collective,
    Cost,
    collectives,
    costs,
    kernels,
    uncounted,
    unknown_loops,
    unscheduled,
)
from itt_jax.accelerators.hlo import Hlo
from itt_jax.accelerators.schedules import kernel_cycles, take_schedules
from itt_jax.accelerators.topologies import Topology
from itt_jax.models.hardware import compiling_for
from itt_jax.train.compiling import Request, cache_folder
from itt_jax.train.memory import is_out_of_memory, needed_bytes

VERSION = 6
"""Raised when the same program gives another report."""
TOP = 10
"""Number of most expensive instructions that a report keeps."""
_COMPILERS = ("jax", "jaxlib", "libtpu", "jax-cuda13-plugin", "jax-cuda13-pjrt")


@dataclasses.dataclass(frozen=True)
class Report:
    """A compiled program, on one device.

    Attributes:
        needed: bytes of memory that it takes: arguments, results and temporaries; None where it does not compile for
            lack of memory. donated: bytes of arguments that it overwrites. arguments: bytes of all.
        flops: FLOPs. bytes: read and written. Executed instructions count, those of loops as often as they run.
        seconds: roofline: the sum over instructions of the longer of FLOPs at peak rate and bytes at full bandwidth.
        seconds_of_bytes: bytes at full bandwidth. seconds_of_flops: FLOPs at peak rate.
        cycles: the compiler's estimate, with the schedules of kernels, and without waiting for memory or for other
            devices; None where it makes none.
        collectives: by kind and dtype. kernels: calls a step of kernels that are not XLA's.
        top: the instructions with most cycles, or where there are none, most roofline seconds.
        compile_seconds: on the machine that compiled it.
        uncounted: kernels whose FLOPs are not counted. unscheduled: kernels whose cycles are not.
        unknown_loops: number of loops of unknown length, which count once.
        main_seconds: the roofline if only bytes of the main memory take time, not those of on-chip memory.
    """

    needed: int | None
    donated: int
    arguments: int
    flops: float
    bytes: float
    seconds: float
    seconds_of_bytes: float
    seconds_of_flops: float
    cycles: int | None
    collectives: tuple[Collective, ...]
    kernels: dict[str, int]
    top: tuple[Cost, ...]
    compile_seconds: float
    uncounted: tuple[str, ...] = ()
    unknown_loops: int = 0
    main_seconds: float = 0.0
    unscheduled: tuple[str, ...] = ()

    @property
    def bound(self) -> str:
        """What takes longer: "bytes" or "FLOPs"."""
        return "bytes" if self.seconds_of_bytes > self.seconds_of_flops else "FLOPs"

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Report":
        """A report that `dataclasses.asdict` has made JSON of."""
        return cls(
            **values
            | {
                "collectives": tuple(Collective(**own) for own in values["collectives"]),
                "top": tuple(Cost(**own) for own in values["top"]),
                "uncounted": tuple(values["uncounted"]),
                "unscheduled": tuple(values["unscheduled"]),
            }
        )


TOO_LARGE = Report(None, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, None, (), {}, (), 0.0)
"""The report of a program that the compiler cannot fit into the memory."""


def compiled_report(request: Request, there: Topology) -> Report:
    """The report of a program for a topology; found again in the cache if the same program was compiled before.

    Args:
        request: made inside of `compiling_for(there.hardware)`.
    """
    with compiling_for(there.hardware):
        lowered = request.lowered()
    versions = [f"{name} {version}" for name in _COMPILERS if (version := _version(name))]
    key = hashlib.sha256("\n".join([str(VERSION), there.name, *versions, lowered.as_text()]).encode()).hexdigest()
    path = cache_folder() / "reports" / f"{key[:32]}.json"
    if path.exists():
        return Report.from_json(json.loads(path.read_text(encoding="utf-8")))
    began, schedules = time.perf_counter(), {}
    try:
        take_schedules()  # of a program that did not compile
        with compiling_for(there.hardware):
            compiled = lowered.compile()
        schedules = take_schedules()
        report = read(compiled, there, time.perf_counter() - began, schedules)
    except jax.errors.JaxRuntimeError as error:
        if not is_out_of_memory(error):
            raise
        report = dataclasses.replace(TOO_LARGE, compile_seconds=time.perf_counter() - began)
    if schedules or report.cycles is None or not report.unscheduled:  # another process may have what this one lacks
        files.write_json(path, dataclasses.asdict(report))
    return report


def read(
    compiled: jax.stages.Compiled,
    there: Topology,
    compile_seconds: float = 0.0,
    schedules: dict[str, int] | None = None,
) -> Report:
    """The report of a compiled program.

    Args:
        schedules: those of its kernels (`take_schedules`).
    """
    text, own = compiled.as_text(), there.accelerator
    program = Hlo.parse(text)
    of_kernels = kernel_cycles(program, schedules or {}, own.cores)
    found, memory = costs(program, of_kernels), compiled.memory_analysis()
    flops, moved, seconds = _totals(compiled, text, found, there)
    cycles = sum(cost.cycles for cost in found)

    def expense(cost: Cost) -> tuple[float, float]:
        """Cycles and seconds."""
        return cost.cycles, roofline([cost], there)

    return Report(
        needed=needed_bytes(compiled),
        donated=memory.alias_size_in_bytes,
        arguments=memory.argument_size_in_bytes,
        flops=flops,
        bytes=moved,
        seconds=seconds,
        seconds_of_bytes=moved / own.bandwidth,
        seconds_of_flops=flops / own.peak,
        cycles=cycles or None,
        collectives=tuple(collectives(program)),
        kernels=dict(kernels(program)),
        top=tuple(sorted(found, key=expense, reverse=True)[:TOP]),
        compile_seconds=compile_seconds,
        uncounted=tuple(uncounted(program)),
        unknown_loops=unknown_loops(program),
        main_seconds=roofline([dataclasses.replace(cost, bytes=cost.main_bytes) for cost in found], there),
        unscheduled=tuple(unscheduled(program, of_kernels)),
    )


def roofline(found: Sequence[Cost], there: Topology) -> float:
    """Seconds of instructions, each of which is bound by its FLOPs or by its bytes."""
    own = there.accelerator
    return sum(max(cost.flops / own.peak, cost.bytes / own.bandwidth) for cost in found)


def _totals(
    compiled: jax.stages.Compiled, text: str, found: Sequence[Cost], there: Topology
) -> tuple[float, float, float]:
    """FLOPs, bytes and roofline seconds.

    XLA's cost analysis is more exact than ours (it knows padding and elementwise work), but counts a loop's body once,
    and each of some calls as -1 second. So its figures are scaled by ours, with loops counted in full and once.
    """
    flops, moved = sum(cost.flops for cost in found), sum(cost.bytes for cost in found)
    seconds, analysis = roofline(found, there), compiled.cost_analysis()
    if not analysis or "optimal_seconds" not in analysis:
        return flops, moved, seconds
    once = [dataclasses.replace(cost, flops=cost.flops / cost.times, bytes=cost.bytes / cost.times) for cost in found]
    unknown = sum(text.count(f'custom_call_target="{name}"') for name in UNESTIMATED)
    return (
        analysis["flops"] * _quotient(flops, sum(cost.flops for cost in once)),
        analysis["bytes accessed"] * _quotient(moved, sum(cost.bytes for cost in once)),
        (analysis["optimal_seconds"] + unknown) * _quotient(seconds, roofline(once, there)),
    )


def _quotient(whole: float, part: float) -> float:
    return whole / part if part else 1.0


def _version(package: str) -> str:
    """The installed version; empty if it is absent."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
