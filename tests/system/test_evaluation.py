"""`evaluate`, `convert` and `export` of a checkpoint, ours or Hugging Face's, from the command line."""

import json

import jax
import numpy as np
import pytest

from itt_jax import main, tasks
from itt_jax.data import contamination
from itt_jax.data.tokenizing import load_tokenizer
from itt_jax.models import load_model
from itt_jax.store import Store
from itt_jax.store.results import read_results
from itt_jax.train.checkpoint import load_checkpoint
from tests.system.runs import untrained

pytestmark = pytest.mark.slow  # whole studies

TASK = tasks.get("embedded_inference_medical")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of ours that says that it was trained on the task's English training rows."""
    seen = contamination.digests(tasks.load_rows(TASK, "train", "en"))
    return untrained(tmp_path_factory.mktemp("checkpoint") / "ours", TASK, seen)


def evaluate(checkpoint, out, *more: str) -> int:
    arguments = ["--perturbations", "swap:0.3", "--languages", "en", "--rows", "12"]
    task = ["--task", TASK.name, "--max-length", "64", "--out", str(out)]
    return main.main(["evaluate", "--checkpoint", str(checkpoint), *task, *arguments, *more])


def test_severity_zero_gives_the_predictions_on_clean_text(checkpoint, tmp_path):
    """Alone too, when there is no curve to draw."""
    assert evaluate(checkpoint, tmp_path / "out", "--perturbations", "swap:0", "keyboard:0") == 0
    found = read_results(tmp_path / "out")
    assert set(found["perturbation"]) == {"clean", "swap", "keyboard"} and set(found["severity"]) == {0}
    assert found["n_changed"].eq(0).all() and found["value"].nunique() == 1
    assert (Store(tmp_path / "out").report / "index.html").is_file()


def test_export_and_convert_give_the_same_predictions(checkpoint, tmp_path):
    """A checkpoint goes to Hugging Face's format and back."""
    saved = load_checkpoint(checkpoint)
    assert main.main(["export", str(checkpoint), str(tmp_path / "hf")]) == 0
    _, _, exported, found = load_model(tmp_path / "hf")
    assert found == TASK.labels
    pairs = zip(jax.tree.leaves(exported), jax.tree.leaves(saved.params), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    text = ["Das Gesetz ist unfair."]
    assert (load_tokenizer(tmp_path / "hf").encode(text).values == saved.tokenizer.encode(text).values).all()
    assert main.main(["convert", str(tmp_path / "hf"), str(tmp_path / "back")]) == 0
    values = []
    for name in ("hf", "back"):
        assert evaluate(tmp_path / name, tmp_path / f"from_{name}") == 0
        values.append(read_results(tmp_path / f"from_{name}")["value"].tolist())
    assert values[0] == values[1]
    assert (Store(tmp_path / "from_hf").report / "index.html").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--task", "embedded_sentiment_medical"], "its head is classification with 3 outputs"),
        (["--languages", "ja"], "unknown language"),
        (["--split", "train"], "the checkpoint has seen 12 of 12 rows"),
        (["--task", "embedded_entities_medical"], "expected token_classification"),
    ],
)
def test_what_does_not_fit_is_refused(checkpoint, tmp_path, capsys, change, message):
    assert evaluate(checkpoint, tmp_path / "out", *change) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_seen_text_is_evaluated_where_that_is_allowed(checkpoint, tmp_path):
    assert evaluate(checkpoint, tmp_path / "out", "--split", "train", "--allow-contaminated") == 0
    assert Store(tmp_path / "out").plan()["contaminated"] == ["ours"]
    assert "some of the evaluation text" in (Store(tmp_path / "out").report / "index.html").read_text()


def test_truncated_weights_are_refused(checkpoint, tmp_path, capsys):
    assert main.main(["export", str(checkpoint.parent / "nothing"), str(tmp_path / "x")]) == 2
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    (tmp_path / "hf" / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    assert main.main(["convert", str(tmp_path / "hf"), str(tmp_path / "ours")]) == 2
    assert capsys.readouterr().err.count("error: ") == 2
    assert not (tmp_path / "ours").exists()
