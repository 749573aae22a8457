"""Studies that change between two runs into one folder: what is made, what is said, what the results describe."""

import dataclasses
import json
from types import SimpleNamespace

import jax
import numpy as np
import pandas as pd
import pytest

from itt_jax import files
from itt_jax.config import Corpus, Perturbation, canonical
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.merging import merge
from itt_jax.study import describe, growth, run
from itt_jax.study.caching import Caching
from itt_jax.study.leading import Leader
from itt_jax.study.material import Material
from itt_jax.study.publishing import Publisher
from itt_jax.train.checkpoint import load_checkpoint
from tests.study.studies import STUDY, joined, planned

SIZES = {"layers": 1, "width": 8, "feed_forward": 16, "vocabulary_size": 120}
CORPUS = Corpus("embedded", tuples=50, languages=("en", "de"))  # it would else have the study's languages
SMALL = dataclasses.replace(
    STUDY,
    encoders=(dataclasses.replace(STUDY.encoders[0], corpus=(CORPUS,), **SIZES),),
    targets=(dataclasses.replace(STUDY.targets[0], train_rows=8, dev_rows=4),),
    perturbations=(Perturbation("swap", (0.1,)),),
    languages=("en",),
)


def changed(**fields) -> list[str]:
    """What is said of a study that differs from STUDY in these fields."""
    return growth.study_changes(json.loads(json.dumps(canonical(STUDY))), dataclasses.replace(STUDY, **fields))


def test_each_changed_field_is_one_line():
    target = dataclasses.replace(STUDY.targets[0], train_rows=9)
    assert changed() == []
    assert changed(seeds=(0, 1), name="other") == ["name: 'small' -> 'other'", "seeds: [0] -> [0, 1]"]
    assert changed(contamination="off") == ["contamination: the default -> 'off'"]
    assert changed(targets=(target,)) == ["targets.sentiment.train_rows: None -> 9"]
    assert changed(targets=(dataclasses.replace(target, name="new"),)) == [
        "targets: removed 'sentiment'",
        "targets: added 'new'",
    ]
    assert changed(perturbations=(Perturbation("swap"),)) == ["perturbations: added 'swap'"]
    assert all(len(line) < 250 and "\n" not in line for line in changed(description="long " * 100))


def plan_of(out, **fields) -> list[str]:
    return growth.changes(Store(out), planned(**fields), {})


def test_a_folder_of_an_evaluation_or_of_an_unrelated_study_is_refused(tmp_path):
    plan = {"study_id": "x", "name": "evaluation of bert"}
    Store(tmp_path).write_plan(plan)
    with pytest.raises(InputError, match="holds 'evaluation of bert', which is not a study"):
        plan_of(tmp_path)
    Store(tmp_path).write_plan(plan | {"name": "theirs", "study": {"name": "theirs"}, "stages": []})
    with pytest.raises(InputError, match="holds study 'theirs', with which study 'small' has no stage in common"):
        plan_of(tmp_path)
    Store(tmp_path).write_plan(plan | {"name": "small", "study": {"name": "small"}, "stages": []})
    assert plan_of(tmp_path)  # all of it is new, but it is the same study


def test_an_encoder_with_another_name_keeps_its_precision(tmp_path):
    store, plan = Store(tmp_path), planned()
    stages = [plan.described(stage) | {"encoder": "before"} for stage in plan.stages.values()]
    store.write_plan({"study_id": "x", "name": "small", "study": {"name": "small"}, "stages": stages})
    files.write_text(tmp_path / "precision" / "before", "bfloat16")
    growth.changes(store, plan, {})
    growth.carry_precision(store, plan)
    assert store.agreed.precisions(["bert"]) == {"bert": "bfloat16"}
    files.write_text(tmp_path / "precision" / "bert", "float32")
    with pytest.raises(InputError, match=r"encoder 'bert': called 'before' in .* with scores in bfloat16"):
        growth.changes(store, plan, {})


def test_dev_checks_of_another_study_have_todays_names_in_the_plan_and_when_taken_from_a_cache(tmp_path):
    store, plan = Store(tmp_path), planned()
    (stage,) = (own for own in plan.stages.values() if own.kind == "target")
    found = plan.described(stage) | {"dev_checks": [{"task": "before", "dev": 0.5}]}
    store.write_record(stage.id, found)
    own = dataclasses.replace(joined(plan), material=Material(plan.study))
    Publisher(store, own, {}).write_plan()
    (record,) = store.plan()["stages_done"]
    assert store.plan()["cell_ids"] == [cell.cell for cell in plan.cells[stage.id]]
    taken = Caching(SimpleNamespace(take=lambda *stage: found), own, store, print).take(stage)
    assert record["dev_checks"] == taken["dev_checks"] == [{"task": "embedded_sentiment_legal", "dev": 0.5}]


