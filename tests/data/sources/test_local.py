"""Small local sources: folders of files, documents with tags beside them."""

import pytest

from itt_jax.data.sources import LocalBitext, LocalDocuments, LocalFolders, LocalXmi
from itt_jax.errors import InputError


def test_a_folder_for_each_class(tmp_path):
    for folder, names in {"neg": ("b", "a"), "pos": ("a",)}.items():
        (tmp_path / "reviews" / folder).mkdir(parents=True)
        for name in names:
            (tmp_path / "reviews" / folder / f"{name}.txt").write_text(
                f"{folder} {name}\nd\xe9j\xe0", encoding="latin-1"
            )
    source = LocalFolders("reviews", {"pos": "good", "neg": "bad"}, encoding="latin-1")
    table = source.read("all", "en", tmp_path)
    assert source.published == ("all",)
    assert table.indices == ["pos-a", "neg-a", "neg-b"] and table.labels == ["good", "bad", "bad"]
    assert table.fields == {"text": ["pos a\ndéjà", "neg a\ndéjà", "neg b\ndéjà"]}
    assert table.place(2).endswith("reviews/neg/b.txt")


def test_documents_with_tags_beside_them(tmp_path):
    for path, content in {
        "texts/deutsch/d1": "eins\nzwei\n",
        "texts/deutsch/d2": "drei\n",
        "tags/deutsch/d1": "a x\nb\n",
        "tags/deutsch/d2": "y\n",
        "train.txt": "d2\n\n",
        "more.txt": "d1\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    source = LocalDocuments(
        "texts/{language}",
        "tags/{language}",
        {"train": ("train.txt", "more.txt")},
        ("x", "y"),
        "unfair",
        "fair",
        languages={"de": "deutsch"},
    )
    table = source.read("train", "de", tmp_path)
    assert source.published == ("train",)
    assert table.fields == {"text": ["drei", "eins", "zwei"]} and table.labels == ["unfair", "unfair", "fair"]
    assert table.indices == ["d2-0", "d1-0", "d1-1"] and table.place(2).endswith("d1, line 2")
    (tmp_path / "tags/deutsch/d1").write_text("a\n")
    with pytest.raises(InputError, match=r"tags/deutsch/d1: 1 lines, expected 2, one for each of .*texts/deutsch/d1"):
        source.read("train", "de", tmp_path)


def test_places_in_xmi_count_utf16_units(tmp_path):
    """UIMA counts as Java does: a character beyond U+FFFF is two units."""
    text = "😀 Oslo 𝄞 ist"
    spans = [
        ("Sentence", 0, 14),
        ("Token", 0, 2),
        ("Token", 3, 7),
        ("Token", 8, 10),
        ("Token", 11, 14),
        ("Place", 3, 7),
    ]
    elements = "".join(f'<t:{name} begin="{begin}" end="{end}"/>' for name, begin, end in spans)
    content = f'<x:XMI xmlns:x="x" xmlns:t="t" xmlns:c="c"><c:Sofa sofaString="{text}"/>{elements}</x:XMI>'
    (tmp_path / "a.xml").write_text(content, encoding="utf-8")
    table = LocalXmi(str(tmp_path), {"Place": "LOC"}).read("all", "en")
    assert table.fields == {"text": [text]} and table.labels == ["O B-LOC O O"]
    (tmp_path / "a.xml").write_text(content.replace('end="14"', 'end="15"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.xml: Sentence from 0 to 15 is outside the text of 14 UTF-16 units"):
        LocalXmi(str(tmp_path), {"Place": "LOC"}).read("all", "en")


def test_blank_lines_of_a_bitext_are_no_sentences(tmp_path):
    for name, content in {"de": "d1\tEins\n\nd2\tZwei\n\n", "en": "e1\tOne\n\n", "gold": "d1\te1\n\n"}.items():
        (tmp_path / name).write_text(content)
    source = LocalBitext(*({"test": str(tmp_path / name)} for name in ("de", "en", "gold")))
    table = source.read("test", "de")
    assert table.fields["text"] == ["Eins", "Zwei"] and [own.tolist() for own in table.labels.arrays()] == [[0], []]
    assert table.place(1).endswith("de, line 3")
