"""Plans: the stages and cells of every arm, shared stages, steps, and studies that do not fit together."""

import dataclasses
import math

import pytest

from itt_jax.config import EncoderSpec, Perturbation, Recipe, Target
from itt_jax.errors import InputError
from itt_jax.models import make_encoder
from itt_jax.study import arms, fitting
from itt_jax.study.material import Material, Selection
from itt_jax.study.plan import make_plan, study_id
from itt_jax.study.stages import FineTuning, Stage
from tests.study.studies import INFERENCE, STUDY, planned
from tests.study.test_arms import OWN

ARMS = tuple(arm.name for arm in arms.ARMS)


@pytest.fixture(scope="module")
def plan():
    """The plan of every arm, and an arm of the study's own, on one target."""
    return planned(targets=(INFERENCE,), arms=(*ARMS, OWN), perturbations=(Perturbation("swap", (0.1,)),))


def chain(plan, arm: str) -> list[Stage]:
    """The stages of an arm, from the root to the one that is evaluated."""
    (stage,) = {cell.stage for cell in plan.all_cells() if cell.arm == arm}
    found = [plan.stages[stage]]
    while found[0].parent is not None:
        found.insert(0, found[0].parent)
    return found


@pytest.mark.parametrize(
    ("arm", "kinds", "tasks"),
    [
        ("direct", ["target"], [["inference_medical"]]),
        ("itt", ["intermediate", "target"], [["sentiment_general"], ["inference_medical"]]),
        (
            "multitask_itt",
            ["intermediate", "target"],
            [["sentiment_general", "inference_general"], ["inference_medical"]],
        ),
        ("matched_steps", ["intermediate", "target"], [["inference_medical"], ["inference_medical"]]),
        ("shuffled_itt", ["intermediate", "target"], [["sentiment_general"], ["inference_medical"]]),
        ("dapt", ["adaptation", "target"], [["inference_medical"], ["inference_medical"]]),
        ("dapt_control", ["adaptation", "target"], [["inference_general"], ["inference_medical"]]),
        ("translate_train", ["target"], [["inference_medical"] * 5]),
        (
            "dapt_then_itt",
            ["adaptation", "intermediate", "target"],
            [["inference_medical"], ["sentiment_general"], ["inference_medical"]],
        ),
    ],
)
def test_an_arm_is_the_sequence_of_its_stages(plan, arm, kinds, tasks):
    root, *stages = chain(plan, arm)
    assert root.kind == "pretraining"
    assert [stage.kind for stage in stages] == kinds
    found = [[selection.task.removeprefix("embedded_") for selection in stage.training] for stage in stages]
    assert found == tasks


def test_every_stage_comes_after_its_parent_and_is_named_by_its_content(plan):
    order = list(plan.stages)
    for place, (stage_id, stage) in enumerate(plan.stages.items()):
        assert stage.id == stage_id
        assert stage.parent is None or order.index(stage.parent.id) < place
    again = planned(targets=(INFERENCE,), arms=(*ARMS, OWN), perturbations=(Perturbation("swap", (0.1,)),))
    assert list(again.stages) == order
    assert [cell.cell for cell in again.all_cells()] == [cell.cell for cell in plan.all_cells()]


def test_intermediate_stages_have_the_steps_of_the_first_intermediate_task(plan):
    material = Material(plan.study)
    rows = len(material.uncontaminated_rows(Selection("embedded_sentiment_general", "train", "en", 40)))
    for arm in ("itt", "multitask_itt", "matched_steps", "shuffled_itt", "dapt_then_itt"):
        assert chain(plan, arm)[-2].recipe.steps == math.ceil(rows / 8)
    target = len(material.uncontaminated_rows(Selection("embedded_inference_medical", "train", "en", 20)))
    assert {chain(plan, arm)[-1].recipe.steps for arm in (*ARMS, OWN.name)} == {math.ceil(2 * target / 8)}


def test_the_same_training_run_is_one_stage_in_either_role():
    """With one recipe for both stages, direct's only stage is the first one of its control for steps."""
    target = dataclasses.replace(INFERENCE, intermediate_recipe=INFERENCE.recipe, recipe=INFERENCE.recipe)
    steps = dataclasses.replace(target.recipe, steps=4)
    target = dataclasses.replace(target, recipe=steps, intermediate_recipe=steps)
    found = planned(targets=(target,), arms=("direct", "matched_steps"))
    direct, matched = chain(found, "direct"), chain(found, "matched_steps")
    assert direct[1].id == matched[1].id and len(found.stages) == 3


def test_shuffled_labels_and_matched_text_make_stages_of_their_own(plan):
    assert chain(plan, "itt")[1].id != chain(plan, "shuffled_itt")[1].id
    assert chain(plan, "shuffled_itt")[1].labels == "shuffled"
    control = chain(plan, "dapt_control")[1]
    assert control.as_much_as == chain(plan, "dapt")[1].training


def test_the_control_for_compute_is_one_stage_named_by_the_stages_that_it_matches(plan):
    root, stage = chain(plan, "matched_compute")
    assert stage.parent is root and stage.kind == "target" and stage.training == chain(plan, "direct")[1].training
    assert [own.id for own in stage.matched] == [own.id for own in chain(plan, "itt")[1:]]
    other = dataclasses.replace(INFERENCE, intermediate_rows=39)
    found = planned(targets=(other,), arms=("direct", "matched_compute"))
    assert chain(found, "direct")[1].id == chain(plan, "direct")[1].id
    assert chain(found, "matched_compute")[1].id != stage.id


