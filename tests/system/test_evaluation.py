"""`evaluate`, `convert` and `export`: a fine-tuned checkpoint, ours or Hugging Face's, without training."""

import json

import numpy as np
import pandas as pd
import pytest

from itt_jax import main
from itt_jax.store import Store


@pytest.fixture(scope="module")
def checkpoint(tiny_run):
    """A fine-tuned checkpoint of ours, from the tiny study."""
    _, out = tiny_run
    plan = json.loads((out / "plan.json").read_text())
    stage = next(r for r in plan["stages_done"] if r["kind"] == "target" and r["arm"] == "itt" and r["seed"] == 0)
    return Store(out).checkpoint(stage["id"])


def evaluate(checkpoint, out, *more: str) -> int:
    arguments = ["--perturbations", "swap:0.1,0.3", "keyboard:0.2", "--languages", "en", "de", "--rows", "24"]
    task = ["--task", "embedded_inference_medical", "--max-length", "64", "--out", str(out)]
    return main.main(["evaluate", "--checkpoint", str(checkpoint), *task, *arguments, *more])


def test_evaluate_gives_the_cells_of_the_study(tiny_run, checkpoint, tmp_path, capsys):
    _, study_out = tiny_run
    assert evaluate(checkpoint, tmp_path / "out") == 0
    assert "direct" not in capsys.readouterr().err
    keys = ["language", "perturbation", "severity", "value", "n_changed", "edit_rate", "token_change_rate"]
    ours = pd.read_parquet(tmp_path / "out" / "results.parquet")[keys]
    study = pd.read_parquet(study_out / "results.parquet").query(
        "arm == 'itt' and seed == 0 and replicate == 0 and task == 'embedded_inference_medical'"
    )[keys]
    order = ["language", "perturbation", "severity"]
    pd.testing.assert_frame_equal(
        ours.sort_values(order).reset_index(drop=True), study.sort_values(order).reset_index(drop=True)
    )
    assert (tmp_path / "out" / "report" / "index.html").is_file()


def test_export_and_convert_give_the_same_predictions(checkpoint, tmp_path):
    """A checkpoint with a head that Hugging Face has goes there and back."""
    import jax

    from itt_jax.data.tokenizing import load_tokenizer
    from itt_jax.models import load_model, make_head
    from itt_jax.train.checkpoint import load_checkpoint, save_checkpoint

    saved = load_checkpoint(checkpoint)
    head = make_head(saved.encoder, "classification", 3)
    params = {"encoder": saved.params["encoder"], "head": head.init(jax.random.key(0))}
    labels = ("entailment", "neutral", "contradiction")
    save_checkpoint(tmp_path / "ours", saved.encoder, params, head, labels, tokenizer=saved.tokenizer)
    assert main.main(["export", str(tmp_path / "ours"), str(tmp_path / "hf")]) == 0
    _, _, exported, found = load_model(tmp_path / "hf")
    assert found == labels
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(exported), jax.tree.leaves(params), strict=True))
    assert load_tokenizer(tmp_path / "hf").encode(["Das Gesetz ist unfair."]).values.tolist() == (
        saved.tokenizer.encode(["Das Gesetz ist unfair."]).values.tolist()
    )
    assert main.main(["convert", str(tmp_path / "hf"), str(tmp_path / "back")]) == 0
    assert evaluate(tmp_path / "hf", tmp_path / "from_hf") == 0
    assert evaluate(tmp_path / "back", tmp_path / "from_back") == 0
    values = [pd.read_parquet(tmp_path / name / "results.parquet")["value"] for name in ("from_hf", "from_back")]
    assert values[0].tolist() == values[1].tolist()


def test_labels_of_a_checkpoint_are_brought_into_the_tasks_order(checkpoint):
    from itt_jax import tasks
    from itt_jax.study.evaluation import in_task_order

    task = tasks.get("embedded_inference_medical")
    params = {"encoder": {}, "head": {"out": {"kernel": np.arange(6.0).reshape(2, 3), "bias": np.arange(3.0)}}}
    turned = in_task_order(params, ("Contradiction", "entailment", "neutral"), task)
    assert turned["head"]["out"]["bias"].tolist() == [1, 2, 0]
    assert turned["head"]["out"]["kernel"].tolist() == [[1, 2, 0], [4, 5, 3]]
    assert in_task_order(params, None, task) is params


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--task", "embedded_sentiment_medical"], "its head is classification with 3 outputs"),
        (["--languages", "ja"], "unknown language"),
        (["--split", "train"], "has seen some of this text in training"),
    ],
)
def test_what_does_not_fit_is_refused(checkpoint, tmp_path, capsys, change, message):
    assert evaluate(checkpoint, tmp_path / "out", *change) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_truncated_weights_are_refused(checkpoint, tmp_path, capsys):
    assert main.main(["export", str(checkpoint.parent / "nothing"), str(tmp_path / "x")]) == 2
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text(json.dumps({"model_type": "bert", "architectures": ["BertModel"]}))
    (tmp_path / "hf" / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    assert main.main(["convert", str(tmp_path / "hf"), str(tmp_path / "ours")]) == 2
    assert capsys.readouterr().err.count("error: ") == 2
    assert not (tmp_path / "ours").exists()
