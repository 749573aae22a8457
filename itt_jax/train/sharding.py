"""Placement on devices: mesh axes run, data, model, and rules from parameter paths to axes.

Rows of a batch are split along "data". Along "model", kernels are split over their outputs where heads or feed-forward
units start and over their inputs where they end, so that a layer needs two sums (Megatron-LM, arXiv 1909.08053); the
compiler places them. "run" is the axis of stacked runs: it leads every array of a stack, and nothing crosses it.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from itt_jax import families
from itt_jax.batch import Batch
from itt_jax.errors import InputError
from itt_jax.models.hardware import hardware
from itt_jax.train.optimizer import Optimizer, initial_optimizer_state, path_name
from itt_jax.train.state import Params

AXES = ("run", "data", "model")
REPLICATED = P()
BY_RUN = P("run")
HEADS = (r"^heads?/", ())
"""Heads are small: replicated."""


def make_mesh(run: int = 1, data: int | None = None, model: int = 1) -> Mesh:
    """A mesh with axes run, data, model over all devices; `data` defaults to what the others leave.

    Raises:
        InputError: the sizes do not multiply to the number of devices.
    """
    devices = hardware().devices
    count = len(devices)
    data = count // (run * model) if data is None else data
    if run * data * model != count:
        raise InputError(
            f"mesh of run={run}, data={data}, model={model} needs {run * data * model} devices, found {count}"
        )
    return jax.make_mesh((run, data, model), AXES, axis_types=(AxisType.Auto,) * 3, devices=devices)


def stack_mesh(stack: int = 1) -> Mesh | None:
    """The mesh for `stack` runs: along "run" the greatest common divisor of both, the rest along "data".

    None on one device, where nothing is placed.
    """
    count = len(hardware().devices)
    return make_mesh(run=math.gcd(stack, count)) if count > 1 else None


def data_shards(mesh: Mesh | None) -> int:
    """Number of parts that the rows of a batch are split into."""
    return mesh.shape["data"] if mesh else 1


def partition(family: str, params: Params, mesh: Mesh) -> Any:
    """A tree of NamedSharding like `params` ({"encoder": ..., "heads": ...}, a stack), by the rules of the family.

    Raises:
        InputError: parameters that no rule or more than one matches, rules that match nothing, and sizes that an axis
            does not divide, all in one message.
    """
    rules = families.family(family).sharding_rules + ((HEADS,) if len(params) > 1 else ())
    used, wrong = set(), []

    def find(path: tuple, leaf: Any) -> NamedSharding:
        """The sharding of one parameter by its rule; problems are collected, to be raised together."""
        name = path_name(path)
        hits = [number for number, (pattern, _) in enumerate(rules) if re.search(pattern, name)]
        used.update(hits)
        if len(hits) != 1:
            wrong.append(f"{name}: matched by {len(hits)} sharding rules, expected 1")
            return NamedSharding(mesh, BY_RUN)
        axes = rules[hits[0]][1]
        spec = P("run", *axes[max(0, len(axes) + 1 - leaf.ndim) :])
        for size, axis in zip(leaf.shape, spec, strict=False):
            if axis and size % mesh.shape[axis]:
                wrong.append(f"{name}: {size} is not divisible by the {mesh.shape[axis]} devices of {axis!r}")
        return NamedSharding(mesh, spec)

    found = jax.tree_util.tree_map_with_path(find, params)
    wrong += [f"sharding rule {pattern!r} matches nothing" for n, (pattern, _) in enumerate(rules) if n not in used]
    if wrong:
        raise InputError("; ".join(wrong))
    return found


def place_params(params: Sequence[Params], family: str, mesh: Mesh | None) -> Params:
    """The parameters of a stack's runs, copied to the device, or to the mesh by the family's rules.

    Each device gets its own part from the host, array by array, and never holds more than its part of the stack.
    """
    if mesh is None:
        return jax.tree.map(lambda *leaves: jnp.array(np.stack(leaves)), *params)
    size = len(params)
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape), leaf.dtype), params[0])
    return jax.tree.map(_stacked_at, partition(family, shapes, mesh), *params)


def _stacked_at(sharding: NamedSharding, *leaves: Any) -> jax.Array:
    """Arrays of one shape, on any devices or none, stacked [S, ...] at a sharding."""
    leaves = jax.device_get(leaves)

    def part(index: tuple[slice, ...]) -> np.ndarray:
        runs, *within = index
        return np.stack([leaf[tuple(within)] for leaf in leaves[runs]])

    return jax.make_array_from_callback((len(leaves), *leaves[0].shape), sharding, part)


def place_by_run(tree: Any, mesh: Mesh | None) -> Any:
    """A stack [S, ...] on the device, or on the mesh with each run's part beside its parameters."""
    return place(tree, NamedSharding(mesh, BY_RUN) if mesh else None)


def place_whole(tree: Any, mesh: Mesh | None) -> Any:
    """Arrays that every device reads, whole on each."""
    return place(tree, NamedSharding(mesh, REPLICATED) if mesh else None)


def place(tree: Any, shardings: Any) -> Any:
    """Arrays that every process has, placed on the devices of all processes without communication.

    `jax.device_put` to devices of several hosts would compare their values, at a collective per array.

    Args:
        shardings: None: the one device.
    """
    if jax.process_count() == 1:
        return jax.device_put(tree, shardings)
    return jax.tree.map(_placed, tree, jax.tree.broadcast(shardings, tree))


