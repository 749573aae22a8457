"""CoNLL files: tokens, tags and comments."""

import pytest

from itt_jax import tasks
from itt_jax.data.sources import LocalFiles
from itt_jax.data.sources.conll import ConllLayout, read_conll
from itt_jax.errors import InputError
from tests.data.sources.own_task import own_task

CONLL = "# label = good\n# text = a b\n1\ta\tDET\n2\tb\tNOUN\n\n\n-DOCSTART-\n\n# label = bad\n1\t#\tSYM\n"


def test_conll_gives_tokens_and_tags(tmp_path):
    path = tmp_path / "file.conllu"
    path.write_text(CONLL)
    first, second = read_conll(path)
    assert first.columns == {0: ["1", "2"], 1: ["a", "b"], 2: ["DET", "NOUN"]} and first.lines == (3, 4)
    assert second.columns == {0: ["1"], 1: ["#"], 2: ["SYM"]} and second.comments == {"label": "bad"}
    source = LocalFiles({"test": str(path)}, "conll", {"text": 1}, "label")
    rows = tasks.load_rows(own_task(source), "test", "en")
    assert rows.fields["text"] == ["a b", "#"] and rows.labels.tolist() == [1, 0]
    path.write_text("EU B-ORG\n# O\n\nrejects O\n")
    columns = [sentence.columns for sentence in read_conll(path)]
    assert columns == [{0: ["EU", "#"], 1: ["B-ORG", "O"]}, {0: ["rejects"], 1: ["O"]}]
    fields = ["_"] * 8
    path.write_text("".join("\t".join([i, w, *fields]) + "\n" for i, w in (("1-2", "du"), ("1", "de"), ("2", "le"))))
    assert read_conll(path)[0].columns[1] == ["de", "le"]
    assert read_conll(path, layout=ConllLayout(token=1))[0].columns[0] == ["1", "2"]
    path.write_text("".join("\t".join([word, *fields, "O"]) + "\n" for word in ("won", "3-4", "2.5")))
    source = LocalFiles({"test": str(path)}, "conll", {"text": 0}, 9)
    assert source.read("test", "en").fields["text"] == ["won 3-4 2.5"]
    path.write_text("a\tX\nb\n")
    with pytest.raises(InputError, match="line 2: 1 columns, expected 2"):
        read_conll(path)


@pytest.mark.parametrize(
    "content, words",
    [
        ("10\u00a0km O\nOslo B-LOC\n", [["10\u00a0km", "Oslo"]]),
        ("東\u3000京 B-LOC\n\u00a0 O\n", [["東\u3000京", "\u00a0"]]),
        (" Oslo O \nx\x0by \t O\n", [["Oslo", "x\x0by"]]),
        ("\u3000\tO\n\nb\tO\n", [["\u3000"], ["b"]]),
        ("a O\n \t \nb O\n\n\nc O", [["a"], ["b"], ["c"]]),
        ("-DOCSTART-\tO\n\nOslo O\n", [["Oslo"]]),
        ("#\tO\n#oslo\tO\n", [["#", "#oslo"]]),
    ],
)
def test_only_ascii_blanks_and_tabs_part_columns(tmp_path, content, words):
    path = tmp_path / "file"
    path.write_bytes(content.encode())
    assert [sentence.columns[0] for sentence in read_conll(path)] == words


def test_a_comment_belongs_to_the_sentence_it_is_above(tmp_path):
    path = tmp_path / "file"
    path.write_text("# label = a\n\n1\tx\n\n# label = \u3000b\n1\ty\n")
    assert [sentence.comments for sentence in read_conll(path)] == [{}, {"label": "\u3000b"}]


def test_conll_of_named_entities(data_root):
    path = data_root / "medical" / "scibert_tasks"
    files = sorted(path.rglob("NCBI*/dev.txt"))
    assert files and len(read_conll(files[0])) > 900
    assert all(len(set(map(len, sentence.columns.values()))) == 1 for sentence in read_conll(files[0])[:50])


def _tagged(tmp_path, content, columns=None, label="tag", task=None, **source):
    """Rows of a file with one token a row."""
    path = tmp_path / "file.csv"
    path.write_text(content)
    local = LocalFiles({"test": str(path)}, "conll", columns or {"text": "token"}, label, **source)
    changes = {"kind": "token_classification", "labels": ("O", "B-X", "I-X"), "metric": "entity_f1"} | (task or {})
    return tasks.load_rows(own_task(local, **changes), "test", "en")


@pytest.mark.parametrize(
    "content, more",
    [
        ('token,tag\n",",O\nOslo,B-X\n,O\nit,O\n', {}),
        ('token,tag\n",",O\nOslo,B-X\n\n,\nit,O\n', {}),
        ("token;tag\n,;O\nOslo;B-X\n;O\nit;O\n", {"delimiter": ";"}),
        ("# file = 1\ntag\ttoken\nO\t,\nB-X\tOslo\nO\t\nO\tit\n", {"delimiter": "\t"}),
        ('",",O\nOslo,B-X\n\nit,O\n', {"header": False, "columns": {"text": 0}, "label": 1}),
        ('id,token,tag\n7,",",O\n7,Oslo,B-X\n8,it,O\n', {"sentence": "id"}),
        ('no,token,tag\nS 1,",",O\n,Oslo,B-X\nS 2,it,O\n', {"sentence": "no"}),
    ],
)
def test_tables_of_tokens(tmp_path, content, more):
    rows = _tagged(tmp_path, content.removeprefix("# file = 1\n"), **({"delimiter": ","} | more))
    assert rows.fields["text"] == [", Oslo", "it"]
    assert [labels.tolist() for labels in rows.labels.arrays()] == [[0, 1], [0]]


