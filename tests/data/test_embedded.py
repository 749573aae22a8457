"""The embedded material: complete in five languages, balanced, held out, deterministic, disjoint from its corpus."""

import functools
import hashlib
import re
import unicodedata

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data import embedded
from itt_jax.data.embedded import causes, entities, tables
from itt_jax.data.embedded.draws import draws
from itt_jax.data.embedded.tasks import TASKS
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError

SPLITS = {"train": 1998, "dev": 198, "test": 300}
CORPUS_SIZE = 20_000
# A change of the material needs new digests here and makes cells of the old material stale.
DIGESTS = {
    "embedded_sentiment_general": "a4ff51d827a85477",
    "embedded_inference_medical": "8a8348554cddea6b",
    "embedded_similarity_legal": "ed0ee536206bffe4",
    "corpus": "41b43cbd6e9f27ef",
}


@functools.cache
def normalised(text: str) -> str:
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def rows_of(task: str, split: str, language: str) -> Rows:
    return tasks.load_rows(tasks.get(task), split, language)


@pytest.fixture(scope="module")
def material() -> dict:
    """(task, split, language) -> rows, for the tasks made of statements."""
    return {
        (task, split, language): rows_of(task, split, language)
        for task in TASKS
        for split in SPLITS
        for language in embedded.LANGUAGES
    }


@pytest.fixture(scope="module")
def corpus() -> list[dict[str, str]]:
    return embedded.parallel(CORPUS_SIZE, seed=0)


def test_nine_tasks_match_their_descriptions(material):
    assert len(TASKS) == 9
    for (task, split, language), rows in material.items():
        described = embedded.TASKS[task]
        assert described.name == task and described.domain == rows.domain and language in described.languages
        assert tuple(rows.fields) == described.fields
        assert len(rows) == SPLITS[split]
        assert rows.item_ids[7] == f"{task}/{split}/7"
        assert rows.labels.dtype == (np.float32 if described.labels is None else np.int32)


def test_every_sentence_is_whole_in_every_language(material, corpus):
    texts = [text for rows in material.values() for column in rows.fields.values() for text in column]
    texts += [text for sentence in corpus for text in sentence.values()]
    together = "\n".join(["", *texts, ""])
    assert len(together.split("\n")) == len(texts) + 2 and unicodedata.is_normalized("NFC", together)
    wrong = re.search(r"[{}\[\]|~]|  | [.,]|\n\s|[^.\n]\n", together)
    assert not wrong, together[wrong.start() - 80 : wrong.end() + 80]
    for text in texts:
        assert text[0] == text[0].upper() and 3 <= len(text.split()) <= 22, text
    assert all(set(sentence) == set(embedded.LANGUAGES) for sentence in corpus)


def test_no_contraction_is_missed(material, corpus):
    """Spanish "de el" and "a el", French "de le", "à le", "que il" and "le a..." do not occur."""
    wrong = {
        "es": r"\b(de|a) el\b",
        "fr": r"\b((de|à) les?|(que|de|le|la|je|ne|se) (il|elle|on|autres|hôtel|album|examen))\b",
    }
    for language, pattern in wrong.items():
        texts = [sentence[language] for sentence in corpus]
        for (_, _, of), rows in material.items():
            if of == language:
                texts += [text for column in rows.fields.values() for text in column]
        found = [text for text in texts if re.search(pattern, text, re.IGNORECASE)]
        assert not found, found[:3]


def test_translations_share_items_and_labels_and_differ_in_script(material):
    for task in TASKS:
        for split in SPLITS:
            english = material[task, split, "en"]
            for language in embedded.LANGUAGES[1:]:
                other = material[task, split, language]
                np.testing.assert_array_equal(other.item_ids, english.item_ids)
                np.testing.assert_array_equal(other.labels, english.labels)
                for field, texts in other.fields.items():
                    assert not set(texts) & set(english.fields[field])
                    cyrillic = all(re.search("[а-яё]", text) and not re.search("[a-z]", text) for text in texts)
                    assert cyrillic == (language == "ru")


def test_labels_are_balanced_in_every_split_and_in_its_first_rows(material):
    for (task, _, language), rows in material.items():
        if language != "en":
            continue
        levels = 6 if rows.labels.dtype == np.float32 else len(embedded.TASKS[task].labels)
        labels = np.where(rows.labels % 1 == 0.5, rows.labels + 0.5, rows.labels)  # synonyms count as their level
        for head in (len(rows), 96):
            counts = np.unique(labels[:head], return_counts=True)[1]
            assert len(counts) == levels and counts.max() == counts.min()
    assert material["embedded_similarity_general", "test", "en"].labels.max() == 5


