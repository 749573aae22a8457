"""Studies of checkpoints that are there already: ours, which remember what they saw, and Hugging Face's."""

import dataclasses
import json

import pytest

from itt_jax.config import EncoderSpec
from itt_jax.errors import InputError
from itt_jax.models import export
from itt_jax.store import Store
from itt_jax.study import describe, run
from itt_jax.train.checkpoint import load_checkpoint


@pytest.fixture(scope="module")
def pretrained(tiny_run):
    """The tiny study's fine-tuned encoder: it has seen medical training rows."""
    _, out = tiny_run
    plan = json.loads((out / "plan.json").read_text())
    stage = next(r for r in plan["stages_done"] if r["kind"] == "target" and r["arm"] == "direct" and r["seed"] == 0)
    return Store(out).checkpoint(stage["id"])


def study_of(study, checkpoint, **changes):
    """The tiny study, of a given checkpoint and the direct arm alone."""
    encoder = EncoderSpec("given", "bert", checkpoint=str(checkpoint), pooling="mean")
    return dataclasses.replace(study, name="given", encoders=(encoder,), arms=("direct",), seeds=(0,), **changes)


def test_seen_text_is_refused_unless_allowed(tiny_run, pretrained, tmp_path):
    study, _ = tiny_run
    target = dataclasses.replace(study.targets[0], train="embedded_inference_legal", test_split="train")
    other = study_of(study, pretrained, targets=(dataclasses.replace(target, train_split="dev", dev_split="dev"),))
    with pytest.raises(InputError, match="has seen some of the study's evaluation text"):
        describe(other, tmp_path / "out")
    allowed = describe(dataclasses.replace(other, allow_seen=True), tmp_path / "out")
    assert allowed.cells > 0
    assert describe(study_of(study, pretrained), tmp_path / "out").cells > 0


def test_hugging_face_directory_is_fine_tuned_and_evaluated(tiny_run, pretrained, tmp_path):
    study, _ = tiny_run
    saved = load_checkpoint(pretrained)
    export(tmp_path / "hf", saved.encoder, saved.params["encoder"])
    saved.tokenizer.save(tmp_path / "hf")
    given = study_of(study, tmp_path / "hf")
    results = run(given, tmp_path / "out", quiet=True)
    assert results.made == results.cells == 2 * 2 * 6
    assert set(results.to_pandas()["model"]) == {"given"}
    assert run(given, tmp_path / "out", quiet=True).made == 0
