"""A process that compiles a training step for several devices and prints the compiler's costs; started by `scale`.

Nothing is placed on a device or run: the compiler gets only shapes and shardings.
"""

import json
import pathlib
import sys


def main(devices: str, runs: str, batch_size: str, root: str, family: str, size: str, name: str) -> dict:
    """Costs of one step of `runs` vmapped runs with `batch_size` examples each."""
    import jax

    # Before anything else imports JAX's backends, which read it once.
    jax.config.update("jax_num_cpu_devices", int(devices))

    from itt_jax.accelerators import costs, hlo
    from itt_jax.bench import Request, ours
    from itt_jax.bench.choices import Choice
    from itt_jax.bench.workload import workload

    work = workload(Request(pathlib.Path(root) if root else None), Choice(family, size, name))
    compiled, counts, parameters = ours.compiled_step(work, int(batch_size), range(int(runs)))
    cost, memory = compiled.cost_analysis(), compiled.memory_analysis()
    return {
        "devices": int(devices),
        "runs": int(runs),
        "batch_size": int(batch_size),
        "parameters": parameters,
        "model_flops": 3 * counts.flops,
        "device_flops": cost["flops"],
        "device_bytes": cost["bytes accessed"],
        "held_bytes": memory.argument_size_in_bytes,
        "temporary_bytes": memory.temp_size_in_bytes,
        "collectives": costs.by_kind(costs.collectives(hlo.Hlo.parse(compiled.as_text()))),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
