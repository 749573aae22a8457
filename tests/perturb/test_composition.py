"""Operators joined by "+" apply in order and keep the properties that all of them have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itt_jax.errors import InputError
from itt_jax.perturb import CATALOG, get, perturb, variants
from itt_jax.perturb.units import VERSION

TEXTS = ["The patient slept well, and woke at 10 o'clock.", "Мой ёж съел ещё одно яблоко.", "", "नमस्ते दुनिया"]
NAMES = ["swap+keyboard", "word_drop+delete", "insert+delete+case", "swap+swap", "word_shuffle+repeat+word_drop"]


@pytest.mark.parametrize("name", NAMES)
def test_each_step_applies_to_the_result_of_the_previous_one(name):
    texts = TEXTS * 5
    expected = texts
    for step in name.split("+"):
        if name != "swap+swap":  # repeated operators use different draws
            expected = perturb(expected, step, 0.3, "en", 5)
    (variant,) = variants(texts, name, [0.3], "en", 5)
    if name != "swap+swap":
        assert variant.texts == expected
    else:
        assert variant.texts != perturb(perturb(texts, "swap", 0.3, "en", 5), "swap", 0.3, "en", 5)
    assert [new != old for new, old in zip(variant.texts, texts, strict=True)] == variant.changed.tolist()
    assert perturb(texts[3:9], name, 0.3, "en", 5, ids=[str(i) for i in range(4, 10)]) == variant.texts[3:9]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_protected_text_survives_every_step(name, data):
    masks = [np.array(data.draw(st.lists(st.booleans(), min_size=len(t), max_size=len(t))), bool) for t in TEXTS]
    (variant,) = variants(TEXTS, name, [0.7], "en", editable=masks, align=True)
    for old, new, mask, sources in zip(TEXTS, variant.texts, masks, variant.sources, strict=True):
        assert len(sources) == len(new)
        protected = np.flatnonzero(~mask)
        places = np.flatnonzero(np.isin(sources, protected))
        assert sources[places].tolist() == protected.tolist()
        assert [new[place] for place in places] == [old[place] for place in protected]


def test_severity_zero_changes_nothing():
    (variant,) = variants(TEXTS, "swap+word_drop", [0.0], "en")
    assert all(new is old for new, old in zip(variant.texts, TEXTS, strict=True))
    assert not variant.edits.any()


def test_properties_are_those_of_all_steps():
    composed = get("keyboard+swap")
    assert composed.languages == CATALOG["keyboard"].languages
    assert composed.output_version == (VERSION, (CATALOG["keyboard"].version, CATALOG["swap"].version))
    assert not composed.nested
    assert get("swap") is CATALOG["swap"]


def test_errors_name_the_wrong_part():
    with pytest.raises(InputError, match=r"'swop'.*swap"):
        perturb(TEXTS, "keyboard+swop", 0.1, "en")
    with pytest.raises(InputError, match="does not use a lexicon"):
        perturb(TEXTS, "swap", 0.1, "en", lexicon="words.tsv")
    with pytest.raises(InputError, match=r"'keyboard\+swap' has no table for language 'zh'"):
        perturb(TEXTS, "keyboard+swap", 0.1, "zh")
