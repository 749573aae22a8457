"""What fits is told and found, and a step in smaller microbatches is the same step."""

import dataclasses
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.config import LanguageModel, Recipe
from itt_jax.data import packing
from itt_jax.errors import InputError
from itt_jax.models import make_head
from itt_jax.train import memory
from itt_jax.train.counters import MASKS, generator
from itt_jax.train.language import LanguageObjective, masked_batches
from itt_jax.train.objectives import TaskObjective
from itt_jax.train.optimizer import make_optimizer
from itt_jax.train.step import summed_gradients
from tests.train.toy import tiny_encoder, toy_examples

ROUNDING = 2e-5  # relative to the largest gradient: float32 sums in another order
GIB = 1 << 30


# --- Bytes


def test_free_memory_of_this_machine():
    assert 1 << 20 < memory.device_bytes(jax.devices()[0]) < 1 << 50


@pytest.mark.parametrize(
    ("stats", "free"), [({"bytes_limit": 80, "bytes_in_use": 30}, 50), ({"bytes_in_use": 3}, None), (None, None)]
)
def test_free_memory_of_an_accelerator(stats, free):
    assert memory.device_bytes(types.SimpleNamespace(platform="gpu", memory_stats=lambda: stats)) == free


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


V2 = {
    "proc/self/cgroup": "0::/user/job\n",
    "sys/fs/cgroup/user/job/memory.max": "max\n",
    "sys/fs/cgroup/user/job/memory.current": "1\n",
    "sys/fs/cgroup/user/memory.max": f"{8 * GIB}\n",
    "sys/fs/cgroup/user/memory.current": f"{6 * GIB}\n",
    "sys/fs/cgroup/user/memory.stat": f"anon 5\ninactive_file {GIB}\n",
}
# In a container the group's own path is the host's; the limit stands at the mount.
V1 = {
    "proc/self/cgroup": "4:cpu,cpuacct:/x\n3:memory:/docker/abc\n0::/\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{4 * GIB}\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{2 * GIB}\n",
    "sys/fs/cgroup/memory/memory.stat": f"inactive_file 7\ntotal_inactive_file {GIB}\n",
}
NO_LIMIT = V1 | {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}


@pytest.mark.parametrize(("groups", "free"), [({}, 16), (V2, 3), (V1, 3), (NO_LIMIT, 16)])
def test_control_groups_bound_the_hosts_memory(tmp_path, groups, free):
    write(tmp_path, {"proc/meminfo": f"MemTotal: 99 kB\nMemAvailable: {16 * GIB // 1024} kB\n"} | groups)
    assert memory._host_bytes(tmp_path) == free * GIB


def test_a_host_that_tells_nothing(tmp_path):
    assert memory._host_bytes(tmp_path) is None


FAULTS = """
import resource, jax, jax.numpy as jnp
from itt_jax.train.memory import keep_freed_memory
keep_freed_memory()
x = jnp.ones((4096, 4096))
step = jax.jit(lambda x: (jnp.sin(x) @ x[:, :8]).sum())  # the product reads 64 MiB that are made for it
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(6):
    before = faults()
    step(x).block_until_ready()
print(faults() - before)
"""


def test_a_step_finds_the_memory_that_the_last_one_left():
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 64 * 2**20 / 4096 / 10  # a tenth of the pages of one buffer


def test_needed_bytes_counts_donated_memory_once():
    size = jax.ShapeDtypeStruct((256, 256), jnp.float32)
    kept, donated = (
        jax.jit(lambda a, b: jnp.sin(a @ b) @ b, donate_argnums=given).lower(size, size).compile()
        for given in ((), (0,))
    )
    assert memory.needed_bytes(kept) - memory.needed_bytes(donated) == 256 * 256 * 4
    assert memory.needed_bytes(kept) >= 4 * 256 * 256 * 4  # two arguments, one result, one temporary at least


def test_out_of_memory_is_told_from_other_errors():
    with pytest.raises(Exception, match="memory") as error:
        jnp.zeros(1 << 44)
    assert memory.is_out_of_memory(error.value) and memory.is_out_of_memory(MemoryError())
    assert not memory.is_out_of_memory(ValueError("RESOURCE_EXHAUSTED"))
    assert not memory.is_out_of_memory(jax.errors.JaxRuntimeError("INVALID_ARGUMENT: no"))


# --- Microbatches


