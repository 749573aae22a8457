"""Arms: rows of the catalogue, and a study's own."""

import dataclasses

import pytest

from itt_jax import config
from itt_jax.errors import InputError
from itt_jax.study import arms
from itt_jax.study.arms import Adapt, Arm, FineTune, compute_control, hardened
from itt_jax.study.hardening import PGD, WorstOf
from tests.study.studies import STUDY

OWN = Arm("dapt_then_itt", "both", (Adapt("domain"), FineTune("intermediate"), FineTune("target")), baseline="itt")


def test_every_row_of_the_catalogue_is_whole():
    arms.check(arms.ARMS, "ARMS")
    names = [arm.name for arm in arms.ARMS]
    assert len(set(names)) == len(names)
    assert [arm.name for arm in arms.ARMS if arm.role == "baseline"] == ["direct"]
    assert len({(arm.color, arm.marker, arm.line) for arm in arms.ARMS}) == len(names)
    assert all(arm.summary and arm.color and arm.marker and arm.line for arm in arms.ARMS)


def test_needs_follow_from_stages():
    needs = {arm.name: set(arm.needs) for arm in arms.ARMS}
    assert needs["direct"] == needs["translate_train"] == set()
    for name in ("itt", "multitask_itt", "matched_steps", "matched_compute", "shuffled_itt"):
        assert needs[name] == {"intermediate", "intermediate_recipe"}
    assert needs["dapt"] == {"domain_text", "adaptation"}
    assert needs["dapt_control"] == {"domain_text", "general_text", "adaptation"}
    assert set(OWN.needs) == {"intermediate", "intermediate_recipe", "domain_text", "adaptation"}


def test_names_and_own_arms_are_looked_up_when_asked(monkeypatch):
    assert [arm.name for arm in arms.resolved(("itt", OWN))] == ["itt", "dapt_then_itt"]
    monkeypatch.setattr(arms, "ARMS", (*arms.ARMS, OWN))
    assert arms.arm("dapt_then_itt") is OWN
    config.validate(dataclasses.replace(STUDY, arms=("dapt_then_itt",)))


def test_the_control_of_an_own_arm_for_compute_is_an_arm():
    control = compute_control(OWN, "its_compute")
    assert control.needs == OWN.needs and (control.role, control.treatment) == ("control", "dapt_then_itt")
    config.validate(dataclasses.replace(STUDY, arms=("direct", OWN, control)))


def test_a_row_comes_back():
    row = arms.as_row(OWN)
    assert "stages" not in row
    assert arms.from_row(row) == dataclasses.replace(OWN, stages=())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "itt"}, "study.arms.itt: the catalogue has another arm of this name"),
        ({"stages": ()}, "expected FineTune('target') as the last stage"),
        ({"stages": (FineTune("target"), Adapt("domain"))}, "expected FineTune('target') as the last stage"),
        ({"stages": (FineTune("intermediat"), FineTune("target"))}, "found 'intermediat'"),
        ({"stages": ("itt",)}, "study.arms"),
        ({"baseline": "ittt"}, "did you mean 'itt'"),
        ({"baseline": "dapt_then_itt"}, "unknown arm in study.arms.dapt_then_itt.baseline: 'dapt_then_itt'"),
        ({"treatment": "dapt_then_itt"}, "unknown arm in study.arms.dapt_then_itt.treatment: 'dapt_then_itt'"),
        ({"role": "contol"}, "found 'contol'"),
        ({"name": "a, b"}, "expected a name without commas and slashes, found 'a, b'"),
        ({"color": "nocolor"}, "dapt_then_itt.color: expected a colour such as '#0072B2', found 'nocolor'"),
        ({"stages": (FineTune("target"),)}, "dapt_then_itt.stages: the same as those of 'direct'"),
    ],
)
def test_a_wrong_arm_is_named(changes, message):
    study = dataclasses.replace(STUDY, arms=("direct", dataclasses.replace(OWN, **changes)))
    with pytest.raises(InputError) as error:
        config.validate(study)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_hardened_stages_are_those_named():
    both = hardened(arms.arm("multitask_itt"), PGD(), "own", "own", on=("intermediate", "target"))
    assert [stage.hardening for stage in both.stages] == [PGD(), PGD()]
    first = hardened(arms.arm("itt"), PGD(), "own", "own", on=("intermediate",))
    assert [stage.hardening for stage in first.stages] == [PGD(), None]
    for name, on in (("itt", ("targt",)), ("direct", ("intermediate", "target")), ("matched_compute", ("target",))):
        with pytest.raises(InputError, match=rf"arm {name!r} has no FineTune\({on[0]!r}\) to harden"):
            hardened(arms.arm(name), PGD(), "own", "own", on=on)


def test_one_form_costs_no_choice():
    assert [WorstOf(k).passes for k in (1, 2, 4)] == [3, 5, 7]
