"""Costs read from the text of programs: FLOPs, bytes, loops, collectives, kernels."""

import jax
import jax.numpy as jnp
import pytest

from itt_jax.accelerators.costs import Collective, collectives, costs, executed, kernels, uncounted, unknown_loops
from itt_jax.accelerators.hlo import Array, Hlo, arrays
from itt_jax.accelerators.report import read
from itt_jax.accelerators.topologies import Accelerator, Topology
from itt_jax.models.hardware import Hardware

PROGRAM = """HloModule jit_step, is_scheduled=true

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%body (state: (s32[], f32[8,4])) -> (s32[], f32[8,4]) {
  %state = (s32[]{:T(128)}, f32[8,4]{1,0:T(8,128)}) parameter(0)
  %x = f32[8,4]{1,0:T(8,128)S(1)} get-tuple-element(%state), index=1
  %one = s32[]{:T(128)} constant(1)
  %y = f32[8,4]{1,0} all-reduce(%x), replica_groups={{0,1}}, to_apply=%add
  %z = f32[8,4]{1,0} custom-call(%y), custom_call_target="tpu_custom_call", \
frontend_attributes={kernel_metadata={
"xprof_metadata":"{\\"block_q\\": 512}"
}}, metadata={op_name="jit(f)/flash/pallas_call"}, backend_config={"estimated_cycles":"70"}
  ROOT %next = (s32[], f32[8,4]{1,0}) tuple(%one, %z)
}

%condition (state: (s32[], f32[8,4])) -> pred[] {
  %state.1 = (s32[]{:T(128)}, f32[8,4]{1,0}) parameter(0)
  %limit = s32[] constant(12)
  %number = s32[] get-tuple-element(%state.1), index=0
  ROOT %less = pred[] compare(%number, %limit), direction=LT
}

ENTRY %main (p: f32[8,4], q: bf16[3]) -> f32[8,4] {
  %p = f32[8,4]{1,0} parameter(0)
  %q = bf16[3]{0} parameter(1)
  %zero = s32[] constant(0)
  %both = (f32[8,4]{1,0}, bf16[3]{0}) all-reduce(%p, %q), replica_groups={{0,1}}, to_apply=%add
  %gathered = (bf16[3]{0}, bf16[6]{0}) all-gather-start(%q), dimensions={0}
  %done = bf16[6]{0} all-gather-done(%gathered)
  %first = f32[8,4]{1,0} get-tuple-element(%both), index=0
  %start = (s32[], f32[8,4]{1,0}) tuple(%zero, %first)
  %loop = (s32[], f32[8,4]{1,0}) while(%start), condition=%condition, body=%body
  ROOT %out = f32[8,4]{1,0} get-tuple-element(%loop), index=1
}
"""


LIBRARIES = """ENTRY %main (a: bf16[64,16], b: bf16[16,32], q: bf16[2,128,3,8]) -> bf16[64,32] {
  %a = bf16[64,16]{1,0} parameter(0)
  %b = bf16[16,32]{1,0} parameter(1)
  %q = bf16[2,128,3,8]{3,2,1,0} parameter(2)
  %product = (bf16[64,32]{1,0}, s8[33554432]{0}) custom-call(%a, %b), custom_call_target="__cublas$lt$matmul", \
backend_config={"gemm_backend_config":{"dot_dimension_numbers":{"lhs_contracting_dimensions":["1"]}}}
  %solved = bf16[64,16]{1,0} custom-call(%b, %a), custom_call_target="__cublas$triangularSolve"
  %attended = (bf16[2,128,3,8]{3,2,1,0}, f32[2,3,128]{2,1,0}, u8[4096]{0}) custom-call(%q, %q, %q), \
custom_call_target="__cudnn$fmhaSoftmax", \
backend_config={"cudnn_fmha_backend_config":{"intermediate_tensor_shape":{"element_type":"BF16",\
"dimensions":["2","3","128","128"]}}}
  %back = (bf16[2,128,3,8]{3,2,1,0}, bf16[2,128,3,8]{3,2,1,0}, bf16[2,128,3,8]{3,2,1,0}, u8[4096]{0}) \
custom-call(%q, %q, %q), custom_call_target="__cudnn$fmhaSoftmaxBackward", \
backend_config={"cudnn_fmha_backend_config": {"intermediate_tensor_shape": {"dimensions": ["2", "3", "128", "128"]}}}
  %convolved = bf16[2,128,3,8]{3,2,1,0} custom-call(%q), custom_call_target="__cudnn$convForward"
  %flash = bf16[64,16]{1,0} custom-call(%a), custom_call_target="tpu_custom_call", \
backend_config={"custom_call_config":{"cost_estimate":{"flops":"7"}}}
  ROOT %out = bf16[64,32]{1,0} get-tuple-element(%product), index=0
}
"""

