"""Absent data: stand-ins with their names, notes, and everything else runs."""

import dataclasses

import pytest

from itt_jax.config import StandIn, Target
from itt_jax.data.sources import LocalFiles
from itt_jax.errors import InputError
from itt_jax.study.absent import planned
from itt_jax.study.description import describe
from itt_jax.tasks import Task
from tests.study.studies import STUDY

HOME = STUDY.targets[0]
INFERENCE = dataclasses.replace(HOME, name="inference", train="xnli", train_split="dev[0%:70%]", dev_split="dev[70%:]")
STAND_IN = StandIn("xnli", "embedded_inference_general")


def names(plan):
    return {cell.target for cell in plan.all_cells()}


def plan_of(root, *targets: Target, **changes):
    return planned(dataclasses.replace(STUDY, targets=targets, **changes), root)[1]


def test_a_target_without_data_is_left_out_and_the_rest_runs(tmp_path):
    plan = plan_of(tmp_path, HOME, INFERENCE)
    assert names(plan) == {"sentiment"}
    assert plan.skipped[0] == "inference: xnli has no split 'test' here and is not evaluated"
    with pytest.raises(InputError, match="no target of the study has its data: inference: xnli"):
        plan_of(tmp_path, INFERENCE)


def test_a_stand_in_trains_and_every_table_says_so(tmp_path):
    target = dataclasses.replace(INFERENCE, evaluate=("embedded_inference_legal", "xnli"))
    plan = plan_of(tmp_path, HOME, target, stand_ins=(STAND_IN,))
    assert names(plan) == {"sentiment", "inference (trained on embedded_inference_general)"}
    cells = [cell for cell in plan.all_cells() if cell.target.startswith("inference")]
    assert {cell.task for cell in cells} == {"embedded_inference_legal"}
    stage = plan.stages[cells[0].stage]
    assert [selection.task for selection in stage.training] == ["embedded_inference_general"]
    assert "embedded_inference_general replaces the training rows of xnli" in plan.skipped[1]


def test_an_intermediate_task_has_a_stand_in_too(tmp_path):
    target = dataclasses.replace(HOME, intermediate=("sst2",))
    other = StandIn("sst2", "embedded_sentiment_general")
    plan = plan_of(tmp_path, target, arms=("direct", "itt"), stand_ins=(other,))
    assert names(plan) == {"sentiment (itt on embedded_sentiment_general)"}
    assert names(plan_of(tmp_path, target)) == {"sentiment"}  # no arm needs it
    with pytest.raises(InputError, match=r"no training rows of sst2 \(intermediate\) here; left out"):
        plan_of(tmp_path, target, arms=("direct", "itt"))


def test_with_everything_at_hand_the_study_is_the_same(tmp_path):
    plan = plan_of(tmp_path, HOME, stand_ins=(STAND_IN,))
    assert plan.study.targets == (HOME,)
    assert not plan.skipped


def test_a_task_of_ones_own_is_a_mistake_when_its_file_is_missing(tmp_path):
    paths = {split: str(tmp_path / f"{split}.tsv") for split in ("train", "dev", "test")}
    own = Task("mine", "classification", ("text",), (LocalFiles(paths, "tsv", {"text": "text"}, "label"),), ("a", "b"))
    target = dataclasses.replace(HOME, train="mine")
    with pytest.raises(InputError, match="no such file"):
        plan_of(tmp_path, HOME, dataclasses.replace(target, name="own"), tasks=(own,))


def own_study(tmp_path, splits, **source):
    """A study of one target whose task has three rows in each split."""
    for split in splits:
        rows = "".join(f"{split} {i}\t{label}\n" for i, label in enumerate("aab?"))
        (tmp_path / f"{split}.tsv").write_text("text\tlabel\n" + rows)
    paths = {split: str(tmp_path / f"{split}.tsv") for split in splits}
    local = LocalFiles(paths, "tsv", **({"columns": {"text": "text"}, "label": "label"} | source))
    own = Task("mine", "classification", ("text",), (local,), ("a", "b"))
    return {"targets": (dataclasses.replace(HOME, name="own", train="mine"),), "tasks": (own,), "languages": ("en",)}


LABELS = {"a": "a", "b": "b", "?": None}


def test_mistakes_in_a_task_of_ones_own_are_found_before_anything_runs(tmp_path):
    study = dataclasses.replace(STUDY, **own_study(tmp_path, ("train", "test"), labels=LABELS))
    with pytest.raises(InputError, match="no split 'dev' for its dev rows; it has train, test; name one in the target"):
        planned(study, None)
    study = dataclasses.replace(STUDY, **own_study(tmp_path, ("train", "dev", "test"), label=None))
    with pytest.raises(InputError, match=r"task 'mine', split 'train', language 'en': no labels; name their column"):
        planned(study, None)


def test_rows_left_out_by_label_are_counted(tmp_path):
    study = dataclasses.replace(STUDY, **own_study(tmp_path, ("train", "dev", "test"), labels=LABELS))
    material, plan = planned(study, None)
    assert material.left_out == {f"mine/{split}/en": {"?": 1} for split in ("train", "dev", "test")}
    assert names(plan) == {"own"}
    target = dataclasses.replace(study.targets[0], train_split="train[:50%]", dev_split="train[50%:]")
    material, _ = planned(dataclasses.replace(study, targets=(target,)), None)
    assert material.left_out == {f"mine/{split}/en": {"?": 1} for split in ("train", "test")}
    text = describe(study, tmp_path / "out").text()
    assert "rows left out by their label (it maps to None):" in text and "  mine/train/en: 1 of '?'" in text
