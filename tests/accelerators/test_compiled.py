"""Steps compiled for TPUs that are not here; run where libtpu is installed (the extra compile-tpu)."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import pytest

from itt_jax.accelerators import compiled_report, topology
from itt_jax.accelerators.costs import by_kind
from itt_jax.bench import Request, ours
from itt_jax.bench.choices import Choice
from itt_jax.bench.workload import workload
from itt_jax.models import tpu_blocks
from itt_jax.models.attention import AttentionMask, attention
from itt_jax.models.hardware import compiling_for
from itt_jax.train import described
from itt_jax.train.flops import PASSES, forward_flops
from itt_jax.train.jobs import Job
from itt_jax.train.sharding import stack_mesh

pytest.importorskip("libtpu", reason="needs libtpu, the compiler for TPUs: pip install 'itt_jax[compile-tpu]'")
pytestmark = [pytest.mark.compile, pytest.mark.slow, pytest.mark.volume]
RUNS = 8


@pytest.fixture(scope="module")
def work():
    """A BERT of two layers in bfloat16 on embedded rows."""
    return ours.with_dtype(workload(Request(), Choice("bert", "tiny", "embedded")), "bfloat16")


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    """No report from before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def parameters(work):
    """Number of parameters, embeddings and head included."""
    return sum(leaf.size for leaf in jax.tree.leaves((work.encoder.shapes(), work.task.head.shapes())))


def computed_flops(work, rows, length):
    """FLOPs of a forward pass over full rows of one example, of which the last layer reads one token."""
    return forward_flops(work.encoder, [length] * rows) * ours.computed(work.encoder, rows * length, rows)


def step(work, there, runs):
    """The train step of some runs, and its report."""
    jobs = [Job((work.task,), None, {}, ours.recipe_of(work), 2e-5, seed) for seed in range(runs)]
    with compiling_for(there.hardware):
        (found,) = described.training(work.encoder, jobs, stack_mesh(runs))
    return found, compiled_report(found.request, there)


def check_step(work, there, found, report, runs):
    """It fits, its state is overwritten, its FLOPs are those of its rows."""
    state = 3 * 4 * parameters(work)  # parameters and two moments
    assert state <= report.donated <= report.arguments <= report.needed < there.accelerator.bytes
    rows = math.prod(found.row_shape[1:-1]) // (there.count if runs == 1 else 1)
    expected = PASSES * computed_flops(work, rows, found.row_shape[-1])
    assert expected <= report.flops <= 1.5 * expected
    assert 0 < report.seconds_of_bytes <= report.seconds < 0.1 and report.cycles > 1e4 and len(report.top) == 10
    assert report.bound == "bytes" and report.compile_seconds > 1


def test_a_stack_of_runs_does_not_communicate(work):
    there = topology("v5e:2x4")
    found, report = step(work, there, RUNS)
    check_step(work, there, found, report, RUNS)
    assert found.row_shape[0] == RUNS and report.collectives == ()
    again = dataclasses.replace(step(work, there, RUNS)[1], compile_seconds=0)
    assert again == dataclasses.replace(report, compile_seconds=0)  # from the cache: compiling again would differ


def test_devices_that_share_rows_reduce_every_gradient(work):
    there = topology("v5e:2x4")
    found, report = step(work, there, 1)
    check_step(work, there, found, report, 1)
    reduced = sum(own.elements for own in report.collectives if own.kind == "all-reduce")
    assert set(by_kind(report.collectives)) == {"all-reduce"}
    assert parameters(work) * 0.9 <= reduced <= parameters(work) * 1.3
    rounded = sum(own.elements for own in report.collectives if own.dtype == "bf16")
    assert rounded <= found.examples * work.encoder.width  # the examples' states, each from one device: no gradient


def test_a_prediction_does_not_keep_its_layers(work):
    there = topology("v5e:1x1")
    with compiling_for(there.hardware):
        found = described.prediction(work.encoder, work.task.head, work.task.examples, 1, 4096, None)
    report = compiled_report(found.request, there)
    assert report.collectives == () and report.donated == 0
    assert 4 * parameters(work) <= report.needed < there.accelerator.bytes
    assert report.flops >= computed_flops(work, *found.row_shape)


@pytest.mark.parametrize("name", ["v4:1x1x1", "v5e:1x1", "v6e:1x1"])
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
@pytest.mark.parametrize("size", [8, 32, 64, 128])
def test_the_longest_rows_that_the_kernel_takes_fit_its_memory(name, dtype, size):
    """Backward, with segments and dropout, which takes most."""
    there, heads = topology(name), 2 * (128 // size)
    longest = tpu_blocks.longest(jnp.dtype(dtype).itemsize, size)
    placed = jax.sharding.SingleDeviceSharding(there.hardware.devices[0])
    row, dropping = (
        jax.ShapeDtypeStruct(*own, sharding=placed)
        for own in (((8, longest), jnp.int32), ((), jax.random.key(0).dtype))
    )
    x = jax.ShapeDtypeStruct((8, longest, heads, size), dtype, sharding=placed)

    def loss(q, k, v, segments, key):
        found = attention(q, k, v, mask=AttentionMask.of(None, segments), dropout_rate=0.1, key=key)
        return found.astype(jnp.float32).sum()

    with compiling_for(there.hardware):
        text = jax.jit(jax.grad(loss, (0, 1, 2))).lower(x, x, x, row, dropping).compile().as_text()
    assert "tpu_attention_backward" in text
