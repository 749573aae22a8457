"""Writes transliteration.json: romanization tables of several scripts, each with its standard.

    python -m itt_jax.perturb.tables.make_transliteration

The letter values were entered by hand from the standards. Where ICU 72 follows the same standard (Cyrillic of Slavic
languages, Indic scripts, Georgian except digraphs), they were checked against it.
"""

import json
import pathlib
import unicodedata

# Script -> (standard, whether it is reversible, "letter Latin letter Latin ..." in lower case).
LETTERS = {
    "Cyrillic": (
        "ISO 9:1995 (GOST 7.79-2000, system A)",
        True,
        "а a б b в v г g ґ g̀ ѓ ǵ ғ ġ д d ђ đ е e ё ë є ê ж ž җ ž̦ з z ѕ ẑ и i і ì ї ï й j ј ǰ к k ќ ḱ қ ķ л l "
        "љ l̂ м m н n њ n̂ ң ņ о o ө ô п p р r с s т t ћ ć у u ў ŭ ү ù ұ u̇ ӯ ū ӣ ī ф f х h ҳ ḩ һ ḥ ц c ч č ҷ ç "
        "џ d̂ ш š щ ŝ ъ ʺ ы y ь ʹ э è ә a̋ ю û я â",
    ),
    "Greek": (
        "ISO 843:1997, type 1 (ELOT 743:2001)",
        True,
        "α a ά á β v γ g δ d ε e έ é ζ z η ī ή ī́ θ th ι i ί í ϊ ï ΐ ḯ κ k λ l μ m ν n ξ x ο o ό ó π p ρ r σ s "
        "ς s τ t υ y ύ ý ϋ ÿ ΰ ÿ́ φ f χ ch ψ ps ω ō ώ ṓ αυ au αύ aú ευ eu εύ eú ου ou ού oú",
    ),
    "Georgian": (
        "Georgian national system, 2002",
        False,
        "ა a ბ b გ g დ d ე e ვ v ზ z თ t ი i კ kʼ ლ l მ m ნ n ო o პ pʼ ჟ zh რ r ს s ტ tʼ უ u ფ p ქ k ღ gh ყ qʼ "
        "შ sh ჩ ch ც ts ძ dz წ tsʼ ჭ chʼ ხ kh ჯ j ჰ h",
    ),
    "Armenian": (
        "Hübschmann and Meillet 1913; և as the ligature of ե and ւ",
        True,
        "ա a բ b գ g դ d ե e զ z է ē ը ə թ tʻ ժ ž ի i լ l խ x ծ c կ k հ h ձ j ղ ł ճ č մ m յ y ն n շ š ո o ու u "
        "չ čʻ պ p ջ ǰ ռ ṙ ս s վ v տ t ր r ց cʻ ւ w փ pʻ ք kʻ օ ō ֆ f և ew",
    ),
    "Hebrew": (
        "ISO 259:1984, consonants only",
        False,
        "א ʾ ב b ג g ד d ה h ו w ז z ח ḥ ט ṭ י y כ k ך k ל l מ m ם m נ n ן n ס s ע ʿ פ p ף p צ ṣ ץ ṣ ק q ר r ש š ת t",
    ),
    "Arabic": (
        "ISO 233:1984 and ISO 233-3, consonants only; hamza written after its carrier",
        False,
        "ء ˌ ا ʾ أ ʾˈ إ ʾˌ آ ʾâ ٱ ʾ ب b ت t ث ṯ ج ǧ ح ḥ خ ẖ د d ذ ḏ ر r ز z س s ش š ص ṣ ض ḍ ط ṭ ظ ẓ ع ʿ غ ġ ف f "
        "ق q ك k ل l م m ن n ه h ة ẗ و w ؤ wˈ ي y ئ yˈ ى ỳ پ p چ č ژ ž گ g ک k ی y",
    ),
    "Hiragana": (
        "modified Hepburn, letter by letter; Katakana like the corresponding Hiragana",
        False,
        "あ a い i う u え e お o か ka き ki く ku け ke こ ko さ sa し shi す su せ se そ so た ta ち chi "
        "つ tsu て te と to な na に ni ぬ nu ね ne の no は ha ひ hi ふ fu へ he ほ ho ま ma み mi む mu め me "
        "も mo や ya ゆ yu よ yo ら ra り ri る ru れ re ろ ro わ wa ゐ i ゑ e を o ん n が ga ぎ gi ぐ gu げ ge "
        "ご go ざ za じ ji ず zu ぜ ze ぞ zo だ da ぢ ji づ zu で de ど do ば ba び bi ぶ bu べ be ぼ bo ぱ pa "
        "ぴ pi ぷ pu ぺ pe ぽ po ゔ vu ぁ a ぃ i ぅ u ぇ e ぉ o ゃ ya ゅ yu ょ yo ゎ wa きゃ kya きゅ kyu "
        "きょ kyo しゃ sha しゅ shu しょ sho しぇ she ちゃ cha ちゅ chu ちょ cho ちぇ che にゃ nya にゅ nyu "
        "にょ nyo ひゃ hya ひゅ hyu ひょ hyo みゃ mya みゅ myu みょ myo りゃ rya りゅ ryu りょ ryo ぎゃ gya "
        "ぎゅ gyu ぎょ gyo じゃ ja じゅ ju じょ jo じぇ je びゃ bya びゅ byu びょ byo ぴゃ pya ぴゅ pyu ぴょ pyo "
        "ふぁ fa ふぃ fi ふぇ fe ふぉ fo ふゅ fyu てぃ ti でぃ di とぅ tu どぅ du でゅ dyu うぃ wi うぇ we "
        "うぉ wo ゔぁ va ゔぃ vi ゔぇ ve ゔぉ vo つぁ tsa つぇ tse つぉ tso",
    ),
}
# Indic scripts occupy parallel blocks; the following tables use offsets into a block (Unicode Standard, chapter 12).
INDIC = {
    "Devanagari": 0x0900, "Bengali": 0x0980, "Gurmukhi": 0x0A00, "Gujarati": 0x0A80, "Oriya": 0x0B00, "Tamil": 0x0B80,
    "Telugu": 0x0C00, "Kannada": 0x0C80, "Malayalam": 0x0D00,
}  # fmt: skip
VOWELS = {0x05: "a ā i ī u ū r̥ l̥ ê e ē ai ô o ō au", 0x60: "r̥̄"}
SIGNS = {0x3E: "ā i ī u ū r̥ r̥̄ ê e ē ai ô o ō au"}
CONSONANTS = {
    0x15: "k kh g gh ṅ c ch j jh ñ ṭ ṭh ḍ ḍh ṇ t th d dh n ṉ p ph b bh m y r ṟ l ḷ ḻ v ś ṣ s h",
    0x58: "q ḵẖ ġ z ṛ ṛh f ẏ",
}
OTHERS = {0x01: "m̐", 0x02: "ṁ", 0x03: "ḥ", 0x3D: "’"}
NUKTA, VIRAMA = 0x3C, 0x4D
DOTTED = "क q ख ḵẖ ग ġ ज z ड ṛ ढ ṛh न ṉ फ f य ẏ र ṟ ळ ḻ"
NOT_PARALLEL = {*range(0x0C58, 0x0C5E), 0x0CDD, 0x0CDE, *range(0x0D54, 0x0D60)}
OF_ONE_SCRIPT = {"Tamil": "ஃ ḵ", "Gurmukhi": "ੰ ṃ", "Malayalam": "ൺ ṇ ൻ n ർ r ൽ l ൾ ḷ ൿ k"}
# Revised Romanization of Korean (2000), syllable by syllable.
LEADS = "g kk n d tt r m b pp s ss - j jj ch k t p h"
MEDIALS = "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i"
FINALS = "- k k k n n n t l k m l l l p l m p p t t ng t t k t p t"
GAJ = (
    "а a б b в v г g д d ђ đ е e ж ž з z и i ј j к k л l љ lj м m н n њ nj о o п p р r с s т t ћ ć у u ф f х h ц c ч č "
    "џ dž ш š"
)


