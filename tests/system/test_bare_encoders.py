"""Published sentence encoders without a head: vectors, ranks and a published figure, from the command line."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from itt_jax import main, tasks
from itt_jax.data.examples import assemble
from itt_jax.data.tokenizing import load_tokenizer
from itt_jax.evaluate.vectors import vectors_of
from itt_jax.models import from_pretrained
from itt_jax.models.embedder import Embedder
from itt_jax.store import Store
from itt_jax.store.results import read_results

pytestmark = pytest.mark.slow  # real encoders

MAKE = pathlib.Path(__file__).parents[3] / "shared" / "checkpoints" / "make.sh"
TEXTS = ["Ein Hund läuft.", "A dog is running through the park, fast.", "نص قصير", "It", "北京是中国的首都。"]
EMBEDDERS = [Embedder(), Embedder("cls", None, "query: "), Embedder("mean", 3, "query: ")]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """The folder of "minilm" (all-MiniLM-L6-v2) and "e5" (multilingual-e5-small)."""
    given = os.environ.get("ITT_JAX_CHECKPOINTS")
    if given:
        return pathlib.Path(given)
    if not MAKE.is_file():
        pytest.skip(f"no encoders: ITT_JAX_CHECKPOINTS is not set, and {MAKE} is absent")
    folder = tmp_path_factory.mktemp("checkpoints")
    done = subprocess.run(["bash", str(MAKE), str(folder), sys.executable], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no encoders: {MAKE} failed ({done.stderr.strip()[-200:]})")
    return folder


@pytest.fixture(scope="module")
def expected(checkpoints):
    """expected(name, embedder, texts): vectors by PyTorch, each text alone."""
    torch = pytest.importorskip("torch", reason="parity needs PyTorch, the framework of the reference")
    from transformers import AutoModel, AutoTokenizer

    loaded = {}

    def embed(name: str, embedder: Embedder, texts: list[str]) -> np.ndarray:
        if name not in loaded:
            folder = checkpoints / name
            model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
            loaded[name] = AutoTokenizer.from_pretrained(folder), model
        tokenizer, model = loaded[name]
        vectors = []
        for text in texts:
            inputs = tokenizer(embedder.prefix + text, return_tensors="pt", truncation=True, max_length=128)
            with torch.no_grad():
                states = model(**inputs, output_hidden_states=True).hidden_states
            state = states[-1 if embedder.layer is None else embedder.layer][0].numpy()
            vectors.append(state[0] if embedder.pooling == "cls" else state.mean(0))
        return np.array(vectors)

    return embed


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=str)
@pytest.mark.parametrize("name", ["minilm", "e5"])
def test_vectors_are_those_of_transformers(checkpoints, expected, name, embedder):
    encoder, params = from_pretrained(checkpoints / name)
    tokenizer = load_tokenizer(checkpoints / name)
    examples = assemble(tokenizer, [tokenizer.encode([embedder.prefix + text for text in TEXTS])], 128)
    found = vectors_of(encoder, None, {"encoder": params}, examples, embedder)
    np.testing.assert_allclose(found, expected(name, embedder, TEXTS), atol=1e-4)


def evaluate(checkpoint, out, *more: str):
    assert main.main(["evaluate", "--checkpoint", str(checkpoint), "--out", str(out), *more]) == 0
    return read_results(out).set_index(["language", "perturbation"])["value"]


@pytest.mark.volume
def test_translations_are_found_as_by_a_plain_search(checkpoints, expected, data_root, tmp_path):
    more = ["--data-root", str(data_root), "--rows", "60", "--perturbations", "swap:0.2"]
    asked = ["--task", "tatoeba", "--languages", "de", "sw", "--pooling", "mean", "--prefix", "query: "]
    found = evaluate(checkpoints / "e5", tmp_path / "out", *asked, *more)
    for language in ("de", "sw"):
        rows = tasks.limit(tasks.load_rows(tasks.get("tatoeba"), "test", language, data_root), 60)
        sides = [expected("e5", Embedder("mean", None, "query: "), rows.fields[name]) for name in ("english", "text")]
        queries, candidates = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides)
        plain = np.mean((queries @ candidates.T).argmax(1) == np.arange(60))
        assert found[language, "clean"] == pytest.approx(plain, abs=1.01 / 60) and plain > 0.7  # one tie
        assert found[language, "swap"] < found[language, "clean"]
    assert "mean of layer 12, with prefix 'query: '" in Store(tmp_path / "out").plan()["description"]


@pytest.mark.volume
def test_the_published_spearman_of_sts_b(checkpoints, data_root, tmp_path):
    """all-MiniLM-L6-v2: 82.03 on STS-B test; its modules.json says mean pooling."""
    asked = ["--task", "stsb", "--metric", "spearman", "--data-root", str(data_root), "--perturbations", "swap:0.1"]
    found = evaluate(checkpoints / "minilm", tmp_path / "out", *asked)
    assert 100 * found["en", "clean"] == pytest.approx(82.03, abs=0.1)
    assert found["en", "swap"] < found["en", "clean"] - 0.1
