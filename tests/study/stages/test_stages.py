"""Stages: one class each, whose identity is everything that determines the result."""

import dataclasses

import numpy as np
import pytest

from itt_jax import kinds, tasks
from itt_jax.config import LanguageModel, Recipe
from itt_jax.data.parallel import ParallelTexts
from itt_jax.errors import InputError
from itt_jax.study import stages
from itt_jax.study.arms import Adapt, Arm, FineTune, MatchCompute
from itt_jax.study.material import Material, Selection
from itt_jax.study.stages import STAGES, Adaptation, FineTuning, Given, MatchedFineTuning, Place, Pretraining
from itt_jax.study.stages.adapt import as_much_text
from itt_jax.study.stages.fine_tune import best_score, join, steps_resolved
from itt_jax.study.stages.pretrain import as_corpus
from itt_jax.train import objectives
from tests.study.studies import ADAPTATION, INFERENCE, STUDY

SPEC = STUDY.encoders[0]
MATERIAL = Material(dataclasses.replace(STUDY, targets=(INFERENCE,)))
ROWS = Selection("embedded_inference_medical", "train", "en", 8)
TUNED = FineTuning(
    spec=SPEC, parent=Pretraining(spec=SPEC, id="root"), training=(ROWS,), dev=ROWS, recipe=Recipe(steps=2)
)
ADAPTED = Adaptation(spec=SPEC, parent=Pretraining(spec=SPEC, id="root"), training=(ROWS,), settings=ADAPTATION)


def test_every_class_is_in_the_tuple_and_described_once():
    assert set(STAGES) == {Given, Pretraining, Adaptation, FineTuning, MatchedFineTuning}
    described = [one.description for one in STAGES if one.description is not None]
    assert described == [Adapt, FineTune, MatchCompute]


def test_the_root_is_given_or_made():
    assert isinstance(stages.root(SPEC), Pretraining)
    assert isinstance(stages.root(dataclasses.replace(SPEC, checkpoint="x")), Given)
    assert stages.root(dataclasses.replace(SPEC, seed=3)).seed == 3


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        (TUNED, {"parent": Pretraining(spec=SPEC, id="another")}),
        (TUNED, {"training": (dataclasses.replace(ROWS, limit=7),)}),
        (TUNED, {"dev": dataclasses.replace(ROWS, split="dev")}),
        (TUNED, {"recipe": Recipe(steps=3)}),
        (TUNED, {"labels": "shuffled"}),
        (TUNED, {"seed": 1}),
        (TUNED, {"spec": dataclasses.replace(SPEC, pooling="mean")}),
        (ADAPTED, {"parent": Pretraining(spec=SPEC, id="another")}),
        (ADAPTED, {"training": (dataclasses.replace(ROWS, limit=7),)}),
        (ADAPTED, {"as_much_as": (ROWS,)}),
        (ADAPTED, {"settings": dataclasses.replace(ADAPTATION, masking=0.3)}),
        (ADAPTED, {"seed": 1}),
        (Pretraining(spec=SPEC), {"spec": dataclasses.replace(SPEC, width=32)}),
        (Pretraining(spec=SPEC), {"spec": dataclasses.replace(SPEC, corpus=())}),
        (Pretraining(spec=SPEC), {"spec": dataclasses.replace(SPEC, pretraining=LanguageModel())}),
        (Pretraining(spec=SPEC), {"spec": dataclasses.replace(SPEC, attention_dropout=0.0)}),
        (Pretraining(spec=SPEC), {"seed": 1}),
    ],
)
def test_what_determines_a_result_changes_the_id(stage, change):
    assert dataclasses.replace(stage, **change).identified(MATERIAL).id != stage.identified(MATERIAL).id


def test_a_format_of_trained_tokenizers_whose_ids_changed_is_part_of_the_id(tmp_path):
    def identity(**change):
        return Pretraining(spec=dataclasses.replace(SPEC, **change)).identity(MATERIAL)

    (tmp_path / "vocab.txt").write_text("[PAD]")
    assert len(identity(family="bert")) == len(identity(family="roberta")) == 7
    assert identity(family="xlnet")[7:] == [("tokenizer", 2)]
    assert identity(family="xlnet", tokenizer=str(tmp_path))[7:] == []


