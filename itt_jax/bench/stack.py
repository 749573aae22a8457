"""Seeds of one fine-tuning trained together on a leading axis, beside the same seeds in turn."""

import functools

from itt_jax.bench import Request
from itt_jax.bench.measure import alternating, heading, say, table, verdicts
from itt_jax.bench.workload import SIZES, names, workload

REPEATS = 3
RUNS = 8
# On a GPU: for encoders of at most six layers, and for larger ones.
SMALL_AIM, BASE_AIM = 3.0, 1.5
CPU_NOTE = "These figures are a CPU's; the aims are a GPU's."


def measure(request: Request) -> dict:
    """All figures of this bench; on a CPU without the base size, eight of which fill 16 GB."""
    from itt_jax.bench import ours

    accelerator = ours.accelerator()
    sizes = ("tiny", "distil", "base") if accelerator else ("tiny", "distil")
    chosen, rows = names(request, ("bert",), ("sst2",), sizes), []
    for family in chosen["encoders"]:
        for size in chosen["sizes"]:
            for name in chosen["data"]:
                say(f"stack: {family} {size} on {name}")
                work = workload(request, family, name, size)
                steps = range(request.steps or work.data.steps)
                alone, together = ours.Trainer(work), ours.Trainer(work, seeds=range(RUNS))
                for trainer in (alone, together):
                    trainer.run(trainer.shapes(steps))  # compiles
                works = {
                    "in turn": functools.partial(alone.run, [*steps] * RUNS),
                    "together": functools.partial(together.run, steps),
                }
                timings = alternating(works, request.repeats)
                row = {"encoder": family, "size": size, "data": name, "runs": RUNS, "steps": len(steps)}
                row |= {key.replace(" ", "_"): timing.wall / len(steps) for key, timing in timings.items()}
                row |= {"ratio": timings["in turn"].wall / timings["together"].wall}
                row |= {"ratio_processor": timings["in turn"].processor / timings["together"].processor}
                shares = [trainer.counts(steps).real_share for trainer in (alone, together)]
                rows.append(row | dict(zip(("real_in_turn", "real_together"), shares, strict=True)))
    figures = {"device": ours.device(), "rows": rows}
    return figures | ({"aims": aims(rows)} if accelerator else {"note": CPU_NOTE})


def aims(rows: list[dict]) -> list[dict]:
    """Each aim with the lowest ratio reached."""
    values: dict[tuple[str, float], list[float]] = {}
    for row in rows:
        small = SIZES[row["size"]]["layers"] <= 6
        aim = ("up to six layers", SMALL_AIM) if small else ("base", BASE_AIM)
        values.setdefault(aim, []).append(row["ratio"])
    return verdicts([(f"{name}: times in turn", min(found), target) for (name, target), found in values.items()])


def text(figures: dict) -> str:
    """The figures as tables."""
    headers = ["encoder", "size", "data", "runs", "steps", "in turn, s/step of all", "together", "ratio"]
    headers += ["of processor time", "real tokens in turn", "together"]
    parts = [heading(figures), table(headers, [[*row.values()] for row in figures["rows"]])]
    if "note" in figures:
        return "\n\n".join([*parts, figures["note"]])
    return "\n\n".join([*parts, table(["aim", "value", "target", "met"], [[*row.values()] for row in figures["aims"]])])
