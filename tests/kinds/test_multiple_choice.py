"""Multiple choice: examples of items, and cells of right predictions under every operator."""

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.kinds import kind
from tests.kinds.operators import every_form


@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_an_item_is_one_example_for_each_choice(family):
    task = tasks.get("embedded_causes_general")
    rows = tasks.load_rows(task, "dev", "fr").select(np.arange(30))
    tokenizer = train_tokenizer([text for texts in rows.fields.values() for text in texts], family, 300)
    examples = kind(task.kind).encode(task, tokenizer, rows, 200)
    assert len(examples) == 60 and examples.choices == 2 and examples.items == 30
    assert examples.labels.tolist() == np.repeat(rows.labels, 2).tolist()
    assert examples.of_items(np.array([4, 0])).tolist() == [8, 9, 0, 1]
    contexts = tokenizer.encode_whole(kind(task.kind).contexts(task, rows.fields))
    choices = [tokenizer.encode_whole(rows.fields[field]) for field in task.labels]
    for e in range(60):
        own = slice(examples.offsets[e], examples.offsets[e + 1])
        parts = [examples.ids[own][examples.fields[own] == field].tolist() for field in (1, 2)]
        assert parts == [contexts[e // 2].tolist(), choices[e % 2][e // 2].tolist()]


def test_gold_predictions_score_100_percent_under_every_operator():
    task = tasks.get("embedded_causes_general")
    rows = tasks.load_rows(task, "test", "de").select(np.arange(24))
    tokenizer = train_tokenizer([text for texts in rows.fields.values() for text in texts], "bert", 300)
    block = row_forms(task, rows, every_form("de", 0.5), 0)
    place = (task.name, "test", "de")
    evaluator = Evaluator(tokenizer, 48, {place: block})
    inputs = evaluator._blocks[place].inputs
    for key, form in block.forms.items():
        index = inputs.index[key]
        assert index.shape == (24, 2) and form.fields["question"] == rows.fields["question"]
        # the right example of each item gets the only score above 0; an item whose choices now read alike has a draw
        scores = np.zeros((len(inputs.examples), 1), np.float32)
        own = [inputs.ids[i].tolist() for i in index.ravel()]
        found = []
        for i in range(24):
            scores[:] = 0
            scores[index[i, rows.labels[i]]] = 1
            found.append(inputs.scores_of(scores, key)[i])
        gold = np.stack(found)
        assert (gold.argmax(1) == rows.labels).all() or any(own[2 * i] == own[2 * i + 1] for i in range(24)), key
        result = evaluator.cell({place: scores}, place, key, task)
        assert result.figures["n"] == 24 and np.stack(result.columns["scores"]).shape == (24, 2)
        assert list(result.columns["label"]) == list(rows.labels)
