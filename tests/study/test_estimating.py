"""A study's programs on described hardware: which there are, how often they run, and how they are fitted to memory."""

import dataclasses
import math
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from itt_jax.accelerators import ACCELERATORS, Report, Topology
from itt_jax.accelerators.costs import Collective
from itt_jax.accelerators.report import TOO_LARGE
from itt_jax.config import Recipe
from itt_jax.models.hardware import Hardware
from itt_jax.study import estimate_tables, estimating
from itt_jax.study.progress import duration
from itt_jax.train.described import Typical
from tests.study.studies import ADAPTATION, STUDY

GIB = 1 << 30
REPORT = Report(
    needed=GIB,
    donated=0,
    arguments=GIB // 2,
    flops=1e12,
    bytes=1e9,
    seconds=0.36,
    seconds_of_bytes=0.3,
    seconds_of_flops=0.1,
    cycles=None,
    collectives=(Collective("all-reduce", "f32", 2, 10, 40.0),),
    kernels={"flash": 3},
    top=(),
    compile_seconds=1.0,
)
RECIPE = Recipe(steps=40, learning_rates=(1e-4, 2e-4), batch_size=8, max_length=64)
TARGET = dataclasses.replace(STUDY.targets[0], recipe=RECIPE)


def whole_study(test):
    """Mark a test that makes the programs of a study."""
    return pytest.mark.slow(pytest.mark.volume(test))


@pytest.fixture
def there():
    """One v5e."""
    own = next(own for own in ACCELERATORS if own.name == "v5e")
    return Topology("v5e:1x1", own, (1, 1), Hardware("tpu", tuple(jax.devices()[:1]), bytes=own.bytes))


@pytest.fixture
def reports(monkeypatch):
    """Reports without compiling, by the rows of a microbatch; yields the requests."""
    asked = []

    def compiled_report(request, there):
        asked.append(request)
        return dataclasses.replace(REPORT, compile_seconds=float(len(asked)))

    monkeypatch.setattr(estimating, "compiled_report", compiled_report)
    return asked


@whole_study
def test_a_study_is_its_stacks_and_their_evaluation(there, reports):
    study = dataclasses.replace(STUDY, targets=(TARGET,), seeds=(0, 1, 2))
    stacked, cells = estimating.estimates(study, there)
    # 80 % of the memory would hold twelve runs; there are six.
    assert (stacked.stage, stacked.runs, stacked.times, stacked.examples) == ("target", 6, 40, 6 * 8)
    assert (cells.stage, cells.runs) == ("evaluation", 3)
    assert len(reports) == 3  # one run, from whose memory the stack follows; the stack; the prediction
    assert 0 < stacked.padding < 0.6 and stacked.microbatches == 1 and stacked.fits
    assert stacked.hours == pytest.approx(40 * 0.36 / 3600)
    assert stacked.utilisation == pytest.approx(stacked.flops / 0.36 / 197e12)


@whole_study
def test_runs_that_memory_or_the_user_keeps_apart_are_counted(there, reports):
    study = dataclasses.replace(STUDY, targets=(TARGET,), seeds=(0, 1, 2))
    training = [own for own in estimating.estimates(study, there, stack=4) if own.stage == "target"]
    assert [(own.runs, own.times) for own in training] == [(4, 40), (2, 40)]
    small = dataclasses.replace(there, hardware=dataclasses.replace(there.hardware, bytes=2 * GIB))
    (alone, _) = estimating.estimates(study, small)
    assert (alone.runs, alone.times) == (1, 6 * 40)


@whole_study
def test_layers_are_run_as_the_study_asks(there, reports):
    estimating.estimates(dataclasses.replace(STUDY, targets=(TARGET,), remat=True, scan_layers=True), there, stack=1)
    step, prediction = (request.static for request in reports)
    for encoder in (step["objective"].encoder, prediction["encoder"], prediction["head"].encoder):
        assert encoder.remat and encoder.scan_layers