def test_negation_does_not_give_the_inference_label_away(material):
    for domain in embedded.DOMAINS:
        rows = material[f"embedded_inference_{domain}", "train", "en"]
        for field in rows.fields:
            negated = np.array([bool(re.search(r"\b(not|never|cannot)\b", text)) for text in rows.fields[field]])
            shares = [negated[rows.labels == label].mean() for label in range(3)]
            assert max(shares) - min(shares) < 0.08, (domain, field, shares)


def test_no_row_occurs_twice_and_no_sentence_in_two_splits(material):
    for language in embedded.LANGUAGES:
        home: dict[str, str] = {}
        for task in TASKS:
            for split in SPLITS:
                rows = material[task, split, language]
                columns = [[normalised(text) for text in texts] for texts in rows.fields.values()]
                whole = list(zip(*columns, strict=True))
                assert len(set(whole)) == len(whole), (task, split, language)
                for text in {text for column in columns for text in column}:
                    assert home.setdefault(text, split) == split, text


def test_the_corpus_holds_no_sentence_of_any_split(material, corpus):
    for language in embedded.LANGUAGES:
        seen = {normalised(sentence[language]) for sentence in corpus}
        for (_, _, of), rows in material.items():
            if of == language:
                for texts in rows.fields.values():
                    assert not seen & {normalised(text) for text in texts}


def test_words_are_held_out_in_every_language():
    for language in embedded.LANGUAGES:
        home: dict[str, tuple] = {}
        for quality in tables.qualities():
            for form in set(quality.forms[language]):
                key = (quality.split, quality.quality, quality.side, quality.forms["en"])
                assert home.setdefault(form.casefold(), key) == key, form
        topics = [topic.forms[language][0].casefold() for topic in tables.topics()]
        assert len(set(topics)) == len(topics)


def test_each_frame_is_in_one_split_or_the_corpus():
    for language in embedded.LANGUAGES:
        home: dict[str, str] = {}
        for frame in tables.frames():
            for pattern in set(frame.patterns[language]):
                assert home.setdefault(pattern.casefold(), frame.split) == frame.split, pattern


def test_frames_have_the_same_slots_in_every_language():
    for frame in tables.frames():
        cased = {slot.lower() for slot in frame.slots}
        for patterns in frame.patterns.values():
            for pattern in patterns:
                assert {slot.lower() for slot in re.findall(r"\{(\w)\}", pattern)} == cased, pattern


def test_the_material_is_large_enough():
    for domain in embedded.DOMAINS:
        for side in (0, 1):
            assert sum(q.domain == domain and q.side == side for q in tables.qualities()) == 40
        assert sum(topic.domain == domain for topic in tables.topics()) == 40
    for kind in ("sentiment", "inference", "similarity"):
        of_kind = [frame.split for frame in tables.frames() if frame.kind == kind]
        assert of_kind.count("train") >= 12 and of_kind.count("test") >= 6


def test_scales_have_two_synonyms_on_each_side_in_one_split():
    scales: dict[str, list] = {}
    for quality in tables.qualities():
        scales.setdefault(quality.quality, []).append(quality)
    for words in scales.values():
        assert sorted(word.side for word in words) == [0, 0, 1, 1]
        assert len({(word.domain, word.split) for word in words}) == 1


def test_mixed_sentences_name_both_polarities_and_the_main_clause_decides():
    rows = rows_of("embedded_sentiment_general", "train", "en")
    side = {quality.forms["en"][0]: quality.side for quality in tables.qualities() if quality.domain == "general"}
    for text, label in zip(rows.fields["text"], rows.labels, strict=True):
        match = re.fullmatch(r"At first .* seemed (.*), but in the end it was (.*)\.", text)
        if match:
            assert side[match[2]] == label and side[match[1]] == 1 - label
        match = re.fullmatch(r"I would never say that .* is (.*)\.", text)
        if match:
            assert side[match[1]] == 1 - label


def test_rows_and_corpus_are_the_same_everywhere():
    """Golden digests: the same bytes on every machine."""
    found = {}
    for name in DIGESTS:
        digest = hashlib.sha256()
        if name == "corpus":
            for sentence in embedded.parallel(2000, seed=0):
                digest.update(repr(sorted(sentence.items())).encode())
        else:
            for split in SPLITS:
                for language in embedded.LANGUAGES:
                    rows = rows_of(name, split, language)
                    digest.update(repr((rows.fields, rows.labels.tolist())).encode())
        found[name] = digest.hexdigest()[:16]
    assert found == DIGESTS


