"""The computation and data movement of a compiled program on one device, instruction by instruction, from its text."""

import dataclasses
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from itt_jax.accelerators.hlo import Array, Computation, Hlo, Instruction, arrays

COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
_FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id", "replica-id"}
_FREE |= {"while", "call", "conditional", "optimization-barrier", "async-start", "async-update", "call-start"}
_SLICES = ("slice", "dynamic-slice", "gather")
_CYCLES = re.compile(r'"estimated_cycles":"([0-9]+)"')
_NO_ESTIMATE = 2**63 - 1
"""The cycles that the compiler writes for what SparseCores compute."""
_STATED = re.compile(r'"cost_estimate":\s*\{[^{}]*"flops":\s*"?([0-9]+)')
"""The FLOPs that a Pallas kernel states."""
_NAME = re.compile(r'op_name="([^"]*)"')
_UPDATES = {"dynamic-update-slice": 1, "scatter": 2}
"""Instructions that update their first operand in place -> the number of the operand that is written into it."""
_AS_IT_IS = ("bitcast", "reshape", "transpose", "convert", "copy")


@dataclasses.dataclass(frozen=True)
class Cost:
    """One instruction's cost on one device, all its executions together.

    Attributes:
        name: its name in the program. operation: name of the JAX operation that it comes from.
        times: number of executions in a step.
        flops: those of matrix products. bytes: read and written.
        cycles: the compiler's estimate, of a kernel its schedule's; 0 if there is none.
        main_bytes: the bytes that it reads from the main memory and writes to it.
    """

    name: str
    operation: str
    opcode: str
    times: int
    flops: float
    bytes: float
    cycles: int
    main_bytes: float = 0.0


def costs(program: Hlo, of_kernels: dict[str, int] | None = None) -> list[Cost]:
    """The cost of every instruction that a step executes, in no particular order.

    Args:
        of_kernels: cycles of kernels (`schedules.kernel_cycles`).
    """
    found = []
    for computation, one, times in executed(program):
        if _is_free(one):
            continue
        named = _NAME.search(one.attributes)
        found.append(
            Cost(
                name=one.name,
                operation=named.group(1) if named else "",
                opcode=one.opcode,
                times=times,
                flops=times * flops(program, computation, one),
                bytes=times * moved_bytes(program, computation, one),
                cycles=times * ((of_kernels or {}).get(one.name) or _cycles(one)),
                main_bytes=times * moved_bytes(program, computation, one, _main_bytes),
            )
        )
    return found


def executed(program: Hlo) -> Iterator[tuple[Computation, Instruction, int]]:
    """Every instruction that a step executes, its computation, and how often it is executed.

    Of a conditional's branches, the one with most FLOPs counts and, among equals, the one with most bytes.
    """

    def expense(computation: Computation, one: Instruction) -> tuple[float, float]:
        """FLOPs and bytes."""
        if _is_free(one):
            return 0.0, 0.0
        return flops(program, computation, one), moved_bytes(program, computation, one)

    return program.executed(expense)


def _cycles(one: Instruction) -> int:
    """The compiler's estimate of one execution; 0 where it gives none."""
    found = _CYCLES.search(one.attributes)
    cycles = int(found.group(1)) if found else 0
    return 0 if cycles == _NO_ESTIMATE else cycles


def _is_free(one: Instruction) -> bool:
    return one.opcode in _FREE or one.opcode.endswith("-done")


def unknown_loops(program: Hlo) -> int:
    """Number of loops whose length is not in the program's text; they count once."""
    return sum(one.opcode == "while" and program.trips(one) is None for _, one, _ in executed(program))


# --- FLOPs


def flops(program: Hlo, computation: Computation, one: Instruction) -> float:
    """FLOPs of the matrix products of an instruction, those inside a fusion included; of a kernel, those it states."""
    if one.opcode == "fusion":
        inner = program.computations[one.called[0]]
        return sum(flops(program, inner, part) for part in inner.values())
    if one.opcode == "dot":
        left = arrays(computation[one.operands[0]].shape)[0].shape
        contracted = [left[int(n)] for n in one.attribute("lhs_contracting_dims").split(",") if n]
        return 2.0 * one.results[0].size * math.prod(contracted)
    if one.opcode == "convolution":
        return _convolution_flops(computation, one)
    target = one.attribute("custom_call_target")
    if target.startswith("__cublas$"):
        return _product_flops(computation, one)
    if stated := _STATED.search(one.attributes):
        return float(stated.group(1))
    return _attention_flops(computation, one) if target.startswith("__cudnn$fmha") else 0.0


def _product_flops(computation: Computation, one: Instruction) -> float:
    """FLOPs of a product of cuBLAS, whose contracted dimensions are in its backend configuration."""
    dims = re.search(r'"lhs_contracting_dimensions":\s*\[([^\]]*)\]', one.attributes)
    if dims is None:
        return 0.0
    left = arrays(computation[one.operands[0]].shape)[0].shape
    return 2.0 * one.results[0].size * math.prod(left[int(n)] for n in re.findall(r"[0-9]+", dims.group(1)))