@whole_study
def test_microbatches_are_halved_until_they_fit(there, monkeypatch):
    def compiled_report(request, there):
        rows = jax.tree.leaves(request.arguments[1])[0].shape[-2]
        return dataclasses.replace(REPORT, needed=rows * 10 * GIB)

    monkeypatch.setattr(estimating, "compiled_report", compiled_report)
    study = dataclasses.replace(STUDY, targets=(TARGET,))
    training = estimating.estimates(study, there, stack=1)[0]
    assert (training.rows, training.fits) == (1, True) and math.log2(training.microbatches).is_integer()
    assert training.microbatches > 1 and training.examples == 8


@pytest.mark.parametrize(("choices", "tried"), [(4, [0]), (1, [0, 1, 2, 3])])
def test_items_of_several_examples_are_not_halved(there, choices, tried):
    """A step of multiple choice that does not fit is reported as it is, as `run` would try it; another is halved."""
    asked, own = [], estimating._Estimating(None, None, there, print)
    own.report = lambda stage, request: TOO_LARGE

    def programs(halvings):
        asked.append(halvings)
        return [Typical(None, (1, 1 << halvings, 8 >> halvings, 64), 1.0, choices, 8, 100, 1e6)]

    stage = SimpleNamespace(kind="target", spec=SimpleNamespace(name="bert"))
    (work,) = own.trained(stage, programs, 1, 10)
    assert asked == tried and not work.fits and work.times == 10


def test_attacks_count_as_many_tokens_as_their_queries_have(there):
    """Thirty queries on rows of twelve tokens."""
    plan = SimpleNamespace(attacked={"under attack": SimpleNamespace(queries=30.0)})
    own = estimating._Estimating(plan, None, there, print)
    own.rows = lambda place: range(5)
    clean, attacked = (SimpleNamespace(attack=attack, cell="under attack", place=()) for attack in (False, True))
    examples = SimpleNamespace(ids=np.zeros(60))
    assert (own.tokens(clean, examples), own.tokens(attacked, examples)) == (60, 360)


def test_products_are_compiled_in_the_precision_of_the_run():
    before = jax.config.jax_default_matmul_precision
    for precision, kept in (("auto", before), ("float32", "highest")):
        with estimating._precision(precision):
            assert jax.config.jax_default_matmul_precision == kept
        assert jax.config.jax_default_matmul_precision == before


def test_the_sum_says_what_does_not_fit(there):
    fits = estimating.Work("bert", "target", 1, 10_000, 8, 64, 1, 8, 0.1, 1e9, 2 * GIB, 1, 1e12, REPORT)
    large = dataclasses.replace(
        fits, report=dataclasses.replace(TOO_LARGE, uncounted=("__cudnn$conv",), unknown_loops=2)
    )
    assert f"about {duration(3600)} in all" in estimate_tables.text([fits], there)
    text = estimate_tables.text([fits, large], there)
    assert f"at least {duration(3600)} in all, 1 program does not fit" in text
    assert "FLOPs not counted: __cudnn$conv; 2 loops of unknown length, counted once" in text
    assert "2 programs do not fit" in estimate_tables.text([large, large], there)
    assert estimate_tables.as_dict([fits, large], there)["not_fitting"] == 1


@whole_study
def test_language_models_and_text(there, reports):
    spec = dataclasses.replace(STUDY.encoders[0], pretraining=ADAPTATION)
    study = dataclasses.replace(STUDY, encoders=(spec,), targets=(TARGET,))
    works = estimating.estimates(study, there)
    assert [(own.stage, own.runs, own.times) for own in works[:2]] == [("pretraining", 1, 3), ("target", 2, 40)]
    text = estimate_tables.text(works, there)
    assert "nothing has run" in text and "2 all-reduce f32 40" in text and "bound by bytes" in text
    values = estimate_tables.as_dict(works, there)
    assert values["hours"] == pytest.approx(sum(own.hours for own in works))
    assert values["programs"][0]["report"]["kernels"] == {"flash": 3} and values["programs"][0]["fits"]
    large = dataclasses.replace(works[0], report=dataclasses.replace(REPORT, needed=None))
    assert "too large" in estimate_tables.text([large], there)
