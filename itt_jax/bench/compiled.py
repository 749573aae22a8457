"""Steps of the benches' workloads, compiled for accelerators that are not here: the compilers' estimates."""

from itt_jax.accelerators import Topology, compiled_report, topology
from itt_jax.bench import Request, ours
from itt_jax.bench.choices import Choice, choices
from itt_jax.bench.measure import heading, progress, table
from itt_jax.bench.workload import Workload, workload
from itt_jax.models.hardware import compiling_for
from itt_jax.train import described
from itt_jax.train.described import Typical
from itt_jax.train.jobs import Job
from itt_jax.train.predict import TOKENS_PER_BATCH
from itt_jax.train.sharding import stack_mesh

REPEATS = 1
TOPOLOGIES = ("v5e:1x1",)
NOTE = (
    "Compilers' estimates for one step, per device; nothing has run. Share of peak: model FLOPs by the roofline's time."
)


def measure(request: Request) -> dict:
    """The figures of this bench, in bfloat16: a training step of one run and a prediction."""
    rows = []
    for name in request.topologies or TOPOLOGIES:
        there = topology(name)
        for choice in choices(request, ("bert",), ("sst2",), ("tiny",)):
            progress(f"compile: {choice} for {name}")
            work = ours.with_dtype(workload(request, choice), "bfloat16")
            rows += [compiled(choice, kind, one, there) for kind, one in programs(work, there).items()]
    return {"rows": rows}


def programs(work: Workload, there: Topology) -> dict[str, Typical]:
    """The programs of a workload on a topology."""
    with compiling_for(there.hardware):
        mesh, job = stack_mesh(), Job((work.task,), None, {}, ours.recipe_of(work), 2e-5, ours.SEED)
        (step,) = described.training(work.encoder, [job], mesh)
        examples = work.task.examples
        return {
            "training": step,
            "prediction": described.prediction(work.encoder, work.task.head, examples, 1, TOKENS_PER_BATCH, mesh),
        }


def compiled(choice: Choice, kind: str, one: Typical, there: Topology) -> dict:
    """The compiler's figures for one program."""
    report, own = compiled_report(one.request, there), there.accelerator
    seconds = report.seconds * there.count
    return choice.columns() | {
        "topology": there.name,
        "kind": kind,
        "rows": "x".join(map(str, one.row_shape)),
        "needed": report.needed,
        "flops": report.flops,
        "bytes": report.bytes,
        "seconds": report.seconds,
        "seconds_of_bytes": report.seconds_of_bytes,
        "seconds_of_flops": report.seconds_of_flops,
        "cycles": report.cycles,
        "share": one.flops / seconds / own.peak if seconds else None,
        "bound": report.bound,
        "collectives": [f"{found.count} {found.kind} {found.dtype}" for found in report.collectives],
        "kernels": report.kernels,
        "compile_seconds": report.compile_seconds,
        "top": [
            {
                "instruction": cost.name,
                "operation": cost.operation,
                "times": cost.times,
                "cycles": cost.cycles,
                "flops": cost.flops,
                "bytes": cost.bytes,
            }
            for cost in report.top
        ],
    }


def text(figures: dict) -> str:
    """The figures as tables, and the ten most expensive instructions of each program."""
    shown: tuple[str, ...] = ("encoder", "size", "data", "topology", "kind", "rows", "needed", "flops", "bytes")
    shown += ("seconds", "cycles", "share", "bound", "compile_seconds")
    parts = [heading(figures), table(shown, [[row[name] for name in shown] for row in figures["rows"]])]
    for row in figures["rows"]:
        lines = [[*one.values()] for one in row["top"]]
        title = f"{row['encoder']} {row['size']} on {row['data']}, {row['topology']}, {row['kind']}: most expensive"
        parts.append(title + "\n" + table(["instruction", "operation", "times", "cycles", "FLOPs", "bytes"], lines))
    return "\n\n".join([*parts, NOTE])
