"""Tfds: array_record files without TensorFlow, and the builders that the catalogue names."""

import dataclasses
import importlib
import pathlib

import pytest

from itt_jax import tasks
from itt_jax.data.sources import Tfds
from itt_jax.errors import InputError
from tests.data.sources.own_task import own_task


def test_tfds_reads_array_records_without_tensorflow(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow_datasets", reason="needs tensorflow-datasets")
    pytest.importorskip("array_record", reason="needs array_record")
    monkeypatch.syspath_prepend(str(pathlib.Path(__file__).parent))
    source = Tfds(
        "tiny_set",
        "tiny_set",
        {"text": "sentence"},
        directory=str(tmp_path),
        label="label",
        labels={"neg": "bad", "pos": "good"},
        index="idx",
    )
    rows = tasks.load_rows(own_task(source), "train", "en")
    assert dict(zip(rows.item_ids, rows.fields["text"], strict=True)) == {
        f"mine/train/{i}": f"größe {i}" for i in range(6)
    }
    assert all(label == int(item[-1]) % 2 for item, label in zip(rows.item_ids, rows.labels, strict=True))
    with pytest.raises(InputError, match="TFDS data set tiny_set, split test"):
        source.read("test", "en")
    with pytest.raises(InputError, match="no column 'gold'; the columns are"):
        dataclasses.replace(source, label="gold").read("train", "en")
    with pytest.raises(InputError, match="needs the packages tensorflow-datasets"):
        Tfds("x", "no_such_module", {"text": "text"}).read("test", "en")


def test_catalogued_tfds_builders_have_the_columns_and_classes(tmp_path):
    tensorflow_datasets = pytest.importorskip("tensorflow_datasets", reason="needs tensorflow-datasets")
    found = 0
    for task in tasks.tasks().values():
        for source in (source for source in task.sources if isinstance(source, Tfds)):
            importlib.import_module(source.module)
            builder = tensorflow_datasets.builder(source.name.format(language="de"), data_dir=tmp_path)
            columns = {*source.columns.values(), source.label} | ({source.index} if source.index else set())
            assert columns <= set(builder.info.features), task.name
            names = getattr(builder.info.features[source.label], "names", None) or []
            assert {source.labels.get(name, name) for name in names} == set(task.labels), task.name
            found += 1
    assert found == 9
