"""The family that CONTRIBUTING.md adds is Hugging Face's, parameter by parameter."""

import json

import jax
import numpy as np
import pytest

from itt_jax import families, models
from itt_jax.batch import Batch
from tests.extension.electra import ELECTRA


@pytest.mark.slow
def test_heads_equal_those_of_hugging_face(monkeypatch, tmp_path):
    torch = pytest.importorskip("torch", reason="parity needs PyTorch, the framework of the reference")
    import transformers

    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, ELECTRA))
    sizes = {"hidden_size": 16, "embedding_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.ElectraConfig(vocab_size=50, intermediate_size=24, num_labels=3, **sizes)
    ids = np.random.default_rng(0).integers(1, 50, (2, 9), dtype=np.int32)
    places = Batch({}, {"summary_rows": np.arange(2), "summary_positions": np.zeros(2, int)})
    for name in ("ElectraForSequenceClassification", "ElectraForTokenClassification", "ElectraForMaskedLM"):
        generator = torch.Generator().manual_seed(0)
        theirs = getattr(transformers, name)(config).eval()
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.normal_(0.0, 0.3, generator=generator)
            expected = theirs(torch.from_numpy(ids)).logits.numpy()
        theirs.save_pretrained(tmp_path / name)
        encoder, head, params, _ = models.load_model(tmp_path / name)
        hidden = encoder(params["encoder"], ids, np.ones_like(ids))
        np.testing.assert_allclose(head(params, hidden, places), expected, atol=1e-4)
        models.export(tmp_path / "again", encoder, params, head)
        assert json.loads((tmp_path / "again" / "config.json").read_text())["architectures"] == [name]
        again = models.load_model(tmp_path / "again")[2]
        assert jax.tree.all(jax.tree.map(np.array_equal, params, again))
