"""Fused kernels equal the reference, packed rows included; each names what it does not support.

The TPU kernels run in Pallas' interpreter and are lowered for a TPU; cuDNN's runs where there is a GPU. The arguments
given to cuDNN are checked everywhere, by letting XLA compute the call.
"""

import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.pallas.ops.tpu import splash_attention
from jax.sharding import AbstractMesh, AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from itt_jax.errors import InputError
from itt_jax.models import fused_attention, make_encoder
from itt_jax.models.attention import AttentionMask, attention
from itt_jax.models.hardware import Hardware, compiling_for

T = 128
RNG = np.random.default_rng(0)
Q, K, V, W = RNG.standard_normal((4, 2, T, 2, 8), np.float32)
SEGMENTS = np.stack([np.repeat([1, 2, 3, 0], [50, 60, 10, 8]), np.repeat([1, 0], [100, 28])]).astype(np.int32)
MASK = (SEGMENTS > 0).astype(np.int32)
MASKS = {"packed": (None, SEGMENTS), "padded": (MASK, None), "whole": (None, None), "both": (MASK, SEGMENTS)}
REAL = (SEGMENTS > 0)[..., None, None]
AMPERE, TPU = Hardware("gpu", (None,), capability=8), Hardware("tpu", (None,))
DESCRIBED = Hardware("tpu", (None,), bytes=1)
TOLERANCE = {"float32": 2e-6, "bfloat16": 2e-2}  # for outputs and gradients of unit size


@pytest.fixture
def on_tpu(monkeypatch):
    """The choice is that on a TPU, and kernels run in the interpreter.

    It is Pallas' general one: that of TPUs does not take a kernel with parallel dimensions under vmap.
    """
    monkeypatch.setattr(fused_attention, "hardware", lambda: TPU)
    interpreted = functools.partial(splash_attention.make_splash_mha, interpret=True)
    monkeypatch.setattr(splash_attention, "make_splash_mha", interpreted)


@pytest.fixture
def on_gpu(monkeypatch):
    """The default backend claims to be a GPU, and XLA computes what cuDNN would; yields the calls.

    Like JAX's wrapper of cuDNN, the calls keep only arrays of rows for the backward pass.
    """
    fused, calls = jax.nn.dot_product_attention, []

    def by_xla(q, k, v, mask):
        return fused(q, k, v, mask=mask, implementation="xla")

    @jax.custom_vjp
    def kept(*given):
        return by_xla(*given)

    def pulled_back(given, gradient):
        *rows, mask = given
        return (*jax.vjp(lambda *own: by_xla(*own, mask), *rows)[1](gradient), None)

    kept.defvjp(lambda *given: (by_xla(*given), given), pulled_back)

    def called(q, k, v, *, mask, implementation):
        calls.append(implementation)
        return kept(q, k, v, mask)

    monkeypatch.setattr(fused_attention, "hardware", lambda: AMPERE)
    monkeypatch.setattr(jax.nn, "dot_product_attention", called)
    jax.clear_caches()  # JAX 0.12 keeps traces, with the functions that they called
    yield calls
    jax.clear_caches()


def outputs_and_gradients(backend, masks, dtype="float32"):
    """Attention at real queries, 0 elsewhere, and the gradients of a weighted sum."""
    mask = AttentionMask.of(*masks)

    def run(q, k, v):
        found = attention(q, k, v, mask=mask, backend=backend)
        return jnp.sum(jnp.where(REAL, found.astype(jnp.float32), 0) * W), found

    arguments = (jnp.asarray(x, dtype) for x in (Q, K, V))
    (_, found), gradients = jax.jit(jax.value_and_grad(run, (0, 1, 2), has_aux=True))(*arguments)
    assert found.dtype == dtype and all(np.isfinite(x.astype(jnp.float32)).all() for x in (found, *gradients))
    return np.where(REAL, found.astype(jnp.float32), 0), *(np.asarray(x, np.float32) for x in gradients)


def assert_equals_reference(backend, masks, dtype):
    for found, expected in zip(
        outputs_and_gradients(backend, masks, dtype), outputs_and_gradients("xla", masks), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=TOLERANCE[dtype] * max(1, np.abs(expected).max()))


