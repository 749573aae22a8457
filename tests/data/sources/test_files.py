"""LocalFiles: every format, and one clear line about broken input."""

import dataclasses
import json
import pathlib
import re

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


LINES = ["plain", '"opens and never ends', 'inside "a mark" here', '5" disk', '"whole"', 'ends with one"']


@pytest.mark.parametrize("settings", [{}, {"quoted": False}])
def test_a_mark_is_a_letter_of_a_tsv_by_default(tmp_path, settings):
    content = "\ufefftext\tlabel\n" + "".join(f"{text}\tgood\n" for text in LINES)
    rows = _load(tmp_path, content, format="tsv", **settings)
    assert rows.fields["text"] == LINES and rows.labels.tolist() == [1] * 6


def test_a_tsv_whose_values_are_written_as_quoted_is_refused_until_its_reading_is_said(tmp_path):
    content = 'text\tlabel\n"He said ""no"""\tbad\nfine\tgood\n'
    with pytest.raises(InputError, match=r"line 2: '\"He said .* is written as a quoted value; set quoted=True"):
        _load(tmp_path, content, format="tsv")
    assert _load(tmp_path, content, format="tsv", quoted=True).fields["text"][0] == 'He said "no"'
    assert _load(tmp_path, content, format="tsv", quoted=False).fields["text"][0] == '"He said ""no"""'


def test_a_quoted_tsv_holds_line_feeds_but_never_the_rows_between_two_unpaired_marks(tmp_path):
    content = 'text\tlabel\n"He said ""no"""\tbad\n"one\n\ttwo\nthree"\tgood\n'
    rows = _load(tmp_path, content, format="tsv", quoted=True)
    assert rows.fields["text"] == ['He said "no"', "one\n\ttwo\nthree"]
    swallowed = 'text\tlabel\nplain\tbad\n"opens\tgood\nmiddle\tbad\nends"\tgood\n'
    with pytest.raises(InputError, match=r"line 3: a quoted value goes on to line 5; close its quotation mark, or set"):
        _load(tmp_path, swallowed, format="tsv", quoted=True)
    with pytest.raises(InputError, match=r"line 3: unexpected end of data; close its quotation mark, or set quoted="):
        _load(tmp_path, 'text\tlabel\nplain\tbad\n"opens\tgood\nlast\tbad\n', format="tsv", quoted=True)
    with pytest.raises(InputError, match=r"line 1: a quoted value goes on to line 2"):
        _load(tmp_path, '"opens\nends"\n', format="tsv", quoted=True, header=False, columns={"text": 0}, label=None)


@pytest.mark.parametrize(
    "content, first, last",
    [
        ('text,label\n"a movie,bad\nfine,good\nawful,bad\ngreat",good\nok,bad\n', 2, 5),
        ('text,label\n"a movie,bad\ngreat",good\n', 2, 3),
        ('text,label\n"a movie,bad\n\nfine,good\n\ngreat",good\n', 2, 6),
        ('label,text\nbad,"a movie\ngood,fine film\nbad,so so"\n', 2, 4),
        ('text,label\n"a movie,science fiction\nfine,good\ngreat",good\nok,bad\n', 2, 4),
        ('id,text,label\n1,x,bad\n2,"a movie,bad\n3,great film,good\n4,so so",bad\n', 3, 5),
    ],
)
def test_a_quoted_value_of_a_csv_never_holds_the_rows_between_two_unpaired_marks(tmp_path, content, first, last):
    for delimiter in (",", ";"):
        with pytest.raises(
            InputError, match=rf"line {first}: a quoted value goes on to line {last}, and its lines look"
        ):
            _load(tmp_path, content.replace(",", delimiter), format="csv", delimiter=delimiter)


def test_a_quoted_value_of_a_csv_holds_line_feeds_and_commas_of_a_text(tmp_path):
    texts = ["one\ntwo", "Good, but\nslow", "Good, but slow\nsad, too\nfine", "1,000 people came\nfine", "a\n\nb,c\nd"]
    content = "text,label\n" + "".join(f'"{text}",good\n' for text in texts)
    assert _load(tmp_path, content, format="csv").fields["text"] == texts
    content = "label,text\n" + "".join(f'good,"{text}"\n' for text in texts)
    assert _load(tmp_path, content, format="csv").fields["text"] == texts
    alone = _load(tmp_path, 'text\n"a\n\nb"\nc\n', format="csv", label=None)
    assert alone.fields["text"] == ["a\n\nb", "c"]


