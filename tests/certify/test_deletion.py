"""Random deletion: units that join to the text, draws that depend on nothing but their own number."""

import numpy as np
import pytest

from itt_jax.certify import Deletion
from itt_jax.errors import InputError
from tests.attack.scripted import TEXTS


@pytest.mark.parametrize("unit", ["character", "word"])
def test_units_join_to_the_text_in_six_scripts(unit):
    deletion = Deletion(unit, 0.5)
    texts = ["", *(text for own in TEXTS.values() for text in own), "a", " .", ""]
    found = deletion.sequences(texts, "en")
    assert ["".join(own) for own in found] == texts and all(all(own) for own in found)
    alone = [deletion.sequences([text], "en")[0] for text in texts]
    assert alone == found


def test_units_are_clusters_or_words_with_what_precedes_them():
    assert Deletion("character").sequences(["e\u0301a"], "en") == [("e\u0301", "a")]
    assert Deletion("word").sequences(["Well, that is it."], "en") == [("Well", ", that", " is", " it", ".")]


def test_a_sample_is_the_same_whatever_else_is_drawn(monkeypatch):
    deletion = Deletion("character", 0.8)
    (sequence,) = deletion.sequences([TEXTS["hi"][0]], "hi")
    key = deletion.key(0, "item", "text")
    whole = deletion.samples(sequence, key, 0, 60)
    assert whole[20:50] == deletion.samples(sequence, key, 20, 50)
    monkeypatch.setattr("itt_jax.certify.deletion.DRAWS_AT_ONCE", 7 * len(sequence))
    assert deletion.samples(sequence, key, 0, 60) == whole
    assert deletion.samples(sequence, deletion.key(1, "item", "text"), 0, 60) != whole
    assert deletion.samples((), key, 3, 5) == ["", ""]


def test_every_unit_is_kept_with_its_probability_independently():
    deletion, samples = Deletion("character", 0.7), 20_000
    sequence = tuple("abcdefgh")
    drawn = deletion.samples(sequence, deletion.key(0, "item", "text"), 0, samples)
    kept = np.array([[letter in own for letter in sequence] for own in drawn], float)
    assert all("".join(letter for letter in sequence if letter in own) == own for own in drawn[:100])
    deviation = np.sqrt(0.3 * 0.7 / samples)
    assert np.abs(kept.mean(0) - 0.3).max() < 4 * deviation
    assert np.abs(np.corrcoef(kept.T) - np.eye(8)).max() < 4.5 / np.sqrt(samples)
    assert np.abs((kept[1:] * kept[:-1]).mean(0) - 0.09).max() < 4.5 * np.sqrt(0.09 * 0.91 / samples)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("letter", 0.5), "unknown --unit 'letter'; known: character, word"),
        (("word", 1.0), "--rate: found 1.0, expected a probability between 0 and 1"),
        (("word", float("nan")), "--rate: found nan"),
    ],
)
def test_wrong_values(arguments, says):
    with pytest.raises(InputError, match=says):
        Deletion(*arguments)
