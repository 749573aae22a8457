"""AdvGLUE's dev set: counts, labels, and damaged files in one line."""

import dataclasses
import json

import pytest

from itt_jax import tasks
from itt_jax.errors import InputError

COUNTS = {"sst2": 148, "qqp": 78, "mnli": 121, "mnli_mm": 162, "qnli": 148, "rte": 81}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(data_root, name):
    task = tasks.get(f"advglue_{name}")
    rows = tasks.load_rows(task, "test", "en", data_root)
    assert len(rows) == COUNTS[name] and set(rows.labels.tolist()) == set(range(len(task.labels)))


def test_labels_are_in_the_order_of_glue(data_root):
    """By reading the first rows of the file."""
    first = tasks.load_rows(tasks.get("advglue_sst2"), "test", "en", data_root)
    assert first.fields["text"][1].startswith("it captures a wonderful kind of laziness") and first.labels[1] == 0
    pair = tasks.load_rows(tasks.get("advglue_mnli"), "test", "en", data_root)
    assert (
        "no" not in pair.fields["hypothesis"][0].split()[:1] and pair.labels[0] == 2
    )  # golden space left; plenty of it
    assert tasks.get("advglue_mnli").labels[2] == "contradiction"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected a JSON object of lists by name, found list"),
        ({"qqp": []}, "no list 'sst2'; its members are qqp"),
        ({"sst2": [3]}, r"sst2\[0\]: expected an object, found int"),
        ({"sst2": [{"sentence": "a", "label": 0}, {"label": 0}]}, r"sst2\[1\]: no column 'sentence'"),
        ({"sst2": [{"sentence": 1, "label": 0}]}, r"sst2\[0\]: column 'sentence': found 1, expected text"),
        ({"sst2": [{"sentence": "a", "label": 2}]}, r"sst2\[0\]: label '2' is unknown"),
    ],
)
def test_damaged_files_are_named(tmp_path, content, message):
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(content))
    task = tasks.get("advglue_sst2")
    task = dataclasses.replace(task, sources=(dataclasses.replace(task.sources[0], paths={"test": str(path)}),))
    with pytest.raises(InputError, match=message):
        tasks.load_rows(task, "test", "en")
