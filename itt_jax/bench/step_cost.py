"""A process that compiles a step for several devices and prints what the program says of itself; see `scale`.

Nothing is placed or run: the compiler gets shapes and shardings alone.
"""

import json
import pathlib
import re
import sys

ITEM_BYTES = {"f32": 4, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "pred": 1, "s8": 1, "u8": 1, "f64": 8, "s64": 8}
# "all-reduce-start" too, of which "-done" is the end.
_KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
_COLLECTIVE = re.compile(rf"= (?P<shape>\(.*?\)|\S+) (?P<kind>{_KINDS})(?:-start)?\(")
_ARRAY = re.compile(r"(?P<type>[a-z]+[0-9]*)\[(?P<sizes>[0-9,]*)\]")


def collectives(text: str) -> dict[str, dict[str, int]]:
    """By kind, how many collectives a compiled program has, and bytes of their results on one device."""
    found: dict[str, dict[str, int]] = {}
    for match in _COLLECTIVE.finditer(text):
        own = found.setdefault(match["kind"], {"count": 0, "bytes": 0})
        own["count"] += 1
        own["bytes"] += sum(array_bytes(one["type"], one["sizes"]) for one in _ARRAY.finditer(match["shape"]))
    return found


def array_bytes(type_name: str, sizes: str) -> int:
    """Bytes of an array written as in a program: "f32", "768,3072"."""
    count = 1
    for size in filter(None, sizes.split(",")):
        count *= int(size)
    return count * ITEM_BYTES.get(type_name, 0)


def main(devices: str, runs: str, batch_size: str, root: str, family: str, name: str, size: str) -> dict:
    """Costs of one step of `runs` runs of `batch_size` examples each."""
    import jax

    jax.config.update("jax_num_cpu_devices", int(devices))

    from itt_jax.bench import Request, ours
    from itt_jax.bench.workload import workload

    work = workload(Request(pathlib.Path(root) if root else None), family, name, size)
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
