"""Declarations, and studies that grow by seeds until they are decided."""

import dataclasses
import functools
import json
import types

import pandas as pd
import pytest

from itt_jax.analysis.looks import Looked
from itt_jax.config import Claim, Corpus, EncoderSpec, Perturbation, Recipe, Stopping, validate
from itt_jax.errors import InputError
from itt_jax.report.declared import sentences
from itt_jax.store import Store
from itt_jax.store.sharing import Sharing
from itt_jax.study import deciding, declaring
from itt_jax.study import plan as plans
from itt_jax.study.cells import cells_of
from itt_jax.study.growth import value_changes
from itt_jax.study.material import Material
from itt_jax.study.plan import make_plan
from itt_jax.study.running import Results
from tests.shared import Memory
from tests.study.studies import STUDY

TARGET = dataclasses.replace(STUDY.targets[0], intermediate=("embedded_sentiment_general",))
ASKED = dataclasses.replace(
    STUDY,
    arms=("direct", "itt"),
    targets=(TARGET,),
    perturbations=(Perturbation("swap"),),
    stopping=Stopping((2, 4, 6)),
)
GAIN = Claim("gain", "ITT helps.", "question", "itt", "direct")


def target(**changes) -> dict:
    """The study's target with some fields changed."""
    return {"targets": (dataclasses.replace(TARGET, **changes),)}


CHANGES = {
    "claims: added 'gain'": {"claims": (GAIN,)},
    "arms: added 'multitask_itt'": {"arms": ("direct", "itt", "multitask_itt")},
    "languages: ['en', 'de'] -> ['en', 'de', 'es']": {"languages": ("en", "de", "es")},
    "targets: added 'again'": {"targets": (TARGET, dataclasses.replace(TARGET, name="again"))},
    "targets.sentiment.languages: [] -> ['de']": target(languages=("de",)),
    "targets.sentiment.evaluate: [] -> ['embedded_sentiment_general']": target(
        evaluate=("embedded_sentiment_general",)
    ),
    "targets.sentiment.train_split: 'train' -> 'dev'": target(train_split="dev", dev_split="train"),
    "targets.sentiment.train_rows: None -> 20": target(train_rows=20),
    "targets.sentiment.recipe.steps: 1 -> 2": target(recipe=Recipe(steps=2)),
    "perturbations: added 'keyboard'": {"perturbations": (Perturbation("swap"), Perturbation("keyboard"))},
    "perturbations.swap.severities: [0.1] -> [0.2]": {"perturbations": (Perturbation("swap", (0.2,)),)},
    "encoders: added 'xlnet'": {
        "encoders": (*STUDY.encoders, EncoderSpec("xlnet", "xlnet", corpus=(Corpus("embedded", tuples=50),)))
    },
    "encoders.bert.pooling: 'pretrained' -> 'mean'": {
        "encoders": (dataclasses.replace(STUDY.encoders[0], pooling="mean"),)
    },
    "smallest_effect: 0.02 -> 0.01": {"smallest_effect": 0.01},
    "stopping.looks: [2, 4, 6] -> [2, 4]": {"stopping": Stopping((2, 4))},
    "seeds: [0, 1, 2, 3, 4, 5] -> [7, 0, 1, 2, 3, 4]": {"seeds": (7,)},
    "evaluation_rows: 5 -> 6": {"evaluation_rows": 6},
    "noise_seed: 0 -> 1": {"noise_seed": 1},
}
"""What can no longer change once a study was looked at: how it is said, and the fields of the study."""


MATERIAL = Material(ASKED)


@functools.cache
def content(study, looks=()):
    """What a study declares; which rows are dropped as contaminated is that of ASKED, since reading takes long."""
    return declaring.content(make_plan(study, MATERIAL), MATERIAL, looks)


def declared(store, study, looks=()):
    """The declaration of a study for a folder."""
    return declaring.declared(store, content(study, looks))


def written(out, entry, *, done=0, stages=2):
    """A folder that holds that declaration and `done` of its target stages."""
    store = Store(out)
    named = [{"id": f"s{number}", "kind": "target"} for number in range(stages)]
    store.write_plan({"study_id": "x", "name": "small", "declared": entry, "stages": named, "seeds": [0, 1]})
    for stage in named[:done]:
        store.write_record(stage["id"], stage)
    return store


