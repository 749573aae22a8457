"""Writes unicode.json: the codepoint properties that perturbations use, at a fixed version for all machines.

    python -m itt_jax.perturb.tables.make_unicode

Sources: the Unicode Character Database in the `regex` package (grapheme cluster properties, general categories,
scripts) and in Python's `unicodedata` (canonical decompositions, simple case pairs). The sets of common ideographs and
syllables are levels of national standards (GB 2312 level 1, JIS X 0208 level 1, KS X 1001), read from Python's codecs.
After changing the table, increase `units.VERSION` if clusters or words change, and the versions of the operators whose
golden digests change.
"""

import itertools
import json
import pathlib
import sys
import unicodedata

# Classes of UAX 29 (Unicode 18, rules GB3-GB13), refined by Indic_Conjunct_Break, which splits only Other, Extend and
# ZWJ. Beyond UAX 29, all spacing marks are SpacingMark: it leaves some vowel signs and tone marks of Myanmar, Tai Tham
# and Ahom outside their syllable, where no writer would part them.
GRAPHEME_CLASSES = {
    "CR": r"\p{GCB=CR}",
    "LF": r"\p{GCB=LF}",
    "Control": r"\p{GCB=Control}",
    "Extend": r"[\p{GCB=Extend}&&\p{InCB=Extend}]",
    "ExtendOnly": r"[\p{GCB=Extend}&&\p{InCB=None}]",
    "Linker": r"[\p{GCB=Extend}&&\p{InCB=Linker}]",
    "LinkerOther": r"[\p{GCB=Other}&&\p{InCB=Linker}]",
    "ZWJ": r"\p{GCB=ZWJ}",
    "Regional": r"\p{GCB=Regional_Indicator}",
    "Prepend": r"\p{GCB=Prepend}",
    "SpacingMark": r"[\p{GCB=SpacingMark}[\p{Mc}&&\p{GCB=Other}]]",
    "L": r"\p{GCB=L}",
    "V": r"\p{GCB=V}",
    "T": r"\p{GCB=T}",
    "LV": r"\p{GCB=LV}",
    "LVT": r"\p{GCB=LVT}",
    "Pictographic": r"\p{Extended_Pictographic}",
    "Consonant": r"\p{InCB=Consonant}",
}
# "ignored" is what rule WB4 of UAX 29 ignores inside words. Prepended signs (GCB=Prepend), such as the Arabic number
# sign, count as the numbers or letters that UAX 29 takes them for. The signs between letters and between numbers are
# those of WB6, WB7, WB11 and WB12, except the colon, the semicolon and, between letters, the full stop, which more
# often separate words in running text.
IGNORED = r"\p{WB=Format}\p{WB=Extend}\p{WB=ZWJ}"
FLAGS = {
    "word": rf"[[\p{{L}}\p{{N}}\p{{GCB=Prepend}}]--[{IGNORED}]]",
    "space": r"\p{White_Space}",
    "letter": r"[\p{L}[\p{GCB=Prepend}&&\p{WB=ALetter}]]",
    "mark": r"\p{Mn}",
    "number": r"[\p{N}[\p{GCB=Prepend}&&\p{WB=Numeric}]]",
    "between_letters": r"['\u2019\u00b7\u2027\u05f3\u05f4]",
    "between_numbers": r"['\u2019.,\u066b\u066c]",
    "ignored": f"[{IGNORED}]",
}

# Script -> first and last codepoints of one or more ranges that contain its common letters; letters with a
# decomposition are excluded.
LETTERS = {
    "Latin": "az", "Greek": "αω", "Cyrillic": "ая", "Armenian": "աֆ", "Hebrew": "את", "Arabic": "ءغفي",
    "Devanagari": "ऄह", "Bengali": "অহ", "Gurmukhi": "ਅਹ", "Gujarati": "અહ", "Oriya": "ଅହ", "Tamil": "அஹ",
    "Telugu": "అహ", "Kannada": "ಅಹ", "Malayalam": "അഹ", "Sinhala": "අෆ", "Thai": "กฮ", "Lao": "ກຮ", "Tibetan": "ཀཨ",
    "Myanmar": "ကအ", "Georgian": "აჰ", "Ethiopic": "ሀፗ", "Khmer": "កអ", "Mongolian": "ᠠᡂ", "Hiragana": "あん",
    "Katakana": "アン", "Javanese": "ꦄꦲ", "Hangul": "", "Han": "",
}  # fmt: skip
SMALL_KANA = "ぁぃぅぇぉっゃゅょゎゐゑァィゥェォッャュョヮヰヱ"