def drawn(shapes):
    """Every parameter redrawn: fresh biases are zeros and would hide a wrong one."""
    leaves, structure = jax.tree.flatten(shapes)
    keys = jax.random.split(jax.random.key(0), len(leaves))
    found = [0.2 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return jax.tree.unflatten(structure, found)


def labelled(examples, kind):
    """Toy examples with the labels of a kind."""
    random = np.random.default_rng(3)
    if kind == "multilabel":
        return random.random((len(examples), 3)) < 0.5
    if kind == "token_classification":
        return random.integers(-1, 3, len(examples.ids)).astype(np.int32)
    if kind == "question_answering":
        labels = np.zeros(len(examples.ids), np.int32)
        first = examples.offsets[:-1] + random.integers(0, examples.lengths)
        np.add.at(labels, first, 1)
        np.add.at(labels, first + random.integers(0, examples.offsets[1:] - first), 2)
        return labels
    return examples.labels


def together(batches):
    return jax.tree.map(lambda *arrays: np.stack(arrays), *batches)


def one_plan(examples, parts):
    """Rows of 32, as many as the largest part needs."""
    roomy = packing.RowPlan(32, tuple(range(1, 40)), 1.0)
    return packing.RowPlan(32, (max(packing.rows_of_step(examples, part, roomy) for part in parts),), 1.0)


def step_of(kind, encoder, microbatches=2):
    """Objective and batch of a step; the last microbatch has an empty slot."""
    examples = toy_examples(encoder.family, 26)
    outputs = 2 if kind in ("classification", "question_answering") else 3
    head = make_head(encoder, kind, outputs, "max_mean" if kind == "classification" else "pretrained")
    by_token = {"anchors": np.zeros(0, np.int64)} if kind in ("token_classification", "question_answering") else {}
    examples = dataclasses.replace(examples, labels=labelled(examples, kind), **by_token)
    parts = np.array_split(np.arange(len(examples) - 1), microbatches)
    plan, slots = one_plan(examples, parts), -(-len(examples) // microbatches)
    batches = [packing.pack_step(examples, part, plan, slots) for part in parts]
    return TaskObjective(encoder, head, 0, dropout=False), head, together(batches)


def language_step(encoder):
    head = make_head(encoder, "permuted_lm" if encoder.family == "xlnet" else "masked_lm", 60)
    settings = LanguageModel(recipe=Recipe(batch_size=26, accumulate=2, max_length=32), masking=0.3)
    tokenizer = types.SimpleNamespace(mask_id=4, vocabulary_size=60, word_starts=lambda ids: np.ones(len(ids), bool))
    examples = dataclasses.replace(toy_examples(encoder.family, 26), labels=None)
    plan = one_plan(examples, np.array_split(np.arange(26), 2))
    permuted = head.kind == "permuted_lm"
    batches = masked_batches(examples, tokenizer, settings, plan, generator(0, MASKS, 0), permuted=permuted)
    return LanguageObjective(encoder, head, False), head, together(batches)


def assert_same_step(objective, head, batch, other):
    encoder, optimizer = head.encoder, make_optimizer(Recipe())
    params = drawn({"encoder": encoder.shapes(), "heads": (head.shapes(),)})
    step = jax.jit(lambda params, batch: summed_gradients(params, batch, jax.random.key(0), objective, optimizer))
    total, weight, gradients = step(params, batch)
    other_total, other_weight, other_gradients = step(params, other)
    assert weight == other_weight
    np.testing.assert_allclose(other_total, total, rtol=ROUNDING, equal_nan=False)
    largest = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradients))
    for one, leaf in zip(jax.tree.leaves(other_gradients), jax.tree.leaves(gradients), strict=True):
        np.testing.assert_allclose(one, leaf, atol=ROUNDING * largest, rtol=0, equal_nan=False)


@pytest.mark.parametrize("kind", ["classification", "token_classification", "question_answering"])
def test_a_halved_update_is_the_same_update(kind):
    objective, head, batch = step_of(kind, tiny_encoder("bert", layers=1))
    rows = batch.row_shape[1]
    assert rows > 2 and batch.by_row["segment_ids"].max() > 1
    twice = memory.halved(memory.halved(batch))  # an odd number of rows comes along
    assert twice.row_shape[:2] == (8, -(-rows // 4))
    assert twice.by_example["weights"].sum() == batch.by_example["weights"].sum()
    assert jax.tree.map(lambda array: array.dtype, twice) == jax.tree.map(lambda array: array.dtype, batch)
    assert_same_step(objective, head, batch, twice)


@pytest.mark.parametrize("family", ["bert", "xlnet"])
def test_a_halved_language_model_update_is_the_same_update(family):
    objective, head, batch = language_step(tiny_encoder(family, layers=1))
    halved = memory.halved(batch)
    assert halved.row_shape[:2] == (4, -(-batch.row_shape[1] // 2))
    assert_same_step(objective, head, batch, halved)


@pytest.mark.parametrize("kind", ["classification", "multilabel"])
def test_halves_keep_to_the_shards_and_lose_no_example(kind):
    _, _, batch = step_of(kind, tiny_encoder("bert", layers=1), microbatches=1)
    halved = memory.halved(batch, shards=4)
    own, whole = halved.by_example, batch.by_example
    np.testing.assert_array_equal(own["labels"], np.repeat(whole["labels"], 2, axis=0))
    assert halved.row_shape[1] % 4 == 0
    assert (own["weights"].sum(axis=0) == whole["weights"].sum(axis=0)).all()
    for part in range(2):
        used = own["weights"][part] > 0
        held = halved.by_row["example_ids"][part][own["summary_rows"][part], own["summary_positions"][part]]
        np.testing.assert_array_equal(held[used], np.flatnonzero(used))


def test_what_cannot_be_halved_is_refused():
    _, _, batch = step_of("classification", tiny_encoder("bert", layers=1), microbatches=1)
    with pytest.raises(InputError, match="items of 2 examples"):
        memory.halved(batch, choices=2)
    rows = batch.row_shape[1]
    with pytest.raises(InputError, match=f"{rows} rows of"):
        memory.halved(batch, shards=rows)
