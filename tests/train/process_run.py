"""Stages and predictions for test_processes, run as a script in each of several processes, or imported by one."""

import dataclasses
import pathlib
import sys

import jax
import numpy as np

if __name__ == "__main__":
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 1)
    jax.distributed.initialize(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.train import compiling, loop
from itt_jax.train.jobs import Job
from itt_jax.train.predict import predict
from itt_jax.train.processes import smallest
from itt_jax.train.resume import Resume
from itt_jax.train.stage import fine_tune_stack
from tests.train.toy import killed_after, tiny_encoder, toy_task

RECIPE = Recipe(
    steps=3,
    batch_size=16,
    max_length=32,
    dropout=False,
    evaluate_every=2,
    checkpoint_every=2,
    warmup=0.0,
    keep="last",
)


def found_by(stack: int, directory: pathlib.Path | None) -> dict[str, np.ndarray]:
    """Results of a stack of fine-tunings; with a `directory`, it is killed after the second step and resumed."""
    encoder = tiny_encoder("bert", layers=1)
    random, rows = np.random.default_rng(0), toy_task(encoder, 40, 99)
    params = jax.tree.map(lambda leaf: 0.1 * random.standard_normal(leaf.shape, np.float32), encoder.shapes())
    own = [None if directory is None else directory / str(seed) for seed in range(stack)]
    tasks, given = [toy_task(encoder, 60, seed) for seed in range(stack)], {"encoder": params}
    dev = rows if stack == 1 else None
    jobs = [Job([task], dev, given, RECIPE, 1e-3 * (seed + 1), seed, own[seed]) for seed, task in enumerate(tasks)]
    if directory is not None:
        with killed_after(2):
            fine_tune_stack(encoder, jobs)
    results = fine_tune_stack(encoder, jobs)
    found = {f"params/{at}": leaf for at, leaf in enumerate(jax.tree.leaves([result.params for result in results]))}
    found["losses"] = np.array([[loss for _, loss in result.losses] for result in results])
    found["dev"] = np.array([[score for _, score in result.dev_history] for result in results])
    found["tokens"] = np.array([result.tokens for result in results])
    found["scores"] = predict(encoder, jobs[0].tasks[0].head, results[0].params, rows.examples)
    return found


def main(target: str, address: str, count: str, index: str, stack: str) -> None:
    """Run the stack, and save its results with what this process built and wrote."""
    compiling.compiler_options = lambda: {"xla_backend_optimization_level": 0}  # compiling takes most of the time
    rows, plans, saved, streamed = [], [], [], []
    pack, save, build, stream = packing.pack_forms, Resume.save, loop.build_step, packing.stream

    def built(*given):
        batch, share = build(*given)
        plans.append(dataclasses.astuple(share))
        return batch, share

    loop.build_step = built
    packing.pack_forms = lambda *given: rows.append((given[-1].start, given[-1].stop)) or pack(*given)
    packing.stream = lambda *given: streamed.append((given[1], given[-1].start, given[-1].stop)) or stream(*given)
    Resume.save = lambda *given: saved.append(given[1]) or save(*given)
    directory = pathlib.Path(target)
    found = found_by(int(stack), directory / "resumed" if stack == "1" else None)
    least = smallest((1 << 40) + 7 - int(index))
    runs = [(whole, own.start, own.stop) for whole, _, own, _ in plans]
    wholes = [count for _, count, _, _ in plans]
    own = {"rows": rows, "runs": runs, "wholes": wholes, "saved": np.array(saved), "streamed": streamed}
    np.savez(directory / f"{index}.npz", least=least, **own, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
