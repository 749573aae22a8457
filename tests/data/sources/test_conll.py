"""CoNLL files: tokens, tags and comments."""

import pytest

from itt_jax import tasks
from itt_jax.data.sources import LocalFiles
from itt_jax.data.sources.conll import read_conll
from itt_jax.errors import InputError
from tests.data.sources.own_task import own_task

CONLL = "# label = good\n# text = a b\n1\ta\tDET\n2\tb\tNOUN\n\n\n-DOCSTART-\n\n# label = bad\n1\t#\tSYM\n"


def test_conll_gives_tokens_and_tags(tmp_path):
    path = tmp_path / "file.conllu"
    path.write_text(CONLL)
    first, second = read_conll(path)
    assert first.columns == (["1", "2"], ["a", "b"], ["DET", "NOUN"]) and first.line == 3
    assert second.columns[1:] == (["#"], ["SYM"]) and second.comments == {"label": "bad"}
    source = LocalFiles({"test": str(path)}, "conll", {"text": 1}, "label")
    rows = tasks.load_rows(own_task(source), "test", "en")
    assert rows.fields["text"] == ["a b", "#"] and rows.labels.tolist() == [1, 0]
    path.write_text("EU B-ORG\n# O\n\nrejects O\n")
    assert [sentence.columns for sentence in read_conll(path)] == [(["EU", "#"], ["B-ORG", "O"]), (["rejects"], ["O"])]
    fields = ["_"] * 8
    path.write_text("".join("\t".join([i, w, *fields]) + "\n" for i, w in (("1-2", "du"), ("1", "de"), ("2", "le"))))
    assert read_conll(path)[0].columns[1] == ["de", "le"]
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
    assert all(len(set(map(len, sentence.columns))) == 1 for sentence in read_conll(files[0])[:50])
