"""Which arms are compared, from the catalogue and from what a folder says of its own."""

import pytest

from itt_jax.analysis import analyse
from itt_jax.analysis.arms import arms_of, pairs, primary_pairs
from itt_jax.store import Store
from itt_jax.study import arms
from itt_jax.study.arms import Arm
from tests.simulated_store import write_store


def known(*names: str) -> tuple[Arm, ...]:
    return arms_of({}, names)


def test_every_arm_is_compared_with_every_baseline():
    found = list(pairs(known("direct", "itt", "matched_steps", "shuffled_itt", "dapt", "dapt_control")))
    assert found == [
        ("itt", "direct"),
        ("itt", "matched_steps"),
        ("itt", "dapt_control"),
        ("matched_steps", "direct"),
        ("matched_steps", "dapt_control"),
        ("shuffled_itt", "direct"),
        ("shuffled_itt", "matched_steps"),
        ("shuffled_itt", "dapt_control"),
        ("dapt", "direct"),
        ("dapt", "matched_steps"),
        ("dapt", "dapt_control"),
        ("dapt_control", "direct"),
        ("dapt_control", "matched_steps"),
    ]
    assert list(pairs(known("direct"))) == []
    assert list(pairs(known("direct", "itt", "matched_compute", "shuffled_itt"))) == [
        ("itt", "direct"),
        ("itt", "matched_compute"),
        ("matched_compute", "direct"),
        ("shuffled_itt", "direct"),
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("direct", "itt", "matched_steps"), [("itt", "matched_steps")]),
        (("direct", "itt", "multitask_itt"), [("itt", "direct"), ("multitask_itt", "direct")]),
        (("direct", "itt", "matched_compute"), [("itt", "matched_compute")]),
        (("direct", "itt", "matched_compute", "matched_steps"), [("itt", "matched_steps")]),
        (("direct", "shuffled_itt", "matched_steps"), []),
        (
            ("direct", "dapt", "dapt_control", "translate_train"),
            [("dapt", "dapt_control"), ("translate_train", "direct")],
        ),
        (("itt",), []),
        (("direct", "mine"), [("mine", "direct")]),
    ],
)
def test_a_treatment_has_its_declared_baseline_or_else_the_plain_one(names, expected):
    assert primary_pairs(known(*names)) == expected


def test_a_folder_says_what_its_own_arms_are():
    own = (
        Arm("plain", "", (), role="baseline"),
        Arm("long", "", (), role="control"),
        Arm("mine", "", (), baseline="long"),
    )
    found = arms_of({"arms": [arms.as_row(arm) for arm in own]}, ("mine", "plain", "long", "itt"))
    assert [arm.role for arm in found] == ["treatment", "baseline", "control", "treatment"]
    assert primary_pairs(found) == [("mine", "long"), ("itt", "plain")]
    assert list(pairs(found[:3])) == [("mine", "plain"), ("mine", "long"), ("long", "plain")]


@pytest.mark.slow
def test_an_own_arm_is_analysed_as_its_folder_describes_it(tmp_path):
    """The same numbers under the catalogue's names and under names that only the plan explains."""
    out = write_store(tmp_path / "out", domains=("general",), items=40)
    other = write_store(
        tmp_path / "own", domains=("general",), items=40, names={"itt": "ours", "matched_steps": "twin"}
    )
    rows = [Arm("ours", "treatment", (), baseline="twin"), Arm("twin", "control", (), role="control")]
    Store(other).write_plan({"arms": [arms.as_row(arm) for arm in (arms.arm("direct"), *rows)]})
    first, second = analyse(out), analyse(other)
    assert second.primary[["arm", "baseline"]].to_numpy().tolist() == [["ours", "twin"]]
    numbers = ["estimate", "ci_low", "ci_high", "std_err", "df", "p"]
    assert second.primary[numbers].equals(first.primary[numbers])
    assert second.interactions[numbers].equals(first.interactions[numbers])
