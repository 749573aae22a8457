"""LAReQA's right answers: sentences of every language, numbered and matched as in the published code."""

import json

import pytest

from itt_jax.errors import InputError
from itt_jax.score import lareqa
from itt_jax.score.layout import write_labels

# Sentences of XQuAD-R's files, from its authors' table (google-research-datasets/lareqa).
CANDIDATES = {"ar": 1222, "de": 1276, "en": 1180, "es": 1215, "tr": 1167, "zh": 1196}


def paragraph(context: str, breaks: list[list[int]], **starts: int) -> dict:
    questions = [
        {"id": id, "question": "?", "answers": [{"text": "x", "answer_start": start}]} for id, start in starts.items()
    ]
    return {"context": context, "sentence_breaks": breaks, "qas": questions}


def test_right_answers_by_hand(tmp_path):
    (tmp_path / "lareqa").mkdir()
    files = {
        # In English the sentence "So x." occurs twice in the second paragraph; both are right.
        "en": [
            paragraph("Not x.", [[0, 6]], q1=4),
            paragraph("So x. So x. No.", [[0, 5], [6, 11], [12, 15]], q2=3, q3=12),
        ],
        # In German q3's answer starts in no sentence.
        "de": [paragraph("Ist x. So x.", [[0, 6], [7, 12]], q1=4, q2=10, q3=6)],
    }
    for language, paragraphs in files.items():
        content = {"data": [{"paragraphs": [one]} for one in paragraphs]}
        (tmp_path / "lareqa" / f"{language}.json").write_text(json.dumps(content), encoding="utf-8")
    right = lareqa.right_answers(tmp_path, ["en", "de"])
    both = {"q1": ["en_1_0", "de_1_0"], "q2": ["en_2_0", "en_2_1", "de_1_1"], "q3": ["en_2_2"]}
    assert right == {"en": both, "de": {id: both[id] for id in ("q1", "q2")}}


def test_right_ids_in_our_own_form(tmp_path):
    gold = {"en": {"q1": ["en_1_0", "de_1_0"]}, "de": {"q1": ["en_1_0", "de_1_0"], "q2": ["de_3_1"]}}
    for language, right in gold.items():
        write_labels(tmp_path, "xtreme-r", "lareqa", language, right)
    assert lareqa.right_answers(tmp_path, ["en", "de"]) == gold
    assert lareqa.right_answers(tmp_path, ["de"], ["de", "en", "zh"]) == {"de": gold["de"]}
    (tmp_path / "lareqa" / "test-de.json").write_text('{"q1": []}')
    with pytest.raises(InputError, match=r"test-de.json: 'q1' has no right id"):
        lareqa.right_answers(tmp_path, ["de"])
    with pytest.raises(InputError, match=r"zh.json: no such file"):
        lareqa.right_answers(tmp_path, ["zh"])


@pytest.mark.slow
def test_published_files(data_root, tmp_path):
    published = data_root / "crosslingual" / "xquad_r" / "xquad-r"
    (tmp_path / "lareqa").symlink_to(published)
    right = lareqa.right_answers(tmp_path, list(CANDIDATES))
    for language, n in CANDIDATES.items():
        assert len(right[language]) == 1190
        content = json.loads((published / f"{language}.json").read_text(encoding="utf-8"))
        paragraphs = [one for article in content["data"] for one in article["paragraphs"]]
        sentences = {
            f"{language}_{i}_{j}" for i, one in enumerate(paragraphs, 1) for j in range(len(one["sentence_breaks"]))
        }
        assert len(sentences) == n
        found = {id for ids in right["en"].values() for id in ids if id.startswith(f"{language}_")}
        assert found <= sentences and len(found) > n / 2
    assert min(len(ids) for ids in right["en"].values()) >= len(CANDIDATES) - 1
