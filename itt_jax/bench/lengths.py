"""Prediction of examples of different lengths, packed and padded, against as many tokens in examples of one length.

Lengths are drawn as in the tables of ModernBERT (Warner et al. 2024, arXiv 2412.13663) and mmBERT, around half of the
longest, where padding every example to the longest gives half of the tokens/s of full rows.
"""

import dataclasses
import functools

import numpy as np

from itt_jax.bench import Request, ours
from itt_jax.bench.choices import SIZES
from itt_jax.bench.measure import aims_table, alternating, heading, progress, table, verdicts
from itt_jax.errors import unknown

REPEATS, ROWS = 3, 384
MEAN, DEVIATION, LONGEST = 256, 64, 512  # tokens
AIM = 0.95
PACKED, PADDED, FULL = "packed", "padded to the longest of 32", "full rows of {}"


@dataclasses.dataclass(frozen=True)
class Shape:
    """Proportions of a published encoder.

    Attributes:
        family: its family.
        layers: number of layers computed, few because all layers of one kind take the same time.
        feed_forward: width of the feed-forward layers, in widths of the encoder.
    """

    family: str
    layers: int
    feed_forward: float


SHAPES = {"xlm-r": Shape("roberta", 1, 4), "mmbert": Shape("modernbert", 3, 1.5)}  # mmBERT: one layer in three sees all


def measure(request: Request) -> dict:
    """The figures of this bench."""
    encoders, sizes = request.encoders or tuple(SHAPES), request.sizes or ("small",)
    for field, names, known in (("encoders", encoders, SHAPES), ("sizes", sizes, SIZES)):
        for name in names:
            if name not in known:
                raise unknown(field, name, known)
    device, lengths = ours.device(), drawn(request.sentences or ROWS)
    runs = [compared(name, size, lengths, request.repeats) for name in encoders for size in sizes]
    figures = {"device": device, "examples": len(lengths), "tokens": int(lengths.sum()), "runs": runs}
    values = [
        (f"{run['encoder']} {run['size']}: tokens/s packed, times {FULL.format(length)}", run["packed"][length], AIM)
        for run in runs
        for length in run["packed"]
    ]
    return figures | {"aims": verdicts(values)}


def drawn(count: int) -> np.ndarray:
    """Lengths of examples from N(256, 64), at least 1 and at most 512, with a mean of exactly 256: int64 [count]."""
    draws = np.random.default_rng(ours.SEED).normal(0, DEVIATION, count)
    lengths = np.clip(np.rint(MEAN + draws - draws.mean()), 1, LONGEST).astype(np.int64)
    missing = count * MEAN - int(lengths.sum())
    lengths[np.argsort(np.abs(lengths - MEAN), kind="stable")[: abs(missing)]] += np.sign(missing)
    return lengths


def compared(name: str, size: str, lengths: np.ndarray, repeats: int) -> dict:
    """The figures of one encoder: a row for each way, and the share of full rows' tokens/s that the others reach."""
    progress(f"lengths: {name} {size}")
    shape, own, tokens = SHAPES[name], SIZES[size], int(lengths.sum())
    sizes = {"layers": shape.layers, "width": own["width"], "heads": own["heads"]}
    sizes["feed_forward"] = int(shape.feed_forward * own["width"])
    predictor = ours.Predictor(shape.family, sizes)
    full = {length: np.full(tokens // length, length) for length in (MEAN, LONGEST)}
    given = {FULL.format(length): predictor.examples(own) for length, own in full.items()}
    given[PACKED] = given[PADDED] = predictor.examples(lengths)
    works = {way: functools.partial(predictor.packed, examples) for way, examples in given.items()}
    works[PADDED] = functools.partial(predictor.padded, given[PADDED])
    efficiencies = {way: ours.evaluation_efficiency(examples) for way, examples in given.items()}
    efficiencies[PADDED] = ours.padded_efficiency(given[PADDED])
    for examples in given.values():  # a batch of one example has the shape of all packed ones
        predictor.packed(examples.select(np.array([examples.lengths.argmax()])))
    works[PADDED]()  # compiles several shapes
    timings = alternating(works, repeats)
    rates = {way: len(examples.ids) / timings[way].wall for way, examples in given.items()}
    ways = [
        {"way": way, "seconds": timings[way].wall, "tokens_per_second": rate, "packing_efficiency": efficiencies[way]}
        for way, rate in rates.items()
    ]
    found = {"encoder": name, "size": size, **sizes, "ways": ways}
    for way, key in ((PACKED, "packed"), (PADDED, "padded")):
        found[key] = {length: rates[way] / rates[FULL.format(length)] for length in full}
    return found


def text(figures: dict) -> str:
    """The figures as tables."""
    title = f"{figures['examples']} examples of {MEAN} tokens on average (standard deviation {DEVIATION})"
    parts = [heading(figures), f"{title}, and as many tokens in full rows"]
    for run in figures["runs"]:
        named = f"{run['encoder']} {run['size']}: width {run['width']}, layers computed: {run['layers']}"
        headers = ["way", "seconds", "tokens/s", "packing efficiency"]
        parts.append(f"{named}\n{table(headers, [[*way.values()] for way in run['ways']])}")
        cells = [[name, *run[name].values()] for name in ("packed", "padded")]
        parts.append(table(["tokens/s, times", *(FULL.format(length) for length in run["packed"])], cells))
    return "\n\n".join([*parts, aims_table(figures)])
