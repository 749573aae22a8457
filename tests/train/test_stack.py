"""Runs trained together have the results that they have alone, and none waits for a longer one."""

import dataclasses

import jax
import numpy as np
import pytest
from jax.experimental.layout import Layout

from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.errors import InputError
from itt_jax.models import make_encoder, make_head
from itt_jax.models.hardware import Hardware, compiling_for
from itt_jax.train import compiling, layouts, loop
from itt_jax.train import predict as prediction
from itt_jax.train.jobs import Job
from itt_jax.train.predict import batch_sizes, predict, predict_stack, stream_shape
from itt_jax.train.stage import fine_tune_stack
from itt_jax.train.state import stacked
from tests.data.test_packing import make_examples
from tests.train.toy import killed_after, same, tiny_encoder, toy_task

RECIPE = Recipe(steps=3, batch_size=8, max_length=32, packed=False, dropout=False, evaluate_every=2, warmup=0.0)
# A few steps from equal parameters. Adam divides by the size of the gradient, so rounding grows with each step.
ROUNDING = 2e-4


def jobs(encoder, steps=(3, 3, 3), **changes):
    """Runs that differ in seed, parent, data and learning rate."""
    dev = toy_task(encoder, 20, 99)
    recipe = dataclasses.replace(RECIPE, **changes)
    return [
        Job(
            [toy_task(encoder, 30, seed)],
            dev,
            {"encoder": encoder.init(jax.random.key(seed))},
            dataclasses.replace(recipe, steps=count),
            1e-3 * (seed + 1),
            seed,
        )
        for seed, count in enumerate(steps)
    ]


def assert_as_alone(encoder, together, alone):
    for found, expected in zip(together, alone, strict=True):
        assert found.steps == expected.steps and found.tokens == expected.tokens
        assert [step for step, _ in found.dev_history] == [step for step, _ in expected.dev_history]
        np.testing.assert_allclose([loss for _, loss in found.losses], [loss for _, loss in expected.losses], rtol=1e-5)
        for one, other in zip(jax.tree.leaves(found.params), jax.tree.leaves(expected.params), strict=True):
            np.testing.assert_allclose(one, other, atol=ROUNDING)


@pytest.mark.slow
def test_a_state_in_another_layout_trains_the_same(monkeypatch):
    """A TPU's layouts, here with the last two axes exchanged; the log of the compiler would name unusable donations."""
    encoder = tiny_encoder("bert")
    expected = fine_tune_stack(encoder, jobs(encoder, (2, 3)))
    monkeypatch.setattr(layouts, "state_layout", exchanged)
    monkeypatch.setattr(compiling, "state_layout", exchanged)
    stacks, make = [], loop.Stack.train
    monkeypatch.setattr(loop.Stack, "train", lambda stack: stacks.append(stack) or make(stack))
    assert_as_alone(encoder, fine_tune_stack(encoder, jobs(encoder, (2, 3))), expected)
    state = stacks[0].state
    assert {leaf.format.layout.major_to_minor for leaf in jax.tree.leaves(state) if leaf.ndim == 3} == {(0, 2, 1)}


def exchanged(shape):
    return Layout((0, 2, 1)) if len(shape) == 3 else None


