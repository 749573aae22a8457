"""Legal tasks from the hub, read offline from small folders in the exact schema."""

import dataclasses
import pathlib

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data.sources import Hub
from itt_jax.errors import InputError
from itt_jax.tasks import Task

Configs = dict[str, tuple[dict, dict[str, list[dict]]]]
"""Configuration -> its features, as `datasets` writes them, and split -> records."""


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A function that writes parquet files by configuration and split, with a card, as on the hub."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()

    def write(task: Task, configs: Configs) -> Task:
        card = ["---", "configs:"]
        for name, (features, splits) in configs.items():
            card += [f"- config_name: {name}", "  data_files:"]
            for split, records in splits.items():
                path = tmp_path / "set" / name / f"{split}-00000-of-00001.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                datasets.Dataset.from_list(records, features=datasets.Features(features)).to_parquet(path)
                card += [f"  - split: {split}", f"    path: {name}/{split}-*.parquet"]
        (tmp_path / "set" / "README.md").write_text("\n".join([*card, "---", ""]))
        return from_folder(task, tmp_path / "set")

    return write


def from_folder(task: Task, folder: pathlib.Path) -> Task:
    """The catalogue's task with another id and revision in its source."""
    (source,) = task.sources
    assert isinstance(source, Hub)
    return dataclasses.replace(task, sources=(dataclasses.replace(source, id=str(folder), revision=None),))


def test_contract_nli(published):
    datasets = pytest.importorskip("datasets")
    features = {
        "premise": datasets.Value("string"),
        "hypothesis": datasets.Value("string"),
        "label": datasets.ClassLabel(names=["contradiction", "entailment", "neutral"]),
    }
    texts = [(f"Clause {i}.", "Some obligations of Agreement may survive termination.") for i in range(6)]
    records = [{"premise": p, "hypothesis": h, "label": i % 3} for i, (p, h) in enumerate(texts)]
    splits = {"train": records, "validation": records[:3], "test": records[3:]}
    task = published(tasks.get("contract_nli"), {"contractnli_a": (features, splits)})
    rows = tasks.load_rows(task, "dev", "en")
    assert [task.labels[k] for k in rows.labels] == ["contradiction", "entailment", "neutral"]
    assert rows.fields["premise"] == ["Clause 0.", "Clause 1.", "Clause 2."] and rows.domain == "legal"
    assert len(tasks.load_rows(task, "train", "en")) == 6 and len(tasks.load_rows(task, "test", "en")) == 3
    assert list(tasks.identifying(task, rows).fields) == list(task.editable_fields) == ["premise"]
    with pytest.raises(InputError, match="'contract_nli' has no language 'de'"):
        tasks.load_rows(task, "test", "de")


def test_a_head_of_xnli_can_be_evaluated_on_contracts():
    xnli = tasks.get("xnli")
    for name in ("contract_nli", "contract_nli_documents"):
        task = tasks.get(name)
        assert (task.kind, task.label_space, len(task.fields)) == (xnli.kind, xnli.label_space, len(xnli.fields))
        assert task.labels == xnli.labels and task.domain != xnli.domain


def test_multi_eurlex(published):
    """One configuration for each language; a law has one celex_id, and is missing in some languages."""
    datasets = pytest.importorskip("datasets")
    names = list(tasks.get("multi_eurlex").labels)
    features = {
        "celex_id": datasets.Value("string"),
        "text": datasets.Value("string"),
        "labels": datasets.Sequence(datasets.ClassLabel(names=names)),
    }

    def laws(language, ids):
        return [{"celex_id": f"3200{i}R", "text": f"{language} law {i}", "labels": [i, 20 - i]} for i in ids]

    splits = {"train": (0, 1, 2, 3), "validation": (4, 5), "test": (6, 7, 8)}
    configs = {code: {split: laws(code, ids) for split, ids in splits.items()} for code in ("en", "mt")}
    configs["mt"]["train"] = laws("mt", (1, 3))
    task = published(tasks.get("multi_eurlex"), {code: (features, own) for code, own in configs.items()})
    english, maltese = (tasks.load_rows(task, "test", code) for code in ("en", "mt"))
    assert list(english.item_ids) == list(maltese.item_ids) == [f"multi_eurlex/test/3200{i}R" for i in (6, 7, 8)]
    assert english.fields["text"][0] == "en law 6" and maltese.fields["text"][0] == "mt law 6"
    assert [np.flatnonzero(own).tolist() for own in english.labels] == [[6, 14], [7, 13], [8, 12]]
    assert list(tasks.load_rows(task, "train", "mt").item_ids) == [
        "multi_eurlex/train/32001R",
        "multi_eurlex/train/32003R",
    ]
    assert len(task.labels) == 21 and len(task.languages) == 23 and task.metric == "r_precision"
    lextreme = tasks.get("lextreme_multi_eurlex_level_1")
    assert lextreme.sources == tasks.get("multi_eurlex").sources and lextreme.metric == "label_macro_f1"


# kind -> "input" and "label" of row i on the hub, for the task's classes
RECORDS = {
    "classification": lambda i, n: (f"text {i}", i % n),
    "multilabel": lambda i, n: (f"text {i}", [] if i == 1 else [i % n, (i + 1) % n]),
    "token_classification": lambda i, n: (["A", "New York", "court"], [0, (2 * i + 1) % n, 0]),
}


@pytest.mark.parametrize(
    "name", [name for name in tasks.names() if name.startswith("lextreme_") and "eurlex" not in name]
)
def test_lextreme(name, published):
    """Columns input, label and language; one configuration holds several languages."""
    datasets = pytest.importorskip("datasets")
    task = tasks.get(name)
    assert name == f"lextreme_{task.sources[0].config}" and task.source_language == task.languages[0]
    names = sorted(task.labels)  # not in our order
    label, text = datasets.ClassLabel(names=names), datasets.Value("string")
    features = {
        "input": datasets.Sequence(text) if task.kind == "token_classification" else text,
        "label": label if task.kind == "classification" else datasets.Sequence(label),
        "language": text,
    }
    made = [RECORDS[task.kind](i, len(names)) for i in range(6)]
    order = [task.languages[i % min(2, len(task.languages))] for i in range(6)]
    records = [{"input": a, "label": b, "language": code} for (a, b), code in zip(made, order, strict=True)]
    splits = {"train": records, "validation": records[:2], "test": records}
    task = published(task, {task.sources[0].config: (features, splits)})
    for place, language in enumerate(task.languages[:2]):
        rows = tasks.load_rows(task, "test", language)
        own = [i for i in range(6) if order[i] == language]
        prefix = f"{language}-" if len(task.languages) > 1 else ""
        assert list(rows.item_ids) == [f"{name}/test/{prefix}{i}" for i in own] and own[0] == place
        if task.kind == "classification":
            assert [task.labels[k] for k in rows.labels] == [names[made[i][1]] for i in own]
            assert rows.fields["text"] == [f"text {i}" for i in own]
        elif task.kind == "multilabel":
            found = [{task.labels[k] for k in np.flatnonzero(row)} for row in rows.labels]
            assert found == [{names[k] for k in made[i][1]} for i in own]
        else:
            assert rows.fields["text"][0] == "A New\u00a0York court"
            assert [[task.labels[k] for k in row] for row in rows.labels.arrays()] == [
                [names[k] for k in made[i][1]] for i in own
            ]
