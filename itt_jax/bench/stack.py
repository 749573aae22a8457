"""Seeds of one fine-tuning trained as a stack (vmapped runs), compared with the same seeds one after another."""

import functools

from itt_jax.bench import Request, ours
from itt_jax.bench.choices import SIZES, Choice, choices
from itt_jax.bench.measure import aims_table, alternating, heading, progress, table, verdicts
from itt_jax.bench.workload import workload

REPEATS = 3
RUNS = 8
# On a GPU: for encoders of at most six layers, and for larger ones.
SMALL_AIM, BASE_AIM = 3.0, 1.5
CPU_NOTE = "Measured on a CPU; the aims are for a GPU."


def measure(request: Request) -> dict:
    """The figures of this bench; a CPU leaves out the base size, because eight such runs fill 16 GB."""
    accelerator = ours.accelerator()
    sizes = ("tiny", "distil", "base") if accelerator else ("tiny", "distil")
    rows = [compared(request, choice) for choice in choices(request, ("bert",), ("sst2",), sizes)]
    figures = {"device": ours.device(), "rows": rows}
    return figures | ({"aims": aims(rows)} if accelerator else {"note": CPU_NOTE})


def compared(request: Request, choice: Choice) -> dict:
    """Seconds per step of all runs and packing efficiency, sequential and stacked."""
    progress(f"stack: {choice}")
    work = workload(request, choice)
    steps = range(request.steps or work.data.steps)
    alone, stacked = ours.Trainer(work), ours.Trainer(work, seeds=range(RUNS))
    for trainer in (alone, stacked):
        trainer.run(trainer.shapes(steps))  # compiles
    works = {
        "sequential": functools.partial(alone.run, [*steps] * RUNS),
        "stacked": functools.partial(stacked.run, steps),
    }
    timings = alternating(works, request.repeats)
    return choice.columns() | {
        "runs": RUNS,
        "steps": len(steps),
        "sequential": timings["sequential"].wall / len(steps),
        "stacked": timings["stacked"].wall / len(steps),
        "ratio": timings["sequential"].wall / timings["stacked"].wall,
        "ratio_processor": timings["sequential"].processor / timings["stacked"].processor,
        "packing_efficiency_sequential": alone.counts(steps).packing_efficiency,
        "packing_efficiency_stacked": stacked.counts(steps).packing_efficiency,
    }


def aims(rows: list[dict]) -> list[dict]:
    """Each aim with the lowest ratio reached."""
    values: dict[tuple[str, float], list[float]] = {}
    for row in rows:
        small = SIZES[row["size"]]["layers"] <= 6
        aim = ("up to six layers", SMALL_AIM) if small else ("base", BASE_AIM)
        values.setdefault(aim, []).append(row["ratio"])
    return verdicts(
        [(f"{name}: times sequential runs", min(found), target) for (name, target), found in values.items()]
    )


def text(figures: dict) -> str:
    """The figures as tables."""
    headers = ["encoder", "size", "data", "runs", "steps", "sequential, s/step of all", "stacked", "ratio"]
    headers += ["CPU time ratio", "packing efficiency, sequential", "stacked"]
    parts = [heading(figures), table(headers, [[*row.values()] for row in figures["rows"]])]
    return "\n\n".join([*parts, figures["note"] if "note" in figures else aims_table(figures)])
