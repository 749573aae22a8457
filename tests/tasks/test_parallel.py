"""Parallel texts by name: corpora, and translations of task rows."""

import pytest

from itt_jax.errors import InputError
from itt_jax.tasks.parallel import load_parallel


def test_tatoeba_pairs_meet_in_english(data_root):
    found = load_parallel("tatoeba", ("en", "de", "fr", "zh"), data_root)
    assert found.languages == ("en", "de", "fr", "zh") and all(found.texts["en"])
    assert [sum(text is not None for text in found.texts[code]) for code in ("de", "fr", "zh")] == [1000] * 3
    assert any(len(entry) > 2 for entry in found.tuples()) and min(map(len, found.tuples())) == 2
    some = load_parallel("tatoeba", ("en", "de", "fr", "zh"), data_root, tuples=100)
    assert len(some) == 100 and set(some.texts["en"]) <= set(found.texts["en"])


def test_translations_of_training_rows(data_root):
    stsb = load_parallel("stsb_multi_mt", ("en", "de", "ja"), data_root)
    assert len(stsb) == len(set(zip(*stsb.texts.values(), strict=True))) > 10000
    i = stsb.texts["en"].index("A plane is taking off.")
    assert stsb.texts["de"][i] == "Ein Flugzeug hebt gerade ab."
    xnli = load_parallel("xnli/dev[0%:70%]", ("en", "ur"), data_root)
    assert len(xnli) == 2324 and all(xnli.texts["en"]) and all(xnli.texts["ur"])
    tweets = load_parallel("task:tweet_sentiment", ("en", "de"), data_root, tuples=50)
    assert len(tweets) == 50 and tweets.tuples() == []


def test_embedded_tuples():
    found = load_parallel("embedded", ("de", "en"), tuples=40)
    assert len(found) == 40 and all(len(entry) == 2 for entry in found.tuples())
    assert found.texts == load_parallel("embedded", ("de", "en"), tuples=40).texts


def test_unknown_sources_splits_and_languages(data_root):
    with pytest.raises(InputError, match="'tatoeba' has none of xx; it has en"):
        load_parallel("tatoeba", ("xx",), data_root)
    with pytest.raises(InputError, match="unknown task 'tatoebba'"):
        load_parallel("tatoebba", (), data_root)
    with pytest.raises(InputError, match="unknown xnli split 'train'"):
        load_parallel("xnli", ("en",), data_root)