def _attention_flops(computation: Computation, one: Instruction) -> float:
    """FLOPs of cuDNN's attention: two products [B, N, T, S] x H; backward five, as it computes the scores again.

    B, N, T and S are in its backend configuration; H is the last dimension of the queries.
    """
    scores = re.search(r'"intermediate_tensor_shape":\s*\{[^{}]*"dimensions":\s*\[([^\]]*)\]', one.attributes)
    if scores is None:
        return 0.0
    width = arrays(computation[one.operands[0]].shape)[0].shape[-1]
    products = 5 if "Backward" in one.attribute("custom_call_target") else 2
    return 2.0 * products * width * math.prod(int(n) for n in re.findall(r"[0-9]+", scores.group(1)))


def _convolution_flops(computation: Computation, one: Instruction) -> float:
    """FLOPs of a convolution, the form of every matrix product on TPUs; batch dimensions are windows of one position.

    Only the positions of a window that meet an element of the input count, as in XLA's cost analysis.
    """
    labels = one.attribute("dim_labels")
    named = re.match(r"(\w+)_(\w+)->(\w+)", labels)
    if named is None:
        raise ValueError(f"dim_labels of a convolution: expected left_right->result, found {labels!r:.80}")
    left, right, result = named.groups()
    sizes = {
        side: dict(zip(names, arrays(text)[0].shape, strict=True))
        for side, names, text in (
            ("left", left, computation[one.operands[0]].shape),
            ("right", right, computation[one.operands[1]].shape),
            ("result", result, one.shape),
        )
    }
    total = 2.0 * sizes["result"]["b"] * sizes["result"]["f"] * sizes["right"]["i"]
    window = dict(part.split("=") for part in one.attribute("window").split())
    for axis in sorted(name for name in sizes["left"] if name.isdigit()):
        total *= _positions(window, int(axis), sizes["left"][axis], sizes["result"][axis])
    return total


