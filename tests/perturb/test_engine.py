"""The public functions: invalid input, streams, blocks, long and unusual text, replicates."""

import numpy as np
import pytest

from itt_jax.errors import InputError
from itt_jax.perturb import CATALOG, engine, perturb, stream, variants
from itt_jax.perturb.operator import FAMILIES
from tests.perturb.material import language_for, lexicon_for, sentences_for

TEXT = "The patient slept well, and woke at ten."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], "swp", 0.1, "en"), "unknown perturbation 'swp'; did you mean 'swap'"),
        ((["a"], "swap", 0.1, "english"), "unknown language 'english'"),
        ((["a"], "keyboard", 0.1, "zh"), "perturbation 'keyboard' has no table for language 'zh'"),
        ((["a"], "swap", 1.5, "en"), "severity: found 1.5, expected a number from 0 to 1"),
        ((["a"], "swap", -0.1, "en"), "severity: found -0.1"),
        ((["a"], "swap", float("nan"), "en"), "severity: found nan"),
        ((["a"], "swap", "0.1", "en"), "severity: found '0.1'"),
        ((["fine", "a\0"], "swap", 0.0, "en"), "line 2: character 2 is NUL"),
        ((["\udc80"], "swap", 0.1, "en"), "line 1: character 1 is the lone surrogate"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InputError, match=message):
        perturb(*arguments)


def test_ids_must_fit():
    with pytest.raises(InputError, match="ids: found 1, expected 2"):
        perturb(["a", "b"], "swap", 0.1, "en", ids=["x"])


@pytest.mark.parametrize("name", CATALOG)
def test_stream_equals_the_whole(name, monkeypatch):
    lines = [f"{TEXT} {i}" for i in range(25)]
    options = {"seed": 4, "replicate": 2, "lexicon": lexicon_for(name)}
    whole = perturb(lines, name, 0.3, language_for(name), **options)
    monkeypatch.setattr(engine, "LINES", 7)
    assert list(stream(iter(lines), name, 0.3, language_for(name), **options)) == whole


def test_stream_names_the_line(monkeypatch):
    monkeypatch.setattr(engine, "LINES", 2)
    with pytest.raises(InputError, match="line 4: character 1 is NUL"):
        list(stream(["a", "b", "c", "\0"], "swap", 0.1, "en"))
    with pytest.raises(InputError, match="unknown perturbation"):
        next(stream([], "nothing", 0.1, "en"))


@pytest.mark.parametrize("name", CATALOG)
def test_blocks_do_not_matter(name, sentences, monkeypatch):
    texts = [text for found in sentences.values() for text in found]
    masks = [np.arange(len(text)) % 9 > 0 for text in texts]
    options = {"replicates": [0, 3], "editable": masks, "align": True, "lexicon": lexicon_for(name)}
    expected = variants(texts, name, [0.2, 0.6], language_for(name), **options)
    monkeypatch.setattr(engine, "BLOCK", 50)
    found = variants(texts, name, [0.2, 0.6], language_for(name), **options)
    assert [(v.severity, v.replicate) for v in found] == [(0.2, 0), (0.2, 3), (0.6, 0), (0.6, 3)]
    for one, other in zip(expected, found, strict=True):
        assert one.texts == other.texts
        assert one.edits.tolist() == other.edits.tolist()
        assert one.clusters.tolist() == other.clusters.tolist()
        assert all((a == b).all() for a, b in zip(one.sources, other.sources, strict=True))


# Operators that leave the long text below unchanged: their letters or words do not occur in it, it contains direction
# controls (bidi), or its draw is above 0.5 (operators that edit whole texts).
UNTOUCHED = set(
    "bidi normalize_nfc normalize_nfkc half_width ligatures tatweel presentation_forms arabic_letters arabic_yeh_kaf "
    "nukta chandrabindu traditional simplified native_digits umlauts romanian_cedilla contractions typography url "
    "handle hashtag distractor negation entity_exchange".split()
)


@pytest.mark.parametrize("name", CATALOG)
def test_empty_and_long_text(name, sentences):
    long = (TEXT + " Ärzte, क्षमा 今日は\u202e. ") * 2000
    assert len(long) > 100_000
    language, options = language_for(name), {"lexicon": lexicon_for(name)}
    assert perturb([], name, 0.5, language, **options) == []
    assert [v.texts for v in variants((TEXT,), name, [0.5, 0.5], language, align=True, **options)] == [
        perturb([TEXT], name, 0.5, language, **options)
    ] * 2
    assert perturb([""], name, 0.5, language, **options) == [""]
    empty, changed, short = perturb(["", long, TEXT], name, 0.5, language, ids=["a", "b", "c"], **options)
    assert empty == ""
    assert (changed != long) == (name not in UNTOUCHED)
    others = [" ".join(found[:2]) for _, found in sentences_for(name, sentences)]
    assert perturb(others, name, 1.0, language, **options) != others
    assert perturb([TEXT], name, 0.5, language, ids=["c"], **options) == [short]


def test_unchanged_texts_are_the_same_objects():
    texts = ["".join(["...", str(i)[:0]]) for i in range(3)] + ["a word"]
    (variant,) = variants(texts, "delete", [1.0], "en")
    assert [new is old for new, old in zip(variant.texts, texts, strict=True)] == [True, True, True, False]
    assert variant.changed.tolist() == [False, False, False, True]
    assert variant.edits.tolist() == [0, 0, 0, 5]
    assert variant.clusters.tolist() == [3, 3, 3, 6]
    assert variant.edit_rate == 5 / 15


def test_the_result_depends_on_each_part_of_the_key():
    texts = [TEXT] * 30
    base = perturb(texts, "swap", 0.5, "en")
    assert len(set(base)) > 10
    assert perturb(texts, "swap", 0.5, "en") == base
    assert perturb(texts, "swap", 0.5, "en", seed=1) != base
    assert perturb(texts, "swap", 0.5, "en", field="premise") != base
    assert perturb(texts, "swap", 0.5, "en", replicate=1) != base
    assert perturb(texts, "swap", 0.5, "en", ids=[f"x{i}" for i in range(30)]) != base
    assert len(set(perturb(texts, "swap", 0.5, "en", ids=["x"] * 30))) == 1


def test_variants_equal_perturb():
    texts = [f"{TEXT} {i}" for i in range(10)]
    found = variants(texts, "keyboard", [0.1, 0.4], "de", 7, replicates=[0, 1], field="premise")
    for variant in found:
        arguments = (texts, "keyboard", variant.severity, "de", 7)
        assert perturb(*arguments, field="premise", replicate=variant.replicate) == variant.texts
        assert variant.sources is None


def test_catalogue_is_complete():
    for name, operator in CATALOG.items():
        assert operator.name == name
        assert operator.family in FAMILIES
        assert operator.reference
        assert operator.severity_unit
        assert operator.summary.endswith(".")


def test_edits_that_cancel_out_count_as_unchanged():
    """One of two equal marks may be deleted and the other doubled."""
    texts = ["!!"] * 60
    (variant,) = variants(texts, "punctuation", [1.0], "en")
    same = [new is old for new, old in zip(variant.texts, texts, strict=True)]
    assert variant.changed.tolist() == [not own for own in same]
    assert (variant.edits > 0).tolist() == variant.changed.tolist()
    assert 0 < sum(same) < 60
