"""Evaluating one checkpoint: cells with the ids that a study gives them, operators from the command line."""

import dataclasses

import numpy as np
import pytest

from itt_jax import kinds, tasks
from itt_jax.config import Perturbation
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.results import read_results
from itt_jax.study import cells
from itt_jax.study.evaluation import Evaluation, evaluate_checkpoint, in_task_order, parse_perturbations
from itt_jax.study.material import digest_files, digest_rows
from tests.system.runs import untrained

TASK = tasks.get("embedded_sentiment_legal")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """An untrained encoder with a head for the task."""
    return untrained(tmp_path_factory.mktemp("checkpoint") / "untrained", TASK)


def test_every_replicate_has_a_cell_with_the_id_of_a_studys_cell(checkpoint, tmp_path, monkeypatch):
    built, original = [], cells.cell_id
    monkeypatch.setattr(cells, "cell_id", lambda *about: built.append(about) or original(*about))
    noise = Perturbation("swap", (0.2,), replicates=3)
    evaluation = Evaluation(checkpoint, TASK.name, (noise,), languages=("en",), rows=6, max_length=32)
    evaluate_checkpoint(evaluation, tmp_path / "out")
    results = read_results(tmp_path / "out")
    assert results["perturbation"].tolist() == ["clean", "swap", "swap", "swap"]
    assert results["replicate"].tolist() == [0, 0, 1, 2]
    assert results["cell"].is_unique and results["cell"].tolist() == [original(*about) for about in built]
    rows = tasks.limit(tasks.load_rows(TASK, "test", "en"), 6)
    evaluated, variant, lexicon = built[-1]
    assert (evaluated.stage, evaluated.rows) == (digest_files(checkpoint), digest_rows(kinds.kind(TASK.kind), rows))
    assert (variant, lexicon) == (("swap", 0.2, 2), None)


def test_another_noise_seed_makes_other_cells_of_noisy_text_alone(checkpoint, tmp_path):
    evaluation = Evaluation(checkpoint, TASK.name, (Perturbation("swap", (0.2,)),), ("en",), rows=4, max_length=32)
    found = []
    for seed in (0, 1):
        evaluate_checkpoint(dataclasses.replace(evaluation, noise_seed=seed), tmp_path / str(seed))
        found.append(read_results(tmp_path / str(seed))["cell"].tolist())
    assert found[0][0] == found[1][0] and found[0][1] != found[1][1]


def test_the_folder_says_what_it_is(checkpoint, tmp_path):
    evaluation = Evaluation(checkpoint, TASK.name, (), ("en",), rows=4, max_length=32)
    evaluate_checkpoint(evaluation, tmp_path / "out")
    plan = Store(tmp_path / "out").plan()
    assert (plan["encoders"], [arm["name"] for arm in plan["arms"]]) == (["untrained"], ["direct"])
    with pytest.raises(InputError, match="belongs to study 'evaluation of untrained'"):
        evaluate_checkpoint(dataclasses.replace(evaluation, rows=5), tmp_path / "out")


def test_operators_are_read_from_the_command_line():
    assert parse_perturbations(["swap", "keyboard:0.3"]) == (
        Perturbation("swap", (0.05, 0.1, 0.2)),
        Perturbation("keyboard", (0.3,)),
    )
    assert {perturbation.name for perturbation in parse_perturbations(None)} > {"swap", "homoglyph"}
    read = {p.name: p.lexicon for p in parse_perturbations(["swap", "synonym"], "words.txt")}
    assert read == {"swap": None, "synonym": "words.txt"}
    with pytest.raises(InputError, match="expected NAME or NAME:SEVERITY,SEVERITY"):
        parse_perturbations(["swap:high"])


def test_outputs_are_brought_into_the_tasks_order():
    task = tasks.get("embedded_inference_medical")
    params = {"encoder": {}, "head": {"out": {"kernel": np.arange(6.0).reshape(2, 3), "bias": np.arange(3.0)}}}
    turned = in_task_order(params, ("Contradiction", "entailment", "neutral"), task)
    assert turned["head"]["out"]["bias"].tolist() == [1, 2, 0]
    assert turned["head"]["out"]["kernel"].tolist() == [[1, 2, 0], [4, 5, 3]]
    assert in_task_order(params, None, task) is params
