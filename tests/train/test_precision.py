"""Precision: bfloat16 scores are close to float32's, losses and norms are float32, and who chooses the dtype."""

import dataclasses
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax import families
from itt_jax.config import Precision
from itt_jax.models import hardware, make_encoder, make_head
from itt_jax.store.agreed import PRECISIONS
from itt_jax.train import precision
from itt_jax.train.objectives import TaskObjective
from tests.batches import as_batch
from tests.models.test_stacks import OUTPUTS, READ_BY_ENCODER, batch_of
from tests.train.toy import FAMILIES

SIZES = {"layers": 1, "width": 32, "heads": 2, "vocabulary_size": 40, "max_positions": 12, "initializer_range": 0.1}
SIZES |= {"pad_id": 1}


def outputs_of(encoder):
    """Outputs of every head that the family has."""
    absent = {"masked_lm", "permuted_lm"} - {encoder.language_model}
    absent |= {"multiple_choice"} - set(families.family(encoder.family).huggingface.heads)
    return {kind: n for kind, n in OUTPUTS.items() if kind not in absent} | {"embedding": encoder.width}


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_scores_are_close_and_float32(family):
    encoder = make_encoder(family, **SIZES)
    heads = {kind: make_head(encoder, kind, outputs) for kind, outputs in outputs_of(encoder).items()}
    params = {kind: head.init(jax.random.key(1)) for kind, head in heads.items()}
    body, batch = encoder.init(jax.random.key(0)), batch_of(0)
    places = {name: batch[name] for name in batch if name not in READ_BY_ENCODER}

    def scores(own):
        hidden = precision.computing_in(encoder, own)(body, **{name: batch[name] for name in READ_BY_ENCODER})
        assert hidden.dtype == own.dtype
        return {
            kind: precision.computing_in(head, own)({"encoder": body, "head": params[kind]}, hidden, as_batch(places))
            for kind, head in heads.items()
        }

    full, half, products = jax.jit(lambda: [scores(own) for own in precision.ARITHMETICS.values()])()
    for kind, expected in full.items():
        assert 0 < np.abs(products[kind] - expected).mean() < 0.02 * np.abs(expected).std() + 1e-3, kind
        assert half[kind].dtype == expected.dtype == jnp.float32
        # The mean of bfloat16's rounding errors, 2 ** -9 each, through a layer.
        assert np.abs(half[kind] - expected).mean() < 0.02 * np.abs(expected).std() + 1e-3, kind
        if kind not in ("masked_lm", "permuted_lm"):  # the last product is float32: scores are no multiples of 2 ** -8
            rounded = half[kind].astype(jnp.bfloat16).astype(jnp.float32)
            assert (half[kind] != rounded).mean() > 0.5


def test_the_settings_are_those_of_a_study_and_of_a_results_folder():
    assert get_args(Precision) == ("auto", *precision.ARITHMETICS) and tuple(precision.ARITHMETICS) == PRECISIONS
    for own in precision.ARITHMETICS.values():
        assert precision.arithmetic_of(precision.computing_in(make_encoder("bert", **SIZES), own)) == own


@pytest.mark.parametrize("own", [precision.BFLOAT16, precision.BFLOAT16_PRODUCTS], ids=lambda own: own.name)
def test_losses_and_gradients_are_float32(own):
    encoder = precision.computing_in(make_encoder("bert", **SIZES), own)
    head = make_head(encoder, "classification", 3)
    batch = as_batch(batch_of(0) | {"labels": np.array([0, 1, 2, 0]), "weights": np.ones(4, np.float32)})
    shapes = {"encoder": encoder.shapes(), "heads": (head.shapes(),)}
    objective = TaskObjective(encoder, head, 0, dropout=True)
    found = jax.eval_shape(jax.value_and_grad(objective, has_aux=True), shapes, batch, jax.random.key(0))
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype("float32")}


def test_norms_and_softmax_are_float32_inside():
    """All means, exponentials and roots of the program read float32."""
    encoder = precision.computing_in(make_encoder("xlnet", **SIZES | {"layers": 2}), precision.BFLOAT16)
    program = str(jax.make_jaxpr(encoder)(encoder.shapes(), batch_of(0)["input_ids"]))
    lines = [line for line in program.splitlines() if any(f"= {name}" in line for name in ("exp", "rsqrt", "reduce_s"))]
    assert len(lines) >= 6 and not [line for line in lines if "bf16" in line]


