"""Sources: every file format, the hub and TFDS offline, and what is said of broken input."""

import dataclasses
import importlib
import json
import pathlib
import socket

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data.sources import Hub, LocalFiles, Tfds, data_root, hub
from itt_jax.data.sources.conll import read_conll
from itt_jax.errors import AbsentError, InputError
from itt_jax.tasks import Task


def _task(source, **changes) -> Task:
    settings = {"kind": "classification", "fields": ("text",), "labels": ("bad", "good")} | changes
    return Task("mine", sources=(source,), **settings)


def _load(tmp_path: pathlib.Path, content: str | bytes, **settings):
    """Rows of a one-file task over `content`."""
    path = tmp_path / "rows"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    changes = settings.pop("task", {})
    source = LocalFiles({"test": str(path)}, **({"columns": {"text": "text"}, "label": "label"} | settings))
    return tasks.load_rows(_task(source, **changes), "test", "en")


TEXTS = ['a "quoted" word', "comma, tab\tor line\nfeed", "שלום \u2028 नमस्ते", ""]


def test_csv_keeps_quotes_line_feeds_and_other_line_separators(tmp_path):
    content = "label,text\r\n" + "".join('good,"{}"\r\n'.format(t.replace('"', '""')) for t in TEXTS)
    rows = _load(tmp_path, content, format="csv")
    assert rows.fields["text"] == TEXTS and rows.labels.tolist() == [1] * 4
    assert list(rows.item_ids) == [f"mine/test/{i}" for i in range(4)]


def test_unquoted_tsv_takes_a_quote_as_a_letter(tmp_path):
    rows = _load(tmp_path, '\ufefftext\tlabel\n"open quote\tbad\n5" disk\tgood\n', format="tsv", quoted=False)
    assert rows.fields["text"] == ['"open quote', '5" disk'] and rows.labels.tolist() == [0, 1]


def test_jsonl_parquet_and_text_formats(tmp_path):
    import pyarrow
    import pyarrow.parquet

    records = [{"text": text, "label": i % 2} for i, text in enumerate(TEXTS)]
    labels = {"0": "bad", "1": "good"}
    rows = _load(tmp_path, "\n".join(json.dumps(r) for r in records), format="jsonl", labels=labels)
    assert rows.fields["text"] == TEXTS and rows.labels.tolist() == [0, 1, 0, 1]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(records), tmp_path / "rows.parquet")
    rows = _load(tmp_path, (tmp_path / "rows.parquet").read_bytes(), format="parquet", labels=labels)
    assert rows.fields["text"] == TEXTS and rows.labels.tolist() == [0, 1, 0, 1]
    latin = "0 déjà vu\n1 fin\n".encode("latin-1")
    rows = _load(tmp_path, latin, format="label_text", columns={"text": 1}, label=0, labels=labels, encoding="latin-1")
    assert rows.fields["text"] == ["déjà vu", "fin"]
    (tmp_path / "labels").write_text("1\n0\n")
    separate = {
        "columns": {"text": 0},
        "label": None,
        "labels": labels,
        "label_paths": {"test": str(tmp_path / "labels")},
    }
    rows = _load(tmp_path, "one line\nanother\r\n", format="lines", **separate)
    assert rows.fields["text"] == ["one line", "another"] and rows.labels.tolist() == [1, 0]


CONLL = "# label = good\n# text = a b\n1\ta\tDET\n2\tb\tNOUN\n\n\n-DOCSTART-\n\n# label = bad\n1\t#\tSYM\n"


def test_conll_gives_tokens_and_tags(tmp_path):
    path = tmp_path / "file.conllu"
    path.write_text(CONLL)
    first, second = read_conll(path)
    assert first.columns == (["1", "2"], ["a", "b"], ["DET", "NOUN"]) and first.line == 3
    assert second.columns[1:] == (["#"], ["SYM"]) and second.comments == {"label": "bad"}
    rows = _load(tmp_path, CONLL, format="conll", columns={"text": 1})
    assert rows.fields["text"] == ["a b", "#"] and rows.labels.tolist() == [1, 0]
    path.write_text("EU B-ORG\n# O\n\nrejects O\n")
    assert [sentence.columns for sentence in read_conll(path)] == [(["EU", "#"], ["B-ORG", "O"]), (["rejects"], ["O"])]
    fields = ["_"] * 8
    path.write_text("".join("\t".join([i, w, *fields]) + "\n" for i, w in (("1-2", "du"), ("1", "de"), ("2", "le"))))
    assert read_conll(path)[0].columns[1] == ["de", "le"]
    path.write_text("a\tX\nb\n")
    with pytest.raises(InputError, match="line 2: 1 columns, expected 2"):
        read_conll(path)


def test_conll_of_named_entities(data_root):
    path = data_root / "medical" / "scibert_tasks"
    files = sorted(path.rglob("NCBI*/dev.txt"))
    assert files and len(read_conll(files[0])) > 900
    assert all(len(set(map(len, sentence.columns))) == 1 for sentence in read_conll(files[0])[:50])