def _placed(array: Any, sharding: NamedSharding, first: tuple[int, ...] = (), shape: tuple[int, ...] = ()) -> jax.Array:
    """An array of which `array` is a part that covers this process's devices.

    Args:
        first: where the part starts; default 0. shape: shape of the whole; default `array`'s.
    """
    if sharding.is_fully_addressable:
        return jax.device_put(array, sharding)
    shape = shape or array.shape
    starts = (*first, *[0] * (len(shape) - len(first)))
    array = array if jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key) else jax.device_get(array)

    def part(index: tuple[slice, ...]) -> Any:
        bounds = [(*at.indices(size)[:2], start) for at, size, start in zip(index, shape, starts, strict=True)]
        return array[tuple(slice(low - start, high - start) for low, high, start in bounds)]

    return jax.make_array_from_callback(shape, sharding, part)


def place_optimizer(optimizer: Optimizer, params: Params, mesh: Mesh | None) -> Any:
    """A stack's initial optimizer state on the device; on a mesh, moments are sharded like their parameters."""
    if mesh is None:
        return initial_optimizer_state(optimizer, params)
    shardings = optimizer_shardings(optimizer, params, mesh)
    return jax.jit(functools.partial(initial_optimizer_state, optimizer), out_shardings=shardings)(params)


def optimizer_shardings(optimizer: Optimizer, params: Params, mesh: Mesh) -> Any:
    """The shardings of a stack's optimizer state: moments as the parameters, counters by run."""
    beside = {path_name(path): leaf.sharding for path, leaf in jax.tree.leaves_with_path(params)}

    def find(path: tuple, leaf: Any) -> NamedSharding:
        # A moment's path ends with its parameter's.
        tails = (path_name(path[start:]) for start in range(len(path)))
        return next((beside[tail] for tail in tails if tail in beside), NamedSharding(mesh, BY_RUN))

    made = jax.eval_shape(functools.partial(initial_optimizer_state, optimizer), params)
    return jax.tree_util.tree_map_with_path(find, made)


@dataclasses.dataclass(frozen=True)
class Share:
    """The part of a stack's step that this process builds, for its devices.

    Attributes:
        stack, rows: numbers of runs and rows of the whole step.
        own_runs, own_rows: this process's slices of them, with a start and a stop.
    """

    stack: int
    rows: int
    own_runs: slice
    own_rows: slice

    @classmethod
    def of(cls, mesh: Mesh | None, stack: int, rows: int) -> "Share":
        """The share of this process in `stack` runs of `rows` rows, as `place_batch` splits them."""
        if mesh is None:
            return cls(stack, rows, slice(0, stack), slice(0, rows))
        here = NamedSharding(mesh, P("run", "data")).addressable_devices_indices_map((stack, rows)).values()
        bounds = [(runs.indices(stack), part.indices(rows)) for runs, part in here]
        # Where a mesh separates a host's devices, the host also builds the rows between them.
        runs, part = (slice(min(b[axis][0] for b in bounds), max(b[axis][1] for b in bounds)) for axis in (0, 1))
        return cls(stack, rows, runs, part)


def batch_shardings(mesh: Mesh, stack: bool = True) -> tuple[NamedSharding, NamedSharding]:
    """The shardings of a batch's arrays by row and by example; `stack` as in `place_batch`."""
    leading = ("run", None) if stack else ()
    return NamedSharding(mesh, P(*leading, "data")), NamedSharding(mesh, P(*leading[:1]))


def place_batch(batch: Batch, mesh: Mesh | None, stack: bool = True, share: Share | None = None) -> Batch:
    """`batch` on the device: arrays by row split along "data", arrays by example whole. Starts no collective.

    Args:
        batch: a stack's [S, microbatches, ...], split along "run" too; or one batch that every run reads.
        share: the part of the whole that `batch` is; None: it is the whole.
    """
    if mesh is None:
        return jax.device_put(batch)
    by_row, by_example = batch_shardings(mesh, stack)
    if share is None:
        return Batch(
            {name: _placed(array, by_row) for name, array in batch.by_row.items()},
            {name: _placed(array, by_example) for name, array in batch.by_example.items()},
        )
    run, row = share.own_runs.start, share.own_rows.start

    def rows(array: np.ndarray) -> jax.Array:
        if not stack:
            return _placed(array, by_row, (row,), (share.rows, *array.shape[1:]))
        _, microbatches, _, *rest = array.shape
        return _placed(array, by_row, (run, 0, row), (share.stack, microbatches, share.rows, *rest))

    def examples(array: np.ndarray) -> jax.Array:
        if not stack:
            return _placed(array, by_example)
        return _placed(array, by_example, (run,), (share.stack, *array.shape[1:]))

    return Batch(jax.tree.map(rows, batch.by_row), jax.tree.map(examples, batch.by_example))


def run_on_host(tree: Any, index: int, mesh: Mesh | None) -> Any:
    """A copy of one run's part of a stack, as `on_host`; one program per shape, for every index."""
    at = place_whole(np.int32(index), mesh)
    return on_host(jax.tree.map(lambda leaf: _run_of(leaf, at), tree))


@jax.jit
def _run_of(leaf: jax.Array, index: jax.Array) -> jax.Array:
    return jax.lax.dynamic_index_in_dim(leaf, index, keepdims=False)


def on_host(tree: Any) -> Any:
    """A copy of `tree` in numpy (on a CPU, a view would share buffers that the next step reuses).

    Every process must call it, as arrays on other hosts are gathered.
    """
    from jax.experimental import multihost_utils

    def copied(leaf: Any) -> np.ndarray:
        if isinstance(leaf, jax.Array) and not (leaf.is_fully_addressable or leaf.is_fully_replicated):
            leaf = multihost_utils.process_allgather(leaf, tiled=True)
        return np.array(jax.device_get(leaf))

    return jax.tree.map(copied, tree)