def test_a_csv_that_could_be_read_with_marks_and_without_is_refused_until_its_reading_is_said(tmp_path):
    """A value of several lines may be two rows of prose, if no line says otherwise."""
    joined = 'text,label\nfine,good\n"Well, yes,good\nI know",good\n'
    for content, settings in (
        (joined, {}),
        ('text,label\n"Good, but\nslow",good\nfine,good\n', {}),
        ('text\nfine\n"one\ntwo"\n', {"label": None}),
    ):
        with pytest.raises(InputError, match=r"line \d: a quoted value .* each line would be a row .*quoted=True"):
            _load(tmp_path, content, format="csv", **settings)
        assert "\n" in "".join(_load(tmp_path, content, format="csv", quoted=True, **settings).fields["text"])
    rows = _load(tmp_path, joined.replace("Well, yes", "Well"), format="csv", quoted=False)
    assert rows.fields["text"] == ["fine", '"Well', 'I know"']
    for proof in ('"a\nb",good\n', '"a, b",good\n'):  # a line with fewer columns, or a record of one line with more
        texts = _load(tmp_path, joined + proof, format="csv").fields["text"]
        assert texts[:2] == ["fine", "Well, yes,good\nI know"]


def test_a_mark_inside_an_unquoted_value_is_a_letter(tmp_path):
    rows = _load(tmp_path, 'text,label\n5" disk,bad\nsay "it" now,good\nends",good\n', format="csv")
    assert rows.fields["text"] == ['5" disk', 'say "it" now', 'ends"'] and rows.labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize("settings", [{"format": "csv"}, {"format": "csv", "quoted": False}, {"format": "tsv"}])
def test_a_blank_line_within_a_table_of_one_column_is_refused(tmp_path, settings):
    assert _load(tmp_path, "\ntext\na\nb\n\n\n", label=None, **settings).fields["text"] == ["a", "b"]
    for content, line in (("text\na\n\n\nb\n", 3), ("text\n\nb\n", 2)):
        with pytest.raises(InputError, match=f"line {line}: a blank line in a table of one column"):
            _load(tmp_path, content, label=None, **settings)
    if settings == {"format": "csv"}:
        assert _load(tmp_path, 'text\na\n""\nb\n', label=None, **settings).fields["text"] == ["a", "", "b"]


def test_blank_lines_are_no_records(tmp_path):
    table = "text\tlabel\n\na\tgood\n  \nb\tbad\n\n"
    objects = '{"text": "a", "label": "good"}\n\n{"text": "b", "label": "bad"}\n \n'
    words = "good a\n\nbad b\n\n"
    for content, settings in (
        (table, {"format": "tsv"}),
        (table, {"format": "tsv", "quoted": True}),
        (table.replace("\t", ","), {"format": "csv"}),
        (objects, {"format": "jsonl"}),
        (objects.replace("\n", "\r\n"), {"format": "jsonl"}),
        (words, {"format": "label_text", "columns": {"text": 1}, "label": 0}),
    ):
        rows = _load(tmp_path, content, **settings)
        assert rows.fields["text"] == ["a", "b"] and rows.labels.tolist() == [1, 0]
        assert list(rows.item_ids) == ["mine/test/0", "mine/test/1"]
    with pytest.raises(InputError, match="line 5: label 'x'"):
        _load(tmp_path, table.replace("bad", "x"), format="tsv")


