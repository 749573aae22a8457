"""Tasks predicted by vectors of an encoder alone: cosines and ranks equal plain references, in every form."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy import stats

from itt_jax import tasks
from itt_jax.data.examples import assemble
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.evaluate.vectors import vectors_of
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.models import make_encoder
from itt_jax.models.embedder import Embedder
from itt_jax.study.predictor import load_predictor
from itt_jax.train.vectors import sentence_vectors

FIRST = [f"{who} {does} {what}" for who in ("Ada", "Omar") for does in ("reads", "wrote") for what in ("notes", "it")]
SECOND = [text.replace("Ada", "Mei") for text in FIRST[1:] + FIRST[:1]]
NOISE = {CLEAN_FORM: None, ("swap", 0.5, 0): None}
PREFIX = "query: "
EMBEDDERS = [Embedder(), Embedder("cls", None, PREFIX), Embedder("mean", 1, PREFIX)]


@pytest.fixture(scope="module")
def made():
    tokenizer = train_tokenizer([PREFIX + text for text in FIRST + SECOND] * 5, "bert", 90)
    sizes = {"layers": 2, "width": 16, "heads": 2, "vocabulary_size": tokenizer.vocabulary_size, "max_positions": 64}
    encoder = make_encoder("bert", pad_id=tokenizer.pad_id, **sizes)
    return encoder, {"encoder": jax.tree.map(lambda leaf: leaf * 4, encoder.init(jax.random.key(0)))}, tokenizer


def results(made, task, rows, embedder):
    encoder, params, tokenizer = made
    place, block = (task.name, "test", "en"), row_forms(task, rows, NOISE, 0)
    evaluator = Evaluator(tokenizer, 64, {place: block}, embedder)
    scores = evaluator.predict(encoder, None, params)
    return {key: (block.forms[key].fields, evaluator.cell(scores, place, key, task)) for key in NOISE}


def vectors(made, embedder, texts):
    """Of length 1, each text after the prefix."""
    encoder, params, tokenizer = made
    examples = assemble(tokenizer, [tokenizer.encode([embedder.prefix + text for text in texts])], 64)
    layer = 2 if embedder.layer is None else embedder.layer
    found = sentence_vectors(encoder, params["encoder"], examples, layer, embedder.pooling)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=str)
def test_similarity_is_the_cosine_of_two_texts(made, embedder):
    task = dataclasses.replace(tasks.get("stsb"), metric="spearman")
    labels = np.linspace(0, 5, len(FIRST), dtype=np.float32)
    rows = Rows("stsb", "test", "en", "general", np.arange(len(FIRST)).astype(str), {}, labels)
    rows = dataclasses.replace(rows, fields={"sentence1": FIRST, "sentence2": SECOND})
    found = results(made, task, rows, embedder)
    for fields, cell in found.values():
        sides = [vectors(made, embedder, fields[name]) for name in task.fields]
        cosines = np.sum(sides[0] * sides[1], axis=1)
        np.testing.assert_allclose(cell.columns["prediction"], cosines, atol=1e-6)
        assert cell.figures["value"] == pytest.approx(stats.spearmanr(cosines, labels).statistic, abs=1e-9)
    (clean, _), (noisy, cell) = found.values()
    assert clean["sentence1"] == FIRST and noisy["sentence1"] != FIRST and cell.figures["token_change_rate"] > 0


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=str)
def test_the_nearest_text_is_found_among_all(made, embedder):
    task = dataclasses.replace(tasks.get("tatoeba"), languages=("en",))
    labels = np.arange(len(FIRST), dtype=np.int32)
    rows = Rows("tatoeba", "test", "en", "general", labels.astype(str), {"text": SECOND, "english": FIRST}, labels)
    for fields, cell in results(made, task, rows, embedder).values():
        queries, candidates = (vectors(made, embedder, fields[name]) for name in ("english", "text"))
        best = (queries @ candidates.T).argmax(1)
        assert cell.columns["prediction"].tolist() == best.tolist()
        assert cell.figures["value"] == np.mean(best == labels)


@pytest.mark.slow
@pytest.mark.parametrize("class_name", ["BertModel", "RobertaModel", "XLMRobertaModel", "XLNetModel"])
def test_vectors_of_bare_encoders_are_those_of_transformers(class_name, tmp_path):
    """Mean, summary token (XLNet's is the last) and the mean of a layer, of packed texts of several lengths."""
    torch = pytest.importorskip("torch", reason="parity needs PyTorch, the framework of the reference")
    import transformers

    family = {"BertModel": "bert", "XLNetModel": "xlnet"}.get(class_name, "roberta")
    texts = [*FIRST, "it", " ".join(FIRST)]
    tokenizer = train_tokenizer(texts * 5, family, 300 if family == "roberta" else 90)
    sizes = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}
    if family == "xlnet":
        sizes = {"d_model": 16, "n_layer": 3, "n_head": 2, "d_inner": 32}
    model_class = getattr(transformers, class_name)
    config = model_class.config_class(
        vocab_size=tokenizer.vocabulary_size, pad_token_id=tokenizer.pad_id, initializer_range=0.5, **sizes
    )
    torch.manual_seed(0)
    model = model_class(config).eval()
    model.save_pretrained(tmp_path)
    tokenizer.save(tmp_path)
    found = load_predictor(tmp_path, tasks.get("tatoeba"), pooling="layer:2")
    assert (found.head, found.embedder) == (None, Embedder("mean", 2))
    examples = assemble(tokenizer, [tokenizer.encode(texts)], 64)
    for embedder in (Embedder(), Embedder("cls"), found.embedder):
        vectors = vectors_of(found.encoder, None, found.params, examples, embedder)
        for i, vector in enumerate(vectors):
            part = slice(*examples.offsets[i : i + 2])
            inputs = {"input_ids": examples.ids[part], "token_type_ids": examples.token_type_ids[part]}
            inputs = {name: torch.tensor(own[None], dtype=torch.long) for name, own in inputs.items()}
            with torch.no_grad():
                states = model(**inputs, output_hidden_states=True).hidden_states
            state = states[-1 if embedder.layer is None else embedder.layer][0].numpy()
            plain = state[-1 if family == "xlnet" else 0] if embedder.pooling == "cls" else state.mean(0)
            np.testing.assert_allclose(vector, plain, atol=1e-4)
