"""Benchmarks: our speed compared with peers', measured on one machine in one run; `bench NAME` on the command line."""

import dataclasses
import importlib
import pathlib

from itt_jax.errors import unknown


@dataclasses.dataclass(frozen=True)
class Bench:
    """One benchmark.

    Attributes:
        name: its name on the command line.
        summary: what it measures, in one line.
        module: dotted path of a module with `REPEATS` (the default number of repeats), `measure(Request) -> figures`
            (a dictionary that JSON can hold) and `text(figures) -> str`. Imported only when the bench runs: most
            import JAX.
    """

    name: str
    summary: str
    module: str


BENCHES = (
    Bench("perturb", "perturbed sentences per second and token ids, against nlpaug", "itt_jax.bench.perturb"),
    Bench("train", "training steps and packing efficiency, against PyTorch", "itt_jax.bench.train"),
    Bench("evaluate", "a perturbed evaluation grid, against nlpaug and PyTorch", "itt_jax.bench.evaluate"),
    Bench(
        "lengths", "prediction of examples of different lengths, against full rows and padding", "itt_jax.bench.lengths"
    ),
    Bench("attack", "attack queries per second, against TextAttack and PyTorch", "itt_jax.bench.attack"),
    Bench("stack", "vmapped runs against the same runs one after another", "itt_jax.bench.stack"),
    Bench("scale", "training in several processes; a cost model for eight chips", "itt_jax.bench.scale"),
    Bench("store", "a results folder of many cells: written, checked, read, analysed", "itt_jax.bench.store"),
    Bench("start", "time to the help text and to the first training step", "itt_jax.bench.start"),
    Bench("utilisation", "share of the measured matmul rate on full rows", "itt_jax.bench.utilisation"),
    Bench("compile", "steps compiled for accelerators that are not here", "itt_jax.bench.compiled"),
    Bench("estimates", "aims for accelerators that are not here, by compilers' estimates", "itt_jax.bench.estimates"),
)


@dataclasses.dataclass(frozen=True)
class Request:
    """Choices of a measurement; each bench has defaults for empty fields.

    Attributes:
        data_root: folder of real data, or None for the embedded material.
        repeats: number of measurements of each figure, of which the median is reported.
        sentences: number of sentences for `perturb`, all languages together; number of rows for `evaluate`,
            `lengths` and `attack`.
        encoders, data, sizes: names defined in `choices`; sizes of `store` are numbers of cells.
        steps: number of training steps in one measurement.
        topologies: names of accelerators to compile for.
    """

    data_root: pathlib.Path | None = None
    repeats: int = 0
    sentences: int | None = None
    encoders: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    steps: int | None = None
    topologies: tuple[str, ...] = ()


def run(name: str, request: Request) -> tuple[dict, str]:
    """Run one bench; returns its figures, with the machine they were measured on, and the same as tables of text.

    Raises:
        InputError: there is no bench of this name.
    """
    from itt_jax.bench.measure import machine  # here, because --help reads BENCHES and must be quick

    benches = {bench.name: bench for bench in BENCHES}
    if name not in benches:
        raise unknown("bench", name, benches)
    bench = importlib.import_module(benches[name].module)
    request = dataclasses.replace(request, repeats=request.repeats or bench.REPEATS)
    figures = {"bench": name, "machine": machine(), "repeats": request.repeats} | bench.measure(request)
    return figures, bench.text(figures)


__all__ = ["BENCHES", "Bench", "Request", "run"]
