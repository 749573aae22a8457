"""Multiple choice: rows and questions as published, fields perturbed apart, contamination without the question."""

import dataclasses

import numpy as np
import pytest

from itt_jax import perturb, tasks
from itt_jax.data import embedded
from itt_jax.data.contamination import contaminated, digests
from itt_jax.data.embedded import causes
from itt_jax.data.sources import Hub
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.kinds import kind
from itt_jax.kinds.forms import CLEAN_FORM

XCOPA = ("et", "ht", "id", "it", "qu", "sw", "ta", "th", "tr", "vi", "zh")


def test_xcopa_rows(data_root):
    task = tasks.get("xcopa")
    english = {split: tasks.load_rows(task, split, "en", data_root) for split in ("train", "dev")}
    assert {split: len(rows) for split, rows in english.items()} == {"train": 400, "dev": 100}
    assert not tasks.has_rows(task, "test", "en", data_root), "the published English test labels are all 0"
    for code in XCOPA:
        dev, test = (tasks.load_rows(task, split, code, data_root) for split in ("dev", "test"))
        assert (len(dev), len(test)) == (100, 500) and np.bincount(test.labels).tolist() == [250, 250]
        assert (dev.labels == english["dev"].labels).all() and list(dev.item_ids) == list(english["dev"].item_ids)
    questions = {code: tasks.load_rows(task, "test", code, data_root).fields["question"] for code in ("et", "th")}
    assert questions["et"].count("What was the cause?") == 250 and set(questions["th"]) == {"What was the effect?"}
    row = english["dev"].select(np.array([0]))
    assert kind(task.kind).contexts(task, row.fields) == ["The man turned on the faucet. What was the effect?"]
    assert task.labels[row.labels[0]] == "choice2"


def test_social_iqa_rows(data_root):
    task = tasks.get("siqa")
    counts = {split: len(tasks.load_rows(task, split, "en", data_root)) for split in ("train", "dev", "test")}
    assert counts == {"train": 1759, "dev": 195, "test": 2224}
    rows = tasks.load_rows(task, "test", "en", data_root)
    assert kind(task.kind).contexts(task, rows.fields)[0].endswith("the family together. What will happen to Others?")
    assert rows.labels[0] == 2 and rows.fields["answerC"][0] == "thank bailey"


def test_what_is_perturbed_is_what_the_task_says(data_root):
    for name, fields in (
        ("xcopa", ("premise", "choice1", "choice2")),
        ("xcopa_premise", ("premise",)),
        ("xcopa_choices", ("choice1", "choice2")),
    ):
        task = tasks.get(name)
        assert task.editable_fields == fields and task.identifying_fields == ("premise", "choice1", "choice2")
        rows = tasks.load_rows(task, "dev", "it", data_root)
        block = row_forms(task, rows, {CLEAN_FORM: None, ("swap", 0.5, 0): None}, 0)
        noisy = block.forms["swap", 0.5, 0].fields
        for field, texts in rows.fields.items():
            assert (noisy[field] != texts) == (field in fields)


def test_the_question_alone_is_no_contamination():
    task = tasks.get("embedded_causes_general")
    train, test = (tasks.load_rows(task, split, "en") for split in ("train", "test"))
    assert contaminated(train, digests(test)).all(), "every question recurs"
    identifying = tasks.identifying(task, train)
    assert not contaminated(identifying, digests(tasks.identifying(task, test))).any()


def test_embedded_items_are_the_same_in_every_language_and_follow_from_their_pairs():
    pairs = list(zip(causes._events()["cause"], causes._events()["effect"], strict=True))
    assert len(pairs) == 16
    task = tasks.get(causes.NAME)
    for split, size in causes.SIZES.items():
        english = tasks.load_rows(task, split, "en")
        assert len(english) == size and np.bincount(english.labels).tolist() == [size // 2] * 2
        whole = list(zip(*english.fields.values(), strict=True))
        assert len({(premise, question, *sorted(choices)) for premise, question, *choices in whole}) > 0.9 * size
        for language in embedded.LANGUAGES:
            rows = tasks.load_rows(task, split, language)
            assert list(rows.item_ids) == list(english.item_ids) and (rows.labels == english.labels).all()
            names = [person[language] for person in causes._persons(split)]
            for i, (premise, question, *choices) in enumerate(zip(*rows.fields.values(), strict=True)):
                name = next(name for name in names if premise.startswith(f"{name} "))
                right = choices[rows.labels[i]]
                told, asked = (premise, right) if question == causes.QUESTIONS["effect"][language] else (right, premise)
                assert any(
                    (told, asked) == tuple(event[language].replace("{n}", name) for event in pair) for pair in pairs
                )
                assert all(text.endswith(".") and "{" not in text for text in (premise, *choices))


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
    names = [name for name, operator in perturb.CATALOG.items() if "de" in operator.languages]
    block = row_forms(task, rows, {CLEAN_FORM: None} | {(name, 0.5, 0): None for name in names}, 0)
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


def test_hub_rows_get_their_question(tmp_path):
    import datasets

    columns = {"premise": ["a"], "question": ["cause"], "choice1": ["b"], "choice2": ["c"], "label": [1]}
    datasets.Dataset.from_dict(columns).to_parquet(str(tmp_path / "test.parquet"))
    names = {field: field for field in list(columns)[:4]}
    source = Hub(str(tmp_path), names, label="label", labels={"0": "choice1", "1": "choice2"}, splits={"test": "test"})
    task = dataclasses.replace(tasks.get("xcopa"), sources=(source,), languages=("en",))
    rows = tasks.load_rows(task, "test", "en")
    assert rows.fields["question"] == ["What was the cause?"] and rows.labels.tolist() == [1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ("choice1", "choice3")}, "the labels of multiple_choice are some of its fields, premise, question"),
        ({"fixed": ("questions",)}, "unknown field in fixed of task 'xcopa': 'questions'; did you mean 'question'"),
        ({"patterns": {"x": "{}"}}, "unknown field in patterns of task 'xcopa': 'x'"),
        ({"metric": "entity_f1"}, "unknown metric of multiple_choice task 'xcopa': 'entity_f1'"),
    ],
)
def test_tasks_that_do_not_fit_together(change, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(tasks.get("xcopa"), **change)


def test_a_bad_answer_is_named_with_its_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"premise": "a", "question": "cause", "choice1": "b", "choice2": "c", "label": 2}\n')
    source = dataclasses.replace(tasks.get("xcopa").sources[0], paths={"test": str(path)})
    with pytest.raises(InputError, match=r"rows.jsonl, line 1: label '2' is unknown in task 'xcopa'; expected 0, 1"):
        tasks.load_rows(dataclasses.replace(tasks.get("xcopa"), sources=(source,)), "test", "en")
