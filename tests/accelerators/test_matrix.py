"""Every kind of program of every family compiled for accelerators that are not here: one layer of width 128.

Run where the compilers are installed (the extras compile-tpu and compile-cuda). A program is compiled once, and
everything that is promised of it is read from that one.
"""

import importlib.util
import math

import jax
import pytest

from itt_jax.accelerators import compiled_report, topology
from itt_jax.config import LanguageModel, Recipe
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.models import make_encoder
from itt_jax.models.hardware import compiling_for
from itt_jax.train import described
from itt_jax.train.corpus import CorpusTexts
from itt_jax.train.jobs import Job
from itt_jax.train.language import language_steps
from itt_jax.train.precision import DTYPES, in_dtype
from itt_jax.train.sharding import make_mesh
from tests.train.toy import tiny_encoder, toy_task

pytestmark = [pytest.mark.slow, pytest.mark.volume]
BF16 = DTYPES["bfloat16"]
SIZES = {"width": 128, "feed_forward": 256, "max_positions": 512}
RECIPE = Recipe(steps=100, batch_size=32, max_length=128)
FLASH, CUDNN = "tpu_custom_call", "__cudnn$fmha"


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    """No report from before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def there(name):
    """A topology whose compiler is installed."""
    package, extra = ("libtpu", "tpu") if name.startswith("v") else ("jax_cuda13_plugin", "cuda")
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}: pip install 'itt_jax[compile-{extra}]'")
    return topology(name)


def task_of(family, longest=100):
    encoder = in_dtype(tiny_encoder(family, **SIZES), BF16)
    return encoder, toy_task(encoder, 200, longest=longest)


def bytes_a_device(tree):
    """Bytes of each device's part of arrays of these shapes, without the padding of tiles."""
    return sum(math.prod(_part(leaf)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _part(leaf):
    return leaf.shape if leaf.sharding is None else leaf.sharding.shard_shape(leaf.shape)


def check_training(found, report, own, kernel=None):
    """It fits, overwrites its state, sums gradients in float32, and calls the fused kernel where that is promised."""
    state, rounded = found.request.shapes[0], sum(one.elements for one in report.collectives if one.dtype == "bf16")
    assert bytes_a_device(state) <= report.donated <= report.arguments <= report.needed < own.accelerator.bytes
    assert report.flops > 0 and report.seconds > 0
    calls = sum(count for name, count in report.kernels.items() if kernel and kernel in name)
    assert calls > 0 if kernel else not any(name.startswith((FLASH, CUDNN)) for name in report.kernels)
    return state, rounded


@pytest.mark.parametrize(
    ("name", "family", "sizes"),
    [
        ("v5e:2x4", "roberta", {"run": 8}),
        ("v5e:2x4", "xlnet", {"data": 8}),
        ("v5e:2x4", "bert", {"data": 4, "model": 2}),
        ("v6e:2x4", "xlnet", {"run": 8}),
        ("h100x8", "bert", {"data": 8}),
    ],
)
def test_training(name, family, sizes):
    own, (encoder, task) = there(name), task_of(family)
    runs, tile = sizes.get("run", 1), {"tpu": 128, "gpu": 64}[own.hardware.platform]
    with compiling_for(own.hardware):
        mesh = make_mesh(**sizes)
        jobs = [Job((task,), None, {}, RECIPE, 2e-5, seed) for seed in range(runs)]
        (found,) = described.training(encoder, jobs, mesh)
    report = compiled_report(found.request, own)
    assert found.row_shape[0] == runs and found.row_shape[-1] % tile == 0
    state, rounded = check_training(found, report, own, CUDNN if name.startswith("h100") else None)
    if runs > 1:
        assert report.collectives == ()  # nothing crosses "run"
        return
    reduced = sum(one.elements for one in report.collectives if one.kind == "all-reduce" and one.dtype == "f32")
    parameters = bytes_a_device(state.params) // 4
    assert 0.9 * parameters <= reduced <= 1.5 * parameters
    if "model" not in sizes:  # else activations are summed over it
        assert rounded <= found.examples * 3 * encoder.width  # pooled states, each from one device: no gradient


@pytest.mark.parametrize(
    ("name", "family", "length"),
    [("v5e:2x4", "bert", 512), ("v5e:2x4", "roberta", 128), ("v5e:2x4", "xlnet", 128), ("h100x8", "bert", 512)],
)
def test_language_models(name, family, length):
    own = there(name)
    words = "red cat sat under old tree near wide river with green hat".split()
    texts = [" ".join(words[(i + k * k) % 12] for k in range(4 + i % 90)) for i in range(200)]
    tokenizer = train_tokenizer(texts, family, 128)
    sizes = {"layers": 1, "heads": 2, "vocabulary_size": tokenizer.vocabulary_size, "pad_id": tokenizer.pad_id}
    encoder = in_dtype(make_encoder(family, **SIZES, **sizes), BF16)
    recipe = Recipe(steps=100, batch_size=64, max_length=length, dropout=length < 512)  # kernels drop nothing
    corpus, settings = CorpusTexts({"en": texts}, []), LanguageModel(recipe=recipe)
    with compiling_for(own.hardware):
        (found,), _ = language_steps(encoder, corpus, tokenizer, settings, 0)
    report = compiled_report(found.request, own)
    assert found.row_shape[-1] == length
    kernel = None if length < 512 else CUDNN if own.hardware.platform == "gpu" else FLASH
    state, rounded = check_training(found, report, own, kernel)
    reduced = sum(one.elements for one in report.collectives if one.kind == "all-reduce" and one.dtype == "f32")
    assert bytes_a_device(state.params) // 4 * 0.9 <= reduced and rounded == 0


@pytest.mark.parametrize(("name", "family", "runs"), [("v5e:2x4", "roberta", 8), ("v6e:2x4", "xlnet", 1)])
def test_prediction(name, family, runs):
    own, (encoder, task) = there(name), task_of(family)
    with compiling_for(own.hardware):
        mesh = make_mesh(run=runs)
        found = described.prediction(encoder, task.head, task.examples, runs, 4096, mesh)
    report = compiled_report(found.request, own)
    params, batch, _ = found.request.shapes
    given = bytes_a_device(params) + bytes_a_device(batch)
    assert report.donated == 0 and given <= report.arguments <= report.needed < own.accelerator.bytes
    scores = runs * found.row_shape[0] * found.row_shape[1] // 16 * 2
    assert sum(one.elements for one in report.collectives) <= 8 * scores, report.collectives