def test_regression_scores_and_rows_left_out(tmp_path):
    regression = {"kind": "regression", "labels": (), "score_range": (0.0, 5.0), "metric": "pearson"}
    rows = _load(tmp_path, "text,label\na,2.5\nb,-\n", format="csv", labels={"-": None}, task=regression)
    assert rows.labels.tolist() == [2.5] and rows.labels.dtype == np.float32
    with pytest.raises(InputError, match=r"line 3: score '7'; expected a number from 0 to 5"):
        _load(tmp_path, "text,label\na,2.5\nb,7\n", format="csv", task=regression)
    with pytest.raises(InputError, match=r"score 'nan'"):
        _load(tmp_path, "text,label\na,nan\n", format="csv", task=regression)


@pytest.mark.parametrize(
    "content, message, settings",
    [
        ("text,label\na,good,x\n", "line 2: 3 columns, expected 2", {}),
        ('text,label\n"a,good\n', "line 2: unexpected end of data", {}),
        ("text,label\na,good\nb,fine\n", "line 3: label 'fine' is not of task 'mine'; expected bad, good", {}),
        ("text,lable\na,good\n", "line 2: no column 'label'; the columns are text, lable", {}),
        (b"text,label\na,good\n\xe9t\xe9,bad\n", "line 3: not valid utf-8", {}),
        ("text,label\na,good\n\ud800,bad\n", "line 3: not valid utf-8", {}),
        ("text,label\nx\0y,bad\n", "line 2: field 'text' holds a NUL character", {}),
        ('{"text": "a"}\n[1]\n', "line 2: expected a JSON object, found list", {"format": "jsonl"}),
        ('{"text": "a", "label": "bad"}\n{"text": \n', "line 2: not JSON", {"format": "jsonl"}),
        ('{"text": 3, "label": "bad"}\n', "line 1: column 'text': expected text, found 3", {"format": "jsonl"}),
        ('{"text": "a", "label": null}\n', "line 1: column 'label': expected a label, found None", {"format": "jsonl"}),
        ('{"text": "\\ud800", "label": "bad"}\n', "line 1: field 'text' holds a lone surrogate", {"format": "jsonl"}),
        ("PAR1", "not a parquet file", {"format": "parquet"}),
        ("text,label\n", "split 'test', language 'en': no rows", {}),
        ("", "split 'test', language 'en': no rows", {}),
        ("text,label\na,good\n", "unknown encoding 'utf-9'", {"encoding": "utf-9"}),
        ("text,label\na,1\n", "turns '1' into 'ok', which is not of its labels", {"labels": {"1": "ok"}}),
    ],
)
def test_broken_files_are_named_with_their_line(tmp_path, content, message, settings):
    with pytest.raises(InputError, match=message) as raised:
        _load(tmp_path, content, **({"format": "csv"} | settings))
    assert "\n" not in str(raised.value)


def test_missing_files_splits_languages_and_wrong_tasks(tmp_path):
    source = LocalFiles({"test": "{language}.csv"}, "csv", {"text": "text"}, "label", languages={"en": "english"})
    with pytest.raises(InputError, match=r"english.csv: no such file or folder$"):
        tasks.load_rows(_task(source), "test", "en", tmp_path)
    with pytest.raises(InputError, match=r"english.csv: no such file or folder \(give --data-root DIR"):
        tasks.load_rows(_task(source), "test", "en")
    with pytest.raises(InputError, match=r"unknown mine split 'tset'; did you mean 'test'"):
        tasks.load_rows(_task(source), "tset", "en", tmp_path)
    both = _task(source, languages=("en", "de"))
    with pytest.raises(InputError, match=r"no language 'de'; it has en"):
        tasks.load_rows(both, "test", "de", tmp_path)
    assert tasks.has_rows(both, "test[:50%]", "en") and not tasks.has_rows(both, "test", "de")
    (tmp_path / "english.csv").write_text("text,label\na,good\n")
    with pytest.raises(InputError, match="columns for text, expected its fields text, other"):
        tasks.load_rows(_task(source, fields=("text", "other")), "test", "en", tmp_path)
    with pytest.raises(InputError, match="unknown file format 'cvs'; did you mean 'csv'"):
        LocalFiles({"test": "a"}, "cvs", {"text": 0})
    with pytest.raises(InputError, match=r"expected no braces but those of \{language\}"):
        tasks.load_rows(_task(LocalFiles({"test": "{lang}.csv"}, "csv", {"text": 0})), "test", "en")
    with pytest.raises(InputError, match="classification needs at least two labels"):
        _task(source, labels=("one",))
    with pytest.raises(InputError, match="unknown field in editable of task 'mine': 'txt'"):
        _task(source, editable=("txt",))
    with pytest.raises(InputError, match=r"--data-root: .* is not a folder"):
        data_root(tmp_path / "absent")


def test_labels_beside_texts_must_be_as_many(tmp_path):
    (tmp_path / "labels").write_text("bad\n")
    with pytest.raises(InputError, match=r"labels: 1 labels, expected 2, one for each row of"):
        _load(
            tmp_path,
            "a\nb\n",
            format="lines",
            columns={"text": 0},
            label=None,
            label_paths={"test": str(tmp_path / "labels")},
        )


