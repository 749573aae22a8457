"""The properties of every operator in the catalogue, tested on many scripts."""

import itertools

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from itt_jax.perturb import CATALOG, LANGUAGES, perturb, span_after, span_before, variants
from itt_jax.perturb.noise import Noise, hash_strings, text_keys
from itt_jax.perturb.text import from_strings
from itt_jax.perturb.units import Document
from tests.perturb.material import language_for, lexicon_for, sentences_for

TEXTS = st.lists(
    st.text(
        st.sampled_from("aábß İıIX09 .,'\n\u0301\u200dनुक्षरि的か カーกำนё한Жσςςابَةא👍🏽🇩🇪\u00ad\u2060\u200fကာျး"),
        max_size=30,
    ),
    min_size=1,
    max_size=4,
)
# Operators that only move, delete or insert codepoints; the others replace codepoints.
MOVING = (
    *("swap", "delete", "insert", "repeat", "invisible", "word_drop", "word_duplicate", "word_shuffle"),
    *("inner_shuffle", "full_shuffle", "vowels", "truncate", "intruder", "word_join", "word_split"),
    *("word_insert", "fillers"),
    *("bidi", "deletion", "marks"),
    *("tautology", "negated_tautology", "url", "handle", "hashtag", "distractor", "omission", "entity_exchange"),
)
# Minimum ratio of edit distance to counted edits at severity 0.1, where it is not 97 %.
DISTANCE_SHARE = {"word_shuffle": 0.85}  # counts a moved word twice, which can exceed the difference in letters
every_operator = pytest.mark.parametrize("name", CATALOG)


def edits_of(name: str, texts: list[str], severity: float) -> tuple[Document, list[tuple[int, int, tuple[int, ...]]]]:
    """The document, and the operator's edits as (start, stop, replacement codepoints)."""
    document = Document(from_strings(texts), None, language_for(name), lexicon_for(name))
    keys = text_keys(hash_strings([str(i) for i in range(len(texts))]), 5)
    edits = CATALOG[name].function(document, Noise(keys, document), severity)
    ends = np.cumsum(edits.lengths)
    content = (tuple(edits.codepoints[e - n : e].tolist()) for e, n in zip(ends, edits.lengths, strict=True))
    return document, list(zip(edits.start.tolist(), edits.stop.tolist(), content, strict=True))


@every_operator
@given(texts=TEXTS)
@settings(max_examples=15, deadline=None)
def test_severity_zero_changes_nothing(name, texts):
    (variant,) = variants(texts, name, [0.0], language_for(name), lexicon=lexicon_for(name))
    assert all(new is old for new, old in zip(variant.texts, texts, strict=True))
    assert not variant.changed.any()
    assert not variant.edits.any()


