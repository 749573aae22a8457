"""PubMedQA and SciBERT's classification sets: row and class counts, published test ids, errors."""

import dataclasses
import json

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.errors import InputError

# split -> rows; classes of the test split in the order of the task's labels, as the files' own lines count them
COUNTS = {
    "chemprot": ((4169, 2427, 3469), (1255, 453, 340, 334, 292, 293, 191, 182, 72, 41, 4, 0, 12)),
    "citation_intent": ((1688, 114, 139), (71, 26, 25, 7, 5, 5)),
    "scicite": ((7320, 916, 1861), (997, 605, 259)),
}


@pytest.mark.parametrize("name", COUNTS)
def test_row_and_class_counts(name, data_root):
    task, (rows, classes) = tasks.get(name), COUNTS[name]
    found = [tasks.load_rows(task, split, "en", data_root) for split in ("train", "dev", "test")]
    assert tuple(map(len, found)) == rows
    assert tuple(np.bincount(found[2].labels, minlength=len(task.labels)).tolist()) == classes
    assert set(found[0].labels.tolist()) == set(range(len(task.labels)))


def test_pubmedqa_has_the_published_test_questions(data_root):
    task = tasks.get("pubmedqa")
    train, dev, test = (tasks.load_rows(task, split, "en", data_root) for split in ("train", "dev", "test"))
    gold = json.loads((data_root / "medical/pubmedqa/test_ground_truth.json").read_text())
    assert {
        item.removeprefix("pubmedqa/test/"): task.labels[k] for item, k in zip(test.item_ids, test.labels, strict=True)
    } == gold
    assert np.bincount(test.labels).tolist() == [276, 169, 55]
    assert len(train) + len(dev) == 500 and 30 <= len(dev) <= 70 and not set(train.item_ids) & set(dev.item_ids)
    assert train.fields["question"][0].endswith("?") and len(train.fields["abstract"][0].split()) > 50


def test_records_are_refused_with_their_place(tmp_path):
    record = {"QUESTION": "Does it?", "CONTEXTS": ["One.", "Two."], "final_decision": "yes"}
    (source,) = tasks.get("pubmedqa").sources
    source = dataclasses.replace(source, path="all.json", test_ids="test.json")
    task = dataclasses.replace(tasks.get("pubmedqa"), sources=(source,))

    def load(records, test_ids=("2",)):
        (tmp_path / "all.json").write_text(json.dumps(records))
        (tmp_path / "test.json").write_text(json.dumps(dict.fromkeys(test_ids, "yes")))
        return tasks.load_rows(task, "test", "en", tmp_path)

    rows = load({"1": record, "2": record})
    assert list(rows.item_ids) == ["pubmedqa/test/2"] and rows.fields["abstract"] == ["One. Two."]
    with pytest.raises(InputError, match=r"test.json: id '3' has no record"):
        load({"2": record}, ("3",))
    with pytest.raises(InputError, match=r"all.json, id '2': no column 'CONTEXTS'"):
        load({"2": {"QUESTION": "Does it?", "final_decision": "yes"}})
    with pytest.raises(
        InputError, match=r"id '2': label 'perhaps' is unknown in task 'pubmedqa'; expected yes, no, maybe"
    ):
        load({"2": record | {"final_decision": "perhaps"}})
    with pytest.raises(InputError, match="expected a JSON object of records by id, found list"):
        load([record])
