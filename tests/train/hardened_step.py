"""Hardened steps of two runs on four devices and on one, for test_hardened; run in its own process."""

import dataclasses
import sys

import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 4)

import numpy as np  # noqa: E402

from itt_jax.config import Recipe  # noqa: E402
from itt_jax.train import compiling, sharding, stage  # noqa: E402
from itt_jax.train.optimizer import path_name  # noqa: E402
from tests.train.test_hardened import WAYS, job_of  # noqa: E402
from tests.train.toy import tiny_encoder  # noqa: E402

# With a large epsilon, Adam's first step is almost the gradient, so rounding of tiny gradients is not magnified.
RECIPE = Recipe(steps=1, batch_size=16, max_length=32, dropout=False, warmup=0.0, epsilon=1.0, weight_decay=0.0)


def main(target: str) -> None:
    compiling.compiler_options = lambda *given: {
        "xla_backend_optimization_level": 0
    }  # compiling takes most of the time
    encoder, found = tiny_encoder("bert"), {}
    for way in ("worst_of", "FreeLB"):
        jobs = [job_of(encoder, *WAYS[way], seed=seed) for seed in range(2)]
        jobs = [dataclasses.replace(job, recipe=RECIPE, learning_rate=1.0) for job in jobs]
        for place, mesh in (("mesh", sharding.make_mesh(run=2, data=2)), ("alone", None)):
            stage.stack_mesh = lambda stack, mesh=mesh: mesh
            for at, (job, result) in enumerate(zip(jobs, stage.fine_tune_stack(encoder, jobs), strict=True)):
                found[f"{way}/{place}/{at}/loss"] = result.losses[-1][1]
                changed = jax.tree.map(np.subtract, result.params["encoder"], job.params["encoder"])
                leaves = jax.tree.leaves_with_path(changed)
                found |= {f"{way}/{place}/{at}/params/{path_name(path)}": leaf for path, leaf in leaves}
    np.savez(target, **found)


if __name__ == "__main__":
    main(sys.argv[1])
