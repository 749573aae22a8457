"""A process that makes two training steps and prints the time of each part as JSON; started by `start`."""

import json
import pathlib
import sys
import time


def main(started: str, root: str, family: str, size: str, name: str) -> dict[str, float]:
    """Seconds of each part; `started` is the time at which the process was started."""
    times = [float(started)]

    # Imported here because the time of these imports is measured.
    from itt_jax.bench import Request, ours
    from itt_jax.bench.choices import Choice
    from itt_jax.bench.workload import workload
    from itt_jax.train.compiling import keep_compiled_programs
    from itt_jax.train.memory import keep_freed_memory

    times.append(time.time())
    work = workload(Request(pathlib.Path(root) if root else None), Choice(family, size, name))
    times.append(time.time())
    keep_compiled_programs()
    keep_freed_memory()
    trainer = ours.Trainer(work)
    trainer.wait()
    times.append(time.time())
    (step,) = trainer.shapes([0])
    for _ in range(2):
        trainer.run([step])
        times.append(time.time())
    parts = ("imports", "data", "parameters", "first step", "second step")
    found = {part: after - before for part, before, after in zip(parts, times[:-1], times[1:], strict=True)}
    return found | {"to the first step": times[4] - times[0]}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
