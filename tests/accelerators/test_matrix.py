"""Every kind of program of every family compiled for accelerators that are not here: two layers of width 256.

Run where a compiler is installed (the extras compile-tpu and compile-cuda). The rows of the table pair each family,
program, layout and topology with each other; a program is compiled once, and everything that is promised of it is read
from it.
"""

import importlib.util
import math
import re
from collections import Counter

import jax
import jax.numpy as jnp
import pytest

from itt_jax.accelerators import topology
from itt_jax.accelerators.costs import executed
from itt_jax.accelerators.hlo import Hlo
from itt_jax.accelerators.report import read
from itt_jax.config import LanguageModel, Recipe
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.models import make_encoder, make_head
from itt_jax.models.attention import AttentionMask, attention
from itt_jax.models.hardware import compiling_for
from itt_jax.train import described
from itt_jax.train.corpus import CorpusTexts, encode
from itt_jax.train.jobs import Job
from itt_jax.train.language_feeds import language_feed
from itt_jax.train.precision import BFLOAT16, computing_in
from itt_jax.train.sharding import data_shards, make_mesh
from tests.train.toy import tiny_encoder, toy_task

pytestmark = pytest.mark.compile
SIZES = {"layers": 2, "width": 256, "heads": 4, "feed_forward": 512, "max_positions": 512}
"""Also half of a size is whole tiles of a TPU: of other arrays the compiler changes the layout to pad them less."""
STEPS = 100
STACK, DATA, BOTH = {"run": 8}, {"data": 8}, {"data": 4, "model": 2}


def slow(*own):
    """A row of the slow tests, which have the older families, every layout and every kernel."""
    return pytest.param(*own, marks=[pytest.mark.slow, pytest.mark.volume])


TABLE = [
    # Training on rows of 128 tokens drops attention probabilities, on rows of 512 it does not.
    ("v5e:2x4", "bert", "train 128", STACK),
    ("v5e:2x4", "bert", "train 512", DATA),
    ("v6e:2x4", "bert", "language", BOTH),
    slow("v6e:2x4", "bert", "predict", STACK),
    ("v6e:2x4", "roberta", "train 128", DATA),
    slow("v5e:2x4", "roberta", "train 512", BOTH),
    ("v5e:2x4", "roberta", "language", STACK),
    ("v5e:2x4", "roberta", "predict", DATA),
    ("v5e:2x4", "xlnet", "train 128", BOTH),
    ("v6e:2x4", "xlnet", "train 512", STACK),
    slow("v5e:2x4", "xlnet", "language", DATA),
    ("v6e:2x4", "xlnet", "predict", BOTH),
    ("v6e:2x4", "modernbert", "train 512", BOTH),
    ("v5e:2x4", "modernbert", "train 512", STACK),
    ("v5e:2x4", "modernbert", "predict", DATA),
    ("h100x8", "bert", "train 512", DATA),
    ("h100x8", "bert", "train 512", STACK),
    ("h100x8", "roberta", "predict", STACK),
    ("h100x8", "xlnet", "train 128", BOTH),
    ("h100x8", "modernbert", "train 512", BOTH),
]


def there(name):
    """A topology whose compiler is installed."""
    package, extra = ("libtpu", "tpu") if name.startswith("v") else ("jax_cuda13_plugin", "cuda")
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}: pip install 'itt_jax[compile-{extra}]'")
    return topology(name)


