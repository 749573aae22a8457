"""Precision: what a folder was computed in is agreed on, and a study that pins another one is refused by name."""

import pytest

from itt_jax.errors import InputError
from itt_jax.models import make_encoder
from itt_jax.report import provenance as reported
from itt_jax.store import Store
from itt_jax.study.provenance import agreed_arithmetic, check_precision
from itt_jax.train.precision import BFLOAT16


@pytest.fixture
def store(tmp_path):
    """A folder with a stage that was trained in float32, and an encoder that is evaluated in bfloat16."""
    store = Store(tmp_path)
    store.write_record("s", {"id": "s", "encoder": "bert", "kind": "target", "precision": "float32"})
    assert agreed_arithmetic(store, "mbert", make_encoder("bert", layers=1), "bfloat16") == BFLOAT16
    return store


def test_a_later_worker_follows_the_first(store):
    assert agreed_arithmetic(store, "mbert", make_encoder("bert", layers=1), "auto") == BFLOAT16


def test_what_fits_is_not_refused(store):
    check_precision(store, "auto", ["bert", "mbert"], ["s"])
    check_precision(store, "float32", ["bert"], ["s", "missing"])
    check_precision(store, "bfloat16", ["bert", "mbert"], ["missing"])


@pytest.mark.parametrize(
    ("precision", "message"),
    [
        ("float32", "mbert is evaluated in bfloat16 there, found precision 'float32'; expected 'bfloat16', 'auto'"),
        ("bfloat16", r"stage s \(bert, target\) was trained in float32 there, found precision 'bfloat16'"),
    ],
)
def test_another_precision_is_refused_by_name(store, precision, message):
    with pytest.raises(InputError, match=message):
        check_precision(store, precision, ["bert", "mbert"], ["s"])


def test_the_report_states_it():
    done = [{"encoder": "bert", "precision": "float32"}, {"encoder": "xlnet", "precision": "bfloat16"}, {}]
    plan = {"precision": {"asked": "auto", "evaluation": {"bert": "bfloat16"}}, "stages_done": done}
    chosen = "bert: trained in float32, evaluated in bfloat16 (chosen for the machine)"
    assert reported.precision(plan) == [chosen]
    pinned = {"precision": {"asked": "float32", "evaluation": {"bert": "float32"}}}
    assert reported.precision(pinned) == ["bert: evaluated in float32 (as the study asks)"]
    assert reported.precision({}) == []