def _positions(window: dict[str, str], axis: int, size: int, results: int) -> int:
    """Pairs of a result and a window position that meet an element of the input, along one spatial axis."""

    def field(name: str, default: str) -> str:
        return window[name].split("x")[axis] if name in window else default

    low = int(field("pad", "0_0").split("_")[0])
    stride, dilation, gap = (int(field(name, "1")) for name in ("stride", "rhs_dilate", "lhs_dilate"))
    at = np.arange(results)[:, None] * stride + np.arange(int(field("size", "1"))) * dilation - low
    return int(((at >= 0) & (at % gap == 0) & (at // gap < size)).sum())


# --- Bytes


def _bytes(array: Array) -> float:
    return array.bytes


def _main_bytes(array: Array) -> float:
    return array.main_bytes


def moved_bytes(
    program: Hlo, computation: Computation, one: Instruction, of: Callable[[Array], float] = _bytes
) -> float:
    """Bytes that an instruction reads and writes, in any memory.

    For an array that is only sliced, the slices count; for one that is updated in place, the updated part.

    Args:
        of: the bytes of an array that count, all of them or those in the main memory.
    """
    if one.attribute("custom_call_target") in UNESTIMATED:  # the parts of an array as one array, in place
        return 0.0
    if one.opcode in ("copy-start", "slice-start"):  # the result holds the operand too, and a flag
        first, second = one.results[:2]
        part = min(first.size, second.size)
        return sum(of(array) * part / max(1, array.size) for array in (first, second))
    inner = program.computations[one.called[0]] if one.opcode == "fusion" else None
    read = 0.0
    for number, name in enumerate(one.operands):
        array = _array(computation, name)
        if array is not None:
            share = _share_read(one, number, array) if inner is None else _share_read_inside(inner, number, array)
            read += of(array) * share
    return read + (_written(computation, [one], one, of) if inner is None else _written(inner, _ends(inner), one, of))


def _array(computation: Computation, name: str) -> Array | None:
    """The array that an instruction results in; None for a tuple."""
    found = computation.get(name)
    return found.results[0] if found is not None and not found.shape.startswith("(") and found.results else None


def _share_read(one: Instruction, number: int, array: Array) -> float:
    """The share of its operand `number` that an instruction reads; above 1 if it reads parts repeatedly."""
    if one.opcode in _SLICES and number == 0:
        return one.results[0].size / max(1, array.size)
    return 0.0 if one.opcode in _UPDATES and number == 0 else 1.0


def _share_read_inside(inner: Computation, number: int, array: Array) -> float:
    """The share of its parameter `number` that a fusion reads."""
    parameter = next(one.name for one in inner.values() if one.opcode == "parameter" and one.arguments == str(number))
    names, total = [parameter], 0.0
    while names:
        name = names.pop()
        for user in inner.values():
            if name not in user.operands:
                continue
            if user.opcode in _AS_IT_IS and user.results[0].size == array.size and not user.root:
                names.append(user.name)
            elif user.opcode in _SLICES and user.operands[0] == name:
                total += user.results[0].size / max(1, array.size)
            elif user.opcode not in _UPDATES or user.operands[0] != name:
                return 1.0
    return min(total, 1.0)


def _ends(inner: Computation) -> list[Instruction]:
    """The instructions that compute a fusion's results, before changes of shape and dtype."""
    root = next(one for one in inner.values() if one.root)
    found = [inner[name] for name in root.operands] if root.opcode == "tuple" else [root]
    for at, one in enumerate(found):
        while one.opcode in _AS_IT_IS and one.operands[0] in inner:
            one = inner[one.operands[0]]
        found[at] = one
    return found


def _written(
    computation: Computation, ends: list[Instruction], one: Instruction, of: Callable[[Array], float]
) -> float:
    """Bytes that an instruction writes, given the instructions that compute its results."""
    results = one.results
    library = one.attribute("custom_call_target").startswith(("__cublas$", "__cudnn$"))
    if library and len(results) > 1 and results[-1].dtype in ("s8", "u8"):
        results = results[:-1]  # without the workspace
    if len(ends) != len(results):
        return sum(map(of, results))
    total = 0.0
    for end, array in zip(ends, results, strict=True):
        update = _array(computation, end.operands[_UPDATES[end.opcode]]) if end.opcode in _UPDATES else None
        total += of(array) if update is None else of(array) * update.size / max(1, array.size)
    return total


# --- Communication and kernels


@dataclasses.dataclass(frozen=True)
class Collective:
    """Collectives of one kind and dtype in a step.

    Attributes:
        kind: "all-reduce" ... dtype: "f32" ...
        count: number of executions. elements, bytes: size of the results on one device.
    """

    kind: str
    dtype: str
    count: int
    elements: int
    bytes: float


def collectives(program: Hlo) -> list[Collective]:
    """The collectives of a step, those inside fusions included, by kind and dtype."""
    counts: Counter[tuple[str, str]] = Counter()
    elements: Counter[tuple[str, str]] = Counter()
    sizes: defaultdict[tuple[str, str], float] = defaultdict(float)
    for one, times in ((part, times) for _, whole, times in executed(program) for part in program.parts(whole)):
        kind = one.opcode.removesuffix("-start")
        if kind not in COLLECTIVES:
            continue
        # The result of an asynchronous one also contains its operands, except for all-reduce.
        found = one.results if kind == "all-reduce" or kind == one.opcode else one.results[len(one.results) // 2 :]
        counts.update({(kind, dtype): times for dtype in {array.dtype for array in found}})
        for array in found:
            key = kind, array.dtype
            elements[key] += times * array.size
            sizes[key] += times * array.bytes
    return [
        Collective(kind, dtype, counts[kind, dtype], elements[kind, dtype], sizes[kind, dtype])
        for kind, dtype in sorted(counts)
    ]


def by_kind(found: Sequence[Collective]) -> dict[str, dict[str, float]]:
    """Count and bytes of the collectives of each kind, all dtypes together."""
    kinds: dict[str, dict[str, float]] = {}
    for own in found:
        kind = kinds.setdefault(own.kind, {"count": 0, "bytes": 0})
        kind["count"] += own.count
        kind["bytes"] += own.bytes
    return kinds


UNESTIMATED = ("ConcatBitcast", "PrepareAsyncCallStart", "PrepareAsyncCallDone")
"""Calls without work, each of which XLA's cost analysis for TPUs counts as -1 second; two are for SparseCores."""
_QUIET = {*UNESTIMATED, "AllocateBuffer", "AssumeGatherIndicesInBound", "Sharding", "SPMDFullToShardShape"}


def kernels(program: Hlo) -> Counter[str]:
    """How often a step calls each kernel that is not XLA's: target, and the operation that it comes from."""
    found: Counter[str] = Counter()
    for _, one, times in executed(program):
        if _is_kernel(one):
            found[_kernel_name(one)] += times
    return found


def uncounted(program: Hlo) -> list[str]:
    """Names of the kernels, as in `kernels`, whose FLOPs neither the program's text nor the compiler gives."""
    return sorted(
        {
            _kernel_name(one)
            for computation, one, _ in executed(program)
            if _is_kernel(one) and not flops(program, computation, one) and '"cost_estimate"' not in one.attributes
        }
    )


def unscheduled(program: Hlo, of_kernels: dict[str, int]) -> list[str]:
    """Names of the kernels, as in `kernels`, whose cycles are not known."""
    return sorted(
        {_kernel_name(one) for _, one, _ in executed(program) if _is_kernel(one) and one.name not in of_kernels}
    )


def _is_kernel(one: Instruction) -> bool:
    return one.opcode == "custom-call" and one.attribute("custom_call_target") not in _QUIET


def _kernel_name(one: Instruction) -> str:
    named = _NAME.search(one.attributes)
    operation = named.group(1).removesuffix("/pallas_call").rpartition("/")[2] if named else ""
    return f"{one.attribute('custom_call_target')} {operation}".strip()