def test_masked_language_models_that_hide_tokens_in_vain_have_other_ids():
    """Since version 2 every hidden token is predicted; permuted ones are as before."""
    made = Pretraining(spec=dataclasses.replace(SPEC, pretraining=LanguageModel()))
    assert made.identity(MATERIAL)[7:] == [("language_model", 2)]
    permuted = Pretraining(spec=dataclasses.replace(SPEC, family="xlnet", pretraining=LanguageModel()))
    assert permuted.identity(MATERIAL)[7:] == [("tokenizer", 2)]
    assert ADAPTED.identity(MATERIAL)[-1] == ("language_model", 2)


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        (TUNED, {"role": "intermediate"}),
        (TUNED, {"spec": dataclasses.replace(SPEC, name="other")}),
        (ADAPTED, {"spec": dataclasses.replace(SPEC, name="other")}),
        (Pretraining(spec=SPEC), {"spec": dataclasses.replace(SPEC, name="other", pooling="mean")}),
    ],
)
def test_what_does_not_is_not_part_of_it(stage, change):
    assert dataclasses.replace(stage, **change).identified(MATERIAL).id == stage.identified(MATERIAL).id


@pytest.mark.parametrize("stage", [TUNED, ADAPTED])
def test_the_version_of_the_objective_changes_the_id(stage, monkeypatch):
    before = stage.identity(MATERIAL)
    monkeypatch.setattr(objectives, "OBJECTIVES", (dataclasses.replace(objectives.PLAIN, version=2),))
    assert stage.identity(MATERIAL) != before and stage.identity(MATERIAL)[: len(before)] == before


