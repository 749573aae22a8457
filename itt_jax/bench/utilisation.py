"""How much of the measured rate of matrix products training and inference reach, on full rows of one length."""

from itt_jax.bench import Request
from itt_jax.bench.measure import alternating, heading, say, table, verdicts
from itt_jax.bench.workload import names

REPEATS = 5
LENGTHS = (128, 512)
TOKENS = 16_384  # of a batch on an accelerator
CPU_TOKENS = 1024
STEPS = 10  # in one measurement on an accelerator
AIMS = {"training": 0.5, "inference": 0.6}
CPU_NOTE = "These figures are a CPU's; the aims are an accelerator's."


def measure(request: Request) -> dict:
    """All figures of this bench: in bfloat16 on an accelerator, in float32 on a CPU."""
    from itt_jax.bench import ours

    accelerator = ours.accelerator()
    dtype = "bfloat16" if accelerator else "float32"
    chosen = names(request, ("bert", "roberta", "xlnet"), ("sst2",), ("base",) if accelerator else ("tiny",))
    ceiling, rows = ours.ceilings()[dtype], []
    tokens, steps = (TOKENS, STEPS) if accelerator else (CPU_TOKENS, 1)
    for family in chosen["encoders"]:
        for size in chosen["sizes"]:
            for length in LENGTHS:
                say(f"utilisation: {family} {size}, rows of {length}")
                works, flops = ours.full_rows(family, size, length, tokens // length, dtype, steps)
                for work in works.values():
                    work()  # compiles
                for kind, timing in alternating(works, request.repeats).items():
                    share = flops[kind] / timing.wall / ceiling
                    row = {"encoder": family, "size": size, "length": length, "rows": tokens // length, "kind": kind}
                    seconds = {"seconds": timing.wall / steps, "tokens_per_second": tokens * steps / timing.wall}
                    rows.append(row | seconds | {"ratio": share})
    figures = {"device": ours.device(), "dtype": dtype, "ceiling": ceiling, "rows": rows}
    return figures | ({"aims": aims(rows)} if accelerator else {"note": CPU_NOTE})


def aims(rows: list[dict]) -> list[dict]:
    """Each aim with the lowest share reached."""
    values = []
    for kind, target in AIMS.items():
        for length in LENGTHS:
            found = [row["ratio"] for row in rows if row["kind"] == kind and row["length"] == length]
            values.append((f"{kind}, rows of {length}: share of the measured rate", min(found), target))
    return verdicts(values)


def text(figures: dict) -> str:
    """The figures as tables."""
    title = f"{figures['dtype']}, matrix products {figures['ceiling'] / 1e12:.3g} TFLOP/s as measured"
    headers = ["encoder", "size", "length", "rows", "", "seconds", "tokens/s", "of the measured rate"]
    parts = [heading(figures), title, table(headers, [[*row.values()] for row in figures["rows"]])]
    if "note" in figures:
        return "\n\n".join([*parts, figures["note"]])
    return "\n\n".join([*parts, table(["aim", "value", "target", "met"], [[*row.values()] for row in figures["aims"]])])
