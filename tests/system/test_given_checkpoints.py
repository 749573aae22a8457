"""Studies of given checkpoints: ours, which remember what they saw, and Hugging Face's."""

import dataclasses

import jax
import pytest

from itt_jax import config, tasks
from itt_jax.config import EncoderSpec
from itt_jax.data import contamination
from itt_jax.errors import InputError
from itt_jax.models import export, make_encoder
from itt_jax.study import describe, run
from itt_jax.train.checkpoint import load_checkpoint
from tests.system.runs import untrained

TASK = tasks.get("embedded_inference_medical")


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A checkpoint of ours that says that it was trained on the task's English training rows."""
    seen = contamination.digests(tasks.load_rows(TASK, "train", "en"))
    return untrained(tmp_path_factory.mktemp("checkpoint") / "ours", TASK, seen)


def study_of(tiny_config, checkpoint, **changes):
    """The tiny study with a given checkpoint and the direct arm alone."""
    encoder = EncoderSpec("given", "bert", checkpoint=str(checkpoint), pooling="mean")
    study = config.load(tiny_config)
    changes = {"encoders": (encoder,), "arms": ("direct",), "seeds": (0,)} | changes
    return dataclasses.replace(study, name="given", **changes)


@pytest.mark.slow
def test_seen_text_is_refused_unless_allowed(tiny_config, pretrained, tmp_path):
    plain = study_of(tiny_config, pretrained)
    splits = {"test_split": "train", "train_split": "dev", "dev_split": "dev"}
    other = dataclasses.replace(plain, targets=(dataclasses.replace(plain.targets[0], **splits),))
    with pytest.raises(
        InputError,
        match=r"has seen 1,998 of 1,998 rows of embedded_inference_medical/train/en in training \(it was trained on",
    ):
        describe(other, tmp_path / "out")
    assert describe(dataclasses.replace(other, allow_contaminated=True), tmp_path / "out").cells > 0
    assert describe(plain, tmp_path / "out").cells > 0


@pytest.mark.slow
def test_hugging_face_directory_is_fine_tuned_and_evaluated(tiny_config, pretrained, tmp_path):
    saved = load_checkpoint(pretrained)
    export(tmp_path / "hf", saved.encoder, saved.params["encoder"])
    saved.tokenizer.save(tmp_path / "hf")
    given = study_of(tiny_config, tmp_path / "hf", languages=("en",), perturbations=())
    results = run(given, tmp_path / "out", quiet=True)
    assert results.made == results.cells == 2
    assert set(results.to_pandas()["model"]) == {"given"}
    assert run(given, tmp_path / "out", quiet=True).made == 0


@pytest.mark.slow
def test_tables_that_are_too_small_are_refused_before_anything_is_written(tiny_config, pretrained, tmp_path):
    """Ids beyond the word embeddings, and lengths beyond the positions: in plan and run, by the encoder's name."""
    saved = load_checkpoint(pretrained)
    small = make_encoder("bert", layers=1, width=8, heads=2, vocabulary_size=saved.tokenizer.vocabulary_size - 1)
    export(tmp_path / "hf", small, small.init(jax.random.key(0)))
    saved.tokenizer.save(tmp_path / "hf")
    plain = study_of(tiny_config, pretrained)
    recipe = dataclasses.replace(plain.targets[0].recipe, max_length=600)
    for study, message in (
        (study_of(tiny_config, tmp_path / "hf"), "encoder 'given': the tokenizer gives token id"),
        (dataclasses.replace(plain, max_length=513), "encoder 'given': max_length of the study 513: .* allow 512"),
        (
            dataclasses.replace(plain, targets=(dataclasses.replace(plain.targets[0], recipe=recipe),)),
            "encoder 'given': max_length of target 600: .* allow 512",
        ),
    ):
        with pytest.raises(InputError, match=message):
            describe(study, tmp_path / "out")
        with pytest.raises(InputError, match=message):
            run(study, tmp_path / "out", quiet=True)
        assert not (tmp_path / "out").exists()
