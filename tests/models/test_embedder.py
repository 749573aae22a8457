"""How an encoder without a head gives vectors: as the user says, or as sentence-transformers' files do."""

import json

import pytest

from itt_jax.errors import InputError
from itt_jax.models.embedder import Embedder, SentenceModel, read_sentence_model

MODULES = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
MEAN = {"word_embedding_dimension": 8, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
CLS = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": False}


@pytest.fixture
def folder(tmp_path):
    """write(modules, pooling, **files): a checkpoint directory with the files of sentence-transformers."""

    def write(modules=MODULES, pooling=MEAN, **files):
        listed = [
            {"idx": i, "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(modules)
        ]
        (tmp_path / "modules.json").write_text(json.dumps(listed))
        (tmp_path / "1_Pooling").mkdir(exist_ok=True)
        (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
        for name, content in files.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        return tmp_path

    return write


def test_poolings_of_the_command_line():
    plain = Embedder("cls", 3, "query: ")
    assert plain.pooled_by("mean") == Embedder("mean", None, "query: ")
    assert plain.pooled_by("cls") == Embedder("cls", None, "query: ")
    assert plain.pooled_by("layer:0") == Embedder("mean", 0, "query: ")
    for given in ("max", "layer", "layer:", "layer:-1", "mean:2", ""):
        with pytest.raises(InputError, match="expected mean, cls or layer:K"):
            plain.pooled_by(given)
    assert Embedder().of(6).layer == 6
    with pytest.raises(InputError, match=r"--pooling layer:7: the encoder has 6 layers; expected 0 \(embeddings\)"):
        Embedder("mean", 7).of(6)


def test_modules_are_followed(folder, tmp_path):
    assert read_sentence_model(tmp_path) is None
    assert read_sentence_model(folder()) == SentenceModel(Embedder("mean"), None)
    assert read_sentence_model(folder(MODULES[:2], CLS)) == SentenceModel(Embedder("cls"), None)
    assert read_sentence_model(folder(pooling={"pooling_mode": "cls"})).embedder.pooling == "cls"
    prompts = {"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": "query"}
    settings = {"max_seq_length": 256, "do_lower_case": False}
    found = read_sentence_model(folder(sentence_bert_config=settings, config_sentence_transformers=prompts))
    assert found == SentenceModel(Embedder("mean", None, "query: "), 256)
    unnamed = prompts | {"default_prompt_name": None}
    assert read_sentence_model(folder(config_sentence_transformers=unnamed)).embedder.prefix == ""
    assert read_sentence_model(folder(pooling={"pooling_mode": ["cls"]}), prefix="q: ").embedder == Embedder(
        "cls", None, "q: "
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"modules": [*MODULES[:2], ("2_LSTM", "LSTM")]},
            r"found .*LSTM \(2_LSTM\); with --pooling",
        ),
        ({"modules": [("0_Transformer", "Transformer"), MODULES[1]]}, r"found Transformer \(0_Transformer\)"),
        ({"modules": [("", "CLIPModel")]}, "found CLIPModel"),
        ({"modules": [("", "Transformer"), ("../x", "Pooling")]}, "expected modules with type and path"),
        ({"pooling": {"pooling_mode_max_tokens": True}}, "found pooling_mode_max_tokens"),
        (
            {"pooling": MEAN | {"pooling_mode_cls_token": True}},
            "found pooling_mode_cls_token, pooling",
        ),
        ({"pooling": {}}, "found no pooling"),
        ({"pooling": {"pooling_mode": ["mean", "max"]}}, "found pooling_mode_mean_tokens, max"),
        ({"sentence_bert_config": {"do_lower_case": True}}, "do_lower_case is not supported"),
        ({"sentence_bert_config": {"max_seq_length": "all"}}, "max_seq_length: expected a number, found 'all'"),
        ({"config_sentence_transformers": {"default_prompt_name": "q"}}, "expected a prompt named 'q'"),
    ],
)
def test_what_is_not_followed_is_named(folder, files, message):
    made = folder(**files)
    with pytest.raises(InputError, match=message):
        read_sentence_model(made)
    if not any("config" in name for name in files):
        assert read_sentence_model(made, "cls").embedder == Embedder()