def test_the_same_encoder_under_two_names_is_refused():
    with pytest.raises(InputError, match="encoders 'bert' and 'twin' have the same content"):
        planned(encoders=(STUDY.encoders[0], dataclasses.replace(STUDY.encoders[0], name="twin")))


@pytest.mark.slow
def test_only_what_is_missing_is_made_and_results_follow_the_plan(tmp_path, capsys):
    def results(study):
        made = run(study, tmp_path / "out")
        frame = made.to_pandas()
        assert len(frame) == made.cells
        return made.made, frame

    assert results(SMALL)[0] == 2
    whole = dataclasses.replace(
        SMALL,
        description="more",
        seeds=(0, 1),
        perturbations=(Perturbation("swap", (0.1, 0.2)),),
        languages=("en", "de"),
    )
    cells = {path: path.read_bytes() for path in (tmp_path / "out" / "cells").glob("*.parquet")}
    found = describe(whole, tmp_path / "out")
    assert (found.cells, found.cells_done, found.others) == (12, 2, (0, 0))
    assert "seeds: [0] -> [0, 1]" in found.text()
    capsys.readouterr()
    made, frame = results(whole)
    assert made == 10 and set(frame["seed"]) == {0, 1}
    said = capsys.readouterr().err
    assert "changed: description: '' -> 'more'" in said and "changed: languages: ['en'] -> ['en', 'de']" in said
    assert all(path.read_bytes() == content for path, content in cells.items())
    # the same cells as in a folder of its own
    fresh = run(whole, tmp_path / "fresh", quiet=True).to_pandas()
    pd.testing.assert_frame_equal(frame, fresh)
    # a smaller study reports its own cells, and nothing is deleted
    renamed = dataclasses.replace(SMALL, encoders=(dataclasses.replace(SMALL.encoders[0], name="new"),))
    assert describe(renamed, tmp_path / "out").others == (1, 10 + 3)  # three are of dev rows
    made, frame = results(renamed)
    assert made == 0 and set(frame["model"]) == {"new"} and set(frame["seed"]) == {0}
    assert results(whole)[0] == 0


@pytest.mark.slow
def test_how_layers_are_run_may_change_at_any_time(tmp_path):
    """Stages and cells stay valid, and those that are made otherwise are equal to rounding."""
    deep = dataclasses.replace(SMALL, encoders=(dataclasses.replace(SMALL.encoders[0], layers=3),))
    first, whole = dataclasses.replace(deep, seeds=(0,)), dataclasses.replace(deep, seeds=(0, 1))
    plain = run(whole, tmp_path / "plain", quiet=True).to_pandas()
    run(first, tmp_path / "out", quiet=True)
    made = run(dataclasses.replace(whole, remat=True, scan_layers=True), tmp_path / "out", quiet=True)
    assert (made.made, made.cells) == (2, 4)
    assert list(made.to_pandas()["cell"]) == list(plain["cell"])
    (target,) = (own["id"] for own in Store(made.out).records() if own["kind"] == "target" and own["seed"] == 1)
    one, other = (load_checkpoint(tmp_path / name / "stages" / target).params for name in ("plain", "out"))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), one, other)


@pytest.mark.slow
@pytest.mark.volume
def test_seeds_that_were_run_apart_are_one_study_once_merged(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    apart = [
        run(dataclasses.replace(SMALL, seeds=(seed,)), out, quiet=True).to_pandas() for seed, out in enumerate(folders)
    ]
    found = merge(folders, tmp_path / "both")
    assert (found.cells, found.others) == (2, 3)  # with a cell of dev rows
    both = run(dataclasses.replace(SMALL, seeds=(0, 1)), tmp_path / "both", quiet=True)
    assert both.made == 0
    frames = (frame.sort_values("cell", ignore_index=True) for frame in (pd.concat(apart), both.to_pandas()))
    pd.testing.assert_frame_equal(*frames)


@pytest.mark.slow
def test_a_run_that_ends_after_the_study_was_changed_leaves_plan_and_results_alone(tmp_path, monkeypatch, capsys):
    larger, everything = dataclasses.replace(SMALL, seeds=(0, 1)), Leader.all

    def meanwhile(self):
        made = everything(self)
        monkeypatch.setattr(Leader, "all", everything)
        run(larger, tmp_path, quiet=True)
        return made

    monkeypatch.setattr(Leader, "all", meanwhile)
    assert run(SMALL, tmp_path).made == 2
    assert "was given another version of the study meanwhile" in capsys.readouterr().err
    assert set(pd.read_parquet(tmp_path / "results.parquet")["seed"]) == {0, 1}
    assert Store(tmp_path).plan()["seeds"] == [0, 1]
