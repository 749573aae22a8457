"""Parallel texts: columns of equal length, distinct tuples, a stable subset."""

import numpy as np
import pytest

from itt_jax.data.parallel import ParallelTexts
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError


def test_columns_have_one_length():
    with pytest.raises(InputError, match="numbers of texts differ"):
        ParallelTexts("s", ("en", "de"), {"en": ["a"], "de": []})


def test_rows_of_one_item_are_translations():
    def rows(language: str, ids: list[str], *texts: list[str]) -> Rows:
        fields = dict(zip(("a", "b"), texts, strict=True))
        return Rows("t", "train", language, "general", np.array(ids, object), fields, None)

    found = ParallelTexts.of_rows(
        "t", {"en": rows("en", ["1", "2"], ["x", "y"], ["z", "w"]), "de": rows("de", ["2"], ["Y"], ["W"])}
    )
    assert found.texts == {"en": ["x", "y", "z", "w"], "de": [None, "Y", None, "W"]}
    assert found.tuples() == [{"en": "y", "de": "Y"}, {"en": "w", "de": "W"}]


def test_tuples_are_distinct_in_the_languages_kept():
    texts = {"en": ["a", "b", "a", None, "a"], "de": ["A", "B", "A", None, "Ä"], "fr": ["1", "2", "3", "4", "5"]}
    found = ParallelTexts("s", ("en", "de", "fr"), texts)
    assert len(found.distinct()) == 5
    kept = found.distinct(("de", "en"))
    assert kept.languages == ("en", "de") and kept.texts == {"en": ["a", "b", "a"], "de": ["A", "B", "Ä"]}
    some = found.distinct(tuples=3)
    assert len(some) == 3 and some.texts == found.distinct(tuples=3).texts
    assert set(some.texts["fr"]) < set(texts["fr"])
    with pytest.raises(InputError, match="parallel source 's' has none of xx; it has en, de, fr"):
        found.distinct(("xx",))
