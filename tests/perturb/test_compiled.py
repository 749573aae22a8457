"""Kernels equal their NumPy references on any input, and operators give the same output with either."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itt_jax.perturb import CATALOG, characters, compiled, tables, variants
from itt_jax.perturb.characters import alphabetic, alphabets, plain_letters
from itt_jax.perturb.edits import Edits, apply, counts_by_text, differing, plain_inserted, plain_pieces
from itt_jax.perturb.noise import Noise, first_draws
from itt_jax.perturb.text import from_strings, to_strings
from itt_jax.perturb.units import Document
from itt_jax.perturb.words import plain_spaces_around, spaces_around
from tests.perturb.material import FORMATTED, language_for, lexicon_for
from tests.perturb.test_operators import TEXTS
from tests.perturb.test_units import ANYTHING, CLASSES

kernels = pytest.importorskip("itt_jax.perturb.kernels", reason="numba is not installed", exc_type=ImportError)
WORDS = st.text(st.sampled_from("aé1' .,’·中かカー๑กำ\u0301我ខ9\u00ad\u2060\u094dकကာ"), max_size=20)


@pytest.fixture
def use_kernels(monkeypatch):
    """A function that selects the kernels (True) or the NumPy versions (False) for all further work."""

    def use(which: bool) -> None:
        monkeypatch.setattr(compiled, "PLAIN", -1 if which else 1 << 62)

    return use


def equal(one, other) -> bool:
    """Whether two tuples of arrays are equal, including dtypes."""
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@given(st.lists(st.one_of(CLASSES, ANYTHING, WORDS), max_size=5))
@settings(max_examples=600, deadline=None)
def test_units_and_words(texts):
    document = Document(from_strings(texts), None, "en")
    document.__dict__["kernels"] = kernels
    assert equal(document.units, document.plain_units())
    assert equal(document.words, document.plain_words())


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 3), max_size=5)), max_size=5))
def test_draws(texts):
    keys = np.array([key for key, _ in texts], np.uint64)
    counts = np.array([len(gaps) for _, gaps in texts], np.int64)
    starts = np.cumsum([1 + gap for _, gaps in texts for gap in gaps], dtype=np.int64)
    offsets = np.append(0, starts)[np.cumsum(counts) - counts].astype(np.int64)
    assert equal([kernels.first_draws(keys, offsets, starts, counts)], [first_draws(keys, offsets, starts, counts)])


@given(st.lists(st.tuples(st.sampled_from("aZß0é文かカअ한ж؟"), st.integers(0, 2**64 - 1))), st.booleans())
@settings(deadline=None)
def test_letters(rows, japanese):
    bases = np.array([ord(letter) for letter, _ in rows if alphabetic()[ord(letter)]], np.int64)
    draws = np.array([draw for letter, draw in rows if alphabetic()[ord(letter)]], np.uint64)
    by_codepoint = (tables.property_of("scripts"), tables.mapping("lower_upper", inverse=True))
    by_codepoint += (tables.mapping("lower_upper"), *alphabets(japanese))
    assert equal([kernels.letters(bases, draws, *by_codepoint)], [plain_letters(bases, draws, japanese)])


@given(st.lists(st.one_of(ANYTHING, st.text("aé", max_size=3)), max_size=5))
@settings(deadline=None)
def test_strings(texts):
    with pytest.MonkeyPatch.context() as patch:
        for threshold in (-1, 1 << 62):
            patch.setattr(compiled, "PLAIN", threshold)
            assert to_strings(from_strings(texts)) == texts


@given(st.lists(st.one_of(CLASSES, WORDS, st.text("aab \u0301\u00ad", max_size=9)), max_size=5), st.data())
@settings(max_examples=300, deadline=None)
def test_choices(texts, data):
    plain, fast = (Document(from_strings(texts), None, "en") for _ in range(2))
    plain.__dict__["kernels"], fast.__dict__["kernels"] = None, kernels
    seed, severity = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.sampled_from([0.0, 0.4, 1 - 2**-53, 1.0]))
    random = np.random.default_rng(seed)
    noises = [Noise(random.integers(0, 2**64, len(texts), np.uint64), plain)]
    noises.append(Noise(noises[0].keys, fast))
    eligible = random.random(len(plain.bases)) < 0.8
    chosen, paired, exchanged = [], [], []
    for document, noise in zip((plain, fast), noises, strict=True):
        chosen.append(characters.chosen(document, noise, severity, eligible))
        paired.append(characters.pairs(document, noise, severity, eligible & document.in_word))
        exchanged.append([*vars(characters.exchanged(document, paired[0])).values()])
    assert equal([chosen[0], paired[0], *exchanged[0]], [chosen[1], paired[1], *exchanged[1]])
    plain.__dict__["allowed"] = fast.__dict__["allowed"] = eligible
    assert equal(spaces_around(fast, *plain.words), plain_spaces_around(plain, *plain.words))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_edits(data):
    text = from_strings(data.draw(st.lists(st.text("abc", max_size=6), max_size=5)))
    length = len(text.values)
    cuts = sorted(data.draw(st.sets(st.integers(0, length), max_size=8)))
    start, stop = (np.array(cuts[side::2][: len(cuts) // 2], np.int64) for side in (0, 1))
    within = np.searchsorted(text.offsets, start, "right") == np.searchsorted(text.offsets, stop)  # within one text
    start, stop = start[within], stop[within]
    place = st.integers(0, length)
    pairs = st.lists(st.tuples(place, place).map(sorted), min_size=2, max_size=2)
    count = len(start)
    parts = np.array(data.draw(st.lists(pairs, min_size=count, max_size=count)), np.int64).reshape(count, 2, 2)
    kept = (parts[:, :, 1] - parts[:, :, 0]).sum(axis=1)
    new = np.array(data.draw(st.lists(st.sampled_from([0, 100]), min_size=count, max_size=count)), np.uint32)
    where = np.array([data.draw(st.integers(0, int(size))) for size in kept], np.int64)
    none = np.zeros(0, np.uint32), np.zeros(0, np.int64)
    assert equal(kernels.pieces(text.values, parts, *none), plain_pieces(text, parts, None, None))
    pieces = kernels.pieces(text.values, parts, new, where)
    assert equal(pieces, plain_pieces(text, parts, new, where))
    if (new > 0).all():
        plain = plain_inserted(text, start, stop, new, where > 0)
        beside = kernels.inserted(text.values, start, stop, new, where > 0)
        assert equal(beside, (plain.lengths, plain.sources, plain.codepoints))
    edits = Edits(start, stop, *pieces, np.arange(count))
    output, _ = apply(text, edits)
    fields = (edits.start, edits.stop, edits.lengths, edits.codepoints, edits.cost)
    made = kernels.apply(text.values, text.offsets, *fields)
    changed = differing(text, output)
    counts, cost = counts_by_text(edits, text.offsets)
    assert equal(made, (output.values, output.offsets, changed, counts, cost * changed))


@pytest.mark.parametrize("name", CATALOG)
def test_operators(name, use_kernels):
    @given(texts=TEXTS, severity=st.floats(0, 1), masked=st.booleans())
    @settings(max_examples=15, deadline=None)
    def same(texts, severity, masked):
        masks = [np.arange(len(text)) % 3 > 0 for text in texts] if masked else None
        found = []
        for which in (True, False):
            use_kernels(which)
            (variant,) = variants(
                texts, name, [severity], language_for(name), 1, editable=masks, lexicon=lexicon_for(name)
            )
            found.append(
                [variant.texts, *(getattr(variant, f).tolist() for f in ("changed", "edits", "clusters", "made"))]
            )
        assert found[0] == found[1]

    same()


def test_sentences(use_kernels, sentences):
    for name in CATALOG:
        for language, texts in [*sentences.items(), *FORMATTED.items()]:
            found = []
            for which in (True, False):
                use_kernels(which)
                own = language_for(name, language)
                found.append(variants(texts, name, [0.3], own, 5, lexicon=lexicon_for(name))[0].texts)
            assert found[0] == found[1]


def test_small_jobs_use_numpy(monkeypatch):
    monkeypatch.setattr(compiled, "_seen", 0)
    assert compiled.kernels(compiled.PLAIN) is None
    assert compiled.kernels(1) is kernels
