"""Share of the measured matmul rate that training and inference reach on full rows of one length."""

from itt_jax.bench import Request, ours
from itt_jax.bench.choices import TOKENIZERS, choices
from itt_jax.bench.measure import aims_table, alternating, heading, progress, table, verdicts

REPEATS = 5
LENGTHS = (128, 512)
TOKENS = 16_384  # per batch on an accelerator
CPU_TOKENS = 1024
STEPS = 10  # per measurement on an accelerator
AIMS = {"training": 0.5, "inference": 0.6}
CPU_NOTE = "Measured on a CPU; the aims are for an accelerator."


def measure(request: Request) -> dict:
    """The figures of this bench: in bfloat16 on an accelerator, in float32 on a CPU."""
    accelerator = ours.accelerator()
    dtype = "bfloat16" if accelerator else "float32"
    sizes = ("base",) if accelerator else ("tiny",)
    ceiling, rows = ours.ceilings()[dtype], []
    chosen = choices(request, tuple(TOKENIZERS), ("sst2",), sizes)
    for family, size in dict.fromkeys((choice.encoder, choice.size) for choice in chosen):
        for length in LENGTHS:
            rows += measured(request, family, size, length, dtype, ceiling)
    figures = {"device": ours.device(), "dtype": dtype, "ceiling": ceiling, "rows": rows}
    return figures | ({"aims": aims(rows)} if accelerator else {"note": CPU_NOTE})


def measured(request: Request, family: str, size: str, length: int, dtype: str, ceiling: float) -> list[dict]:
    """Training and inference of one encoder on rows of one length."""
    tokens, steps = (TOKENS, STEPS) if ours.accelerator() else (CPU_TOKENS, 1)
    progress(f"utilisation: {family} {size}, rows of {length}")
    works, flops = ours.full_rows(family, size, length, tokens // length, dtype, steps)
    for work in works.values():
        work()  # compiles
    return [
        {
            "encoder": family,
            "size": size,
            "length": length,
            "rows": tokens // length,
            "kind": kind,
            "seconds": timing.wall / steps,
            "tokens_per_second": tokens * steps / timing.wall,
            "ratio": flops[kind] / timing.wall / ceiling,
        }
        for kind, timing in alternating(works, request.repeats).items()
    ]


def aims(rows: list[dict]) -> list[dict]:
    """Each aim with the lowest share reached."""
    values = []
    for kind, target in AIMS.items():
        for length in LENGTHS:
            found = [row["ratio"] for row in rows if row["kind"] == kind and row["length"] == length]
            values.append((f"{kind}, rows of {length}: share of the matmul rate", min(found), target))
    return verdicts(values)


def text(figures: dict) -> str:
    """The figures as tables."""
    title = f"{figures['dtype']}, measured matmul rate {figures['ceiling'] / 1e12:.3g} TFLOP/s"
    headers = ["encoder", "size", "length", "rows", "", "seconds", "tokens/s", "share of the matmul rate"]
    parts = [heading(figures), title, table(headers, [[*row.values()] for row in figures["rows"]])]
    return "\n\n".join([*parts, figures["note"] if "note" in figures else aims_table(figures)])
