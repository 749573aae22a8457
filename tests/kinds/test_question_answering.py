"""Question answering: rows that are not applicable do not count, long contexts count once."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data.examples import assemble
from itt_jax.data.sources import LocalSquad
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.metrics import METRICS
from itt_jax.metrics.answers import span_item_scores
from itt_jax.models import make_encoder, make_head

NOISE = {CLEAN_FORM: None, ("swap", 0.3, 0): None, ("word_drop", 0.4, 0): None}
CONTEXT = "Ada went to Rome by train and stayed there until the end of the war with two friends, Omar and Mei. " * 3
QUESTIONS = [("Where did Ada go?", "Rome"), ("How did she travel?", "by train"), ("With whom?", "Omar and Mei")]


@pytest.fixture(scope="module", params=["bert", "roberta", "xlnet"])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def made(family, tmp_path_factory):
    path = tmp_path_factory.mktemp("squad") / "test.json"
    questions = [
        {"id": str(i), "question": text, "answers": [{"text": answer, "answer_start": CONTEXT.index(answer)}]}
        for i, (text, answer) in enumerate(QUESTIONS)
    ]
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": CONTEXT, "qas": questions}]}]}))
    task = tasks.Task(
        "asked", "question_answering", ("question", "context"), (LocalSquad({"test": str(path)}),), metric="squad_f1"
    )
    rows = tasks.load_rows(task, "test", "en")
    tokenizer = train_tokenizer([CONTEXT, *(text for text, _ in QUESTIONS)] * 4, family, 300)
    return task, rows, tokenizer, row_forms(task, rows, NOISE, 0)


def test_answers_are_kept_and_the_text_around_them_is_noisy(made):
    task, rows, _, block = made
    for key, form in block.forms.items():
        assert form.applicable is None if key == CLEAN_FORM else form.applicable.all()
        for (_, answer), context in zip(QUESTIONS, form.fields["context"], strict=True):
            assert answer in context and (context == CONTEXT) == (key == CLEAN_FORM)
    assert (task.editable_fields, len(rows)) == (("question", "context"), 3)


def test_the_ids_of_an_input_are_those_of_the_whole_pair(made):
    _, _, tokenizer, block = made
    place = ("asked", "test", "en")
    inputs = Evaluator(tokenizer, 48, {place: block})._blocks[place].inputs
    assert (np.diff(inputs.examples.windows.parts) > 1).sum() > 6
    for form, index in ((block.forms[key], inputs.index[key]) for key in NOISE):
        sides = [tokenizer.encode(form.fields[name]) for name in ("question", "context")]
        whole = assemble(tokenizer, sides[::-1] if tokenizer.layout.context_first else sides, 4096)
        for row, i in enumerate(index):
            assert inputs.ids[int(i)].tolist() == whole.ids[whole.offsets[row] : whole.offsets[row + 1]].tolist()
    assert inputs.token_change_rate(CLEAN_FORM) == 0 < inputs.token_change_rate(("word_drop", 0.4, 0)) < 0.7


def test_rows_without_their_answer_do_not_count(made, family):
    task, _, tokenizer, block = made
    key, place = ("swap", 0.3, 0), ("asked", "test", "en")
    kept = dataclasses.replace(block.forms[key], applicable=np.array([True, False, True]))
    none = dataclasses.replace(block.forms[key], applicable=np.zeros(3, bool))
    sizes = {"layers": 1, "width": 16, "heads": 1, "feed_forward": 16}
    if family != "xlnet":
        sizes["max_positions"] = 80
    encoder = make_encoder(family, pad_id=tokenizer.pad_id, vocabulary_size=tokenizer.vocabulary_size, **sizes)
    head = make_head(encoder, "question_answering", 2)
    params = {"encoder": encoder.init(jax.random.key(0)), "head": head.init(jax.random.key(1))}
    for form, n in ((kept, 2), (none, 0)):
        own = dataclasses.replace(block, forms=block.forms | {key: form})
        evaluator = Evaluator(tokenizer, 64, {place: own})
        result = evaluator.cell(evaluator.predict(encoder, head, params), place, key, task)
        values = result.columns["item_value"][form.applicable]
        assert (result.figures["n"], result.figures["n_not_applicable"]) == (n, 3 - n)
        assert result.figures["value"] == pytest.approx(values.mean() if n else 0)
        assert all(text in form.fields["context"][i] for i, text in enumerate(result.columns["prediction"]))


@pytest.mark.parametrize("metric", [own.name for own in METRICS if "answer" in own.outcomes])
def test_the_value_of_each_metric_is_the_mean_over_the_rows_that_count(made, metric):
    task, rows, tokenizer, block = made
    task, place = dataclasses.replace(task, metric=metric), ("asked", "test", "en")
    form = dataclasses.replace(block.forms[CLEAN_FORM], applicable=np.array([True, True, False]))
    evaluator = Evaluator(tokenizer, 512, {place: dataclasses.replace(block, forms={CLEAN_FORM: form})})
    windows = evaluator._blocks[place].inputs.examples.windows
    # scores that predict the right answer, a longer one, and another text
    places = np.zeros((3, 2), int)
    for row, wanted in enumerate(("Rome", "went to Rome by train", "the end")):
        spans = [(a, b) for a in range(windows.counts[row]) for b in range(a, min(a + 30, windows.counts[row]))]
        places[row] = next(s for s in spans if windows.text(CONTEXT, *(windows.first[row] + s)).strip() == wanted)
    scores = np.concatenate([np.ones((3, 1)), places + windows.positions[:, None], np.zeros((3, 1))], 1)
    result = evaluator.cell({place: scores.astype(np.float32)}, place, CLEAN_FORM, task)
    protocol, _, name = metric.partition("_")
    by_item = span_item_scores(result.columns["prediction"], rows.labels.texts, protocol, "en")[name]
    np.testing.assert_allclose(result.columns["item_value"], by_item)
    assert result.figures["value"] == pytest.approx(by_item[:2].mean())
    assert by_item[0] == 1 and by_item[1] == (pytest.approx(4 / 7) if name == "f1" else 0)