@pytest.mark.parametrize(
    ("family", "steps", "packed"),
    [
        ("bert", (2, 4), False),
        pytest.param("bert", (2, 4, 3), True, marks=pytest.mark.slow),
        pytest.param("xlnet", (2, 4, 3), True, marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_runs_together_are_as_alone_and_wait_for_no_longer_one(family, steps, packed):
    encoder = tiny_encoder(family)
    own = jobs(encoder, steps, keep="last", packed=packed)
    together = fine_tune_stack(encoder, own)
    assert [result.steps for result in together] == list(steps)
    assert all(result.stack == len(steps) for result in together)
    assert_as_alone(encoder, together, [fine_tune_stack(encoder, [job])[0] for job in own])


@pytest.mark.slow
def test_a_stack_killed_between_saves_continues_in_another_stack(tmp_path):
    """Runs are saved separately: one continues alone, the other in a new stack."""
    encoder = tiny_encoder("bert")
    recipe = {"checkpoint_every": 2, "keep": "last", "evaluate_every": 0}
    plain = jobs(encoder, (3, 5, 4), **recipe)
    expected = [fine_tune_stack(encoder, [job])[0] for job in plain]
    own = [dataclasses.replace(job, directory=tmp_path / str(job.seed)) for job in plain]
    with killed_after(3):
        fine_tune_stack(encoder, own[:2])
    assert [[path.name for path in job.directory.iterdir()] for job in own[:2]] == [["resume-2"]] * 2
    found = fine_tune_stack(encoder, own[:1]) + fine_tune_stack(encoder, own[1:])  # the third is new
    assert_as_alone(encoder, found, expected)


@pytest.mark.slow
def test_microbatches_are_halved_where_memory_is_short_and_stay_so_after_a_resume(monkeypatch, tmp_path):
    encoder = tiny_encoder("bert")
    job = jobs(encoder, (3,), keep="last", checkpoint_every=2, evaluate_every=0)[0]
    expected = fine_tune_stack(encoder, [job])
    job = dataclasses.replace(job, directory=tmp_path)
    asked = []

    def little():
        asked.append(None)
        return 0 if len(asked) <= 2 else None

    monkeypatch.setattr(loop, "free_bytes", little)
    batches = []
    place = loop.place_batch
    monkeypatch.setattr(
        loop, "place_batch", lambda batch, *rest, **own: batches.append(batch) or place(batch, *rest, **own)
    )
    told = []
    found = fine_tune_stack(encoder, [job], lambda done, steps, values: told.append(values))
    assert [values[loop.HALVED] for values in told[:2]] == [1, 2]
    assert batches[0].row_shape[1:3] == (1, 8) and batches[-1].row_shape[1:3] == (4, 2)
    assert_as_alone(encoder, found, expected)
    batches.clear()
    resumed = fine_tune_stack(encoder, [job])  # dropout keys are numbered by microbatch
    assert {batch.row_shape[1:3] for batch in batches} == {(4, 2)}
    assert same(resumed[0].params, found[0].params)


@pytest.mark.slow
def test_one_stream_serves_many_models():
    encoder = tiny_encoder("bert")
    task = toy_task(encoder, 20)
    params = [
        {"encoder": encoder.init(jax.random.key(seed)), "head": task.head.init(jax.random.key(seed))}
        for seed in range(2)
    ]
    found = predict_stack(encoder, task.head, stacked(params), task.examples)
    for own, scores in zip(params, found, strict=True):
        np.testing.assert_allclose(scores, predict(encoder, task.head, own, task.examples), atol=1e-6)


@pytest.mark.slow
def test_a_run_that_diverges_stops_alone():
    encoder = tiny_encoder("bert")
    own = jobs(encoder, (60, 60), keep="last", evaluate_every=0, warmup=0.1)
    broken = jax.tree.map(lambda leaf: leaf * np.float32(np.inf), own[0].params)
    found = fine_tune_stack(encoder, [dataclasses.replace(own[0], params=broken), own[1]])
    assert [(result.steps, result.diverged) for result in found] == [(50, True), (60, False)]
    assert np.isfinite(jax.tree.leaves(found[1].params["encoder"])[0]).all()


def test_runs_of_other_shapes_are_refused():
    encoder = tiny_encoder("bert")
    first, second, _ = jobs(encoder)
    three = dataclasses.replace(second.tasks[0], head=make_head(encoder, "classification", 3, "max_mean"), classes=3)
    for other in (
        dataclasses.replace(second, tasks=[three], dev=dataclasses.replace(second.dev, head=three.head, classes=3)),
        dataclasses.replace(second, recipe=dataclasses.replace(second.recipe, batch_size=4)),
        dataclasses.replace(second, tasks=[second.tasks[0], dataclasses.replace(second.tasks[0], name="two")]),
    ):
        with pytest.raises(InputError, match="one shape"):
            fine_tune_stack(encoder, [first, other])
    assert same(first.params, jobs(encoder)[0].params)


def test_evaluation_batches_are_as_large_as_memory_holds(monkeypatch):
    """On an accelerator the largest size that fits is used; here a CPU pretends to be one."""
    encoder = tiny_encoder("bert")
    task = toy_task(encoder, 60)
    params = {"encoder": encoder.init(jax.random.key(0)), "head": task.head.init(jax.random.key(1))}
    expected = predict(encoder, task.head, params, task.examples)
    tried = []
    monkeypatch.setattr(prediction, "batch_sizes", lambda total, few, most: [512, 256, 128])
    monkeypatch.setattr(prediction, "free_bytes", lambda: 10**9)
    needed = {512: 2 * 10**9, 256: 10**6, 128: 0}
    sizes = iter((512, 256, 128))
    monkeypatch.setattr(prediction, "extra_bytes", lambda program: tried.append(next(sizes)) or needed[tried[-1]])
    np.testing.assert_allclose(predict(encoder, task.head, params, task.examples), expected, atol=1e-6)
    assert tried == [512, 256]


BASE, TINY = (
    make_encoder("bert", layers=layers, width=width, heads=2).config.matmul_parameters
    for layers, width in ((12, 768), (2, 128))
)


def test_batches_of_few_examples_have_about_the_same_work_whatever_the_encoder():
    assert (batch_sizes(10**6, BASE), batch_sizes(10**6, TINY)) == ([256], [1024])


def test_batches_of_accelerators_are_as_large_as_their_examples_and_the_chip_allow():
    with compiling_for(Hardware("tpu", (None,), bytes=1)):
        assert batch_sizes(10**6) == [65536, 32768, 16384, 8192, 4096]
        assert (batch_sizes(10**6, most=8200), batch_sizes(10**6, most=100)) == ([8192, 4096], [4096])
        assert batch_sizes(5000, most=10**6) == [8192, 4096]


@pytest.mark.parametrize("texts", [12, 60])
def test_few_examples_leave_little_padding(texts):
    """Four candidates each of some texts that an attack edits: batches are small, and two of a length share a row."""
    lengths = np.repeat(np.random.default_rng(0).integers(35, 60, texts), 4)
    examples = make_examples(lengths)
    (tokens,) = batch_sizes(len(examples.ids), BASE)
    rows, length, slots = stream_shape(examples, tokens=tokens, few=True)
    batches = list(packing.stream(examples, rows, length, slots))
    assert lengths.sum() >= 0.8 * len(batches) * rows * length
    assert sorted(np.concatenate([indices for indices, _ in batches]).tolist()) == list(range(len(lengths)))


@pytest.mark.parametrize("few", [None, BASE, TINY])
@pytest.mark.parametrize("longest", [2, 60, 500])
def test_rows_may_be_full_of_the_shortest_examples(few, longest):
    examples = make_examples([longest, *[2] * 600])
    (tokens,) = batch_sizes(len(examples.ids), few)
    batches = packing.stream(examples, *stream_shape(examples, tokens=tokens, few=few is not None))
    assert sum(len(indices) for indices, _ in batches) == 601
