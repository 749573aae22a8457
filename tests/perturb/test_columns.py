"""One column of a table is perturbed; everything else keeps its bytes."""

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itt_jax.errors import InputError
from itt_jax.perturb import perturb
from itt_jax.perturb.columns import perturb_column

TEXTS = ['He said "no", twice', "two\nlines, here", "Die Ärztin kam spät", "plain text here", ""]
CSV = (
    '\ufeffid,"text",label\r\n1,"He said ""no"", twice","a ""b"""\r\n\r\n2,"two\nlines, here", c \r\n'
    '3,Die Ärztin kam spät,5" disk\r\n4,"plain text here",\r\n5,,x'
)
TSV = 'id\ttext\tlabel\n1\t"no" he said\t"\n\n2\ttwo words\tx y\r\n'
JSONL = (
    '{"id": 1,  "text":"Die \\u00c4rztin kam sp\\u00e4t", "x": [1.50, {"text": "in"}]}\n\n'
    '{ "text" : "Die Ärztin kam spät\\n" , "id":1e2}\r\n{"text": ""}'
)


def _run(tmp_path, suffix: str, content: str, name="swap", severity=0.9, column="text", format=None, **how) -> str:
    source, out = tmp_path / f"in.{suffix}", tmp_path / "out"
    source.write_bytes(content.encode())
    perturb_column(source, out, column, format=format, name=name, severity=severity, language="en", seed=3, **how)
    return out.read_bytes().decode()


@pytest.mark.parametrize(("suffix", "content"), [("csv", CSV), ("tsv", TSV), ("jsonl", JSONL)])
def test_severity_0_changes_no_byte(tmp_path, suffix, content):
    assert _run(tmp_path, suffix, content, severity=0.0) == content


def test_csv_keeps_header_other_columns_and_line_endings(tmp_path):
    written = _run(tmp_path, "csv", CSV)
    noisy = perturb(TEXTS, "swap", 0.9, "en", 3)
    assert noisy[:4] != TEXTS[:4]
    before, after = (list(csv.DictReader(io.StringIO(t.removeprefix("\ufeff"), newline=""))) for t in (CSV, written))
    assert [row["text"] for row in after] == noisy
    assert [{**row, "text": ""} for row in after] == [{**row, "text": ""} for row in before]
    for kept in (
        '\ufeffid,"text",label\r\n1,"',
        '"a ""b"""\r\n\r\n2,"',
        '", c \r\n3,',
        ',5" disk\r\n4,"',
        '",\r\n5,,x',
    ):
        assert kept in written


def test_a_value_of_a_csv_is_quoted_where_the_new_text_needs_it(tmp_path):
    texts = [f"all good today here my friends {i}" for i in range(9)]
    written = _run(tmp_path, "csv", "n,text\n" + "".join(f"1,{text}\n" for text in texts), "intruder", 1.0)
    noisy = perturb(texts, "intruder", 1.0, "en", 3)
    assert {"," in text for text in noisy} == {True, False}
    quoted = ['"{}"'.format(text.replace('"', '""')) for text in noisy]
    needs = ["," in text or '"' in text for text in noisy]
    expected = [f"1,{long if need else text}" for text, long, need in zip(noisy, quoted, needs, strict=True)]
    assert written.splitlines()[1:] == expected


def test_another_delimiter_separates_and_needs_quoting(tmp_path):
    texts = [f"all good, my friends {i}" for i in range(9)]
    table = "n;text\n" + "".join(f"1;{text}\n" for text in texts)
    noisy = perturb(texts, "swap", 0.9, "en", 3)
    written = _run(tmp_path, "csv", table, delimiter=";").splitlines()[1:]
    assert written == [f'1;"{text}"' for text in noisy]  # a comma is quoted too, for readers that take it for one
    with pytest.raises(InputError, match="the perturbed text holds a ',' or line break, which the table holds only"):
        _run(tmp_path, "csv", table.replace(",", "").replace(";", ","), "intruder", 1.0, quoted=False)
    with pytest.raises(InputError, match="--delimiter goes with --format csv"):
        _run(tmp_path, "tsv", "a\tb\n", delimiter=";")


def test_a_mark_is_a_letter_of_a_tsv(tmp_path):
    noisy = perturb(['"no" he said', "two words"], "swap", 0.9, "en", 3)
    assert _run(tmp_path, "tsv", TSV) == f'id\ttext\tlabel\n1\t{noisy[0]}\t"\n\n2\t{noisy[1]}\tx y\r\n'


def test_a_quoted_tsv_may_hold_tabs_and_line_feeds(tmp_path):
    source, out = tmp_path / "in.tsv", tmp_path / "out"
    source.write_text('text\tn\n"two\nlines\there\nand there"\t"x"\nplain words\t2\n')
    perturb_column(source, out, "text", name="swap", severity=0.9, language="en", seed=3, quoted=True)
    noisy = perturb(["two\nlines\there\nand there", "plain words"], "swap", 0.9, "en", 3)
    assert out.read_text() == f'text\tn\n"{noisy[0]}"\t"x"\n{noisy[1]}\t2\n'