def test_on_a_cpu_stages_train_in_float32_and_small_encoders_are_not_measured(monkeypatch):
    monkeypatch.setattr(precision, "_faster_on_this_processor", None)
    assert precision.training_arithmetic() == precision.FLOAT32
    assert precision.evaluation_arithmetic(make_encoder("bert", **SIZES)) == precision.FLOAT32


def test_a_pinned_precision_is_taken_everywhere(monkeypatch):
    monkeypatch.setattr(precision, "_accelerated", lambda: pytest.fail("measured"))
    for name, own in precision.ARITHMETICS.items():
        assert precision.training_arithmetic(name) == own
        assert precision.evaluation_arithmetic(make_encoder("bert", **SIZES), name) == own


def test_pinned_float32_rounds_no_operand():
    before = jax.config.jax_default_matmul_precision
    try:
        for name, kept in (("auto", before), ("bfloat16", before), ("float32", "highest")):
            precision.keep_precision(name)
            assert jax.config.jax_default_matmul_precision == kept
    finally:
        jax.config.update("jax_default_matmul_precision", before)


@pytest.mark.parametrize(
    ("content", "slow"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 fma avx512f\n", True),
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16\n", False),
        ("processor\t: 0\nflags\t\t: fpu amx_bf16 amx_tile\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd bf16\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd\n", True),
        ("model name\t: unknown\n", False),
        (None, False),
    ],
)
def test_products_that_the_processor_lacks_are_warned_of_where_they_are_asked_for(tmp_path, monkeypatch, content, slow):
    path = tmp_path / "cpuinfo"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    monkeypatch.setattr(hardware, "CPU_INFO", path)
    for name in get_args(Precision):
        found = precision.slow_precision(name)
        assert (found is not None) == (slow and name == "bfloat16_products"), name
    if slow:
        assert "'bfloat16_products'" in precision.slow_precision("bfloat16_products")


def test_an_accelerator_is_no_such_processor(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("flags : fpu\n", encoding="utf-8")
    monkeypatch.setattr(hardware, "CPU_INFO", tmp_path / "cpuinfo")
    with hardware.compiling_for(hardware.Hardware("tpu", (), bytes=1)):
        assert precision.slow_precision("bfloat16_products") is None


@pytest.mark.parametrize(("seconds", "expected"), [((1.0, 0.8), "bfloat16_products"), ((1.0, 0.9), "float32")])
def test_rounded_factors_must_be_faster_by_the_stated_gain(monkeypatch, seconds, expected):
    """A clock that advances by the given seconds of each precision."""
    clock = iter(np.cumsum([0, *(step for _ in range(20) for pair in seconds for step in (pair, 0))]))
    monkeypatch.setattr(precision, "perf_counter", lambda: float(next(clock)))
    config = dataclasses.replace(make_encoder("bert", **SIZES).config, width=16)
    assert precision._faster_on_this_processor.__wrapped__(config).name == expected


def test_a_processor_that_lacks_such_products_evaluates_in_float32(monkeypatch):
    def lacking(_):
        raise jax.errors.JaxRuntimeError("UNIMPLEMENTED: BF16 x BF16 = F32")

    monkeypatch.setattr(jax, "block_until_ready", lacking)
    config = dataclasses.replace(make_encoder("bert", **SIZES).config, width=16)
    assert precision._faster_on_this_processor.__wrapped__(config) == precision.FLOAT32


@pytest.mark.parametrize(
    ("backend", "capability", "expected"),
    [
        ("tpu", None, precision.BFLOAT16),
        ("gpu", "9.0", precision.BFLOAT16),
        ("gpu", "7.5", precision.FLOAT32),
        ("gpu", "gfx942", precision.BFLOAT16),
    ],
)
def test_accelerators_compute_in_bfloat16_where_they_have_it(monkeypatch, backend, capability, expected):
    class Device:
        compute_capability = capability

    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    assert precision.training_arithmetic() == precision.evaluation_arithmetic(make_encoder("bert", **SIZES)) == expected
