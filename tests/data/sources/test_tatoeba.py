"""Tatoeba's pairs: file names, merging on English."""

import pytest

from itt_jax.data.sources.tatoeba import tatoeba, tatoeba_languages
from itt_jax.errors import InputError


@pytest.fixture
def folder(tmp_path):
    files = {
        "tatoeba.deu-eng.deu": "Hallo.\nGuten Tag.\nJa.\n",
        "tatoeba.deu-eng.eng": "Hello.\nHello.\nYes.\n",
        "tatoeba.fra-eng.fra": "Non.\nBonjour.\n",
        "tatoeba.fra-eng.eng": "No.\nHello.\n",
    }
    (tmp_path / "crosslingual/tatoeba").mkdir(parents=True)
    for name, content in files.items():
        (tmp_path / "crosslingual/tatoeba" / name).write_text(content)
    return tmp_path


def test_pairs_with_one_english_sentence_form_one_tuple(folder):
    assert tatoeba_languages(folder) == {"de": "deu", "fr": "fra"}
    found = tatoeba((), folder)
    assert found.texts == {
        "en": ["Hello.", "Hello.", "Yes.", "No."],
        "de": ["Hallo.", "Guten Tag.", "Ja.", None],
        "fr": ["Bonjour.", None, None, "Non."],
    }
    assert tatoeba(("fr", "xx"), folder).texts == {"en": ["No.", "Hello."], "fr": ["Non.", "Bonjour."]}


def test_a_shorter_file_is_named(folder):
    (folder / "crosslingual/tatoeba/tatoeba.fra-eng.fra").write_text("Non.\n")
    with pytest.raises(InputError, match=r"fra-eng\.fra: 1 lines, expected 2, one for each of .*fra-eng\.eng"):
        tatoeba(("fr",), folder)


def test_tatoeba_counts(data_root):
    languages = tatoeba_languages(data_root)
    assert len(languages) == 112 and {"zh": "cmn", "sw": "swh", "fa": "pes", "ceb": "ceb"}.items() <= languages.items()
    pairs = [
        (data_root / "crosslingual/tatoeba" / f"tatoeba.{c}-eng.eng").read_bytes().count(b"\n")
        for c in languages.values()
    ]
    assert sum(pairs) == 88877