def test_a_declaration_may_be_replaced_before_the_first_target_stage_and_is_kept_after_it(tmp_path):
    store = Store(tmp_path)
    first = declared(store, STUDY)
    assert first["target_stages"] == 0 and first["content"]["stopping"] == {"seeds": 1} and not first["changes"]
    written(tmp_path, first)
    other = dataclasses.replace(STUDY, smallest_effect=0.01)
    replaced = declared(store, other)
    assert replaced["hash"] != first["hash"] and not replaced["changes"]
    written(tmp_path, first, done=1)
    assert declared(store, STUDY) == json.loads(json.dumps(first))
    changed = declared(store, dataclasses.replace(other, perturbations=(Perturbation("swap"),)))
    assert changed["time"] == first["time"] and changed["content"]["smallest_effect"] == 0.01
    (change,) = changed["changes"]
    assert change["target_stages"] == 1 and change["before"] == first["hash"] and change["hash"] == changed["hash"]
    cells, *named = change["fields"]
    assert named == ["perturbations: added 'swap'", "smallest_effect: 0.02 -> 0.01"] and cells.startswith("cells: '")
    written(tmp_path, changed, done=2)
    again = declared(store, dataclasses.replace(STUDY, seeds=(0, 1)))
    assert again["changes"][1]["fields"][-1] == "stopping.seeds: 1 -> 2"  # a seed more of a fixed number is a change


def test_a_declaration_is_kept_where_the_plan_no_longer_has_the_stages_that_were_done(tmp_path):
    first = declared(Store(tmp_path), STUDY)
    store = written(tmp_path, first, done=1)
    store.write_plan(store.plan() | {"stages": [{"id": "other", "kind": "target"}]})
    changed = declared(store, dataclasses.replace(STUDY, seeds=(0, 1)))
    assert changed["changes"][0]["target_stages"] == 1
    store.write_plan(store.plan() | {"declared": changed})
    (store.stage("s0") / "record.json").unlink()
    again = declared(store, dataclasses.replace(STUDY, seeds=(0, 1, 2)))
    assert [own["stopping_before"]["seeds"] for own in again["changes"]] == [1, 2]
    said, *changes = sentences(types.SimpleNamespace(declared=again | {"time": 0.0}, looked=Looked()))
    assert said.endswith(f"before the first target stage (1970-01-01 00:00 UTC, hash {first['hash']}): 1 seed.")
    assert len(changes) == 2


def test_a_folder_without_a_declaration_says_how_many_target_stages_were_done(tmp_path):
    store = written(tmp_path, None, done=2)
    plan = store.plan()
    plan.pop("declared")
    store.write_plan(plan)
    assert declared(store, STUDY)["target_stages"] == 2


def test_a_new_folder_continues_what_its_shared_folder_has_declared_and_looked_at(tmp_path):
    memory = Memory()
    one, two, three, four = (Store(path, Sharing(path, memory)) for path in map(tmp_path.joinpath, "1234"))
    first = declared(one, STUDY)
    one.write_record("s0", {"id": "s0", "kind": "target"})
    one.sync()
    two.sync()
    assert declared(two, STUDY) == json.loads(json.dumps(first))
    other = dataclasses.replace(STUDY, smallest_effect=0.01)
    changed = declared(two, other)
    (change,) = changed["changes"]
    assert (change["before"], change["hash"], change["target_stages"]) == (first["hash"], changed["hash"], 1)
    assert change["fields"] == ["smallest_effect: 0.02 -> 0.01"] and changed["time"] == first["time"]
    three.sync()
    assert declared(three, other) == json.loads(json.dumps(changed))
    three.agreed.create_look(changed["hash"], 2, {"seeds": 2, "stop": False, "questions": []})
    four.sync()
    with pytest.raises(InputError, match=r"was looked at already.*smallest_effect: 0.01 -> 0.02.* --out and --share"):
        declared(four, STUDY)
    assert declared(four, other)["changes"] == [json.loads(json.dumps(change))]


