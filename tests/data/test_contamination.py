"""Contamination: the rule, and the counts in the documentation of the real data."""

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data.contamination import contaminated, contaminated_tuples, digests, distinct, normalise
from itt_jax.data.parallel import ParallelTexts
from itt_jax.data.rows import Rows
from itt_jax.data.sources import LocalFiles
from itt_jax.data.sources.text import read_lines


def _rows(*columns: list[str]) -> Rows:
    ids = np.array([str(i) for i in range(len(columns[0]))], dtype=object)
    return Rows("t", "test", "en", "general", ids, {f"f{j}": column for j, column in enumerate(columns)}, None)


def test_normalise_ignores_case_width_and_punctuation():
    assert normalise("  Ｆｕｌｌ－width, “quotes” … and  STRASSE_ß ") == "full width quotes and strasse ss"
    assert normalise("नमस्ते!") == normalise("नमस्ते") == "नमस्ते"
    assert normalise("Cafe\u0301") == normalise("CAFÉ")


def test_a_long_field_or_a_whole_row_counts():
    evaluation = _rows(["A man is singing.", "One two"], ["He sings.", "three"])
    train = _rows(["a man IS singing", "something else", "One two", "he sings"], ["x", "one two", "Three!", "y"])
    assert contaminated(train, digests(evaluation)).tolist() == [True, False, True, False]


def test_text_without_spaces_is_long_by_its_characters():
    evaluation = _rows(["他在房间里唱歌跳舞。", "唱歌"], ["甲", "乙"])
    train = _rows(["他在房间里唱歌跳舞", "唱歌"], ["丙", "丙"])
    assert contaminated(train, digests(evaluation)).tolist() == [True, False]


def test_empty_text_and_empty_evaluation_contaminate_nothing():
    assert not contaminated(["", None, "a b c d e"], digests(["", "  "])).any()
    assert not contaminated(["a b c d e"], np.zeros(0, np.uint64)).any()


def test_digests_are_distinct_and_found_among_the_sorted():
    random = np.random.default_rng(0)
    for n in (0, 1, 2, 50):
        found = random.integers(0, 30, n).astype(np.uint64)
        expected = np.unique(found)
        assert distinct(found).tolist() == expected[expected != 0].tolist()
    texts = [f"the text of number {i}" for i in range(60)]
    evaluation = digests(texts[::3])
    assert (np.diff(evaluation.astype(float)) > 0).all() and len(evaluation) == 20
    assert contaminated(texts, evaluation).tolist() == [i % 3 == 0 for i in range(60)]


def test_a_tuple_is_contaminated_in_any_language():
    texts = ParallelTexts("s", ("en", "de"), {"en": ["a b c d", "e f g h", None], "de": ["w x y z", None, "q r s t"]})
    assert contaminated_tuples(texts, digests(["W x Y z!"])).tolist() == [True, False, False]


def test_stsb_pairs_are_in_sts_2012_to_2016(data_root):
    # Pairs of normalised sentences, in their order.
    files = sorted((data_root / "english/sts_sick_msrp/sts/semeval-sts").glob("20*/*.tsv"))
    values = [line.split("\t") for path in files for line in read_lines(path)]
    known = {(normalise(v[1]), normalise(v[2])) for v in values if len(v) >= 3}
    for split, expected in (("test", 1004), ("dev", 1125)):
        rows = tasks.load_rows(tasks.get("stsb"), split, "en", data_root)
        pairs = zip(*(map(normalise, texts) for texts in rows.fields.values()), strict=True)
        assert sum(pair in known for pair in pairs) == expected


@pytest.mark.parametrize(
    "name, splits, expected",
    [
        ("stsb", ("train",), 249),
        ("msrp", ("train", "dev", "test"), 250),
        ("sick_relatedness", ("train", "dev", "test"), 125),  # 126 without the minimum of four words
    ],
)
def test_stsb_test_rows_that_share_a_sentence(name, splits, expected, data_root):
    test = tasks.load_rows(tasks.get("stsb"), "test", "en", data_root)
    texts = [tasks.load_rows(tasks.get(name), split, "en", data_root).fields.values() for split in splits]
    sentences = [sentence for columns in texts for column in columns for sentence in column]
    assert contaminated(test, digests(sentences)).sum() == expected


@pytest.mark.slow
def test_sst2_dev_file_is_no_dev_set(data_root):
    paths = {split: f"english/sst2/{split}.tsv" for split in ("train", "dev")}
    source = LocalFiles(paths, "tsv", {"text": "sentence"}, "label", quoted=False)
    train, dev = (source.read(split, "en", data_root).fields["text"] for split in ("train", "dev"))
    assert (len(train), len(dev)) == (60614, 6735) and contaminated(dev, digests(train)).sum() == 1553
    ours = tasks.load_rows(tasks.get("sst2"), "train", "en", data_root)
    selection = tasks.load_rows(tasks.get("sst2"), "dev", "en", data_root)
    assert not contaminated(ours, digests(selection)).any()
