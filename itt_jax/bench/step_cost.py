"""A process that compiles a training step for several devices and prints the compiler's costs; started by `scale`.

Nothing is placed on a device or run: the compiler gets only shapes and shardings.
"""

import json
import pathlib
import re
import sys

ITEM_BYTES = {"f32": 4, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "pred": 1, "s8": 1, "u8": 1, "f64": 8, "s64": 8}
# Asynchronous collectives are counted at their "-start"; their "-done" is not matched.
_KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
_COLLECTIVE = re.compile(rf"= (?P<shape>\(.*?\)|\S+) (?P<kind>{_KINDS})(?:-start)?\(")
_ARRAY = re.compile(r"(?P<type>[a-z]+[0-9]*)\[(?P<sizes>[0-9,]*)\]")


def collectives(text: str) -> dict[str, dict[str, int]]:
    """For each kind of collective in a compiled program, their count and the bytes of their results on one device."""
    found: dict[str, dict[str, int]] = {}
    for match in _COLLECTIVE.finditer(text):
        kind = found.setdefault(match["kind"], {"count": 0, "bytes": 0})
        kind["count"] += 1
        kind["bytes"] += sum(array_bytes(array["type"], array["sizes"]) for array in _ARRAY.finditer(match["shape"]))
    return found


def array_bytes(type_name: str, sizes: str) -> int:
    """Bytes of an array in a program's notation: "f32", "768,3072"."""
    count = 1
    for size in filter(None, sizes.split(",")):
        count *= int(size)
    return count * ITEM_BYTES.get(type_name, 0)


def main(devices: str, runs: str, batch_size: str, root: str, family: str, size: str, name: str) -> dict:
    """Costs of one step of `runs` vmapped runs with `batch_size` examples each."""
    import jax

    # Before anything else imports JAX's backends, which read it once.
    jax.config.update("jax_num_cpu_devices", int(devices))

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
        "collectives": collectives(compiled.as_text()),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
