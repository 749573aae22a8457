"""Token classification tasks: row counts, quirks of the files, mappings between label spaces, errors."""

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data.sources import Hub, LocalFiles, LocalXmi
from itt_jax.data.sources.conll import iob2
from itt_jax.data.sources.xmi import tags
from itt_jax.errors import InputError
from itt_jax.tasks.tagging import LENER_TYPES, LER_TYPES, PANX_LANGUAGES, UDPOS_LANGUAGES, entity_labels

COUNTS = {
    "panx": {"en": {"train": 20000, "dev": 1000}, "sw": {"train": 1000, "dev": 1000}, "my": {"dev": 100}},
    "udpos": {"en": {"train": 21253, "dev": 1000}, "ta": {"dev": 80}},
    "ler_de": {"de": {"train": 5333, "dev": 1333, "test": 6673}},
    "lener_br": {"pt": {"train": 7827, "dev": 1176, "test": 1389}},
    "ncbi_disease": {"en": {"train": 5424, "dev": 923, "test": 940}},
    "bc5cdr": {"en": {"train": 3942, "dev": 3949, "test": 4139}},
    "e3c": {"en": {"all": 744}, "es": {"all": 423}, "eu": {"all": 1573}, "fr": {"all": 453}, "it": {"all": 396}},
}


@pytest.mark.parametrize("name", COUNTS)
def test_rows_have_one_tag_a_word(name, data_root):
    task = tasks.get(name)
    for language, splits in COUNTS[name].items():
        for split, expected in splits.items():
            rows = tasks.load_rows(task, split, language, data_root)
            assert len(rows) == expected and len(set(rows.item_ids)) == expected
            assert [text.count(" ") + 1 for text in rows.fields["text"]] == rows.labels.lengths.tolist()
            assert 0 <= rows.labels.values.min() and rows.labels.values.max() < len(task.labels)


def test_every_language_of_the_benchmarks_is_there(data_root):
    panx, udpos = tasks.get("panx"), tasks.get("udpos")
    assert len(PANX_LANGUAGES) == 48 and len(UDPOS_LANGUAGES) == 38
    assert sum(tasks.has_rows(panx, "dev", code, data_root) for code in panx.languages) == 47
    assert sum(tasks.has_rows(udpos, "dev", code, data_root) for code in udpos.languages) == 34
    assert [code for code in panx.languages if tasks.has_rows(panx, "train", code, data_root)] == [
        "en", "de", "es", "hi", "sw", "zh"
    ]  # fmt: skip
    first = tasks.load_rows(panx, "dev", "zh", data_root)
    assert first.fields["text"][0] == "前 鎮 區" and [panx.labels[t] for t in first.labels[0]] == [
        "B-LOC",
        "I-LOC",
        "I-LOC",
    ]


def test_bc5cdr_in_iob1_is_read_as_iob2(data_root):
    """Each entity begins with B-: there are as many as starts in the published file."""
    assert iob2(["I-X", "I-X", "B-X", "O", "I-Y", "I-X"]) == ["B-X", "I-X", "B-X", "O", "B-Y", "B-X"]
    rows = tasks.load_rows(tasks.get("bc5cdr"), "train", "en", data_root)
    for own in rows.labels.arrays():
        assert not ((own[1:] == 2) & (own[:-1] == 0)).any() and own[0] != 2
    path = data_root / "medical" / "scibert_tasks" / "ner" / "bc5cdr" / "train.txt"
    published = [line.split()[-1] if line.strip() else "" for line in path.read_text().split("\n")]
    starts = sum(tag == "B-Entity" for tag in published)
    before = ["", *published[:-1]]
    starts += sum(tag == "I-Entity" and last in ("", "O") for last, tag in zip(before, published, strict=True))
    assert (rows.labels.values == 1).sum() == starts


