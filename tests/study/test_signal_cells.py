"""Cells of clean dev rows, which decide what has signal: which rows they have, and that they are no results."""

import dataclasses

from itt_jax.config import Target
from itt_jax.data.contamination import contaminated
from itt_jax.study.clustering import plan_clusters
from itt_jax.study.material import Material, Selection
from tests.study import studies

DEV = Selection("embedded_sentiment_legal", "dev", "de", 5)


def test_every_evaluated_language_has_clean_dev_cells_beside_its_results():
    plan = studies.planned()
    found = plan.signal_cells()
    assert {(cell.split, cell.language, cell.perturbation) for cell in found} == {
        ("dev", "en", "clean"),
        ("dev", "de", "clean"),
    }
    results = plan.all_cells()
    assert {cell.split for cell in results} == {"test"}
    assert not {cell.cell for cell in found} & {cell.cell for cell in results}
    assert {cell.stage for cell in found} == {cell.stage for cell in results}


def test_dev_rows_that_are_evaluated_decide_nothing_under_any_rule():
    for rule in ("whole_input", "any_field", "off"):
        material = Material(dataclasses.replace(studies.STUDY, contamination=rule))
        rows = material.signal_rows(DEV)
        assert len(rows) == 5
        assert not contaminated(rows, material.evaluation_text()).any()
    (target,) = studies.STUDY.targets
    same = dataclasses.replace(target, test_split="dev")
    study = dataclasses.replace(studies.STUDY, targets=(same,), contamination="off")
    assert Material(study).signal_rows(DEV) is None
    assert not studies.planned(targets=(same,), contamination="off").signal_cells()


def test_a_language_without_dev_rows_has_no_such_cells():
    material = Material(studies.STUDY)
    assert material.signal_rows(dataclasses.replace(DEV, split="nothing")) is None


def test_clusters_are_of_every_evaluated_and_dev_row():
    target = Target("inference", train="embedded_inference_legal", recipe=studies.INFERENCE.recipe)
    study = dataclasses.replace(studies.STUDY, targets=(target,), evaluation_rows=60)
    plan, material = studies.planned(targets=(target,), evaluation_rows=60), Material(study)
    found = plan_clusters(plan, material)
    evaluated = material.rows(Selection(target.train, "test", "en", 60))
    dev = material.signal_rows(Selection(target.train, "dev", "en", 60))
    assert set(found) == {*evaluated.item_ids, *dev.item_ids}
    item = next(item for item in found if found[item] != item)  # with a text of its cluster, in some language
    shared = []
    for language in ("en", "de"):
        rows = material.rows(Selection(target.train, "test", language, 60))
        texts = dict(zip(rows.item_ids, zip(*rows.fields.values(), strict=True), strict=True))
        shared.append(set(texts[item]) & set(texts[found[item]]))
    assert any(shared)