@pytest.mark.parametrize(
    "content, message, more",
    [
        ("token,tag\nHe,O\n,B-X\n", "line 3: column 'token' is empty", {}),
        ("token,tag\nHe,O\nx,\n", "line 3: column 'tag' is empty", {}),
        ('token,tag\nHe,O\n",O\nx,O\n",O\n', "line 3: a quoted value goes on to line 5, and its lines look", {}),
        ('token,tag\nHe,O\n"a\nb",O\n', "line 3: a quoted value goes on to the next line; close its", {}),
        ("He,O\n", r"no column 0; .*\(header=False\)", {"columns": {"text": 0}, "label": 1}),
        ("He,O\n", "no column 1; .* set delimiter=','", {"columns": {"text": 0}, "label": 1, "delimiter": ""}),
        ("token,tag\nHe,O\n", "no column 'id'; the columns are token, tag", {"sentence": "id"}),
        ("token,tag,d\nHe,O,\n", "line 2: column 'd': expected a document", {"document": "d"}),
        ("token,tag\nHe,O\n", "document='d': no such column, and no such mark", {"document": "d"}),
        ("token,tag\nHe,O\n", r"set documents=True, so that slices", {"document": "token"}),
        ("token,tag\nHe,O\n", r"index '0' names no document; name the column", {"task": {"documents": True}}),
    ],
)
def test_mistakes_in_tables_of_tokens(tmp_path, content, message, more):
    with pytest.raises(InputError, match=message):
        _tagged(tmp_path, content, **({"delimiter": ","} | more))


@pytest.mark.parametrize(
    "content, document, ids",
    [
        ("-DOCSTART- -X-\n\na O\n\nb O\n\n-DOCSTART-\n\nc O\n", "-DOCSTART-", ["1-0", "1-1", "2-2"]),
        ("a O\n\nb O\n\n\nc O\n\n\n", "blank lines", ["1-0", "1-1", "2-2"]),
        ("# newdoc id = x-y\n# n = 1\na\tO\n\nb\tO\n\n# newdoc\nc\tO\n", "newdoc", ["x-y-0", "x-y-1", "2-2"]),
        ("# newdoc id = x-y\n# n = 1\na O\n\nb O\n\n# newdoc\nc O\n", "newdoc", ["x-y-0", "x-y-1", "2-2"]),
        ("a O x\n\nb O x\nc O y\n", 2, ["x-0", "x-1", "y-2"]),
        ("# newdoc = x\na O\n\nb O\n# newdoc = y\nc O\n", "newdoc", ["x-0", "x-1", "y-2"]),
    ],
)
def test_documents_are_part_of_indices_and_stay_together(tmp_path, content, document, ids):
    rows = _tagged(tmp_path, content, {"text": 0}, 1, document=document, task={"documents": True})
    assert rows.fields["text"] == ["a", "b", "c"] and list(rows.item_ids) == [f"mine/test/{id}" for id in ids]
    halves = []
    for part in ("test[:50%]", "test[50%:]"):
        source = LocalFiles({"test": str(tmp_path / "file.csv")}, "conll", {"text": 0}, 1, document=document)
        kind = {"kind": "token_classification", "labels": ("O", "B-X"), "metric": "entity_f1", "documents": True}
        halves.append(tasks.load_rows(own_task(source, **kind), part, "en").fields["text"])
    assert sorted(halves) == [["a", "b"], ["c"]]


def test_a_mark_of_documents_must_occur(tmp_path):
    (tmp_path / "file").write_text("a O\n")
    with pytest.raises(
        InputError, match="document='-DOCSTART-': no such column, and no such mark of a document in the file"
    ):
        read_conll(tmp_path / "file", layout=ConllLayout(document="-DOCSTART-"))


IOB1 = "a O\nb I-Z\n\nc I-Z\nd B-Z\n\ne I-Y\n"


def test_a_map_names_the_tags_of_the_file_and_those_whose_rows_it_leaves_out(tmp_path):
    labels = {"O": "O", "I-Z": "I-X", "B-Z": "B-X", "I-Y": None}
    rows = _tagged(tmp_path, IOB1, {"text": 0}, 1, scheme="iob1", labels=labels)
    assert [labels.tolist() for labels in rows.labels.arrays()] == [[0, 1], [1, 1]]
    assert rows.left_out == {"I-Y": 1}
    del labels["B-Z"]
    converted = _tagged(tmp_path, IOB1.replace("B-Z", "I-Z"), {"text": 0}, 1, scheme="iob1", labels=labels)
    assert [labels.tolist() for labels in converted.labels.arrays()] == [[0, 1], [1, 2]]
    del labels["I-Y"]
    message = (
        r"line 7 \('e'\): label 'I-Y' \(read as 'B-Y'\) is unknown in task 'mine'; expected O, I-Z; .* every label"
    )
    with pytest.raises(InputError, match=message):
        _tagged(tmp_path, IOB1.replace("B-Z", "I-Z"), {"text": 0}, 1, scheme="iob1", labels=labels)
