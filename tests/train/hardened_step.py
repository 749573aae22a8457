"""Hardened steps of two runs on eight devices and on one, for test_hardened; run in its own process."""

import dataclasses
import sys

import jax
import numpy as np

from itt_jax.train import compiling, sharding
from itt_jax.train.optimizer import path_name
from tests.train.sharded_step import RECIPE, trained
from tests.train.test_hardened import WAYS, job_of
from tests.train.toy import tiny_encoder


def main(target: str) -> None:
    compiling.compiler_options = lambda: {"xla_backend_optimization_level": 0}
    encoder, found = tiny_encoder("bert"), {}
    for way in ("worst_of", "FreeLB"):
        jobs = [job_of(encoder, *WAYS[way], seed=seed) for seed in range(2)]
        jobs = [dataclasses.replace(job, recipe=RECIPE, learning_rate=1.0) for job in jobs]
        for place, mesh in (("mesh", sharding.make_mesh(run=2, data=4)), ("alone", None)):
            for at, (job, result) in enumerate(zip(jobs, trained(jobs, encoder, mesh)[0], strict=True)):
                found[f"{way}/{place}/{at}/loss"] = result.losses[-1][1]
                changed = jax.tree.map(np.subtract, result.params["encoder"], job.params["encoder"])
                leaves = jax.tree.leaves_with_path(changed)
                found |= {f"{way}/{place}/{at}/params/{path_name(path)}": leaf for path, leaf in leaves}
    np.savez(target, **found)


if __name__ == "__main__":
    main(sys.argv[1])
