"""Clusters of rows that share a text."""

import numpy as np

from itt_jax.data.clusters import clusters
from itt_jax.data.rows import Rows

PREMISE = ["The doctor saw the patient on Monday.", "All rivers of the country are frozen.", "He sold his car."]


def rows(language="en", **fields) -> Rows:
    """Rows with these fields."""
    n = len(next(iter(fields.values())))
    ids = np.array([f"t/test/{i}" for i in range(n)])
    return Rows("t", "test", language, "general", ids, {name: list(texts) for name, texts in fields.items()}, None)


def sizes(found: dict[str, str]) -> list[int]:
    """Sizes of the clusters, the largest first."""
    return sorted(np.unique(list(found.values()), return_counts=True)[1].tolist(), reverse=True)


def test_rows_with_one_premise_are_a_cluster_named_by_its_first_row():
    hypotheses = [f"Sentence number {i} of many." for i in range(9)]
    found = clusters([rows(premise=np.repeat(PREMISE, 3), hypothesis=hypotheses)])
    assert list(found.values()) == [f"t/test/{3 * (i // 3)}" for i in range(9)]


def test_texts_are_compared_as_contamination_does():
    """After normalisation, across fields; a whole input counts however short, a short field of a pair does not."""
    one = rows(a=[PREMISE[0], "Yes, it is.", "x"], b=["No.", PREMISE[0].upper(), "No."])
    assert sizes(clusters([one])) == [2, 1]
    assert sizes(clusters([rows(text=["No.", "no", "Yes."])])) == [2, 1]


def test_translations_are_one_item_whichever_language_shares_a_text():
    english, german = (
        rows(text=["It is a big house.", "It is a large house."]),
        rows("de", text=["Es ist ein Haus."] * 2),
    )
    assert sizes(clusters([english])) == [1, 1] and sizes(clusters([english, german])) == [2]


def test_chains_are_cut_where_no_text_links_their_rows():
    """Row i shares one sentence with row i - 1 and another with row i + 1; transitively all would be one cluster."""
    sentences = [f"This is sentence number {i} here." for i in range(41)]
    assert max(sizes(clusters([rows(a=sentences[:40], b=sentences[1:])]))) == 2
    short = clusters([rows(a=sentences[:3], b=sentences[1:4])])
    assert sizes(short) == [3]  # three rows of which two share each text are no long chain


def test_rows_of_a_document_are_a_cluster():
    texts = [f"A sentence that is number {i}." for i in range(4)]
    assert sizes(clusters([rows(text=texts)], [["x", "x", "y", "x"]])) == [3, 1]
