"""Every operator's output is fixed for its version, which is part of cell ids.

When an output changes on purpose, increase the operator's version in its row and update the pair here.
"""

import hashlib

import pytest

from itt_jax.perturb import CATALOG, variants
from itt_jax.perturb.units import VERSION
from tests.perturb.material import FORMATTED, LEXICON, sentences_for

GOLDEN: dict[str, tuple[int, str]] = {
    "swap": (1, "0151933092289609"),
    "delete": (1, "d5d28b5f252d570c"),
    "insert": (1, "9a2b12009379d8ed"),
    "substitute": (1, "0c3489bc6f730b1d"),
    "repeat": (1, "14f819374a5ee271"),
    "keyboard": (1, "b8a8f088c64b7558"),
    "ocr": (1, "04235d3609f0aca3"),
    "homoglyph": (1, "6244b78fea480b3d"),
    "invisible": (1, "309a1ebfcc70e907"),
    "diacritics": (1, "e5b429cd530bdeb4"),
    "case": (1, "702053d68caa7fbb"),
    "phonetic": (1, "b729945c41ac8f6b"),
    "natural": (1, "19c1aadfd894b858"),
    "mixed": (1, "ac21d15d39c4cb93"),
    "inner_shuffle": (1, "b76a76bbcaee02ff"),
    "full_shuffle": (1, "22feee6e958a16bd"),
    "vowels": (1, "2563b340277b7dfb"),
    "truncate": (1, "c7629e97922819cc"),
    "intruder": (1, "286ac20512f26e56"),
    "word_join": (1, "08b5940a6fab8863"),
    "word_split": (1, "6fc7e099dba3c00b"),
    "leetspeak": (1, "57179dcac0702dd3"),
    "word_drop": (1, "4510300e879fd71e"),
    "word_duplicate": (1, "0408b54b0facd5f1"),
    "word_shuffle": (1, "f4ef304af24b3251"),
    "bidi": (1, "59ada70ffa2de67a"),
    "deletion": (1, "f7f12411c9900143"),
    "marks": (1, "1f040f2427dcb366"),
    "diacritics_add": (1, "827977bd5b43be47"),
    "normalize_nfd": (1, "1cb30d88203b399a"),
    "normalize_nfc": (1, "54177ef3e91934e3"),
    "normalize_nfkc": (1, "c9118cd1d282797d"),
    "full_width": (1, "c30a0a585d2326a8"),
    "half_width": (1, "664bc46f84c1d93e"),
    "synonym": (1, "a518d01e05bffb86"),
    "word_insert": (1, "f8399567ece3aad6"),
    "fillers": (1, "dffe27f46db0bd08"),
    "code_mix": (1, "3d704cbf07027059"),
    "function_words": (1, "57467921bb6e3b61"),
    "contractions": (1, "b172457ab382b353"),
    "entity": (1, "db415340f40c398c"),
    "numbers": (1, "b87dc7c70d5b3831"),
    "punctuation": (1, "5890debed6d6ac50"),
    "typography": (1, "8b1602205338c9be"),
    "tautology": (1, "89e534da92b20c84"),
    "negated_tautology": (1, "9c33d484fc2c31bf"),
    "url": (1, "bef3616f4f4b651b"),
    "handle": (1, "eeb64ff699302a27"),
    "hashtag": (1, "821a940ab6b20d35"),
    "distractor": (1, "daaa2928f99e7b23"),
    "omission": (1, "91876a9bf957fa58"),
    "negation": (1, "170ddbb65450ea46"),
    "entity_exchange": (1, "532f4d7fde4382ed"),
    "tatweel": (1, "d1d8c8ba95d62851"),
    "arabic_letters": (1, "0a786dad4e20f00c"),
    "arabic_yeh_kaf": (1, "5d2e056493071f75"),
    "nukta": (1, "df975e5a7c7c5c28"),
    "chandrabindu": (1, "6d2864c00769834e"),
    "traditional": (1, "026ec09205a1d853"),
    "simplified": (1, "b7cba577f3a09dd2"),
    "kana": (1, "faa0ef2a03b66b03"),
    "native_digits": (1, "847ebf46d0394192"),
    "dotted_i": (1, "24a312f561c1205f"),
    "umlauts": (1, "50a4bfae785a7159"),
    "romanian_cedilla": (1, "a32af46f8b2f6206"),
    "transliterate": (1, "7fb5d116216b5c02"),
    "serbian_alphabet": (1, "a3d85470b0e96a92"),
    "ligatures": (1, "73d2fea2691d8355"),
    "presentation_forms": (1, "6e4b1031f446e642"),
}


# `units.VERSION`, and the digest of all operators on texts with format characters, unusual spaces and spacing marks,
# which no sentence above contains inside a word.
GOLDEN_UNITS = (2, "83c165aa6d1b7c58")


def digest(name: str, sentences: dict[str, list[str]]) -> str:
    """SHA-256 of the operator's output for the test sentences in each language, at two severities and replicates."""
    whole = hashlib.sha256()
    for language, texts in sentences_for(name, sentences):
        if language in CATALOG[name].languages or CATALOG[name].lexicon:
            lexicon = None if language in CATALOG[name].languages else LEXICON
            for variant in variants(texts, name, [0.1, 0.5], language, 11, replicates=[0, 1], lexicon=lexicon):
                whole.update("\0".join(variant.texts).encode())
    return whole.hexdigest()[:16]


def test_every_operator_has_its_digest():
    assert set(GOLDEN) == set(CATALOG)


@pytest.mark.parametrize("name", CATALOG)
def test_output_matches_the_version(name, sentences):
    assert (CATALOG[name].version, digest(name, sentences)) == GOLDEN[name]


def test_output_matches_the_version_of_units():
    digests = "".join(digest(name, FORMATTED) for name in CATALOG)
    assert (VERSION, hashlib.sha256(digests.encode()).hexdigest()[:16]) == GOLDEN_UNITS