def program(family, kind, mesh, runs):
    """A program of this kind in bfloat16."""
    length = 512 if kind in ("train 512", "predict") else 128
    recipe = Recipe(steps=STEPS, batch_size=48, max_length=length, dropout=kind != "train 512")
    if kind == "language":
        return language(family, recipe, mesh, runs)
    # The last layer may compute a few tokens only: with two before it, ModernBERT has one of either kind that do all.
    sizes = SIZES | ({"layers": 3} if family == "modernbert" else {})
    encoder = computing_in(tiny_encoder(family, **sizes), BFLOAT16)
    lengths = (length // 2, length)  # fill rows of that length, which are chosen
    task = toy_task(encoder, 200, lengths=lengths, pooling="pretrained")
    if kind == "predict":
        return described.prediction(encoder, task.head, task.examples, runs, 4096, mesh)
    (found,) = described.training(encoder, [Job((task,), None, {}, recipe, 2e-5, seed) for seed in range(runs)], mesh)
    return found


def language(family, recipe, mesh, runs):
    """A step of the family's language model."""
    words = "red cat sat under old tree near wide river with green hat".split()
    # Two texts fill a row: of 48 with other lengths, rows of another length than the preferred would be much fuller.
    texts = [" ".join(words[(i + k * k) % 12] for k in range(59 + i % 4)) for i in range(200)]
    tokenizer = train_tokenizer(texts, family, 400)
    sizes = SIZES | {"vocabulary_size": tokenizer.vocabulary_size, "pad_id": tokenizer.pad_id}
    encoder = computing_in(make_encoder(family, **sizes), BFLOAT16)
    head = make_head(encoder, encoder.language_model, tokenizer.vocabulary_size)
    encoded, settings = encode(CorpusTexts({"en": texts}, ()), tokenizer, 128, 1.0), LanguageModel(recipe=recipe)
    feeds = [language_feed(head, encoded, tokenizer, settings, n, STEPS, data_shards(mesh)) for n in range(runs)]
    params = {"encoder": encoder.shapes(), "heads": (head.shapes(),)}
    (found,) = described.steps(encoder, feeds, params, recipe, STEPS, mesh)
    return found


@pytest.mark.parametrize(
    ("name", "family", "kind", "sizes"), TABLE, ids=lambda own: "-".join(own) if isinstance(own, dict) else own
)
def test_a_program_keeps_what_is_promised(name, family, kind, sizes):
    own, runs = there(name), sizes.get("run", 1)
    with compiling_for(own.hardware):
        found = program(family, kind, make_mesh(**sizes), runs)
        compiled = found.request.lowered().compile()
    report, text = read(compiled, own), Hlo.parse(compiled.as_text())
    length, given = found.row_shape[-1], found.request.shapes
    assert length % own.hardware.row_multiple == 0
    assert kind == "language" or length == (128 if kind == "train 128" else 512)
    assert 0 < report.arguments <= report.needed < own.bytes and report.flops > 0 and report.seconds > 0
    assert called(report) == promised(own.hardware.platform, family, kind)
    assert all(heads == 1 for _, heads, *_ in masks(text, length))
    if kind == "predict":  # its scores, which every device gets, are all that crosses
        scores = runs * found.row_shape[0] * length
        assert report.donated == 0 and ("model" in sizes or summed(report, "bf16") + summed(report, "f32") <= scores)
        return
    state = given[0]
    assert bytes_a_device(state) <= report.donated
    parts = [part(leaf) for leaf in jax.tree.leaves(state.params)]
    shapes, large = ({dimensions(own) for own in parts if math.prod(own) > least} for least in (2, 10_000))
    reduced = list(summands(text, "all-reduce", "reduce-scatter"))
    if runs > 1:
        assert report.collectives == ()
    else:
        assert 0.9 * sum(map(math.prod, parts)) <= sum(array.size for array in reduced if array.dtype == "f32")
        kernels, sums = (Counter(map(dimensions, own)) for own in (parts, (array.shape for array in reduced)))
        assert not [shape for shape in kernels if len(shape) > 1 and sums[shape] > kernels[shape]]  # each summed once
    assert not [array for array in (*reduced, *summands(text, "scatter")) if rounds(array, shapes)]
    assert not [one.name for one in moved(text, large)]


@pytest.mark.parametrize("name", ["v5e:1x1", slow("v6e:1x1")])
def test_a_window_needs_no_memory_for_distant_keys(name):
    own, length = there(name), 8192
    placed = jax.sharding.SingleDeviceSharding(own.hardware.devices[0])
    x = jax.ShapeDtypeStruct((1, length, 1, 64), jnp.bfloat16, sharding=placed)
    segments = jax.ShapeDtypeStruct((1, length), jnp.int32, sharding=placed)

    def loss(q, k, v, segments):
        mask = AttentionMask.of(None, segments).within(64, length)
        return attention(q, k, v, mask=mask).astype(jnp.float32).sum()

    with compiling_for(own.hardware):
        compiled = jax.jit(jax.grad(loss, (0, 1, 2))).lower(x, x, x, segments).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < length**2  # a byte for each pair of positions
    report = read(compiled, own)
    assert called(report) == {"splash"} and len(report.kernels) == 3  # forward, queries, keys and values


def called(report):
    """The fused kernels that a program calls."""
    names = {"tpu_attention": "pallas", "splash_": "splash", "__cudnn$fmha": "cudnn"}
    return {kernel for called in report.kernels for name, kernel in names.items() if name in called}


def masks(text, length):
    """The shapes of the masks that cuDNN reads, one value for each pair of a row's tokens."""
    for computation, one, _ in executed(text):
        if "__cudnn$fmha" in one.attribute("custom_call_target"):
            arrays = (array.shape for name in one.operands for array in computation[name].results)
            yield from (shape for shape in arrays if shape[-2:] == (length, length))


def promised(platform, family, kind):
    """The fused kernels that a program should call."""
    if family == "xlnet":
        return set()
    if platform == "gpu":
        dropped = kind in ("train 128", "language") and family != "modernbert"
        return set() if dropped else {"cudnn"}
    return {"pallas", "splash"} if family == "modernbert" else {"pallas"}


def part(leaf):
    """The shape of each device's part."""
    return leaf.shape if leaf.sharding is None else leaf.sharding.shard_shape(leaf.shape)


def bytes_a_device(tree):
    """Bytes of each device's part of arrays of these shapes, without the padding of tiles."""
    return sum(math.prod(part(leaf)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def dimensions(shape):
    """The dimensions in any order, without those of size one."""
    return tuple(sorted(size for size in shape if size > 1))


def summed(report, dtype):
    """Elements of a dtype that devices reduce."""
    return sum(one.elements for one in report.collectives if one.dtype == dtype)


def summands(text, *opcodes):
    """What is summed over devices, or over the tokens of a table's rows; the sum may then be given on in bfloat16."""
    known = {name: one for computation in text.computations.values() for name, one in computation.items()}
    inside = (inner for _, one, _ in executed(text) for inner in text.parts(one))
    for one in inside:
        if one.opcode.startswith(opcodes):
            yield from (array for name in one.operands for array in known[name].results)


def rounds(array, shapes):
    """Whether this may be a parameter's gradient in bfloat16."""
    return array.dtype == "bf16" and dimensions(array.shape) in shapes


MOVES = {"parameter", "constant", "bitcast", "reshape", "broadcast", "compare", "tuple", "iota"}


def moved(text, shapes):
    """The instructions that only select from, or lay out anew, float32 arrays of parameters' shapes."""
    for computation, one, _ in executed(text):
        inside = {inner.opcode for inner in text.parts(one)}
        if not inside & {"select", "copy", "transpose"} or inside - MOVES - {"select", "copy", "transpose"}:
            continue
        if inside == {"copy"} and placed(one.shape) == placed(computation[one.operands[0]].shape):
            continue  # from one memory to another
        if any(array.dtype == "f32" and dimensions(array.shape) in shapes for array in one.results):
            yield one


def placed(shape):
    """A shape and its layout in whichever memory."""
    return re.sub(r"S\(\d+\)", "", shape)
