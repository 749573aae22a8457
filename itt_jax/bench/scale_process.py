"""One of several processes that train together; the first prints seconds and loss as JSON; started by `scale`."""

import json
import pathlib
import sys
import time


def main(address: str, processes: str, index: str, steps: str, root: str, family: str, size: str, name: str) -> dict:
    """Trains a few steps, after one that compiles."""
    import jax

    # Before anything else imports JAX's backends, which read both settings once.
    jax.config.update("jax_num_cpu_devices", 1)
    if int(processes) > 1:
        jax.distributed.initialize(address, int(processes), int(index))

    from itt_jax.bench import Request, ours
    from itt_jax.bench.choices import Choice
    from itt_jax.bench.workload import workload
    from itt_jax.train.memory import keep_freed_memory

    keep_freed_memory()
    work = workload(Request(pathlib.Path(root) if root else None), Choice(family, size, name))
    trainer = ours.Trainer(work)
    timed = range(int(steps))
    trainer.run(trainer.shapes(timed))  # compiles
    begin = time.perf_counter()
    loss = trainer.run(timed)
    return {"seconds": (time.perf_counter() - begin) / len(timed), "loss": loss}


if __name__ == "__main__":
    found = main(*sys.argv[1:])
    if sys.argv[3] == "0":
        print(json.dumps(found))
