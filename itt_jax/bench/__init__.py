"""Measured figures beside their peers, on one machine, in one run; `bench NAME` on the command line."""

import dataclasses
import importlib
import pathlib

from itt_jax.bench.measure import machine
from itt_jax.errors import unknown

# Each a module of this folder: measure(Request) -> figures, text(figures) -> what is printed, REPEATS by default.
NAMES = ("perturb", "train", "evaluate", "stack", "scale", "start", "utilisation")


@dataclasses.dataclass(frozen=True)
class Request:
    """What a bench is asked for; where something is empty, the bench has a default.

    Attributes:
        data_root: folder of real data, or None for the embedded material.
        repeats: how often each figure is taken; its median is reported.
        sentences: how many sentences `perturb` works on, of all languages together; rows that `evaluate` does.
        encoders, data, sizes: names in `workload`.
        steps: that one measurement of training makes.
    """

    data_root: pathlib.Path | None = None
    repeats: int | None = None
    sentences: int | None = None
    encoders: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    steps: int | None = None


def run(name: str, request: Request) -> tuple[dict, str]:
    """The figures of a bench with the machine they were taken on, and the same as tables of text.

    Raises:
        InputError: there is no such bench.
    """
    if name not in NAMES:
        raise unknown("bench", name, NAMES)
    bench = importlib.import_module(f"itt_jax.bench.{name}")
    request = dataclasses.replace(request, repeats=request.repeats or bench.REPEATS)
    figures = {"bench": name, "machine": machine(), "repeats": request.repeats} | bench.measure(request)
    return figures, bench.text(figures)


__all__ = ["NAMES", "Request", "run"]
