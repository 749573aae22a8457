"""Steps and predictions on meshes of eight devices and on one device, for test_sharding; run in its own process."""

import json
import pathlib
import re
import sys

import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)

import numpy as np  # noqa: E402

from itt_jax.accelerators.hlo import arrays  # noqa: E402
from itt_jax.config import Recipe  # noqa: E402
from itt_jax.models import Encoder, attention  # noqa: E402
from itt_jax.train import checkpoint, compiling, loop, predict, sharding, stage  # noqa: E402
from itt_jax.train.jobs import Job  # noqa: E402
from itt_jax.train.optimizer import path_name  # noqa: E402
from tests.train.toy import tiny_encoder, toy_task  # noqa: E402

# Family, runs, mesh.
LAYOUTS = (
    ("bert", 8, {"run": 8, "data": 1}),
    ("bert", 1, {"data": 8}),
    ("bert", 2, {"run": 2, "data": 4}),
    ("bert", 4, {"run": 4, "data": 2}),
    ("bert", 1, {"data": 4, "model": 2}),
    ("xlnet", 1, {"data": 4, "model": 2}),
    ("modernbert", 1, {"data": 4, "model": 2}),
    ("eurobert", 1, {"data": 4, "model": 2}),
    ("deberta", 1, {"data": 4, "model": 2}),
)
# Windows shorter than rows, computed block by block; heads that share keys and values; distances beyond a bucket each.
OWN = {
    "modernbert": {"layers": 2, "global_every": 2, "local_attention": 8},
    "eurobert": {"heads": 4, "key_value_heads": 2},
    "deberta": {"position_buckets": 8, "max_relative_positions": 12},
}
# With a large epsilon, Adam's first step is almost the gradient, so rounding of tiny gradients is not magnified.
RECIPE = Recipe(steps=1, batch_size=16, max_length=32, dropout=False, warmup=0.0, epsilon=1.0, weight_decay=0.0)
KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute|collective-broadcast"
COLLECTIVE = re.compile(rf"= (?P<shape>\(.*?\)|\S+) (?P<kind>{KINDS})(?:-start)?\((?P<rest>.*)")
PLACES = ("mesh", "alone")


def collectives(text: str, mesh: jax.sharding.Mesh) -> list[dict]:
    """Collectives of a compiled program: kind, bytes per device of each result array, axes that they cross."""
    return [
        {"kind": match["kind"], "bytes": bytes_of(match["shape"]), "axes": axes_of(match["rest"], mesh)}
        for match in COLLECTIVE.finditer(text)
    ]


def bytes_of(shape: str) -> list[float]:
    return [array.bytes for array in arrays(shape)]


def axes_of(rest: str, mesh: jax.sharding.Mesh) -> list[str]:
    """Mesh axes along which the devices of a group differ."""
    at = np.stack(np.unravel_index(groups_of(rest), mesh.devices.shape), axis=-1)  # [groups, devices, axes]
    return [name for axis, name in enumerate(mesh.axis_names) if np.ptp(at[..., axis], axis=1).any()]


def groups_of(rest: str) -> np.ndarray:
    """The devices that communicate, [groups, devices]: from "{{0,1},{2,3}}", from "[2,4]<=[4,2]T(1,0)", or from
    "mesh['a'=4,'b'=2] {'a'}", where "device_ids=([2,4]T(1,0))" may say in what order the mesh has its devices."""
    if listed := re.search(r"(?:replica_groups|source_target_pairs)=\{(\{.*?\})\}", rest):
        return np.array([[int(one) for one in group.split(",")] for group in re.findall(r"\{([0-9,]+)\}", listed[1])])
    named = re.search(r"replica_groups=mesh\[(.*?)\](?:, device_ids=\(\[(.*?)\](?:T\((.*?)\))?\))? \{(.*?)\}", rest)
    if named:
        sizes = {name: int(size) for name, size in re.findall(r"'(\w+)'=(\d+)", named[1])}
        crossed = re.findall(r"'(\w+)'", named[4])
        order = sorted(range(len(sizes)), key=lambda axis: list(sizes)[axis] in crossed)
        devices = ordered(named[2] or "8", named[3]).reshape([*sizes.values()]).transpose(order)
        return devices.reshape(-1, int(np.prod([sizes[name] for name in crossed])))
    counted = re.search(r"replica_groups=\[([0-9,]+)\]<=\[([0-9,]+)\](?:T\(([0-9,]+)\))?", rest)
    return ordered(counted[2], counted[3]).reshape([int(one) for one in counted[1].split(",")])


def ordered(sizes: str, order: str | None) -> np.ndarray:
    """The devices as an array of these sizes, with its axes in this order."""
    devices = np.arange(8).reshape([int(one) for one in sizes.split(",")])
    return devices.transpose([int(one) for one in order.split(",")] if order else None)


def jobs_of(encoder: Encoder, runs: int) -> list[Job]:
    params = {"encoder": jax.jit(encoder.init)(jax.random.key(0))}
    task = toy_task(encoder, 40)  # runs differ in head and order, and share a row plan
    # Two runs have different dev rows, which are streamed separately.
    dev = [toy_task(encoder, 40, seed) if runs == 2 else None for seed in range(runs)]
    return [Job([task], dev[seed], params, RECIPE, 1.0, seed) for seed in range(runs)]


