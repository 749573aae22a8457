"""LocalFiles: every format, and one clear line about broken input."""

import json
import pathlib

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data.sources import LocalFiles
from itt_jax.errors import InputError
from tests.data.sources.own_task import own_task


def _load(tmp_path: pathlib.Path, content: str | bytes, **settings):
    """Rows of a one-file task over `content`."""
    path = tmp_path / "rows"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    changes = settings.pop("task", {})
    source = LocalFiles({"test": str(path)}, **({"columns": {"text": "text"}, "label": "label"} | settings))
    return tasks.load_rows(own_task(source, **changes), "test", "en")


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
        ("text,label\na,good\nb,fine\n", "line 3: label 'fine' is unknown in task 'mine'; expected bad, good", {}),
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
        ("text,label\na,1\n", "maps '1' to 'ok', which is none of its labels", {"labels": {"1": "ok"}}),
    ],
)
def test_broken_files_are_named_with_their_line(tmp_path, content, message, settings):
    with pytest.raises(InputError, match=message) as raised:
        _load(tmp_path, content, **({"format": "csv"} | settings))
    assert "\n" not in str(raised.value)


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