CONTROL = """%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%all-reduce-scatter (x: f32[8,4]) -> f32[4,4] {
  %x = f32[8,4]{1,0} parameter(0)
  %start = s32[] constant(0)
  %reduced = f32[8,4]{1,0} all-reduce(%x), replica_groups={{0,1}}, to_apply=%add
  ROOT %part = f32[4,4]{1,0} dynamic-slice(%reduced, %start, %start), dynamic_slice_sizes={4,4}
}

%copied (y: f32[8,4]) -> f32[8,4] {
  %y = f32[8,4]{1,0} parameter(0)
  %large = f32[8,400]{1,0} broadcast(%y), dimensions={0,1}
  ROOT %same = f32[8,4]{1,0} slice(%large), slice={[0:8], [0:4]}
}

%multiplied (z: f32[8,4]) -> f32[8,8] {
  %z = f32[8,4]{1,0} parameter(0)
  ROOT %square = f32[8,8]{1,0} dot(%z, %z), lhs_contracting_dims={1}, rhs_contracting_dims={1}
}

%body (state: (f32[8,4])) -> (f32[8,4]) {
  %state = (f32[8,4]{1,0}) parameter(0)
  %inner = f32[8,4]{1,0} get-tuple-element(%state), index=0
  %root = f32[8,4]{1,0} sqrt(%inner)
  ROOT %next = (f32[8,4]{1,0}) tuple(%root)
}

%sparse (v: f32[8,4]) -> f32[8,4] {
  %v = f32[8,4]{1,0} parameter(0)
  ROOT %offloaded = f32[8,4]{1,0} negate(%v), backend_config={"estimated_cycles":"9223372036854775807"}
}

%condition (state: (f32[8,4])) -> pred[] {
  %state.1 = (f32[8,4]{1,0}) parameter(0)
  ROOT %go = pred[] custom-call(%state.1), custom_call_target="Sharding"
}

ENTRY %main (p: f32[8,4], which: s32[]) -> f32[4,4] {
  %p = f32[8,4]{1,0} parameter(0)
  %which = s32[] parameter(1)
  %chosen = f32[8,8]{1,0} conditional(%which, %p, %p), branch_computations={%copied, %multiplied}
  %begin = (f32[8,4]{1,0}) tuple(%p)
  %loop = (f32[8,4]{1,0}) while(%begin), condition=%condition, body=%body
  %sent = ((f32[8,4]{1,0}), f32[8,4]{1,0}) call-start(%p), async_execution_thread="sparsecore", to_apply=%sparse
  %received = f32[8,4]{1,0} call-done(%sent)
  ROOT %scattered = f32[4,4]{1,0} fusion(%p), kind=kCustom, calls=%all-reduce-scatter
}
"""


def nothing(computation, one):
    """Instructions that take nothing."""
    return (0.0,)


def test_arrays_of_a_shape():
    assert arrays("(f32[2,3]{1,0:T(8,128)S(1)}, bf16[], /*index=2*/pred[7]{0})") == [
        Array("f32", (2, 3), on_chip=True),
        Array("bf16", ()),
        Array("pred", (7,)),
    ]
    assert [Array(dtype, (4,)).bytes for dtype in ("f32", "bf16", "s4", "pred", "f8e4m3fn", "u32")] == [
        16,
        8,
        2,
        4,
        4,
        16,
    ]


def test_a_loop_counts_as_often_as_it_runs():
    program = Hlo.parse(PROGRAM)
    assert program.entry == "main" and program.executions(nothing) == {"main": 1, "body": 12, "condition": 12}
    assert collectives(program) == [
        Collective("all-gather", "bf16", 1, 6, 12),
        Collective("all-reduce", "bf16", 1, 3, 6),
        Collective("all-reduce", "f32", 13, 13 * 32, 13 * 128),
    ]
    assert kernels(program) == {"tpu_custom_call flash": 12}
    assert sum(cost.cycles for cost in costs(program)) == 12 * 70


def test_calls_of_gpu_libraries_count_without_their_workspace():
    """A product of cuBLAS, cuDNN's attention forward (two products) and backward (five); the others are named."""
    program = Hlo.parse(LIBRARIES)
    found = {cost.name: (cost.flops, cost.bytes) for cost in costs(program)}
    q, scores = 2 * 2 * 128 * 3 * 8, 2 * 3 * 128 * 128
    assert found == {
        "product": (2 * 64 * 32 * 16, 2 * (64 * 16 + 16 * 32 + 64 * 32)),
        "solved": (0, 2 * (16 * 32 + 64 * 16 + 64 * 16)),
        "attended": (4 * scores * 8, 4 * q + 4 * 2 * 3 * 128),
        "back": (10 * scores * 8, 6 * q),
        "convolved": (0, 2 * q),
        "flash": (7, 2 * 2 * 64 * 16),  # as it states
    }
    assert uncounted(program) == ["__cublas$triangularSolve", "__cudnn$convForward"]