@pytest.mark.parametrize(
    ("mapped", "full", "types"), [("ler_de_panx", "ler_de", LER_TYPES), ("lener_br_panx", "lener_br", LENER_TYPES)]
)
def test_legal_entities_map_to_those_of_panx(mapped, full, types, data_root):
    task, own = tasks.get(mapped), tasks.get(full)
    assert task.labels == tasks.get("panx").labels and task.domain == "legal"
    language = task.source_language
    rows, whole = (tasks.load_rows(t, "test", language, data_root) for t in (task, own))
    assert rows.fields == whole.fields
    for a, b in zip(rows.labels.values, whole.labels.values, strict=True):
        published = own.labels[b]
        kind = types.get(published[2:]) if published != "O" else None
        assert task.labels[a] == (f"{published[0]}-{kind}" if kind else "O")
    assert set(np.unique(rows.labels.values)) == set(range(7))
    assert entity_labels({"A": "X", "B": None}) == {"O": "O", "B-A": "B-X", "I-A": "I-X", "B-B": "O", "I-B": "O"}


def test_clinical_entities(data_root):
    """Entities of the documents, undivided documents in each split, the label spaces of NCBI and PAN-X."""
    task = tasks.get("e3c")
    assert task.label_space == tasks.get("ncbi_disease").label_space
    assert tasks.get("e3c_panx").label_space == tasks.get("panx").label_space
    rows = tasks.load_rows(task, "all", "en", data_root)
    assert (rows.labels.values == 1).sum() == 479 - 14  # of the annotated spans, 14 overlap a longer one
    actors = tasks.load_rows(tasks.get("e3c_panx"), "all", "en", data_root)
    assert [tasks.get("e3c_panx").labels[t] for t in np.unique(actors.labels.values)] == ["O", "B-PER", "I-PER"]
    assert (actors.labels.values == 5).sum() == 315
    documents = [
        {item.split("/")[2].rsplit("-", 1)[0] for item in tasks.load_rows(task, split, "en", data_root).item_ids}
        for split in ("train", "dev", "test")
    ]
    assert [len(own) for own in documents] == [15, 3, 12] and len(set.union(*documents)) == 30
    assert rows.item_ids[0].startswith("e3c/all/en-EN1")


def test_overlapping_entities():
    tokens = [(0, 3), (4, 9), (10, 12), (13, 15)]
    assert tags(tokens, [(4, 9, "Y"), (0, 12, "X"), (13, 15, "Z")]) == ["B-X", "I-X", "I-X", "B-Z"]
    assert tags(tokens, [(0, 3, "X"), (4, 9, "X"), (11, 12, "X")]) == ["B-X", "B-X", "O", "O"]


def own_task(path, **more):
    labels = ("O", "B-X", "I-X")
    source = LocalFiles({"test": str(path)}, **({"format": "conll", "columns": {"text": 0}, "label": 1} | more))
    return tasks.Task("mine", "token_classification", ("text",), (source,), labels, metric="entity_f1")


@pytest.mark.parametrize(
    ("content", "message", "more"),
    [
        ("a\tO\nb\n", r"line 2: 1 columns, expected 2", {}),
        ("a O\nb O X\n", r"line 2: 3 columns, expected 2", {}),
        ("a\tO\n\tO\n", r"line 2: column 0 is empty", {}),
        (
            "a\tO\n\nb\tO\nc\tB-Y\n",
            r"line 4 \('c'\): label 'B-Y' is unknown in task 'mine'; expected O, B-X, I-X",
            {},
        ),
        ('{"w": ["a", "b"], "t": ["O"]}\n', r"line 1: 1 tags, expected 2, one for each word", {"format": "jsonl"}),
        ('{"w": ["a", ""], "t": ["O", "O"]}\n', r"line 1, word 2 is empty", {"format": "jsonl"}),
        ('{"w": ["a", 3], "t": ["O", "O"]}\n', r"expected text, found \['a', 3\]", {"format": "jsonl"}),
    ],
)
def test_bad_input_is_named_with_file_and_line(content, message, more, tmp_path):
    path = tmp_path / "file"
    path.write_text(content)
    columns = {"columns": {"text": "w"}, "label": "t"} if more else {}
    with pytest.raises(InputError, match=rf"^{path}.*{message}"):
        tasks.load_rows(own_task(path, **more, **columns), "test", "en")


