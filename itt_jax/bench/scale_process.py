"""One of several processes that train together; the first prints seconds and loss as JSON; see `scale`."""

import json
import pathlib
import sys
import time


def main(address: str, processes: str, index: str, steps: str, root: str, family: str, name: str, size: str) -> dict:
    """Trains some steps after a first one."""
    import jax

    jax.config.update("jax_num_cpu_devices", 1)
    if int(processes) > 1:
        jax.distributed.initialize(address, int(processes), int(index))

    from itt_jax.bench import Request, ours
    from itt_jax.bench.workload import workload
    from itt_jax.train.memory import keep_freed_memory

    keep_freed_memory()
    work = workload(Request(pathlib.Path(root) if root else None), family, name, size)
    trainer = ours.Trainer(work)
    own = range(int(steps))
    trainer.run(trainer.shapes(own))  # compiles
    begin = time.perf_counter()
    loss = trainer.run(own)
    return {"seconds": (time.perf_counter() - begin) / len(own), "loss": loss}


if __name__ == "__main__":
    found = main(*sys.argv[1:])
    if sys.argv[3] == "0":
        print(json.dumps(found))
