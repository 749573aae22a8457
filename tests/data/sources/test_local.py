"""Small local sources: folders of files, documents with tags beside them."""

import pytest

from itt_jax.data.sources import LocalDocuments, LocalFolders
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
