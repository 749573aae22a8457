"""Evaluating one checkpoint: cells with the ids that a study gives them, operators from the command line."""

import dataclasses
import os
import pathlib

import numpy as np
import pytest

from itt_jax import kinds, main, tasks
from itt_jax.config import Perturbation
from itt_jax.data.contamination import digests
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.cells import Cells
from itt_jax.store.results import read_results
from itt_jax.study import cells, evaluation, request
from itt_jax.study.evaluation import evaluate_checkpoint
from itt_jax.study.material import digest_files, digest_rows
from itt_jax.study.request import Evaluation
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
    assert (plan["encoders"], [arm["name"] for arm in plan["arms"]]) == (["untrained"], ["as given"])
    assert plan["cell_ids"] == read_results(tmp_path / "out")["cell"].tolist()
    other = "embedded_sentiment_medical"
    with pytest.raises(
        InputError, match=f"holds 'Robustness of untrained on {TASK.name}.* on '{other}'; choose another"
    ):
        evaluate_checkpoint(dataclasses.replace(asked, task=other), tmp_path / "out")


def test_the_length_is_within_the_encoders_positions(checkpoint, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"--max-length 513: the bert encoder's positions allow 512 tokens"):
        evaluate_checkpoint(Evaluation(checkpoint, TASK.name, (), ("en",), max_length=513), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    lengths, original = [], cells.cell_id
    monkeypatch.setattr(cells, "cell_id", lambda own, *about: lengths.append(own.max_length) or original(own, *about))
    monkeypatch.setattr(request, "DEFAULT_LENGTH", 600)
    evaluate_checkpoint(Evaluation(checkpoint, TASK.name, (), ("en",), rows=4), tmp_path / "out")
    assert lengths == [512]


def files(out):
    return {path.name: path.read_bytes() for path in [*out.glob("cells/*.parquet"), out / "results.parquet"]}


def test_an_evaluation_that_was_stopped_makes_the_same_bytes(checkpoint, tmp_path, monkeypatch, capsys):
    """Stopped when the cells of the second stream are written; whatever is there is not made again."""
    monkeypatch.setattr(evaluation, "FORMS_PER_STREAM", 2)
    monkeypatch.setattr(evaluation, "TEXTS_PER_STREAM", 1)
    noises = tuple(Perturbation(name, (0.1, 0.3)) for name in ("swap", "keyboard", "word_drop"))
    asked = Evaluation(checkpoint, TASK.name, noises, ("en", "de"), rows=4, max_length=32)
    evaluate_checkpoint(asked, tmp_path / "whole")
    assert capsys.readouterr().err.startswith("0 of 14 cells done, 14 to make, about ")
    original, written, forms = Cells.write, [], []

    def write(cells, made, *about):
        if written.append([row["cell"] for row, _ in made]) or len(written) == 2:
            raise KeyboardInterrupt
        original(cells, made, *about)

    monkeypatch.setattr(Cells, "write", write)
    with pytest.raises(KeyboardInterrupt):
        evaluate_checkpoint(asked, tmp_path / "out")
    assert len(Store(tmp_path / "out").cells.ids()) == 3
    capsys.readouterr()
    made = evaluation.row_forms
    monkeypatch.setattr(evaluation, "row_forms", lambda *about: forms.append([*about[2]]) or made(*about))
    evaluate_checkpoint(asked, tmp_path / "out")
    assert capsys.readouterr().err.startswith("3 of 14 cells done, 11 to make, about ")
    assert [{name for name, _, _ in own} for own in forms] == [
        *({"keyboard"}, {"word_drop"}),  # "en"
        *({"clean", "swap"}, {"keyboard"}, {"word_drop"}),  # "de"
    ]
    assert written[1] == written[2] and len(written) == 7 and len(set(sum(written[1:], written[0]))) == 14
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    evaluate_checkpoint(asked, tmp_path / "out")
    assert len(written) == 7 and capsys.readouterr().err == "14 of 14 cells done, 0 to make\n"


@pytest.mark.slow
def test_damaged_cells_are_named_set_aside_and_made_again(checkpoint, tmp_path, capsys):
    out, noises = tmp_path / "out", (Perturbation("swap", (0.2,)),)
    asked = Evaluation(checkpoint, TASK.name, noises, ("en", "de"), rows=4, max_length=32)
    evaluate_checkpoint(asked, out)
    whole = files(out)
    path = next(iter(sorted(out.glob("cells/*.parquet"))))
    path.write_bytes(whole[path.name][:-9] + b"\1" + whole[path.name][-8:])
    capsys.readouterr()
    assert main.main(["report", "--out", str(out)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {path}: damaged: its ")
    evaluate_checkpoint(asked, out)
    err = capsys.readouterr().err
    assert f"warning: {path}: damaged; it is set aside" in err and "2 of 4 cells done, 2 to make" in err
    assert files(out) == whole and (out / "damaged" / path.name).is_file()


def test_a_lexicon_that_changes_meanwhile_is_named_and_nothing_is_stored(checkpoint, tmp_path, monkeypatch):
    lexicon, made = tmp_path / "en.txt", evaluation.row_forms
    lexicon.write_text("the das\n")
    asked = Evaluation(checkpoint, TASK.name, (Perturbation("code_mix", (0.5,), lexicon=str(lexicon)),), rows=4)
    monkeypatch.setattr(evaluation, "row_forms", lambda *about: (lexicon.write_text("the die\n"), made(*about))[1])
    with pytest.raises(InputError, match=f"^{lexicon}: has changed since the study was planned"):
        evaluate_checkpoint(dataclasses.replace(asked, languages=("en",), max_length=32), tmp_path / "out")
    assert not Store(tmp_path / "out").cells.ids()


def test_a_folder_grows_by_operators_and_languages(checkpoint, tmp_path, capsys):
    asked = Evaluation(checkpoint, TASK.name, (Perturbation("swap", (0.2,)),), ("en",), rows=4, max_length=32)
    evaluate_checkpoint(asked, tmp_path / "out")
    first = files(tmp_path / "out")
    capsys.readouterr()
    noises = (*asked.perturbations, Perturbation("keyboard", (0.2,)))
    grown = dataclasses.replace(asked, perturbations=noises, languages=("en", "de"))
    evaluate_checkpoint(grown, tmp_path / "out")
    err = capsys.readouterr().err
    assert "changed: perturbations: added 'keyboard'\n" in err and "changed: languages: ['en'] -> ['en', 'de']\n" in err
    assert "2 of 6 cells done, 4 to make" in err
    results = read_results(tmp_path / "out")
    names = ("clean", "swap", "keyboard")
    assert list(zip(results["language"], results["perturbation"], strict=True)) == [
        (language, name) for language in ("en", "de") for name in names
    ]
    now = files(tmp_path / "out")
    assert all(now[name] == content for name, content in first.items() if name != "results.parquet")
    evaluate_checkpoint(asked, tmp_path / "out")
    assert files(tmp_path / "out")["results.parquet"] == first["results.parquet"]


def test_what_is_left_out_is_said(checkpoint, tmp_path, capsys):
    noises = (
        Perturbation("tatweel", (0.2,)),
        Perturbation("code_mix", (0.1,), lexicon=str(tmp_path / "{language}.txt")),
    )
    (tmp_path / "en.txt").write_text("court Gericht\n")
    evaluate_checkpoint(
        Evaluation(checkpoint, TASK.name, noises, ("en", "de"), rows=4, max_length=32), tmp_path / "out"
    )
    skipped = [
        "tatweel: has no table for 'en'",
        "tatweel: has no table for 'de'",
        f"code_mix: no lexicon {tmp_path}/de.txt for 'de'",
    ]
    assert Store(tmp_path / "out").plan()["skipped"] == skipped
    assert capsys.readouterr().err.startswith("".join(f"left out: {reason}\n" for reason in skipped))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 0}, "--rows: found 0, expected at least 1"),
        ({"rows": -3}, "--rows: found -3, expected at least 1"),
        ({"max_length": 7}, "--max-length: expected at least 8 tokens, found 7"),
        ({"max_length": -5}, "--max-length: expected at least 8 tokens, found -5"),
        ({"checkpoint": pathlib.Path(os.fsdecode(b"\xff\xfe"))}, r"--checkpoint .*: its name is not UTF-8"),
        ({"perturbations": (Perturbation("code_mix", lexicon="nope.txt"),)}, "lexicon nope.txt: No such file"),
        ({"perturbations": (Perturbation("swap", lexicon="nope.txt"),)}, "'swap' reads no lexicon"),
    ],
)
def test_what_means_nothing_is_refused(checkpoint, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        evaluate_checkpoint(dataclasses.replace(Evaluation(checkpoint, TASK.name), **change), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_precision_can_be_pinned_and_is_kept(checkpoint, tmp_path):
    evaluation = Evaluation(checkpoint, TASK.name, (), ("en",), rows=4, max_length=32, precision="bfloat16")
    evaluate_checkpoint(evaluation, tmp_path / "out")
    plan = Store(tmp_path / "out").plan()
    assert plan["precision"] == {"asked": "bfloat16", "evaluation": {"untrained": "bfloat16"}}
    assert plan["provenance"]["precision"] == "bfloat16"


def scores_of(folder, out, **changes):
    evaluation = Evaluation(folder, TASK.name, (), ("en",), rows=4, max_length=32, **changes)
    evaluate_checkpoint(evaluation, out)
    (cell,) = read_results(out)["cell"]
    return np.stack(Store(out).read_cell(cell)["scores"]), cell


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


def test_a_tasks_own_rule_does_not_silence_the_check_of_seen_text(checkpoint, tmp_path):
    saved, rows = load_checkpoint(checkpoint), tasks.load_rows(TASK, "test", "en")
    folder = tmp_path / "seen"
    save_checkpoint(
        folder, saved.encoder, saved.params, saved.head, TASK.labels, tokenizer=saved.tokenizer, seen=digests(rows)
    )
    task = dataclasses.replace(TASK, contamination="off")
    asked = Evaluation(folder, TASK.name, (), ("en",), rows=4, max_length=32, tasks=(task,))
    with pytest.raises(
        InputError, match=r"has seen 4 of 4 rows in training \(it was trained on .*--allow-contaminated"
    ):
        evaluate_checkpoint(asked, tmp_path / "out")
    evaluate_checkpoint(dataclasses.replace(asked, allow_contaminated=True), tmp_path / "out")
    assert Store(tmp_path / "out").plan()["contaminated"] == ["seen"]