@pytest.mark.slow
@pytest.mark.volume
def test_what_determines_questions_or_answers_is_fixed_by_the_first_look(tmp_path):
    first = declared(Store(tmp_path), ASKED, ASKED.stopping.looks)
    store = written(tmp_path, first)
    store.agreed.create_look(first["hash"], 2, {"seeds": 2, "stop": False, "questions": []})
    for said, fields in CHANGES.items():
        study = dataclasses.replace(ASKED, **fields)
        with pytest.raises(InputError, match="was looked at already") as raised:
            declared(store, study, study.stopping.looks)
        assert said in str(raised.value)
    described = dataclasses.replace(ASKED, description="x", save_checkpoints="none", seeds=(0, 1, 2))
    assert declared(store, described, ASKED.stopping.looks)["hash"] == first["hash"]


def test_versions_and_files_count_by_what_they_hold(monkeypatch):
    own, spec = content(ASKED), dataclasses.replace(ASKED.encoders[0], checkpoint="here", tokenizer="there")
    read = types.SimpleNamespace(checkpoint_digest=lambda path: "c1", tokenizer_digest=lambda spec: "t1")
    found = declaring._by_content(spec, read)
    assert (found.checkpoint, found.tokenizer) == ("c1", "t1")
    monkeypatch.setattr(plans, "cells_of", lambda *about: (dataclasses.replace(c, cell="v2") for c in cells_of(*about)))
    assert next(iter(value_changes(own, content.__wrapped__(ASKED)))).startswith("cells: '")


def test_seeds_may_be_added_at_any_time_and_not_taken_back(tmp_path):
    study = dataclasses.replace(ASKED, stopping=Stopping(anytime=True), seeds=(0, 1))
    first = declared(Store(tmp_path), study)
    store = written(tmp_path, first, done=1)
    more = declared(store, dataclasses.replace(study, seeds=(0, 1, 5)))
    assert more["hash"] == first["hash"] and not more["changes"] and more["content"]["seeds"] == [0, 1, 5]
    store.write_plan(store.plan() | {"declared": more})
    (change,) = declared(store, dataclasses.replace(study, seeds=(0, 5)))["changes"]
    assert change["fields"] == ["seeds: [0, 1, 5] -> [0, 5]"]


def test_looks_are_cut_beforehand_and_seeds_grow_from_those_of_the_study():
    assert deciding.looks_of(ASKED) == (2, 4, 6)
    assert deciding.looks_of(ASKED, 5) == (2, 4, 5) and deciding.looks_of(ASKED, 4) == (2, 4)
    assert deciding.looks_of(ASKED, 99) == (2, 4, 6) and deciding.looks_of(ASKED, 2) == (2,)
    assert declaring.with_seeds(dataclasses.replace(ASKED, seeds=(7, 1)), 5).seeds == (7, 1, 0, 2, 3)
    with pytest.raises(InputError, match="--max-seeds: found 1, expected at least 2"):
        deciding.looks_of(ASKED, 1)
    with pytest.raises(InputError, match="no treatment with a baseline among the arms direct"):
        deciding.looks_of(STUDY)
    with pytest.raises(InputError, match=r"study.stopping.looks: expected increasing .* found \(3, 3\)"):
        validate(dataclasses.replace(STUDY, stopping=Stopping(looks=(3, 3))))


def row(verdict, estimate=0.1, family="primary"):
    return {"family": family, "question": "bert, itt against direct", "verdict": verdict, "estimate": estimate}


@pytest.fixture
def rounds(monkeypatch, tmp_path):
    """Runs without training: [seeds of each run]; every run writes the declaration and finishes a target stage."""
    found = []

    def run(study, out, data_root, quiet, stack, profile, looks, tracking, cache, share):
        entry = declared(Store(out), study, looks)
        written(out, entry, done=1)
        found.append(study.seeds)
        return Results(out, 10, 5)

    monkeypatch.setattr(deciding, "run", run)
    return found


def until(out, judge, **settings):
    return deciding.run_until_decided(ASKED, out, judge, quiet=True, **settings)