@pytest.mark.slow
@pytest.mark.parametrize("masks", ["packed", "whole"])
def test_splash_equals_the_reference(on_tpu, masks):
    assert_equals_reference("pallas", MASKS[masks], "float32")


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("segmented", [True, False])
@pytest.mark.parametrize("window", [64, None])
def test_splash_of_several_tiles_equals_the_reference(on_tpu, segmented, window):
    """Segments end inside tiles and inside windows."""
    length = 512 if window else 1024  # heads that fill no vector
    q, k, v, w = np.random.default_rng(1).standard_normal((4, 2, length, 2, 8), np.float32)
    segments = np.stack(
        [np.repeat([1, 2, 3, 0], [150, 230, 100, length - 480]), np.repeat([1, 0], [460, length - 460])]
    )
    real = (segments > 0)[..., None, None] if segmented else True
    mask = AttentionMask.of(None, segments if segmented else None).within(window, length)

    def run(backend, *arguments):
        found = attention(*arguments, mask=mask, backend=backend)
        return jnp.sum(jnp.where(real, found, 0) * w), jnp.where(real, found, 0)

    results = []
    for backend in ("auto", "xla"):
        own = jax.value_and_grad(functools.partial(run, backend), (0, 1, 2), has_aux=True)
        assert ("splash" in str(jax.make_jaxpr(own)(q, k, v))) == (backend == "auto")
        results.append(jax.jit(own)(q, k, v))
    ((_, found), gradients), ((_, expected), others) = results
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for one, other in zip(gradients, others, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("masks", MASKS)
def test_the_call_to_cudnn_equals_the_reference(on_gpu, masks):
    assert_equals_reference("cudnn", MASKS[masks], "bfloat16")
    assert set(on_gpu) == {"cudnn"}


@pytest.mark.skipif(jax.default_backend() != "gpu", reason="cuDNN needs an NVIDIA GPU")
@pytest.mark.parametrize("masks", MASKS)
def test_cudnn_equals_the_reference(masks):
    assert_equals_reference("cudnn", MASKS[masks], "bfloat16")


KERNELS = ("pallas", "xla")
WHOLE, WINDOW = fused_attention.by_pallas, functools.partial(fused_attention.by_pallas, window=64)
DROPPING = functools.partial(WHOLE, dropout_rate=0.1, key=jax.random.key(0))


@pytest.mark.parametrize(
    ("kernel", "length"),
    [(WHOLE, 128), (DROPPING, 512), (WHOLE, 1024), (DROPPING, 2048), (WHOLE, 4096), (WINDOW, 640)],
)
def test_kernels_lower_for_a_tpu_alone_and_under_vmap(kernel, length):
    """Mosaic accepts the shapes of real encoders, for single runs and for stacks over shared rows."""
    row, ids = jax.ShapeDtypeStruct((3, 2, length, 2, 64), jnp.bfloat16), jax.ShapeDtypeStruct((2, length), jnp.int32)

    def loss(q, k, v, segments):
        return kernel(q, k, v, segments).astype(jnp.float32).sum()

    stacked = jax.vmap(jax.grad(loss, (0, 1, 2)), (0, 0, 0, None))
    with compiling_for(DESCRIBED):
        lowered = jax.jit(stacked).trace(row, row, row, ids).lower(lowering_platforms=("tpu",))
    assert "tpu_custom_call" in lowered.as_text()


@pytest.mark.parametrize(("kernel", "result"), [(DROPPING, f"2x{T}x128"), (WINDOW, f"2x2x{T}x64")])
def test_kernels_run_on_each_devices_own_rows_heads_and_runs(kernel, result):
    """The compiler cannot partition the kernel, so it is called with the shapes of one device."""
    mesh = AbstractMesh((2, 2, 2), ("run", "data", "model"), axis_types=(AxisType.Auto,) * 3)
    along = NamedSharding(mesh, P("run", "data", None, "model"))
    row = jax.ShapeDtypeStruct((2, 4, T, 4, 64), jnp.bfloat16, sharding=along)
    ids = jax.ShapeDtypeStruct((4, T), jnp.int32, sharding=NamedSharding(mesh, P("data")))
    with compiling_for(DESCRIBED), jax.sharding.use_abstract_mesh(mesh):
        stacked = jax.jit(jax.vmap(kernel, (0, 0, 0, None), spmd_axis_name="run"))
        lowered = stacked.trace(row, row, row, ids).lower(lowering_platforms=("tpu",)).as_text()
    call = next(line for line in lowered.splitlines() if "tpu_custom_call" in line)
    assert f"tensor<{result}xbf16>" in call.rpartition("->")[2]


def masks_in(function, *given):
    """The shapes of the masks that a program makes of segments."""
    return set(re.findall(rf":bool\[(\d+,\d+,{T},{T})\] = eq ", str(jax.make_jaxpr(function)(*given))))


@pytest.mark.parametrize("mapped", [(0, 0, 0, 0), (0, None, 1, None)])
def test_cudnn_computes_a_stack_of_runs_in_one_call(on_gpu, mapped):
    """Whatever the runs share, with one mask for all heads; each run's result and gradients are those it has alone."""
    rows, weights = np.stack([Q, K, V]), RNG.standard_normal((3, *Q.shape), np.float32)
    segments = np.stack([np.roll(SEGMENTS, 40 * run, 1) for run in range(3)])
    own = [np.stack([row + run for run in range(3)], axis or 0) for row, axis in zip(rows, mapped, strict=False)]
    given = [x if axis is not None else np.take(x, 0, 0) for x, axis in zip((*own, segments), mapped, strict=True)]

    def both(attention, q, k, v, segments, weight):
        found, pullback = jax.vjp(lambda q, k, v: attention(q, k, v, segments), q, k, v)
        return found, *pullback(weight)

    def reference(q, k, v, segments):
        return attention(q, k, v, mask=AttentionMask(segments[:, None, :, None] == segments[:, None, None]))

    stacked = jax.vmap(functools.partial(both, fused_attention.by_cudnn), (*mapped, 0))
    assert masks_in(stacked, *given, weights) == {"6,1,128,128"}
    stacked, single = jax.jit(stacked)(*given, weights), jax.jit(functools.partial(both, reference))
    for run in range(3):
        alone = [np.take(x, run, a) if a is not None else x for x, a in zip(given, mapped, strict=True)]
        for found, expected in zip(stacked, single(*alone, weights[run]), strict=True):
            np.testing.assert_allclose(found[run], expected, atol=1e-5)


def test_cudnn_is_called_with_the_rows_heads_and_runs_of_one_device(on_gpu):
    """Two stacks in one another, the outer one divided over the devices of a mesh."""
    mesh = AbstractMesh((2, 2, 2), ("run", "data", "model"), axis_types=(AxisType.Auto,) * 3)
    row, ids = jax.ShapeDtypeStruct((6, 5, 4, T, 2, 8), jnp.float32), jax.ShapeDtypeStruct((5, 4, T), jnp.int32)

    def loss(*given):
        return fused_attention.by_cudnn(*given).sum()

    inner = jax.vmap(jax.grad(loss, (0, 1, 2)))
    with jax.sharding.use_abstract_mesh(mesh):
        found = masks_in(jax.vmap(inner, (0, 0, 0, None), spmd_axis_name="run"), row, row, row, ids)
    assert found == {"30,1,128,128"}  # 3 x 5 runs of 2 rows, one head


@pytest.mark.slow
@pytest.mark.parametrize(("width", "key"), [(128, jax.random.key(5)), (128, None), (16, None)])
def test_an_encoder_with_a_kernel_equals_plain(on_tpu, randomised, width, key):
    """Heads of 64 with dropout, in our kernel; heads of 8, in splash. Also the gradients."""
    sizes = {"layers": 1, "width": width, "heads": 2, "vocabulary_size": 40, "max_positions": 130}
    plain = make_encoder("bert", **sizes)
    params, ids = randomised(plain.shapes()), RNG.integers(6, 40, (2, T))

    def run(backend, params):
        hidden = dataclasses.replace(plain, attention=backend)(params, ids, segment_ids=SEGMENTS, key=key)
        return jnp.sum(jnp.where(REAL[..., 0], hidden, 0) ** 2), hidden

    results = [jax.jit(jax.value_and_grad(functools.partial(run, name), has_aux=True))(params) for name in KERNELS]
    ((_, found), gradients), ((_, expected), others) = results
    np.testing.assert_allclose(found[SEGMENTS > 0], expected[SEGMENTS > 0], atol=1e-5)
    for one, other in zip(jax.tree.leaves(gradients), jax.tree.leaves(others), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4 * max(1, np.abs(other).max()))


def shaped(length=T, size=64, dtype=jnp.bfloat16):
    return jax.ShapeDtypeStruct((2, length, 2, size), dtype)


def test_auto_chooses_the_kernel_that_applies_and_pays_off(on_tpu, monkeypatch):
    def chosen(q, **options):
        return fused_attention.choose("auto", q, q, **{"bias": False, "dropped": False} | options)

    assert {chosen(shaped()), chosen(shaped(512), dropped=True), chosen(shaped(4096)), chosen(shaped(size=8))} == {
        "pallas"
    }
    assert {chosen(shaped(64)), chosen(shaped(520)), chosen(shaped(512), bias=True)} == {"xla"}
    assert {chosen(shaped(4096), dropped=True), chosen(shaped(size=8), dropped=True)} == {"xla"}
    monkeypatch.setattr(fused_attention, "hardware", lambda: AMPERE)
    assert {chosen(shaped()), chosen(shaped(130))} == {"cudnn"}
    assert {chosen(shaped(129)), chosen(shaped(size=12)), chosen(shaped(dtype=jnp.float32))} == {"xla"}


def test_auto_chooses_xla_where_a_mesh_does_not_divide_the_rows(on_tpu, monkeypatch):
    def chosen(sizes):
        mesh = AbstractMesh(sizes, ("data", "model"), axis_types=(AxisType.Auto,) * 2)
        with jax.sharding.use_abstract_mesh(mesh):
            return fused_attention.choose("auto", shaped(512), shaped(512), bias=False, dropped=False)

    assert chosen((2, 2)) == "pallas"
    assert {chosen((4, 1)), chosen((1, 4))} == {"xla"}
    with monkeypatch.context() as patched:
        patched.setattr(fused_attention, "hardware", lambda: AMPERE)
        assert (chosen((2, 2)), chosen((4, 1)), chosen((1, 4))) == ("cudnn", "xla", "xla")
    monkeypatch.setattr(fused_attention, "hardware", lambda: Hardware("tpu", (None, None)))
    assert fused_attention.choose("auto", shaped(512), shaped(512), bias=False, dropped=False) == "xla"


@pytest.mark.slow
@pytest.mark.parametrize(("length", "fused"), [(512, True), (64, False), (520, False)])
def test_an_encoder_lowered_for_a_tpu_has_the_kernel(length, fused):
    encoder = make_encoder("bert", layers=2, width=32, heads=2, vocabulary_size=40, max_positions=520)
    ids = jax.ShapeDtypeStruct((2, length), jnp.int32)
    with compiling_for(Hardware("tpu", (None,), bytes=1)):
        traced = jax.jit(encoder).trace(encoder.shapes(), ids, segment_ids=ids)
    assert ("tpu_custom_call" in traced.lower(lowering_platforms=("tpu",)).as_text()) == fused


def test_a_window_of_long_rows_has_the_kernel_where_it_can(on_tpu, monkeypatch):
    def windowed(q, **options):
        return fused_attention.has_window_kernel(q, q, **{"dropped": False} | options)

    assert windowed(shaped(512)) and windowed(shaped(640, dtype=jnp.float32))
    assert not (windowed(shaped(520)) or windowed(shaped(512), dropped=True))
    monkeypatch.setattr(fused_attention, "hardware", lambda: AMPERE)
    assert not windowed(shaped(512))


def test_the_log_says_once_why_auto_uses_no_kernel(on_tpu, caplog):
    fused_attention._say_once.cache_clear()
    for dropped in (True, True, False):
        fused_attention.choose("auto", shaped(4104), shaped(4104), bias=False, dropped=dropped)
    fused_attention.choose("auto", shaped(64), shaped(64), bias=True, dropped=False)  # shorter than a tile
    assert [record.getMessage() for record in caplog.records] == [
        "attention by XLA instead of pallas, which drops attention probabilities only without a window, in rows of at "
        "most 2048 and for heads that fill 128 lanes (set attention_dropout to 0)",
        "attention by XLA instead of pallas, which needs a row length that is a multiple of 128, found 4104",
    ]


@pytest.mark.parametrize("backend", ["auto", "pallas"])
def test_a_mask_without_segments_is_never_ignored(on_tpu, backend):
    q, k, v = RNG.standard_normal((3, 1, 128, 2, 64), np.float32)
    own = functools.partial(attention, q, k, v, mask=AttentionMask(np.tri(128, dtype=bool)))
    if backend == "auto":
        np.testing.assert_array_equal(own(), own(backend="xla"))
    else:
        with pytest.raises(InputError, match="takes no mask but that of segments"):
            own(backend=backend)


def test_on_a_cpu_auto_is_the_reference():
    assert fused_attention.choose("auto", shaped(512), shaped(512), bias=False, dropped=False) == "xla"


@pytest.mark.parametrize(
    ("backend", "q", "options", "message"),
    [
        ("cudnn", shaped(), {}, "'cudnn': needs an NVIDIA GPU, Ampere or later; found tpu; expected 'auto' or 'xla'"),
        ("pallas", shaped(130), {}, "'pallas': needs a row length that is a multiple of 128, found 130"),
        ("pallas", shaped(size=192), {}, "'pallas': needs a head size"),
        ("pallas", shaped(dtype=jnp.float16), {}, "'pallas': computes in bfloat16 or float32, found float16"),
        ("pallas", shaped(), {"bias": True}, "'pallas': takes no bias"),
        ("pallas", shaped(4096), {"dropped": True}, "attention_dropout"),
        ("cudnn", shaped(), {"dropped": True}, "attention_dropout"),
        ("palas", shaped(), {}, "unknown attention 'palas'; did you mean 'pallas'"),
    ],
)
def test_unsupported_attention_is_an_error_that_names_the_reason(on_tpu, backend, q, options, message):
    with pytest.raises(InputError, match=message):
        fused_attention.choose(backend, q, q, **{"bias": False, "dropped": False} | options)