def test_arms_that_share_their_last_stage_have_cells_of_their_own():
    twin = arms.Arm("direct_again", "the same", (arms.FineTune("target", recipe="target"),), role="control")
    found = planned(arms=("direct", twin))
    assert len(found.stages) == 2
    assert len({cell.cell for cell in found.all_cells()}) == len(found.all_cells()) == 2 * 2


def test_an_arms_name_is_not_part_of_a_stages_id():
    other = dataclasses.replace(OWN, name="another_name")
    first, second = (planned(targets=(INFERENCE,), arms=("direct", own)) for own in (OWN, other))
    assert list(first.stages) == list(second.stages)


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": (1,)},
        {"targets": (dataclasses.replace(INFERENCE, recipe=Recipe(steps=5, max_length=64)),)},
        {"targets": (dataclasses.replace(INFERENCE, train_rows=19),)},
        {"targets": (dataclasses.replace(INFERENCE, dev_rows=9),)},
        {"encoders": (dataclasses.replace(STUDY.encoders[0], pooling="mean"),)},
        {"encoders": (dataclasses.replace(STUDY.encoders[0], seed=1),)},
    ],
)
def test_what_determines_a_result_is_part_of_its_id(change):
    base = planned(targets=(INFERENCE,))
    other = planned(**{"targets": (INFERENCE,)} | change)
    assert {cell.stage for cell in base.all_cells()}.isdisjoint(cell.stage for cell in other.all_cells())


def test_seeds_share_the_encoder_and_nothing_else():
    found = planned(targets=(INFERENCE,), seeds=(0, 1))
    roots = [stage for stage in found.stages.values() if stage.parent is None]
    tuned = [stage for stage in found.stages.values() if isinstance(stage, FineTuning)]
    assert len(roots) == 1 and [stage.seed for stage in tuned] == [0, 1]


def test_translate_train_without_parallel_rows_is_skipped():
    english = dataclasses.replace(INFERENCE, train="sst2", dev_split="dev")
    study = dataclasses.replace(STUDY, targets=(english,), arms=("translate_train",), languages=())
    material = Material(study)
    material.has = lambda task, split, language: language == "en"
    material.digest = lambda selection, training: f"{selection}"
    material.corpus_digest = str
    found = make_plan(study, material)
    assert found.skipped == ["inference: no parallel training rows for translate_train"]
    assert not found.all_cells() and len(found.stages) == 1


@pytest.mark.parametrize(
    ("arm", "lacking"),
    [
        ("itt", "intermediate"),
        ("matched_steps", "intermediate"),
        ("dapt", "domain_text, adaptation"),
        ("dapt_control", "domain_text, adaptation, general_text"),
    ],
)
def test_an_arm_without_what_it_needs_is_named(arm, lacking):
    with pytest.raises(InputError, match=f"target 'sentiment': arm '{arm}' needs {lacking}$"):
        planned(arms=("direct", arm))


def test_intermediate_task_and_recipe_are_needed_by_some_arms_alone():
    target = Target("alone", "embedded_sentiment_legal", recipe=Recipe(steps=1))
    assert planned(targets=(target,), arms=("direct", "translate_train")).all_cells()
    with pytest.raises(InputError, match=r"'alone': arm 'matched_steps' needs intermediate, intermediate_recipe$"):
        planned(targets=(target,), arms=("direct", "matched_steps"))


def test_tasks_that_do_not_fit_the_head_are_named():
    target = dataclasses.replace(INFERENCE, evaluate=("embedded_sentiment_legal",))
    with pytest.raises(InputError, match="cannot be evaluated with a head trained on 'embedded_inference_medical'"):
        planned(targets=(target,))


def test_a_studys_id_depends_on_its_arms():
    assert study_id(STUDY) == study_id(dataclasses.replace(STUDY))
    assert study_id(STUDY) != study_id(dataclasses.replace(STUDY, arms=("direct", OWN)))


def test_a_stage_is_named_by_what_it_is_for(plan):
    root, adaptation, _, last = chain(plan, "dapt_then_itt")
    assert [plan.label(stage) for stage in (root, adaptation, last)] == [
        "1/30 bert, pretraining, seed 0",
        "12/30 bert, adaptation for inference, dapt, dapt_then_itt, seed 0",
        "30/30 bert, target inference, dapt_then_itt, seed 0",
    ]
    described = plan.described(adaptation)
    assert (described["targets"], described["arms"]) == (["inference"], ["dapt", "dapt_then_itt"])
    assert described["evaluated_as"] == []


def test_a_stage_that_arms_share_is_evaluated_as_the_arm_that_ends_with_it(plan):
    first, last = chain(plan, "matched_steps")[1:]
    assert plan.described(last)["evaluated_as"] == [{"target": "inference", "arm": "matched_steps"}]
    assert first.id not in plan.cells or plan.described(first)["evaluated_as"] == [
        {"target": "inference", "arm": "direct"}
    ]


def test_the_family_of_an_encoder_must_be_that_of_its_checkpoint(monkeypatch):
    tables = make_encoder("roberta").config, None
    monkeypatch.setattr(fitting, "given_tables", lambda spec: tables)
    study = dataclasses.replace(STUDY, encoders=(EncoderSpec("mine", "bert", checkpoint="folder"),), max_length=64)
    with pytest.raises(InputError, match=r"encoder 'mine': found family 'bert', expected .* folder, 'roberta'"):
        fitting.check_fits(study, (), Material(study))