@every_operator
@given(texts=TEXTS, severity=st.floats(0, 1), seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_any_text(name, texts, severity, seed):
    """Clusters stay whole, sources and `changed` are correct, and the result does not depend on order or batch."""
    options = {"name": name, "language": language_for(name), "seed": seed, "lexicon": lexicon_for(name)}
    (variant,) = variants(texts, severities=[severity], align=True, **options)
    clean = Document(from_strings(texts), None, "en")
    for i, (old, new, sources) in enumerate(zip(texts, variant.texts, variant.sources, strict=True)):
        assert len(sources) == len(new)
        assert variant.changed[i] == (old != new)
        assert (variant.edits[i] > 0) == variant.changed[i]
        if name in MOVING:
            assert all(new[place] == old[source] for place, source in enumerate(sources) if source >= 0)
        if not CATALOG[name].whole_clusters:
            continue
        starts = set((clean.starts - clean.text.offsets[i]).tolist())
        cluster = np.searchsorted(sorted(starts), sources, "right")
        for before, place in itertools.pairwise([None, *range(len(sources))]):
            begins = before is None or sources[before] < 0 or cluster[before] != cluster[place]
            assert sources[place] < 0 or not begins or sources[place] in starts
    order = list(reversed(range(len(texts))))
    ids = [str(i + 1) for i in order]
    assert perturb([texts[i] for i in order], severity=severity, ids=ids, **options) == variant.texts[::-1]
    assert perturb(texts[-1:], severity=severity, ids=[str(len(texts))], **options) == variant.texts[-1:]


@every_operator
@given(texts=TEXTS, low=st.floats(0, 1), high=st.floats(0, 1))
@settings(max_examples=15, deadline=None)
def test_weaker_edits_are_among_stronger_ones(name, texts, low, high):
    if not CATALOG[name].nested:
        return
    _, weak = edits_of(name, texts, min(low, high))
    _, strong = edits_of(name, texts, max(low, high))
    if name == "word_drop":  # either of two deleted words may take the white space between them
        assert {p for start, stop, _ in weak for p in range(start, stop)} <= {
            p for start, stop, _ in strong for p in range(start, stop)
        }
    else:
        assert set(weak) <= set(strong)


@every_operator
@given(texts=TEXTS, data=st.data())
@settings(max_examples=15, deadline=None)
def test_nothing_outside_the_mask_changes(name, texts, data):
    masks = [data.draw(st.lists(st.booleans(), min_size=len(t), max_size=len(t))) for t in texts]
    (variant,) = variants(texts, name, [0.8], language_for(name), editable=masks, align=True, lexicon=lexicon_for(name))
    for old, new, mask, sources in zip(texts, variant.texts, masks, variant.sources, strict=True):
        protected = np.flatnonzero(~np.array(mask, bool))
        places = np.flatnonzero(np.isin(sources, protected))
        assert sources[places].tolist() == protected.tolist()
        assert [new[place] for place in places] == [old[place] for place in protected]


@every_operator
def test_realised_rate(name, sentences):
    """Each eligible unit is edited with probability `severity`; severity 1 edits all of them."""
    texts = [text for _, found in sentences_for(name, sentences) for text in found] * 20
    _, everything = edits_of(name, texts, 1.0)
    for severity in (0.05, 0.3, 0.7):
        _, edits = edits_of(name, texts, severity)
        sigma = np.sqrt(severity * (1 - severity) / len(everything))
        assert abs(len(edits) / len(everything) - severity) < 4 * sigma


def test_eligible_clusters_are_those_of_words(sentences):
    texts = [text for found in sentences.values() for text in found]
    expected = [sum(bool(regex.match(r"[\p{L}\p{N}]", c)) for c in regex.findall(r"\X", t)) for t in texts]
    for name in ("delete", "repeat", "invisible"):
        (variant,) = variants(texts, name, [1.0], "en")
        assert variant.edits.tolist() == expected


@every_operator
def test_edits_bound_the_grapheme_edit_distance(name, sentences):
    """At severity 0.1 they are almost always equal."""
    counted = realised = 0
    for language, texts in sentences_for(name, sentences):
        texts = texts[:2] * 10
        (variant,) = variants(texts, name, [0.1], language_for(name, language), 1, lexicon=lexicon_for(name))
        for old, new, edits, clusters in zip(texts, variant.texts, variant.edits, variant.clusters, strict=True):
            pieces = regex.findall(r"\X", old)
            distance = Levenshtein.distance(pieces, regex.findall(r"\X", new))
            assert clusters == len(pieces)
            assert distance <= edits
            counted, realised = counted + edits, realised + distance
    assert counted > 0
    assert realised >= DISTANCE_SHARE.get(name, 0.97) * counted


@every_operator
def test_real_text(name, real_sentences):
    """XNLI sentences: edits bound the Levenshtein distance, and the result does not depend on the batch."""
    for language, texts in real_sentences.items():
        options = {"field": "hypothesis", "lexicon": lexicon_for(name)}
        language = language_for(name, language)
        (variant,) = variants(texts, name, [0.2], language, 3, align=True, **options)
        ids = [str(i + 1) for i in range(len(texts))]
        again = perturb(texts[40:60], name, 0.2, language, 3, ids=ids[40:60], **options)
        assert again == variant.texts[40:60]
        for old, new, edits in list(zip(texts, variant.texts, variant.edits, strict=True))[:40]:
            assert Levenshtein.distance(regex.findall(r"\X", old), regex.findall(r"\X", new)) <= edits


def test_spans_follow():
    text = "The patient slept well."
    (variant,) = variants([text] * 50, "insert", [0.3], "en", align=True)
    for new, sources in zip(variant.texts, variant.sources, strict=True):
        start, stop = span_after(sources, 4, 11)
        assert "".join(new[p] for p in range(start, stop) if sources[p] >= 0) == "patient"
        assert span_before(sources, start, stop) == (4, 11)
    (variant,) = variants([text], "delete", [1.0], "en", align=True)
    assert span_after(variant.sources[0], 4, 11) is None
    (variant,) = variants(["a b c"] * 20, "word_shuffle", [1.0], "en", align=True)
    assert {span_after(sources, 0, 3) for sources in variant.sources} >= {None}
    assert span_before(np.array([-1, -1]), 0, 2) is None


def test_swap_stays_within_words():
    texts = ["abcdef ghijkl"] * 200
    for new in perturb(texts, "swap", 0.5, "en"):
        assert sorted(new[:6]) == list("abcdef")
        assert all(abs(place - "abcdef".index(c)) <= 1 for place, c in enumerate(new[:6]))
    assert perturb(["ab"] * 20, "swap", 1.0, "en").count("ba") in range(3, 18)
    assert perturb(["aaaa"], "swap", 1.0, "en") == ["aaaa"]


@pytest.mark.parametrize(
    ("language", "letter", "neighbours"),
    [("en", "g", "tyfhvb"), ("de", "z", "tughj67"), ("de", "p", "oüölß"), ("fr", "a", "zqé"), ("ru", "а", "кевпсм")],
)
def test_keyboard_neighbours(language, letter, neighbours):
    found = set(perturb([letter] * 300, "keyboard", 1.0, language))
    assert len(found) >= 2
    assert found <= set(neighbours)


def test_keyboards_cover_xtreme_r():
    """All 50 languages except those for which xkb-data has no layout in their script."""
    xtreme_r = (
        "af ar az bg bn de el en es et eu fa fi fr gu he hi ht hu id it ja jv ka kk ko lt ml mr ms my nl pa pl pt qu "
        "ro ru sw ta te th tl tr uk ur vi wo yo zh"
    ).split()
    assert len(xtreme_r) == 50
    assert set(xtreme_r) <= LANGUAGES
    assert set(xtreme_r) - CATALOG["keyboard"].languages == {"af", "eu", "ht", "jv", "ko", "qu", "zh"}


@pytest.mark.parametrize(
    ("name", "language", "text", "expected"),
    [
        ("diacritics", "fr", "Où e\u0301tait la clé, ʼn'est-ce pas ?", "Ou etait la cle, ʼn'est-ce pas ?"),
        ("diacritics", "ar", "اَلْوَلَدُ", "الولد"),
        ("diacritics", "hi", "क्षमा", "क्षमा"),
        ("diacritics", "vi", "Bác sĩ ở đây", "Bac si o đay"),
        ("case", "en", "The USA, straße", "tHE usa, STRAßE"),
        ("case", "tr", "Işık İzmir iyi", "ıŞIK iZMİR İYİ"),
        ("repeat", "hi", "क्षमा", "क्षक्षमामा"),
        ("delete", "de", "Öl (3 l).", " ( )."),
        ("word_drop", "en", "One two, three (four).", ", ()."),
        ("word_duplicate", "en", "It's 3.5", "It's It's 3.5 3.5"),
        ("word_duplicate", "zh", "我们", "我我们们"),
        ("homoglyph", "ru", "Ѕ", "S"),
    ],
)
def test_full_severity(name, language, text, expected):
    assert perturb([text], name, 1.0, language) == [expected]


def test_invisible_is_reversible(sentences):
    for texts in sentences.values():
        clean = [text for text in texts if not regex.search("[\u200b\u2060\ufeff]", text)]
        for new, old in zip(perturb(clean, "invisible", 0.5, "en"), clean, strict=True):
            assert regex.sub("[\u200b\u2060\ufeff]", "", new) == old


def test_new_letters_have_the_same_script_and_case(sentences):
    script = {"ru": "Cyrillic", "el": "Greek", "hi": "Devanagari", "ko": "Hangul", "zh": "Han", "th": "Thai"}
    for language, name in script.items():
        for text in perturb(sentences[language][:2] * 10, "substitute", 1.0, language):
            assert regex.fullmatch(rf"[\p{{Script={name}}}\P{{L}}]*", text)
    for text in perturb(["ABC def 12"] * 30, "substitute", 1.0, "en"):
        assert regex.fullmatch("[A-Z]{3} [a-z]{3} [0-9]{2}", text)
        assert all(new != old or new == " " for new, old in zip(text, "ABC def 12", strict=True))


def test_words_move_inside_windows_of_three():
    words = [f"w{i}" for i in range(12)]
    for text in perturb([" ".join(words)] * 50, "word_shuffle", 1.0, "en"):
        moved = [abs(place - words.index(word)) for place, word in enumerate(text.split())]
        assert sorted(text.split()) == sorted(words)
        assert max(moved) <= 2
        assert sum(distance == 0 for distance in moved) <= 2  # windows of one word at the ends