def test_bytes_of_on_chip_memory_are_no_traffic_with_the_main_memory():
    """An array of which a part is copied to the chip, doubled there, and stored; a table of which rows are read."""
    program = Hlo.parse("""ENTRY %main (p: f32[64,4], w: f32[64,4]) -> f32[16,4] {
  %p = f32[64,4]{1,0:T(8,128)} parameter(0)
  %w = bf16[64,4]{1,0:T(8,128)(2,1)S(1)} parameter(1)
  %begun = ((f32[64,4]{1,0:T(8,128)}), f32[16,4]{1,0:T(8,128)S(1)}, s32[]{:S(2)}) slice-start(%p), slice={[0:16], [0:4]}
  %part = f32[16,4]{1,0:T(8,128)S(1)} slice-done(%begun)
  %moved = (bf16[64,4]{1,0:T(8,128)}, bf16[64,4]{1,0:T(8,128)S(1)}, u32[]{:S(2)}) copy-start(%w)
  %away = bf16[64,4]{1,0:T(8,128)} copy-done(%moved)
  %whole = f32[16,4]{1,0:T(8,128)S(1)} custom-call(%part), custom_call_target="ConcatBitcast"
  %rows = bf16[8,4]{1,0:T(8,128)S(1)} slice(%away), slice={[0:8], [0:4]}
  ROOT %sum = f32[16,4]{1,0:T(8,128)} add(%whole, %part)
}
""")
    found = {cost.name: (cost.bytes, cost.main_bytes) for cost in costs(program)}
    part = 4 * 16 * 4
    assert found == {
        "begun": (2 * part, part),
        "moved": (2 * 512, 512),
        "whole": (0, 0),
        "rows": (2 * 64, 64),
        "sum": (3 * part, part),
    }


def test_fusions_conditionals_and_loops_of_unknown_length():
    """A collective inside a fusion counts; of a conditional, the branch with most FLOPs; the loop once, and is told.

    What another core computes, as the SparseCores of a v6e do with sums by index, counts too.
    """
    program = Hlo.parse(CONTROL)
    assert collectives(program) == [Collective("all-reduce", "f32", 1, 32, 128)]
    names = {one.name for _, one, _ in executed(program)}
    assert {"square", "root", "offloaded"} <= names and not {"large", "same"} & names
    assert not {"sent", "received"} & {cost.name for cost in costs(program)}
    assert sum(cost.cycles for cost in costs(program)) == 0  # the compiler's number for an absent estimate
    assert sum(cost.flops for cost in costs(program)) == 2 * 8 * 8 * 4
    assert unknown_loops(program) == 1 and unknown_loops(Hlo.parse(PROGRAM)) == 0


@pytest.mark.parametrize("scanned", [False, True])
def test_flops_of_a_compiled_program_are_those_of_its_products(scanned):
    """A product of a stack of matrices and six in a row, unrolled or in a loop."""

    def function(x, w):
        step = lambda x, own: (jnp.tanh(x @ own), None)  # noqa: E731
        if scanned:
            return jax.lax.scan(step, x, w)[0]
        for own in w:
            x, _ = step(x, own)
        return x

    shapes = jax.ShapeDtypeStruct((128, 256), jnp.float32), jax.ShapeDtypeStruct((6, 256, 256), jnp.float32)
    program = Hlo.parse(jax.jit(function).lower(*shapes).compile().as_text())
    found = costs(program)
    assert sum(cost.flops for cost in found) == 6 * 2 * 128 * 256 * 256
    assert sum(cost.bytes for cost in found) >= 4 * (6 * 256 * 256 + 2 * 128 * 256)


def test_slices_count_and_not_what_they_are_cut_from():
    def function(x, y, at):
        return jax.lax.dynamic_slice_in_dim(x, at, 2) * 2, jax.lax.dynamic_update_slice_in_dim(y, y[:1] + 1, at, 0)

    big = jax.ShapeDtypeStruct((1 << 16, 8), jnp.float32)
    compiled = jax.jit(function, donate_argnums=1).lower(big, big, jax.ShapeDtypeStruct((), jnp.int32)).compile()
    assert sum(cost.bytes for cost in costs(Hlo.parse(compiled.as_text()))) < 1000


def test_calls_without_an_estimate_take_no_time():
    """XLA's analysis for TPUs says -1 second of each."""
    own = Accelerator("v6e", 2, peak=1e12, bandwidth=1e9, bytes=1 << 30)
    there = Topology("v6e:1x1", own, (1, 1), Hardware("tpu", (), bytes=own.bytes))
    calls = "".join(
        f'  %{name} = s32[] custom-call(), custom_call_target="{name}"\n'
        for name in ("ConcatBitcast", "PrepareAsyncCallStart", "PrepareAsyncCallDone")
    )

    class Compiled:
        def as_text(self):
            return PROGRAM.replace("  %zero = ", calls + "  %zero = ")

        def memory_analysis(self):
            return jax.jit(jnp.sin).lower(1.0).compile().memory_analysis()

        def cost_analysis(self):
            return {"flops": 10.0, "bytes accessed": 20.0, "optimal_seconds": 0.25 - 3}

    found = read(Compiled(), there)
    assert found.seconds == pytest.approx(0.25 * found.bytes / 20) and found.kernels == {"tpu_custom_call flash": 12}