def test_a_corpus_is_a_prefix_of_a_larger_one_and_depends_on_its_seed(corpus):
    assert embedded.parallel(300, seed=0) == corpus[:300]
    assert embedded.parallel(300, seed=1) != corpus[:300]
    assert len({sentence["en"] for sentence in corpus}) == CORPUS_SIZE
    medical = " ".join(sentence["en"] for sentence in embedded.parallel(300, domains=("medical",)))
    assert "ointment" in medical and "festival" not in medical


def test_entities_are_tagged_alike_in_every_language():
    for task in entities.TASKS:
        readings: dict[str, str] = {}
        for split, size in entities.SIZES.items():
            rows = {language: rows_of(task, split, language) for language in embedded.LANGUAGES}
            assert {len(own) for own in rows.values()} == {size}
            found = {}
            for language, own in rows.items():
                texts = own.fields["text"]
                assert all(
                    text == text.strip() and text.endswith(" .") and not re.search("  |[{}]", text) for text in texts
                )
                assert all(unicodedata.is_normalized("NFC", text) for text in texts)
                assert [len(text.split(" ")) for text in texts] == own.labels.lengths.tolist()
                # A translation may only change the order of two names.
                found[language] = [
                    sorted(entities.LABELS[tag] for tag in tags if entities.LABELS[tag].startswith("B-"))
                    for tags in own.labels.arrays()
                ]
                assert list(own.item_ids) == list(rows["en"].item_ids)
            assert all(own == found["en"] for own in found.values()) and all(found["en"])
            for text in rows["en"].fields["text"]:
                assert readings.setdefault(text, split) == split
    rows = rows_of(task, "test", "en")
    text, tags = rows.fields["text"][0], rows.labels[0]
    words = [(word, entities.LABELS[tag]) for word, tag in zip(text.split(" "), tags, strict=True) if tag]
    assert words and all(word[0].isupper() for word, _ in words)


def test_draws_depend_on_name_and_index_alone():
    together = draws("x", np.arange(100), 5)
    np.testing.assert_array_equal(draws("x", np.array([42]), 5)[0], together[42])
    assert not np.any(draws("y", np.arange(100), 5) == together)
    assert np.all((together >= 0) & (together < 1)) and abs(together.mean() - 0.5) < 0.05


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: embedded.load("embedded_sentiment_generl", "test", "en"), "embedded_sentiment_general"),
        (lambda: embedded.load("embedded_sentiment_general", "validation", "en"), "known: dev, test, train"),
        (lambda: embedded.load("embedded_sentiment_general", "test", "it"), "known: de, en, es, fr, ru"),
        (lambda: embedded.parallel(-1), "expected 0 to"),
        (lambda: embedded.parallel(10, domains=("finance",)), "unknown domain 'finance'"),
        (lambda: embedded.parallel(10, domains=()), "no domain, expected"),
    ],
)
def test_wrong_names_give_one_clear_line(call, message):
    with pytest.raises(InputError, match=re.escape(message)):
        call()


def test_embedded_items_are_the_same_in_every_language_and_follow_from_their_pairs():
    pairs = list(zip(causes._events()["cause"], causes._events()["effect"], strict=True))
    assert len(pairs) == 16
    task = tasks.get(causes.NAME)
    for split, size in causes.SIZES.items():
        english = tasks.load_rows(task, split, "en")
        assert len(english) == size and np.bincount(english.labels).tolist() == [size // 2] * 2
        whole = list(zip(*english.fields.values(), strict=True))
        assert len({(premise, question, *sorted(choices)) for premise, question, *choices in whole}) > 0.9 * size
        for language in embedded.LANGUAGES:
            rows = tasks.load_rows(task, split, language)
            assert list(rows.item_ids) == list(english.item_ids) and (rows.labels == english.labels).all()
            names = [person[language] for person in causes._persons(split)]
            for i, (premise, question, *choices) in enumerate(zip(*rows.fields.values(), strict=True)):
                name = next(name for name in names if premise.startswith(f"{name} "))
                right = choices[rows.labels[i]]
                told, asked = (premise, right) if question == causes.QUESTIONS["effect"][language] else (right, premise)
                assert any(
                    (told, asked) == tuple(event[language].replace("{n}", name) for event in pair) for pair in pairs
                )
                assert all(text.endswith(".") and "{" not in text for text in (premise, *choices))
