"""Studies of given checkpoints: ours, which remember what they saw, and Hugging Face's."""

import dataclasses

import jax
import numpy as np
import pytest

from itt_jax import config, perturb, tasks
from itt_jax.config import EncoderSpec, Perturbation
from itt_jax.data import contamination
from itt_jax.errors import InputError
from itt_jax.models import export, make_encoder
from itt_jax.store import Store
from itt_jax.study import describe, run
from itt_jax.train.checkpoint import export_checkpoint, load_checkpoint
from tests.data import test_tokenizers_of_today as tokenizers_of_today
from tests.models.test_deberta import V3
from tests.system.runs import checkpoint_of, untrained

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


# Family -> files of its tokenizer, class in `transformers`, config values.
FAMILIES = {
    "modernbert": (tokenizers_of_today.mmbert, "ModernBert", {"local_attention": 16, "num_hidden_layers": 2}),
    "eurobert": (tokenizers_of_today.eurobert, "EuroBert", {"num_key_value_heads": 1}),
    "deberta": (tokenizers_of_today.deberta, "DebertaV2", V3 | {"position_buckets": 16}),
}


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("family", FAMILIES)
def test_what_a_study_makes_of_hugging_faces_files_predicts_the_same_there(family, tiny_config, tmp_path):
    """A base model is fine-tuned and evaluated on clean and perturbed pairs; its export has our scores in PyTorch."""
    torch = pytest.importorskip("torch")
    import transformers

    given, made = tmp_path / "hf", tmp_path / "export"
    write, class_name, values = FAMILIES[family]
    given.mkdir()
    write(given)
    tokenizer = transformers.AutoTokenizer.from_pretrained(given)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 32}
    sizes |= {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "initializer_range": 0.3}
    config_class = getattr(transformers, f"{class_name}Config")
    getattr(transformers, f"{class_name}Model")(config_class(**sizes | values)).save_pretrained(given)

    study = study_of(tiny_config, given, languages=("en",), perturbations=(Perturbation("swap", (0.3,)),))
    encoder = EncoderSpec("given", family, checkpoint=str(given))
    recipe = dataclasses.replace(study.targets[0].recipe, learning_rates=(1e-2,), max_length=300)
    targets = (dataclasses.replace(study.targets[0], recipe=recipe),)
    study = dataclasses.replace(study, encoders=(encoder,), targets=targets, max_length=300, evaluation_rows=8)
    found = run(study, tmp_path / "out", quiet=True).to_pandas()
    assert len(found) == 4 and found["n"].eq(8).all()

    export_checkpoint(checkpoint_of(tmp_path / "out", "direct"), made)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(made).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(made)
    for cell in found.itertuples():
        rows = tasks.limit(tasks.load_rows(tasks.get(cell.task), "test", "en"), 8)
        fields = dict(rows.fields)
        if cell.perturbation == "swap":
            for name, texts in fields.items():
                fields[name] = perturb.perturb(texts, "swap", 0.3, "en", 0, ids=list(rows.item_ids), field=name)
        inputs = tokenizer(*fields.values(), padding=True, return_tensors="pt")
        with torch.no_grad():
            expected = model(**inputs).logits.numpy()
        scores = np.stack(Store(tmp_path / "out").read_cell(cell.cell)["scores"])
        assert np.ptp(expected, axis=0).max() > 1e-2
        np.testing.assert_allclose(scores, expected, atol=1e-4)
