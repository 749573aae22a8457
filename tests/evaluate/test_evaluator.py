"""Predictions of several models from one stream, or from several where their parameters do not fit together."""

import jax
import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.evaluate import evaluator as module
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.models import make_head
from tests.train.toy import tiny_encoder

TEXTS = [f"{who} {does} {what}" for who in ("Ada", "Omar") for does in ("reads", "sees") for what in ("it", "me")]


@pytest.mark.slow
def test_models_that_do_not_fit_together_are_predicted_one_after_the_other(monkeypatch):
    encoder, task, place = tiny_encoder("bert"), tasks.get("sst2"), ("sst2", "test", "en")
    head, shares = make_head(encoder, "classification", 2), []
    fields, labels = {task.fields[0]: TEXTS}, np.zeros(8, np.int32)
    rows = Rows("sst2", "test", "en", "general", np.arange(8).astype(str), fields, labels)
    forms = {place: row_forms(task, rows, {CLEAN_FORM: None}, 0)}
    evaluator = Evaluator(train_tokenizer(TEXTS, "bert", 60), 32, forms, tell=lambda doing, share: shares.append(share))
    keys = [jax.random.split(jax.random.key(seed)) for seed in range(3)]
    models = [{"encoder": encoder.init(first), "head": head.init(second)} for first, second in keys]
    alone = [evaluator.predict(encoder, head, own)[place] for own in models]
    monkeypatch.setattr(module, "predicted_together", lambda own: 2)
    shares.clear()
    together = evaluator.predict_stack(encoder, head, models)
    np.testing.assert_allclose([own[place] for own in together], alone, atol=1e-6)
    assert np.std(alone, axis=0).min() > 1e-3 and shares[-1] == 1.0 and sorted(shares) == shares
