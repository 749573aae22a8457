"""Multiple choice tasks: published rows and questions, perturbed fields, contamination without the question."""

import dataclasses

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data.contamination import contaminated, digests
from itt_jax.data.sources import Hub
from itt_jax.errors import InputError
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
    assert contaminated(train, digests(test), "any_field").all(), "every question recurs"
    identifying = tasks.identifying(task, train)
    assert not contaminated(identifying, digests(tasks.identifying(task, test)), "any_field").any()


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