def run_lengths(values: list[int]) -> str:
    """The values of all codepoints as run lengths "length:value ..."."""
    return " ".join(f"{sum(1 for _ in group)}:{value}" for value, group in itertools.groupby(values))


def codec_rows(codec: str, first: int, last: int) -> str:
    """The characters in rows `first` to `last` (lead bytes) of a two-byte national standard."""
    pairs = (bytes((lead, trail)) for lead in range(first, last + 1) for trail in range(0xA1, 0xFF))
    return "".join(pair.decode(codec, "ignore") for pair in pairs)


def stripped(character: str) -> str:
    """The character without nonspacing marks: NFD, minus marks, then NFC."""
    kept = (c for c in unicodedata.normalize("NFD", character) if unicodedata.category(c) != "Mn")
    return unicodedata.normalize("NFC", "".join(kept))


def main() -> None:
    """Write the table."""
    import regex

    everything = [chr(i) for i in range(0x110000)]

    def members(pattern: str) -> set[str]:
        matcher = regex.compile(pattern, regex.V1)
        return {character for character in everything if matcher.fullmatch(character)}

    grapheme = dict.fromkeys(everything, 0)
    for number, pattern in enumerate(GRAPHEME_CLASSES.values(), start=1):
        for character in members(pattern):
            if grapheme[character]:
                sys.exit(f"U+{ord(character):04X} is in two grapheme classes")
            grapheme[character] = number
    flags = dict.fromkeys(everything, 0)
    for bit, pattern in enumerate(FLAGS.values()):
        for character in members(pattern):
            flags[character] |= 1 << bit
    scripts = dict.fromkeys(everything, 0)
    letters = {}
    for number, (script, ends) in enumerate(LETTERS.items(), start=1):
        found = members(rf"\p{{Script={script}}}")
        scripts.update(dict.fromkeys(found, number))
        if ends:
            bounds = zip(map(ord, ends[::2]), map(ord, ends[1::2]), strict=True)
            candidates = [chr(i) for first, last in bounds for i in range(first, last + 1)]
            plain = [c for c in candidates if c in found and unicodedata.category(c) in ("Ll", "Lo")]
            letters[script] = "".join(
                c for c in plain if unicodedata.normalize("NFD", c) == c and c not in SMALL_KANA and c != "ς"
            )
    letters["Hangul"] = codec_rows("euc_kr", 0xB0, 0xC8)
    letters["Han"] = codec_rows("gb2312", 0xB0, 0xD7)
    letters["Han ja"] = codec_rows("euc_jp", 0xB0, 0xCF)

    usual = [c for c in everything if not 0xD800 <= ord(c) < 0xE000]
    bare = [(c, stripped(c)) for c in usual if unicodedata.category(c)[0] in "LN"]
    pairs = [(c, c.upper()) for c in usual if len(c.upper()) == 1 and c.upper() != c and c.upper().lower() == c]
    table = {
        "provenance": "Unicode Character Database (Unicode License v3, https://www.unicode.org/license.txt), through "
        f"regex {regex.__version__} and Python's unicodedata {unicodedata.unidata_version}; see make_unicode.py",
        "grapheme_classes": list(GRAPHEME_CLASSES),
        "grapheme": run_lengths(list(grapheme.values())),
        "flag_names": list(FLAGS),
        "flags": run_lengths(list(flags.values())),
        "script_names": list(LETTERS),
        "scripts": run_lengths(list(scripts.values())),
        "letters": letters,
        "lower_upper": ["".join(c for c, _ in pairs), "".join(c for _, c in pairs)],
        "without_marks": [
            "".join(c for c, plain in bare if len(plain) == 1 and plain != c),
            "".join(plain for c, plain in bare if len(plain) == 1 and plain != c),
        ],
    }
    path = pathlib.Path(__file__).with_name("unicode.json")
    path.write_text(json.dumps(table, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