@pytest.mark.parametrize("encoding", ["utf-8", "UTF_8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_byte_order_mark_is_no_text(tmp_path, encoding):
    content = "\ufefftext,label\nx\ufeffy,good\n".encode("utf-8" if "8" in encoding else "utf-16-le")
    assert _load(tmp_path, content, format="csv", encoding=encoding).fields["text"] == ["x\ufeffy"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("content, line", [("\ufeff\ufeffa\nb\n", 1), ("\ufeffa\r\n\ufeffb\n", 2), ("a\n\ufeffb\n", 2)])
def test_a_second_byte_order_mark_is_refused_with_its_line(tmp_path, encoding, content, line):
    written = content.encode("utf-8" if "8" in encoding else "utf-16-le")
    with pytest.raises(InputError, match=f"line {line}: a byte order mark within the file"):
        _load(tmp_path, written, format="lines", columns={"text": 0}, label=None, encoding=encoding)


def test_a_token_that_is_a_byte_order_mark_is_kept(tmp_path):
    content = b"a\tO\n\xef\xbb\xbf\tO\n\nb\tO\n"
    rows = _load(tmp_path, content, format="conll", columns={"text": 0}, label=None)
    assert rows.fields["text"] == ["a \ufeff", "b"]


@pytest.mark.parametrize(
    "content, settings",
    [
        ("text\tlabel\ra\tgood\r", {"format": "tsv"}),
        ("text\tlabel\ra\tgood\r", {"format": "tsv", "quoted": True}),
        ("a\rb", {"format": "lines", "columns": {"text": 0}, "label": None}),
        ("good a\rbad b\r\n", {"format": "label_text", "columns": {"text": 1}, "label": 0}),
        ("a good\r\rb bad\r", {"format": "conll", "columns": {"text": 0}, "label": 1}),
        ('{"text": "a", "label": "good"}\r{"text": "b", "label": "bad"}\r', {"format": "jsonl"}),
    ],
)
def test_lines_that_end_in_carriage_returns_are_refused(tmp_path, content, settings):
    with pytest.raises(InputError, match="line 1: lines end in carriage returns; expected line feeds"):
        _load(tmp_path, content, **settings)


def test_labels_of_a_parquet_file_are_not_bytes(tmp_path):
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "rows.parquet"
    for labels in ([b"good"], [[b"good"]]):
        pyarrow.parquet.write_table(pyarrow.table({"text": ["x"], "label": labels}), path)
        with pytest.raises(InputError, match=r"row 1: column 'label': expected a label, found \[?b'good'"):
            _load(tmp_path, path.read_bytes(), format="parquet")


def test_a_parquet_file_is_read_alone(tmp_path):
    """Neither a folder's name that looks like a partition nor files beside it add columns or rows."""
    import pyarrow
    import pyarrow.parquet

    folder = tmp_path / "label=bad"
    folder.mkdir()
    for name, label in (("a", "good"), ("b", "bad")):
        pyarrow.parquet.write_table(pyarrow.table({"text": ["x"], "label": [label]}), folder / f"{name}.parquet")
    source = LocalFiles({"test": str(folder / "a.parquet")}, "parquet", {"text": "text"}, "label")
    assert tasks.load_rows(own_task(source), "test", "en").labels.tolist() == [1]
    with pytest.raises(InputError, match="expected a file"):
        tasks.load_rows(own_task(dataclasses.replace(source, paths={"test": str(folder)})), "test", "en")
    twice = pyarrow.Table.from_arrays([pyarrow.array(["x"]), pyarrow.array(["y"])], names=["text", "text"])
    pyarrow.parquet.write_table(twice, folder / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet: column 'text' occurs twice"):
        tasks.load_rows(own_task(source), "test", "en")


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
    (tmp_path / "labels").write_text("1\n0\n\n")
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
    with pytest.raises(InputError, match=r"line 1: column 'label': expected a label, found nan"):
        _load(tmp_path, '{"text": "a", "label": NaN}\n', format="jsonl", task=regression)


def test_numbers_that_are_not_finite_are_no_matter_in_columns_that_are_not_read(tmp_path):
    row = {"text": "a", "label": "good", "price": float("nan"), "change": -float("inf")}
    rows = _load(tmp_path, json.dumps(row) + "\n", format="jsonl")
    assert rows.fields["text"] == ["a"] and rows.labels.tolist() == [1]


@pytest.mark.parametrize(
    "content, message, settings",
    [
        ("text,label\na,good,x\n", "line 2: 3 columns, expected 2", {}),
        ('text,label\n"a,good\n', "line 2: unexpected end of data", {}),
        ("text,label\na,good\nb,fine\n", "line 3: label 'fine' is unknown in task 'mine'; expected bad, good;", {}),
        ("text,lable\na,good\n", "line 2: no column 'label'; the columns are text, lable", {}),
        (b"text,label\na,good\n\xe9t\xe9,bad\n", "line 3: not valid utf-8", {}),
        ("text,label\na,good\n\ud800,bad\n", "line 3: not valid utf-8", {}),
        ("text,label\nx\0y,bad\n", "line 2: field 'text' holds a NUL character", {}),
        ('{"text": "a"}\n[1]\n', "line 2: expected a JSON object, found list", {"format": "jsonl"}),
        ('{"text": "a", "label": "bad"}\n{"text": \n', "line 2: not JSON", {"format": "jsonl"}),
        ('{"text": 3, "label": "bad"}\n', "line 1: column 'text': expected text, found 3", {"format": "jsonl"}),
        ('{"text": "a", "label": null}\n', "line 1: column 'label': expected a label, found None", {"format": "jsonl"}),
        ('{"text": "a", "label": NaN}\n', "line 1: column 'label': expected a label, found nan", {"format": "jsonl"}),
        ('{"text": "a", "label": 1e999}\n', "line 1: column 'label': expected a label, found inf", {"format": "jsonl"}),
        ('{"text": NaN, "label": "bad"}\n', "line 1: column 'text': expected text, found nan", {"format": "jsonl"}),
        ('{"text": "a", "other": NaN}\n', "line 1: no column 'label'", {"format": "jsonl"}),
        ('{"text": "\\ud800", "label": "bad"}\n', "line 1: field 'text' holds a lone surrogate", {"format": "jsonl"}),
        ("PAR1", "not a parquet file", {"format": "parquet"}),
        ("text,text,label\na,b,good\n", "line 1: column 'text' occurs twice", {}),
        ('{"text": "a", "text": "b", "label": "bad"}\n', "line 1: 'text' occurs twice", {"format": "jsonl"}),
        ("[" * 100_000, "line 1: JSON nested too deeply", {"format": "jsonl"}),
        ('{"label": ' + "1" * 5000 + "}", "line 1: not JSON", {"format": "jsonl"}),
        ('"a\nb",lable\nx,good\n', "no column 'text'; the columns are a b, lable", {}),
        ("\ufefftext,label\na,good\n", "begins with the byte order mark of UTF-8", {"encoding": "latin-1"}),
        ("text,label\na, good \n", "line 2: label ' good '", {}),
        ("text,label\ra,good\r", "line 1: lines end in carriage returns; expected line feeds", {}),
        ("text,label\n", "split 'test', language 'en': no rows", {}),
        ("", "split 'test', language 'en': no rows", {}),
        ("text,label\na,good\n", "unknown encoding 'utf-9'", {"encoding": "utf-9"}),
        (
            "text,label\na,1\n",
            "line 2: the source of task 'mine' maps label '1' to 'ok', which is not one of its labels: bad, good",
            {"labels": {"1": "ok"}},
        ),
        ("text,label\na,1\n", "expected published labels as text, found 1", {"labels": {1: "bad"}}),
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


def test_rows_left_out_are_counted_by_label(tmp_path):
    labels = {"1": "bad", "5": "good", "3": None, "not sure": None}
    content = "text;label\na;1\nb;3\nc;not sure\nd;3\ne;5\n"
    rows = _load(tmp_path, content, format="csv", delimiter=";", labels=labels)
    assert rows.fields["text"] == ["a", "e"] and rows.left_out == {"3": 2, "not sure": 1}
    with pytest.raises(
        InputError, match=r"line 3: label '3' is unknown .* expected 1, 5; its source's labels must name"
    ):
        _load(tmp_path, content, format="csv", delimiter=";", labels={"1": "bad", "5": "good"})
    with pytest.raises(InputError, match="no rows; its source's labels leave out 2 of '3'"):
        _load(tmp_path, "text,label\nb,3\nd,3\n", format="csv", labels=labels)


def test_rows_of_one_document_share_the_first_part_of_their_index(tmp_path):
    rows = _load(
        tmp_path,
        "id,text,label\nA/1,x,good\nB,y,bad\nA/1,z,bad\n",
        format="csv",
        document="id",
        task={"documents": True},
    )
    assert list(rows.item_ids) == ["mine/test/A/1-0", "mine/test/B-1", "mine/test/A/1-2"]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"format": "tsv", "delimiter": ";"}, "format 'tsv' has no delimiter of choice"),
        ({"format": "csv", "delimiter": "||"}, "delimiter '||': expected one character"),
        ({"format": "csv", "sentence": "id"}, "sentence: expected format 'conll' with a delimiter"),
    ],
)
def test_fields_must_go_with_the_format(settings, message):
    with pytest.raises(InputError, match=re.escape(message)):
        LocalFiles({"test": "x"}, columns={"text": "text"}, **settings)