def trained(jobs: list[Job], encoder: Encoder, mesh) -> tuple[list, str]:
    """The results of a stack on `mesh` (None: on one device), and the text of the program of its step."""
    programs, make = [], loop.train_program
    loop.train_program = lambda *given, **static: programs.append(make(*given, **static)) or programs[-1]
    stage.stack_mesh = lambda stack: mesh
    predict.stack_mesh = (lambda stack=1: None) if mesh is None else sharding.stack_mesh
    try:
        return stage.fine_tune_stack(encoder, jobs), programs[0].result().run.as_text()
    finally:
        loop.train_program = make


def scores_of(encoder: Encoder, jobs: list[Job], mesh) -> np.ndarray:
    """Scores of the task's examples by untrained models, a stack on `mesh`."""
    task = jobs[0].tasks[0]
    params = [{**job.params, "head": task.head.init(jax.random.key(at))} for at, job in enumerate(jobs)]
    predict.stack_mesh = lambda stack=1: mesh
    return predict.predict_stack(encoder, task.head, sharding.place_params(params, encoder.family, mesh), task.examples)


def held() -> list[int]:
    """Bytes of all arrays on each device."""
    # By address, as the part of an array on a device becomes an array too.
    parts = [shard for array in jax.live_arrays() for shard in array.addressable_shards]
    sizes = {(own.device, own.data.unsafe_buffer_pointer()): own.data.nbytes for own in parts}
    return [sum(size for (there, _), size in sizes.items() if there == device) for device in jax.devices()]


def placed_checkpoints(folder: pathlib.Path) -> dict[str, np.ndarray]:
    """What each device holds before and after eight checkpoints are read, while they are placed, and in the end; and
    whether each run has its own parameters."""
    encoder, before, during = tiny_encoder("bert", layers=1), held(), []
    ones = jax.tree.map(lambda leaf: np.ones(leaf.shape, np.float32), encoder.shapes())
    params = [jax.tree.map(number.__mul__, ones) for number in map(np.float32, range(8))]
    for number, own in enumerate(params):
        checkpoint.save_checkpoint(folder / str(number), encoder, {"encoder": own})
    saved = [checkpoint.load_checkpoint(folder / str(number)).params for number in range(8)]
    read, at = held(), sharding._stacked_at
    sharding._stacked_at = lambda *given: (at(*given), during.append(held()))[0]
    try:
        placed = sharding.place_params(saved, "bert", sharding.stack_mesh(8))
    finally:
        sharding._stacked_at = at
    after, one = held(), sum(leaf.nbytes for leaf in jax.tree.leaves(params[0]))
    right = [
        np.array_equal(leaf, np.stack(own)) for leaf, *own in zip(*map(jax.tree.leaves, (placed, *saved)), strict=True)
    ]
    sizes = {"before": before, "read": read, "during": during, "after": after, "one": one, "right": all(right)}
    return {f"held/{name}": np.array(value) for name, value in sizes.items()}


def main(target: str) -> None:
    compiling.compiler_options = lambda: {"xla_backend_optimization_level": 0}  # compiling takes most of the time
    attention._BLOCK = 8
    found, said, alone = {}, [], {}
    for number, (family, runs, sizes) in enumerate(LAYOUTS):
        encoder, mesh = tiny_encoder(family, **{"layers": 1} | OWN.get(family, {})), sharding.make_mesh(**sizes)
        jobs = jobs_of(encoder, runs)
        results, text = trained(jobs, encoder, mesh)
        for at, (job, result) in enumerate(zip(jobs, results, strict=True)):
            if (family, at) not in alone:  # the result of the run alone
                alone[family, at] = trained([job], encoder, None)[0][0]
            own = {"mesh": result, "alone": alone[family, at]}
            for place, one in own.items():
                found[f"{number}/{place}/{at}/loss"] = one.losses[-1][1]
                changed = jax.tree.map(np.subtract, one.params["encoder"], job.params["encoder"])
                leaves = jax.tree.leaves_with_path(changed)
                found |= {f"{number}/{place}/{at}/params/{path_name(path)}": leaf for path, leaf in leaves}
        if runs in (2, 4) or ("model" in sizes and family not in OWN):
            for place, where in zip(PLACES, (mesh, None), strict=True):
                found[f"{number}/{place}/scores"] = scores_of(encoder, jobs, where)
        head_bytes = 4 * sum(leaf.size for leaf in jax.tree.leaves(results[0].params["head"]))
        gradient_bytes = head_bytes + 4 * sum(leaf.size for leaf in jax.tree.leaves(results[0].params["encoder"]))
        # Activations float32 [B, T, 32] of a device's rows, from the tokens and packing efficiency of the result.
        positions = round(results[0].tokens / results[0].packing_efficiency) // mesh.shape["data"]
        said.append(
            {
                "collectives": collectives(text, mesh),
                "gradient_bytes": gradient_bytes,
                "activation_bytes": 4 * 32 * positions,
            }
        )
    found |= placed_checkpoints(pathlib.Path(target).parent)
    found["said"] = json.dumps(said)
    np.savez(target, **found)


if __name__ == "__main__":
    main(sys.argv[1])
