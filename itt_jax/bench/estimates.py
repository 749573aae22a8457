"""Aims for accelerators that are not here, by the compilers' estimates: share of peak, a stack, bytes of a small step.

Programs of many layers take minutes to compile. All layers have the same instructions, so a program's cost is a
constant (embeddings, head, their optimizer) plus that of its layers: programs of `LAYERS` layers are compiled, and
deeper ones extrapolated.
"""

import dataclasses
from typing import Any

import jax
import numpy as np

from itt_jax.accelerators import Topology, compiled_report, topology
from itt_jax.bench import Request, ours
from itt_jax.bench.choices import SIZES, Data
from itt_jax.bench.measure import aims_table, heading, progress, table, verdicts
from itt_jax.bench.workload import Training
from itt_jax.errors import unknown
from itt_jax.kinds import kind
from itt_jax.models import make_encoder, make_head
from itt_jax.models.hardware import compiling_for
from itt_jax.train import described
from itt_jax.train.jobs import Job, TaskData
from itt_jax.train.microbatches import on_chip_tokens
from itt_jax.train.predict import batch_sizes
from itt_jax.train.sharding import stack_mesh

REPEATS = 1
TOPOLOGIES = ("v5e:1x1", "v6e:1x1")
TIMES = ("main", "all", "cycled")
"""Estimates of a program's time: rooflines of traffic with the main memory and of all traffic, and cycles."""
LAYERS = (2, 4)
DEEPEST = 6
"""Number of layers up to which programs are compiled whole."""
ROWS = 64
VOCABULARY = 30_522
SST2 = (3, 4, 5, 5, 6, 6, 7, 8, 8, 9, 10, 12, 13, 14, 16, 18, 21, 25, 29, 38)
"""Quantiles (2.5 %, 7.5 % ...) of the lengths of SST-2's training examples in tokens of bert-base-uncased."""
STATE, GRADIENT = 24, 8
"""Bytes that a step moves for each parameter at the least: those of the parameter and its two moments, float32, each
read and written; and of its gradient, written and, since clipping first needs the norm of all of them, read again."""
NOTE = (
    "Compilers' estimates; nothing has run. Programs of more layers than 6 are extrapolated from those of 2 and 4. "
    "Shares of peak: FLOPs that are computed, by the time of the roofline that counts only traffic with main memory "
    "(main), of the one that counts all (all), and of the compiler's cycles (cycled)."
)


@dataclasses.dataclass(frozen=True)
class Program:
    """A program of one chip, or of each chip of a stack.

    Attributes:
        name: its name in figures. lengths: of the examples. batch_size: examples in a step.
        attention_dropout: whether training drops attention probabilities.
        aim: the share of peak aimed at; 0: none.
    """

    name: str
    lengths: tuple[int, ...]
    batch_size: int
    trained: bool = True
    attention_dropout: bool = True
    aim: float = 0.0

    def work(self, sizes: dict[str, int]) -> Training:
        """Random examples and an encoder of these sizes, in bfloat16."""
        rate = {} if self.attention_dropout else {"attention_dropout": 0.0}
        encoder = make_encoder("bert", vocabulary_size=VOCABULARY, **sizes, **rate)
        lengths = np.resize(self.lengths, 4 * self.batch_size)
        head, examples = make_head(encoder, "classification", 2), ours.random_examples(encoder, lengths)
        longest = max(*self.lengths, 128)
        task = TaskData(self.name, head, examples, kind("classification"), 2)
        return ours.with_dtype(Training(Data("", "", max_length=longest), encoder, task), "bfloat16")


SMALL = Program("step of 32 examples of SST-2", SST2, 32)
PROGRAMS = (
    *(Program(f"training, rows of {length}", (length,), ROWS, aim=0.5) for length in (128, 512)),
    Program("training, rows of 512, all probabilities kept", (512,), ROWS, attention_dropout=False),
    *(Program(f"prediction, rows of {length}", (length,), ROWS, trained=False, aim=0.6) for length in (128, 512)),
    SMALL,
)
TWO_LAYERS = {"layers": 2, "width": 768, "heads": 12}


def measure(request: Request) -> dict:
    """The figures of this bench."""
    rows, aims = [], []
    for name in request.topologies or TOPOLOGIES:
        there = topology(name)
        for size in request.sizes or ("base",):
            if size not in SIZES:
                raise unknown("sizes", size, SIZES)
            for program in PROGRAMS:
                found = figures_of(program, SIZES[size], there)
                rows += [{"size": size} | row for row in found]
                aims += aims_of(program, found[-1], size)
        rows += [{"size": "two layers"} | row for row in stacked(there)]
        aims.append(aim_of_stack(*rows[-2:]))
    return {"rows": rows, "aims": aims}


