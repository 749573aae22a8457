"""Declarations, and studies that grow by seeds until they are decided."""

import dataclasses
import json
import types

import pytest

from itt_jax.analysis.looks import Looked
from itt_jax.config import Claim, Perturbation, Stopping, validate
from itt_jax.errors import InputError
from itt_jax.report.declared import sentences
from itt_jax.store import Store
from itt_jax.study import deciding, declaring
from itt_jax.study.running import Results
from tests.study.studies import STUDY

ASKED = dataclasses.replace(STUDY, arms=("direct", "itt"), stopping=Stopping(looks=(2, 4, 6)))


def written(out, entry, *, done=0, stages=2):
    """A folder that holds that declaration and `done` of its target stages."""
    store = Store(out)
    named = [{"id": f"s{number}", "kind": "target"} for number in range(stages)]
    store.write_plan({"study_id": "x", "name": "small", "declared": entry, "stages": named, "seeds": [0, 1]})
    for stage in named[:done]:
        store.write_record(stage["id"], {"kind": "target"})
    return store


def test_a_declaration_may_be_replaced_before_the_first_target_stage_and_is_kept_after_it(tmp_path):
    store = Store(tmp_path)
    first = declaring.declared(store, STUDY)
    assert first["target_stages"] == 0 and first["content"]["stopping"] == {"seeds": 1} and not first["changes"]
    written(tmp_path, first)
    other = dataclasses.replace(STUDY, smallest_effect=0.01)
    replaced = declaring.declared(store, other)
    assert replaced["hash"] != first["hash"] and not replaced["changes"]
    written(tmp_path, first, done=1)
    assert declaring.declared(store, STUDY) == json.loads(json.dumps(first))
    changed = declaring.declared(store, dataclasses.replace(other, perturbations=(Perturbation("swap"),)))
    assert changed["time"] == first["time"] and changed["content"]["smallest_effect"] == 0.01
    (change,) = changed["changes"]
    assert change["target_stages"] == 1 and change["before"] == first["hash"] and change["hash"] == changed["hash"]
    assert change["fields"] == ["perturbations: added 'swap'", "smallest_effect: 0.02 -> 0.01"]
    written(tmp_path, changed, done=2)
    again = declaring.declared(store, dataclasses.replace(STUDY, seeds=(0, 1)))
    assert [len(own["fields"]) for own in again["changes"]] == [2, 3]  # a seed more of a fixed number is a change


def test_a_declaration_is_kept_where_the_plan_no_longer_has_the_stages_that_were_done(tmp_path):
    first = declaring.declared(Store(tmp_path), STUDY)
    store = written(tmp_path, first, done=1)
    store.write_plan(store.plan() | {"stages": [{"id": "other", "kind": "target"}]})
    changed = declaring.declared(store, dataclasses.replace(STUDY, seeds=(0, 1)))
    assert changed["changes"][0]["target_stages"] == 1
    store.write_plan(store.plan() | {"declared": changed})
    (store.stage("s0") / "record.json").unlink()
    again = declaring.declared(store, dataclasses.replace(STUDY, seeds=(0, 1, 2)))
    assert [own["stopping_before"]["seeds"] for own in again["changes"]] == [1, 2]
    said, *changes = sentences(types.SimpleNamespace(declared=again | {"time": 0.0}, looked=Looked()))
    assert said.endswith(f"before the first target stage (1970-01-01 00:00 UTC, hash {first['hash']}): 1 seed.")
    assert len(changes) == 2


def test_a_folder_without_a_declaration_says_how_many_target_stages_were_done(tmp_path):
    store = written(tmp_path, None, done=2)
    plan = store.plan()
    plan.pop("declared")
    store.write_plan(plan)
    assert declaring.declared(store, STUDY)["target_stages"] == 2


def test_looks_are_cut_beforehand_and_seeds_grow_from_those_of_the_study():
    assert deciding.looks_of(ASKED) == (2, 4, 6)
    assert deciding.looks_of(ASKED, 5) == (2, 4, 5) and deciding.looks_of(ASKED, 4) == (2, 4)
    assert deciding.looks_of(ASKED, 99) == (2, 4, 6) and deciding.looks_of(ASKED, 2) == (2,)
    assert deciding.with_seeds(dataclasses.replace(ASKED, seeds=(7, 1)), 5).seeds == (7, 1, 0, 2, 3)
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

    def run(study, out, data_root, quiet, stack, profile, looks):
        entry = declaring.declared(Store(out), study, looks)
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
    looks = store.looks(store.plan()["declared"]["hash"])
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
        declaring.declared(Store(tmp_path), ASKED)
    with pytest.raises(InputError, match=r"stopping.looks: \[2, 4, 6\] -> \[2, 3\]"):  # looks would begin anew
        until(tmp_path, judge, max_seeds=3)
    assert not Store(tmp_path).plan()["declared"]["changes"]


def test_claims_name_what_the_study_has():
    claim = Claim("gain", "ITT helps.", "question", "itt", "direct")
    validate(dataclasses.replace(STUDY, claims=(claim,)))
    for fields, message in (
        ({"better": "it"}, "unknown arms in study.claims.gain: 'it'"),
        ({"targets": ("x",)}, "unknown targets in study.claims.gain: 'x'"),
        ({"between": "encoders"}, "unknown encoders in study.claims.gain: 'itt'"),
        ({"worse": "itt"}, "study.claims.gain.worse: expected another one"),
        ({"quantity": "transfer", "between": "encoders"}, "study.claims.gain.quantity: encoders are compared by"),
        ({"published": (1.0,)}, "study.claims.gain.published: expected the scores"),
        ({"quantity": "robustness"}, "study.claims.gain.perturbation: robustness needs"),
        ({"arms": ("itt",)}, "study.claims.gain.arms: a claim between arms"),
        ({"bound": -1.0}, "study.claims.gain.bound: expected more than 0"),
    ):
        with pytest.raises(InputError, match=message):
            validate(dataclasses.replace(STUDY, claims=(dataclasses.replace(claim, **fields),)))