def test_a_given_checkpoint_is_named_by_its_files(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    spec = dataclasses.replace(SPEC, checkpoint=str(tmp_path))
    before = Given(spec=spec).identified(MATERIAL).id
    assert Given(spec=dataclasses.replace(spec, name="other")).identified(MATERIAL).id == before
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert Given(spec=spec).identified(Material(MATERIAL.study)).id != before
    assert Given(spec=spec).is_done(None)


def test_stages_that_may_train_together_have_one_key():
    keys = [
        dataclasses.replace(TUNED, **change).stack_key(MATERIAL)
        for change in (
            {},
            {"seed": 1},
            {"recipe": Recipe(steps=9, learning_rates=(1e-3, 1e-4))},
            {"recipe": Recipe(steps=2, max_length=32)},
            {"training": (dataclasses.replace(ROWS, task="embedded_sentiment_medical"),)},
        )
    ]
    assert keys[0] == keys[1] == keys[2] and keys[0] not in keys[3:]
    both = (ROWS, dataclasses.replace(ROWS, task="embedded_sentiment_medical"))
    assert dataclasses.replace(TUNED, training=both).stack_key(MATERIAL) is None
    assert ADAPTED.stack_key(MATERIAL) is None


def place(**changes) -> Place:
    about = {"spec": SPEC, "target": INFERENCE, "arm": Arm("own", "", ()), "seed": 5}
    return Place(**about | {"parent": Pretraining(spec=SPEC, id="root"), "material": MATERIAL} | changes)


def test_descriptions_are_filled_in_from_the_target():
    tuned = stages.planned(FineTune("intermediate", labels="shuffled"), place(is_last=False))
    assert tuned.training == (Selection("embedded_sentiment_general", "train", "en", 40),)
    assert tuned.dev == Selection("embedded_sentiment_general", "dev", "en", 10)
    assert (tuned.labels, tuned.role, tuned.seed, tuned.parent.id) == ("shuffled", "intermediate", 5, "root")
    adapted = stages.planned(Adapt("general"), place())
    assert [own.task for own in adapted.training] == ["embedded_inference_general"]
    assert [own.task for own in adapted.as_much_as] == ["embedded_inference_medical"]
    assert adapted.settings == ADAPTATION


def test_a_description_that_no_class_knows_is_named():
    with pytest.raises(InputError, match="arm 'own': no stage is described by str"):
        stages.planned("itt", place())


def test_all_languages_and_other_recipes():
    every = stages.planned(FineTune("target", languages="all"), place())
    assert [own.language for own in every.training] == ["en", "de", "es", "fr", "ru"]
    assert every.dev.language == "en"
    direct = stages.planned(FineTune("target"), place())
    assert every.recipe == direct.recipe
    long = stages.planned(FineTune("target", recipe="intermediate"), place())
    assert long.training == direct.training
    assert long.recipe == stages.planned(FineTune("intermediate"), place()).recipe != direct.recipe


def test_steps_follow_from_epochs_unless_they_are_set():
    rows = len(MATERIAL.uncontaminated_rows(ROWS))
    assert steps_resolved(Recipe(epochs=3, batch_size=5), ROWS, MATERIAL).steps == -(-3 * rows // 5)
    assert steps_resolved(Recipe(epochs=0.01, batch_size=100), ROWS, MATERIAL).steps == 1
    assert steps_resolved(Recipe(steps=7), ROWS, MATERIAL).steps == 7


def test_training_tokens_are_estimated():
    assert ADAPTED.training_tokens(MATERIAL) == 3 * 32 * 64
    assert 0 < TUNED.training_tokens(MATERIAL) <= 2 * 32 * 128
    assert Given(spec=SPEC).training_tokens(MATERIAL) == Pretraining(spec=SPEC).training_tokens(MATERIAL) == 0


def test_as_much_text_is_the_first_texts_that_reach_the_length():
    texts = ["ab", "cde", "fg", "h"]
    assert [as_much_text(texts, wanted) for wanted in (1, 2, 3, 5, 99)] == [
        texts[:1], texts[:1], texts[:2], texts[:2], texts,
    ]  # fmt: skip


def test_sources_are_one_corpus():
    first = ParallelTexts("a", ("en", "de"), {"en": ["one", "two"], "de": ["eins", None]})
    second = ParallelTexts("b", ("en",), {"en": ["three"]})
    corpus = as_corpus([first, second])
    assert corpus.texts == {"en": ["one", "two", "three"], "de": ["eins"]}
    assert corpus.tuples == [{"en": "one", "de": "eins"}]


def test_shuffled_labels_are_the_same_labels_and_depend_on_the_seed():
    task = tasks.get("embedded_inference_medical")
    rows = tasks.limit(tasks.load_rows(task, "train", "en"), 60)
    kind = kinds.kind(task.kind)
    found = [kind.shuffle(task, rows, seed).labels for seed in (0, 0, 1)]
    assert sorted(found[0]) == sorted(rows.labels)
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[0], found[2])
    assert not np.array_equal(found[0], rows.labels)


def test_languages_are_joined_into_one_training_set():
    task = tasks.get("embedded_inference_medical")
    parts = [tasks.limit(tasks.load_rows(task, "train", language), 4) for language in ("en", "de")]
    joined = join(kinds.kind(task.kind), parts)
    assert len(joined) == 8 and list(joined.labels) == [*parts[0].labels, *parts[1].labels]
    assert all(joined.fields[name] == [*texts, *parts[1].fields[name]] for name, texts in parts[0].fields.items())


def test_a_diverged_run_loses_against_any_other():
    class Result:
        def __init__(self, history, diverged=False):
            self.dev_history, self.diverged = history, diverged

    assert best_score(Result([(1, 0.2), (2, 0.6), (3, 0.4)])) == 0.6
    assert best_score(Result([(1, 0.9)], diverged=True)) == best_score(Result([(1, float("nan"))])) == -np.inf


def test_dev_checks_follow_the_study_and_are_of_its_rows():
    """Another study may call the same tasks otherwise, and check the stage on other dev rows of its other tasks."""
    others = [dataclasses.replace(ROWS, split="dev", limit=limit) for limit in (3, 4)]
    stage = dataclasses.replace(TUNED, other_dev=tuple(others))
    first, second, third = (
        {"task": f"old {limit}", "dev": limit, "digest": MATERIAL.digest(rows, uncontaminated=True)}
        for limit, rows in ((8, ROWS), (3, others[0]), (4, others[1]))
    )

    def own(found, stage=stage):
        return [(check["task"], check["dev"]) for check in stage.own_checks(found, MATERIAL)]

    name = ROWS.task
    assert own([first, second, third]) == [(name, 8), (name, 3), (name, 4)]
    assert own([first, third, second | {"digest": "other rows"}]) == [(name, 8), (name, 4)]
    assert own([first, second], TUNED) == [(name, 8)] and own([]) == []
    # of earlier versions, without digests: by name, but the first, whose rows are part of the id
    assert own([{"task": "old", "dev": 8}, {"task": name, "dev": 3}, {"task": "x", "dev": 4}]) == [(name, 8), (name, 3)]
    adapted = dataclasses.replace(ADAPTED, held_out=tuple(others))
    names, digest = adapted.held_out_rows(MATERIAL)
    check = {"task": "old", "dev": 7.1, "digest": digest}
    assert own([check], adapted) == [(names, 7.1)] and names == f"{name}, {name}"
    assert own([check], dataclasses.replace(adapted, held_out=(ROWS,))) == own([check], ADAPTED) == []
    assert TUNED.identified(MATERIAL).id == stage.identified(MATERIAL).id
    assert ADAPTED.identified(MATERIAL).id == adapted.identified(MATERIAL).id
