"""A study's programs on described hardware: which there are, how often they run, and how they are fitted to memory."""

import dataclasses
import math

import jax
import pytest

from itt_jax.accelerators import ACCELERATORS, Report, Topology
from itt_jax.accelerators.costs import Collective
from itt_jax.config import Recipe
from itt_jax.models.hardware import Hardware
from itt_jax.study import estimate_tables, estimating
from tests.study.studies import ADAPTATION, STUDY

pytestmark = [pytest.mark.slow, pytest.mark.volume]
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


def test_runs_that_memory_or_the_user_keeps_apart_are_counted(there, reports):
    study = dataclasses.replace(STUDY, targets=(TARGET,), seeds=(0, 1, 2))
    training = [own for own in estimating.estimates(study, there, stack=4) if own.stage == "target"]
    assert [(own.runs, own.times) for own in training] == [(4, 40), (2, 40)]
    small = dataclasses.replace(there, hardware=dataclasses.replace(there.hardware, bytes=2 * GIB))
    (alone, _) = estimating.estimates(study, small)
    assert (alone.runs, alone.times) == (1, 6 * 40)


def test_microbatches_are_halved_until_they_fit(there, monkeypatch):
    def compiled_report(request, there):
        rows = jax.tree.leaves(request.arguments[1])[0].shape[-2]
        return dataclasses.replace(REPORT, needed=rows * 10 * GIB)

    monkeypatch.setattr(estimating, "compiled_report", compiled_report)
    study = dataclasses.replace(STUDY, targets=(TARGET,))
    training = estimating.estimates(study, there, stack=1)[0]
    assert (training.rows, training.fits) == (1, True) and math.log2(training.microbatches).is_integer()
    assert training.microbatches > 1 and training.examples == 8


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
