"""Evaluating one checkpoint: cells with the ids that a study gives them, operators from the command line."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from itt_jax import kinds, tasks
from itt_jax.config import Perturbation
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.results import read_results
from itt_jax.study import cells, evaluation
from itt_jax.study.evaluation import Evaluation, evaluate_checkpoint, parse_perturbations
from itt_jax.study.material import digest_files, digest_rows
from itt_jax.train.checkpoint import load_checkpoint, save_checkpoint
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
    asked = Evaluation(checkpoint, TASK.name, (noise,), languages=("en",), rows=6, max_length=32)
    evaluate_checkpoint(asked, tmp_path / "out")
    results = read_results(tmp_path / "out")
    assert results["perturbation"].tolist() == ["clean", "swap", "swap", "swap"]
    assert results["replicate"].tolist() == [0, 0, 1, 2]
    assert results["cell"].is_unique and results["cell"].tolist() == [original(*about) for about in built]
    rows = tasks.limit(tasks.load_rows(TASK, "test", "en"), 6)
    evaluated, variant, lexicon = built[-1]
    assert (evaluated.stage, evaluated.rows) == (digest_files(checkpoint), digest_rows(kinds.kind(TASK.kind), rows))
    assert (variant, lexicon) == (("swap", 0.2, 2), None)


def test_another_noise_seed_makes_other_cells_of_noisy_text_alone(checkpoint, tmp_path):
    asked = Evaluation(checkpoint, TASK.name, (Perturbation("swap", (0.2,)),), ("en",), rows=4, max_length=32)
    found = []
    for seed in (0, 1):
        evaluate_checkpoint(dataclasses.replace(asked, noise_seed=seed), tmp_path / str(seed))
        found.append(read_results(tmp_path / str(seed))["cell"].tolist())
    assert found[0][0] == found[1][0] and found[0][1] != found[1][1]


def test_the_folder_says_what_it_is(checkpoint, tmp_path):
    asked = Evaluation(checkpoint, TASK.name, (), ("en",), rows=4, max_length=32)
    evaluate_checkpoint(asked, tmp_path / "out")
    plan = Store(tmp_path / "out").plan()
    assert (plan["encoders"], [arm["name"] for arm in plan["arms"]]) == (["untrained"], ["direct"])
    with pytest.raises(InputError, match="belongs to study 'evaluation of untrained'"):
        evaluate_checkpoint(dataclasses.replace(asked, rows=5), tmp_path / "out")


def test_the_length_is_within_the_encoders_positions(checkpoint, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"--max-length 513: the bert encoder's position table allows 512 tokens"):
        evaluate_checkpoint(Evaluation(checkpoint, TASK.name, (), ("en",), max_length=513), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    lengths, original = [], cells.cell_id
    monkeypatch.setattr(cells, "cell_id", lambda own, *about: lengths.append(own.max_length) or original(own, *about))
    monkeypatch.setattr(evaluation, "DEFAULT_LENGTH", 600)
    evaluate_checkpoint(Evaluation(checkpoint, TASK.name, (), ("en",), rows=4), tmp_path / "out")
    assert lengths == [512]


def test_an_evaluation_continues_with_the_cells_that_are_missing(checkpoint, tmp_path, monkeypatch, capsys):
    evaluation = Evaluation(checkpoint, TASK.name, (Perturbation("swap", (0.2,)),), ("en", "de"), rows=4, max_length=32)
    evaluate_checkpoint(evaluation, tmp_path / "out")
    assert capsys.readouterr().err.startswith("4 cells, about ")
    results = read_results(tmp_path / "out")
    cells = {cell: (tmp_path / "out" / "cells" / f"{cell}.parquet") for cell in results["cell"]}
    before = {cell: path.read_bytes() for cell, path in cells.items()}
    removed = results[(results["language"] == "de") & (results["perturbation"] == "swap")]["cell"].item()
    cells[removed].unlink()
    written = []
    original = Store.write_cell
    monkeypatch.setattr(
        Store, "write_cell", lambda self, row, columns: written.append(row["cell"]) or original(self, row, columns)
    )
    evaluate_checkpoint(evaluation, tmp_path / "out")
    assert written == [removed] and {cell: path.read_bytes() for cell, path in cells.items()} == before


def test_precision_can_be_pinned_and_is_kept(checkpoint, tmp_path):
    evaluation = Evaluation(checkpoint, TASK.name, (), ("en",), rows=4, max_length=32, precision="bfloat16")
    evaluate_checkpoint(evaluation, tmp_path / "out")
    plan = Store(tmp_path / "out").plan()
    assert plan["precision"] == {"asked": "bfloat16", "evaluation": {"untrained": "bfloat16"}}
    assert plan["provenance"]["precision"] == "bfloat16"


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


def scores_of(folder, out, **changes):
    evaluation = Evaluation(folder, TASK.name, (), ("en",), rows=4, max_length=32, **changes)
    evaluate_checkpoint(evaluation, out)
    (cell,) = read_results(out)["cell"]
    return np.stack(pd.read_parquet(out / "cells" / f"{cell}.parquet")["scores"]), cell


def test_outputs_are_read_by_the_names_of_the_checkpoint(checkpoint, tmp_path):
    """A head whose outputs are turned around scores as it did, by its names or by those that the user gives."""
    saved = load_checkpoint(checkpoint)
    head = saved.params["head"]
    turned = head | {"output": {"kernel": head["output"]["kernel"][:, ::-1], "bias": head["output"]["bias"][::-1]}}
    expected, _ = scores_of(checkpoint, tmp_path / "own")
    assert np.ptp(expected[:, 0] - expected[:, 1]) > 0
    params, found = saved.params | {"head": turned}, {}
    for number, names in enumerate([("POSITIVE", "Negative"), ("good", "bad"), None]):
        folder = tmp_path / f"checkpoint{number}"
        save_checkpoint(folder, saved.encoder, params, saved.head, names, tokenizer=saved.tokenizer)
        if number == 1:
            with pytest.raises(
                InputError, match=r"labels are good, bad, those of .* negative, positive; .*--labels NAME=negative"
            ):
                scores_of(folder, tmp_path / "refused")
            assert not (tmp_path / "refused").exists()
        labels = {1: "bad=negative,0=positive", 2: "1=negative,0=positive"}.get(number)
        found[number] = scores_of(folder, tmp_path / f"out{number}", labels=labels)
        np.testing.assert_array_equal(found[number][0], expected)
    plain, cell = scores_of(folder, tmp_path / "position")
    np.testing.assert_array_equal(plain[:, ::-1], expected)
    assert cell != found[2][1]
    assert "labels: LABEL_0 = negative, LABEL_1 = positive." in Store(tmp_path / "position").plan()["description"]