def test_seeds_are_added_until_every_primary_question_is_decided(rounds, tmp_path):
    seen = []

    def judge(out, seeds):
        seen.append(seeds)
        open_question = row("undetermined" if seeds < 4 else "negligible")
        return [open_question, row("undetermined", None), row("undetermined", family="claims")]

    assert until(tmp_path, judge).made == 10
    assert rounds == [(0, 1), (0, 1, 2, 3)] and seen == [2, 4]
    store = Store(tmp_path)
    looks = store.agreed.looks(store.plan()["declared"]["hash"])
    assert [(look["seeds"], look["stop"]) for look in looks] == [(2, False), (4, True)]
    events = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(event["event"], event["undecided"]) for event in events] == [
        ("look", ["bert, itt against direct"]),
        ("look", []),
    ]
    until(tmp_path, judge)  # nothing is looked at again
    assert seen == [2, 4] and rounds[2:] == [(0, 1, 2, 3)] and not store.plan()["declared"]["changes"]


def test_an_interrupted_study_continues_after_its_last_look_and_stops_at_the_last(rounds, tmp_path):
    def judge(out, seeds):
        if seeds == 4 and len(rounds) == 2:
            raise KeyboardInterrupt
        return [row("undetermined")]

    with pytest.raises(KeyboardInterrupt):
        until(tmp_path, judge)
    until(tmp_path, judge)
    assert [len(seeds) for seeds in rounds] == [2, 4, 4, 6]
    with pytest.raises(InputError, match=r"was looked at already.*; continue it with --until-decided"):
        declared(Store(tmp_path), ASKED)
    with pytest.raises(InputError, match=r"stopping.looks: \[2, 4, 6\] -> \[2, 3\]"):  # looks would begin anew
        until(tmp_path, judge, max_seeds=3)
    assert not Store(tmp_path).plan()["declared"]["changes"]


@pytest.mark.parametrize(
    ("perturbation", "shown"),
    [
        ("clean", "because no text is perturbed and no domain shifted"),
        ("swap", "because no score is above chance in both"),
    ],
)
def test_a_study_without_an_answer_is_told_why(rounds, tmp_path, capsys, perturbation, shown):
    """One that perturbs nothing has no robustness, whatever its signal."""
    results = {"model": "bert", "arm": "direct", "task": "t", "split": "test", "domain": "d", "language": "en"}
    results |= {
        "severity": 0.0,
        "replicate": 0,
        "metric": "accuracy",
        "value": 0.9,
        "n": 5,
        "perturbation": perturbation,
    }

    def judge(out, seeds):
        frame = pd.DataFrame([results | {"cell": str(seed), "seed": seed} for seed in range(seeds)])
        frame.to_parquet(Store(out).results)
        return [row("undetermined", None)]

    deciding.run_until_decided(ASKED, tmp_path, judge)
    assert (
        f"look at 2 seeds: no primary question has an answer, {shown}" in capsys.readouterr().err and len(rounds) == 1
    )


def test_claims_name_what_the_study_has():
    claim = GAIN
    validate(dataclasses.replace(STUDY, claims=(claim,)))
    for fields, message in (
        ({"better": "it"}, "unknown arms in study.claims.gain: 'it'"),
        ({"targets": ("x",)}, "unknown targets in study.claims.gain: 'x'"),
        ({"between": "encoders"}, "unknown encoders in study.claims.gain: 'itt'"),
        ({"worse": "itt"}, "study.claims.gain.worse: expected another name"),
        ({"quantity": "transfer", "between": "encoders"}, "study.claims.gain.quantity: encoders are compared by"),
        ({"published": (1.0,)}, "study.claims.gain.published: expected the scores"),
        ({"quantity": "robustness"}, "study.claims.gain.perturbation: robustness needs"),
        ({"arms": ("itt",)}, "study.claims.gain.arms: expected none; a claim between arms"),
        ({"bound": -1.0}, "study.claims.gain.bound: expected more than 0"),
    ):
        with pytest.raises(InputError, match=message):
            validate(dataclasses.replace(STUDY, claims=(dataclasses.replace(claim, **fields),)))