def test_words_and_tags_of_other_formats(tmp_path):
    path = tmp_path / "file"
    path.write_text('{"w": ["10 000", "b"], "t": ["B-X", "O"]}\n')
    rows = tasks.load_rows(own_task(path, format="jsonl", columns={"text": "w"}, label="t"), "test", "en")
    assert rows.fields["text"] == ["10\u00a0000 b"] and rows.labels[0].tolist() == [1, 0]
    path.write_text("New York\tB-X\n.\tO\n")
    rows = tasks.load_rows(own_task(path), "test", "en")
    assert rows.fields["text"] == ["New\u00a0York ."] and rows.labels[0].tolist() == [1, 0]


def test_hub_data_sets_with_word_lists(tmp_path):
    import datasets

    features = datasets.Features(
        {
            "tokens": datasets.List(datasets.Value("string")),
            "tags": datasets.List(datasets.ClassLabel(names=["O", "B-X"])),
        }
    )
    table = datasets.Dataset.from_dict({"tokens": [["a", "b"], ["c"]], "tags": [[0, 1], [1]], "id": ["7", "7"]})
    table.remove_columns("id").cast(features).to_parquet(str(tmp_path / "test.parquet"))
    source = Hub(str(tmp_path), {"text": "tokens"}, label="tags", splits={"test": "test"})
    task = tasks.Task("mine", "token_classification", ("text",), (source,), ("O", "B-X"), metric="entity_f1")
    rows = tasks.load_rows(task, "test", "en")
    assert rows.fields["text"] == ["a b", "c"] and [own.tolist() for own in rows.labels.arrays()] == [[0, 1], [1]]
    table.to_parquet(str(tmp_path / "test.parquet"))
    source = Hub(str(tmp_path), {"text": "tokens"}, label="tags", splits={"test": "test"}, index="id")
    task = tasks.Task("mine", "token_classification", ("text",), (source,), ("0", "1"), metric="entity_f1")
    with pytest.raises(InputError, match=r"row 1: index '7' occurs twice"):
        tasks.load_rows(task, "test", "en")


def test_documents_that_are_not_xmi(tmp_path):
    task = tasks.Task(
        "mine",
        "token_classification",
        ("text",),
        (LocalXmi(str(tmp_path), {"E": "X"}),),
        ("O", "B-X"),
        metric="entity_f1",
    )
    (tmp_path / "a.xml").write_text("<a><b")
    with pytest.raises(InputError, match=r"a\.xml: not a document in XMI form \(ParseError"):
        tasks.load_rows(task, "all", "en")
    (tmp_path / "a.xml").write_text('<a xmlns:c="c"><c:Sofa sofaString="ab"/><c:Token begin="0" end="3"/></a>')
    with pytest.raises(InputError, match="Token from 0 to 3 is outside the text of 2 UTF-16 units"):
        tasks.load_rows(task, "all", "en")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "accuracy"}, "unknown metric of token_classification task 'mine': 'accuracy'"),
        ({"fields": ("a", "b")}, "token_classification has one field, found a, b"),
        ({"labels": ("O",)}, "token_classification needs at least two labels"),
        ({"kind": "classification"}, "unknown metric of classification task 'mine': 'entity_f1'"),
    ],
)
def test_tasks_that_do_not_fit_together(change, message, tmp_path):
    fields = {
        "name": "mine",
        "kind": "token_classification",
        "fields": ("text",),
        "labels": ("O", "B-X"),
        "metric": "entity_f1",
    }
    with pytest.raises(InputError, match=message):
        tasks.Task(sources=(Hub("x", {}),), **(fields | change))