def test_local_files_come_first_when_there_is_a_root(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,good\n")
    hub = Hub(str(tmp_path / "no such set"), {"text": "text"}, label="label")
    task = Task(
        "mine",
        "classification",
        ("text",),
        (hub, LocalFiles({"test": "a.csv"}, "csv", {"text": "text"}, "label")),
        ("bad", "good"),
    )
    assert tasks.load_rows(task, "test", "en", tmp_path).fields["text"] == ["a"]
    with pytest.raises(InputError, match=r"hub data set .*no such set, split test"):
        tasks.load_rows(task, "test", "en")


@pytest.fixture
def hub_folder(tmp_path, monkeypatch):
    """A folder that `datasets` reads, with a class label, and its cache out of the way."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    features = datasets.Features(
        {
            "sentence": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["neg", "pos"]),
            "idx": datasets.Value("int32"),
        }
    )
    for split, n in (("train", 30), ("validation", 4)):
        rows = [{"sentence": f"{split} {i}", "label": i % 3 - 1, "idx": 100 + i} for i in range(n)]
        (tmp_path / "set").mkdir(exist_ok=True)
        datasets.Dataset.from_list(rows, features=features).to_parquet(tmp_path / "set" / f"{split}.parquet")
    return str(tmp_path / "set")


def test_hub_reads_a_folder_offline(hub_folder):
    labels = {"neg": "bad", "pos": "good", "-1": None}
    source = Hub(hub_folder, {"text": "sentence"}, label="label", labels=labels, index="idx")
    rows = tasks.load_rows(_task(source), "dev", "en")
    assert rows.fields["text"] == ["validation 1", "validation 2"] and rows.labels.tolist() == [0, 1]
    assert list(rows.item_ids) == ["mine/dev/101", "mine/dev/102"]
    with pytest.raises(InputError, match="row 0: no column 'text'; the columns are sentence, label, idx"):
        Hub(hub_folder, {"text": "text"}).read("dev", "en")
    with pytest.raises(InputError, match="no column 'gold'"):
        Hub(hub_folder, {"text": "sentence"}, label="gold").read("dev", "en")
    with pytest.raises(InputError, match="split test"):
        source.read("test", "en")


def test_a_hub_without_an_address_is_not_asked_again_and_again(monkeypatch):
    """Nor for good: the next process, or one with a proxy, asks it."""
    datasets, constants = pytest.importorskip("datasets"), pytest.importorskip("huggingface_hub.constants")
    asked = []

    def no_address(*arguments, **options):
        asked.append(arguments)
        raise OSError("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    for module in (datasets.config, constants):
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    hub._has_address.cache_clear()
    for split in ("train", "dev"):
        with pytest.raises(AbsentError, match="hub data set nobody/nothing"):
            Hub("nobody/nothing", {"text": "text"}).read(split, "en")
    assert len(asked) == 1
    assert not datasets.config.HF_HUB_OFFLINE and not constants.HF_HUB_OFFLINE
    monkeypatch.setenv("https_proxy", "http://localhost:1")
    hub._has_address.cache_clear()
    assert hub._has_address("https://huggingface.co") and len(asked) == 1
    hub._has_address.cache_clear()


def test_hub_test_is_glue_dev_and_dev_is_carved_from_train(hub_folder):
    labels = {"neg": "bad", "pos": "good", "-1": "bad"}
    source = Hub(
        hub_folder,
        {"text": "sentence"},
        label="label",
        labels=labels,
        splits={"train": "train", "test": "validation"},
        slices={"train": "train[0%:90%]", "dev": "train[90%:]"},
    )
    train, dev, test = (tasks.load_rows(_task(source), split, "en") for split in ("train", "dev", "test"))
    assert (len(train), len(dev), len(test)) == (27, 3, 4)
    assert not set(train.item_ids) & set(dev.item_ids) and all(i.startswith("mine/train/") for i in dev.item_ids)


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
    rows = tasks.load_rows(_task(source), "train", "en")
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


def test_a_study_may_hold_its_own_task(tmp_path):
    from itt_jax import config

    (tmp_path / "mine.csv").write_text("text,label\nfine,good\nawful,bad\n")
    path = tmp_path / "study.py"
    path.write_text(
        "from itt_jax.config import *\nfrom itt_jax.tasks import Task\nfrom itt_jax.data.sources import LocalFiles\n"
        "own = Task('mine', 'classification', ('text',), labels=('bad', 'good'),\n"
        "    sources=(LocalFiles({'test': 'mine.csv'}, 'csv', {'text': 'text'}, 'label'),))\n"
        "lm = LanguageModel()\n"
        "study = Study('s', (EncoderSpec('b', 'bert', corpus=(Corpus('embedded'),), pretraining=lm),),\n"
        "    (Target('t', 'mine', ('sst2',), Recipe(), Recipe()),), tasks=(own,))\n"
    )
    study = config.load(path)
    task = tasks.get("mine", study.tasks)
    assert tasks.load_rows(task, "test", "en", tmp_path).labels.tolist() == [1, 0]
    assert config.content_id(task) == config.content_id(config.load(path).tasks[0])