def figures_of(program: Program, sizes: dict[str, int], there: Topology) -> list[dict[str, Any]]:
    """The figures of a program: those of the compiled numbers of layers, the last being that of `sizes`."""
    layers = sizes["layers"]
    if layers <= DEEPEST:
        return [estimated(program, sizes, there)]
    few, more = (estimated(program, sizes | {"layers": count}, there) for count in LAYERS)
    return [few, more, extrapolated(few, more, layers)]


def estimated(program: Program, sizes: dict[str, int], there: Topology, runs: int = 1) -> dict[str, Any]:
    """The compiler's figures for one device."""
    progress(f"estimates: {program.name}, {sizes['layers']} layers, {there.name}")
    work, own = program.work(sizes), there.accelerator
    with compiling_for(there.hardware):
        mesh = stack_mesh(runs)
        if program.trained:
            recipe = ours.recipe_of(work, program.batch_size)
            jobs = [Job((work.task,), None, {}, recipe, 2e-5, seed) for seed in range(runs)]
            (one,) = described.training(work.encoder, jobs, mesh)
        else:
            most = on_chip_tokens(work.encoder, runs, mesh)
            tokens = batch_sizes(program.batch_size * program.lengths[0], most=most)[0]
            one = described.prediction(work.encoder, work.task.head, work.task.examples, runs, tokens, mesh)
    report = compiled_report(one.request, there)
    return {
        "topology": there.name,
        "program": program.name,
        "layers": sizes["layers"],
        "rows": "x".join(map(str, one.row_shape)),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves((work.encoder.shapes(), work.task.head.shapes()))),
        "flops": one.flops * ours.computed(work.encoder, one.tokens, one.examples) / there.count,
        "cycles": report.cycles,
        "main": report.main_seconds,
        "all": report.seconds,
        "cycled": None if report.unscheduled or not report.cycles else report.cycles / own.hertz,
    } | {"bandwidth": own.bandwidth, "peak": own.peak}


def extrapolated(few: dict[str, Any], more: dict[str, Any], layers: int) -> dict[str, Any]:
    """The figures of a program with `layers` layers from those of two with fewer."""
    beyond = (layers - few["layers"]) / (more["layers"] - few["layers"])

    def at(name: str) -> Any:
        low, high = few[name], more[name]
        return None if low is None or high is None else low + beyond * (high - low)

    return few | {name: at(name) for name in ("layers", "parameters", "flops", "cycles", *TIMES)}


def stacked(there: Topology) -> list[dict[str, Any]]:
    """The small step of a run alone, and of as many runs together as its larger topology has devices."""
    together = topology(there.accelerator.example)
    return [estimated(SMALL, TWO_LAYERS, there), estimated(SMALL, TWO_LAYERS, together, together.count)]


def aims_of(program: Program, row: dict[str, Any], size: str) -> list[dict[str, Any]]:
    """The aims for a program of one device."""
    name = f"{row['topology']}, {size}, {program.name}"
    if program == SMALL:
        bounds = {"state": STATE, "state and gradient": STATE + GRADIENT}
        times = {key: row["main"] * row["bandwidth"] / own / row["parameters"] for key, own in bounds.items()}
        return [at_most(f"{name}: main, in times of moving {key}", value, 1.5) for key, value in times.items()]
    shares = [(f"{name}: share of peak, {key}", value) for key, value in shares_of(row).items() if value is not None]
    return verdicts([(aim, value, program.aim) for aim, value in shares]) if program.aim else []


def shares_of(row: dict[str, Any]) -> dict[str, float | None]:
    """Model FLOPs as a share of peak, by each of the times."""
    return {key: row[key] and row["flops"] / row[key] / row["peak"] for key in TIMES}


def aim_of_stack(alone: dict[str, Any], together: dict[str, Any]) -> dict[str, Any]:
    """The aim for a stack."""
    name = f"{together['topology']}, {together['rows'].split('x')[0]} runs of {alone['layers']} layers"
    return at_most(f"{name}: cycles, in times of one alone", together["cycles"] / alone["cycles"], 1.1)


def at_most(aim: str, value: float, target: float) -> dict[str, Any]:
    """A row of aims whose value should not be larger."""
    return {"aim": aim, "value": value, "target": f"at most {target}", "met": value <= target}


def text(figures: dict) -> str:
    """The figures as tables."""
    headers = ("size", "topology", "program", "layers", "rows", "cycles", *TIMES)
    lines = []
    for row in figures["rows"]:
        milliseconds = [row[name] and 1e3 * row[name] for name in TIMES]
        shares = [share and f"{share:.1%}" for share in shares_of(row).values()]
        lines.append([row[name] for name in headers[:-3]] + milliseconds + shares)
    shown = [*headers[:-3], *(f"{name}, ms" for name in TIMES), *(f"share, {name}" for name in TIMES)]
    return "\n\n".join([heading(figures), table(shown, lines), aims_table(figures), NOTE])
