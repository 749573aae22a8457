"""Contamination: the rule, and the counts in the documentation of the real data."""

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data.contamination import (
    Contamination,
    Digests,
    contaminated,
    contaminated_tuples,
    digests,
    normalise,
    shared_fields,
    words_of,
)
from itt_jax.data.parallel import ParallelTexts
from itt_jax.data.rows import Rows
from itt_jax.data.sources import LocalFiles
from itt_jax.reading.text import read_lines


def _rows(*columns: list[str]) -> Rows:
    ids = np.array([str(i) for i in range(len(columns[0]))], dtype=object)
    return Rows("t", "test", "en", "general", ids, {f"f{j}": column for j, column in enumerate(columns)}, None)


def test_normalise_ignores_case_width_and_punctuation():
    assert normalise("  Ｆｕｌｌ－width, “quotes” … and  STRASSE_ß ") == "full width quotes and strasse ss"
    assert normalise("नमस्ते!") == normalise("नमस्ते") == "नमस्ते"
    assert normalise("Cafe\u0301") == normalise("CAFÉ")


def test_symbols_tell_texts_apart_and_count_alone():
    texts = ["great 👍 film", "👍👍", "!!!", ":-)", "‼️", "plain text"]
    assert contaminated(
        [*(text.upper() for text in texts), "great 👎 film", "?!", "great film", "", " ", None], digests(texts)
    ).tolist() == ([True] * 6 + [False] * 6)
    assert words_of("Great 👍 film!") == ["great", "film"]
    symbols = digests(_rows(["👍 👍 👍 👍"], ["x"]))
    assert not len(symbols.fields) and len(symbols.inputs) == 1  # symbols are no words
    assert not len(digests(["", " ", "\u200b", "\ufe0f"]).inputs)


def test_a_long_field_or_a_whole_row_counts():
    evaluation = digests(_rows(["A man is singing.", "One two"], ["He sings.", "three"]))
    train = _rows(["a man IS singing", "something else", "One two", "he sings"], ["x", "one two", "Three!", "y"])
    assert contaminated(train, evaluation, "any_field").tolist() == [True, False, True, False]
    assert contaminated(train, evaluation).tolist() == [False, False, True, False]
    assert shared_fields(train, evaluation) == {"f0": 1, "f1": 0}


def test_claims_on_one_document_are_no_contamination_unless_the_claim_recurs_with_it():
    document = "the trial found no effect of the drug"
    evaluation = digests(_rows(["the drug does not help at all", "the drug was tested in a trial"], [document] * 2))
    train = _rows(["the drug cures the common cold", "The drug was TESTED in a trial."], [document] * 2)
    assert contaminated(train, evaluation).tolist() == [False, True]
    assert contaminated(train, evaluation, "any_field").tolist() == [True, True]
    assert shared_fields(train, evaluation) == {"f0": 1, "f1": 2}


def test_a_text_alone_is_a_whole_input_on_either_side():
    pair, text = _rows(["they all went home"], ["nobody stayed until the end"]), ["Nobody stayed until the end"]
    assert contaminated(text, digests(pair)).tolist() == [True]  # the text is a field of an evaluated pair
    assert contaminated(pair, digests(text)).tolist() == [True]  # a field of the pair is an evaluated text
    assert not contaminated(_rows(["nobody stayed until the end"], ["x"]), digests(pair)).any()


@pytest.mark.parametrize("rule", ["whole_input", "any_field"])
def test_sets_overlap_where_a_row_of_one_is_contaminated_by_the_other(rule):
    random = np.random.default_rng(1)
    texts = [f"the text of number {i}" for i in range(8)]
    for columns in ((1, 1), (1, 2), (2, 1), (2, 2)):
        for _ in range(20):
            one, two = (_rows(*([texts[i] for i in random.integers(0, 8, 2)] for _ in range(n))) for n in columns)
            expected = contaminated(one, digests(two), rule).any()
            assert digests(one).overlaps(digests(two), rule) == digests(two).overlaps(digests(one), rule) == expected


def test_text_without_spaces_is_long_by_its_characters():
    evaluation = digests(_rows(["他在房间里唱歌跳舞。", "唱歌"], ["甲", "乙"]))
    train = _rows(["他在房间里唱歌跳舞", "唱歌"], ["丙", "丙"])
    assert contaminated(train, evaluation, "any_field").tolist() == [True, False]


def test_empty_text_and_empty_evaluation_contaminate_nothing():
    assert not contaminated(["", None, "a b c d e"], digests(["", "  "])).any()
    assert not contaminated(["a b c d e"], Digests.join([])).any()


def test_digests_are_distinct_and_found_among_the_sorted():
    texts = [f"the text of number {i}" for i in range(60)]
    evaluation = Digests.join([digests(texts[::3]), digests(texts[::6] * 2)])
    for found in (evaluation.fields, evaluation.inputs):
        assert (np.diff(found.astype(float)) > 0).all() and len(found) == 20
    assert contaminated(texts, evaluation).tolist() == [i % 3 == 0 for i in range(60)]


@pytest.mark.parametrize(
    "entry, warning",
    [
        (Contamination("own/train/en", 100, 5, "whole_input", 5), None),
        (Contamination("own/train/en", 100, 0, "whole_input", 0, {"evidence": 93}), None),
        (
            Contamination("own/train/en", 1629, 1516, "any_field", 3, {"claim": 3, "evidence": 1516}),
            "own/train/en: 1,516 of 1,629 rows (93%) were dropped because their text is evaluated (rows that share a "
            "field: claim 3, evidence 1,516); contamination='whole_input' keeps rows that share only a field",
        ),
        (
            Contamination("own/train/en", 100, 6, "whole_input", 6, {"text": 6}),
            "own/train/en: 6 of 100 rows (6%) were dropped because their text is evaluated (rows that share a field: "
            "text 6); train on other rows, or evaluate on others",
        ),
        (
            Contamination("own/train/en", 100, 0, "off", 6),
            "own/train/en: 6 of 100 rows (6%) are evaluated and were kept, since contamination is 'off'; scores on "
            "them are not scores on unseen text",
        ),
    ],
)
def test_a_warning_where_more_than_a_twentieth_is_dropped_or_evaluated(entry, warning):
    assert entry.warning() == warning


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
    assert contaminated(test, digests(sentences), "any_field").sum() == expected


@pytest.mark.slow
def test_sst2_dev_file_is_no_dev_set(data_root):
    paths = {split: f"english/sst2/{split}.tsv" for split in ("train", "dev")}
    source = LocalFiles(paths, "tsv", {"text": "sentence"}, "label", quoted=False)
    train, dev = (source.read(split, "en", data_root).fields["text"] for split in ("train", "dev"))
    assert (len(train), len(dev)) == (60614, 6735) and contaminated(dev, digests(train)).sum() == 1553
    ours = tasks.load_rows(tasks.get("sst2"), "train", "en", data_root)
    selection = tasks.load_rows(tasks.get("sst2"), "dev", "en", data_root)
    assert not contaminated(ours, digests(selection)).any()