def test_jsonl_keeps_everything_else_and_the_way_characters_are_written(tmp_path):
    written = _run(tmp_path, "jsonl", JSONL)
    noisy = perturb(["Die Ärztin kam spät", "Die Ärztin kam spät\n", ""], "swap", 0.9, "en", 3)
    first, blank, second, last = written.split("\n")
    assert first == f'{{"id": 1,  "text":{json.dumps(noisy[0])}, "x": [1.50, {{"text": "in"}}]}}'
    assert second == f'{{ "text" : {json.dumps(noisy[1], ensure_ascii=False)} , "id":1e2}}\r'
    assert (blank, last) == ("", '{"text": ""}')


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        ("csv", "id,txt\n1,a\n", r"line 1: no column 'text'; the columns are id, txt"),
        ("csv", "text,text\n1,a\n", r"line 1: column 'text' occurs twice"),
        ("csv", "text,n\na,1\nb\n", r"line 3: 1 columns, expected 2"),
        ("csv", 'text,n\na,1\n"b,1\n', r"line 3: a quoted value does not end"),
        ("csv", 'text,n\n"a movie,1\ngreat",2\n', r"line 2: a quoted value goes on to line 3, and its lines look"),
        (
            "csv",
            'text,n\n"Well, yes,1\nI know",2\n',
            r"to line 3, but each line would be a row .*--quoted",
        ),
        ("tsv", 'text\tn\n"a ""b"""\t1\n', r"line 2: '\"a .* is written as a quoted value; give --quoted"),
        ("csv", "text,n\ra b,1\rc d,2\r", r"line 1: lines end in carriage returns"),
        ("csv", "text,n\n\ufeffa b,1\n", r"line 2: a byte order mark within the file"),
        ("csv", "text,n,n\na,1,2\n", r"line 1: column 'n' occurs twice"),
        ("jsonl", '{"text": "a", "n": 1, "n": 2}\n', r"line 1: 'n' occurs twice"),
        ("csv", 'text,n\n"b"c,1\n', r"line 2: found 'c,1\\n' after a quoted value, expected ','"),
        ("csv", "text,n\na,1\nx\0y,1\n", r"line 3: character 2 is NUL"),
        ("tsv", "text\tn\na\t1\tx\n", r"line 2: 3 columns, expected 2"),
        ("jsonl", '{"text": "a"}\n{"txt": "a", "n": 1}\n', r"line 2: no column 'text'; the columns are txt, n"),
        ("jsonl", '{"text": 3}\n', r"line 1: column 'text': expected text, found 3"),
        ("jsonl", '{"text": "\\ud800"}\n', r"line 1: character 1 is the lone surrogate"),
        ("jsonl", '{"text": "a",}\n', r"line 1, character 14: not a JSON object"),
        ("jsonl", '["text"]\n', r"line 1, character 1: not a JSON object"),
        ("jsonl", '{"text": "a"\n', r"line 1, character 14: not a JSON object"),
        ("jsonl", '{"text": tru}\n', r"line 1: not JSON"),
        ("jsonl", '{"text": "a"} {}\n', r"line 1: found ' \{\}\\n' after a JSON object"),
        ("csv", "", r"no column 'text': found no line"),
        ("tsv", "\n\n", r"no column 'text': found no line"),
        ("txt", "a\n", r"--column needs --format \(csv, tsv, jsonl\)"),
    ],
)
def test_broken_tables_are_named_with_their_line_and_leave_no_file(tmp_path, suffix, content, message):
    with pytest.raises(InputError, match=message):
        _run(tmp_path, suffix, content)
    assert not (tmp_path / "out").exists()


PIECES = st.sampled_from(
    ['"', ",", "\t", "\n", "\r\n", "\r", "{", "}", ":", "\\", " ", "text", "\ufeff", "\0", "é", '""']
)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(suffix=st.sampled_from(["csv", "tsv", "jsonl"]), at=st.floats(0, 1), pieces=st.lists(PIECES, max_size=4))
def test_an_edited_table_is_refused_or_kept(tmp_path_factory, suffix, at, pieces):
    """At severity 0 whatever is read is written as it was."""
    content = {"csv": CSV, "tsv": TSV, "jsonl": JSONL}[suffix]
    place = int(at * len(content))
    edited = content[:place] + "".join(pieces) + content[place:]
    try:
        assert _run(tmp_path_factory.mktemp("table"), suffix, edited, severity=0.0) == edited
    except InputError as error:
        assert "line " in str(error) and len(str(error).splitlines()) == 1