def paired(text: str) -> dict[str, str]:
    """Letter -> Latin, from "letter Latin letter Latin ..."."""
    parts = text.split()
    return dict(zip(parts[::2], parts[1::2], strict=True))


def indic(script: str) -> dict[str, dict[str, str] | str]:
    """Kind of sign -> sign -> Latin, for a script; consonants include those followed by a nukta."""
    start = INDIC[script]

    def spread(rows: dict[int, str]) -> dict[str, str]:
        """Sign -> Latin, for the signs that the script has."""
        found = {start + first + i: latin for first, row in rows.items() for i, latin in enumerate(row.split())}
        assigned = (code for code in found if unicodedata.category(chr(code)) != "Cn" and code not in NOT_PARALLEL)
        return {chr(code): found[code] for code in assigned}

    consonants, nukta = spread(CONSONANTS), chr(start + NUKTA)
    dotted = {chr(ord(letter) - INDIC["Devanagari"] + start): latin for letter, latin in paired(DOTTED).items()}
    if unicodedata.category(nukta) != "Cn":
        consonants |= {letter + nukta: latin for letter, latin in dotted.items() if letter in consonants}
    own = paired(OF_ONE_SCRIPT.get(script, ""))
    return {
        "vowels": spread(VOWELS), "signs": spread(SIGNS), "consonants": consonants, "others": spread(OTHERS) | own,
        "virama": chr(start + VIRAMA),
    }  # fmt: skip


def main() -> None:
    """Write the table."""
    table = {
        "provenance": "written for this project from the standards named here; see make_transliteration.py",
        "letters": {
            script: {"standard": standard, "reversible": reversible, "spelling": paired(text)}
            for script, (standard, reversible, text) in LETTERS.items()
        },
        "indic": {"standard": "ISO 15919:2001", "reversible": True, "scripts": {name: indic(name) for name in INDIC}},
        "hangul": {
            "standard": "Revised Romanization of Korean (2000), syllable by syllable",
            "reversible": False,
            **{name: [part.strip("-") for part in row.split()] for name, row in
               (("leads", LEADS), ("medials", MEDIALS), ("finals", FINALS))},
        },
        "gaj": {"standard": "Gaj's Latin alphabet", "spelling": paired(GAJ)},
    }  # fmt: skip
    rows = (f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in table.items())
    path = pathlib.Path(__file__).with_name("transliteration.json")
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
