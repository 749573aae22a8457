"""Every operator by name, with what it promises.

A new operator is one function (document, noise, severity) -> Edits and one row here; its digest goes to
tests/perturb/test_golden.py, and the tests of that folder then hold it to its promises.
"""

import dataclasses
from collections.abc import Callable

from itt_jax.perturb import characters, tables, unicode, words
from itt_jax.perturb.edits import Edits
from itt_jax.perturb.noise import Noise
from itt_jax.perturb.units import Document

# ISO 639-1, and 639-3 for languages of XTREME-R and Tatoeba that have no two-letter code.
LANGUAGES = frozenset(
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss "
    "st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "
    "ang arq arz ast awa ber bre cbk ceb cha cmn cor csb dsb dtp fao gla gsw hsb ido ile ina jav kab khm kur kzj lat "
    "lfn lvs max mhr nds nno nob nov orv pam pes pms swg swh tuk tzl uig wuu xho yue zsm".split()
)


@dataclasses.dataclass(frozen=True)
class Operator:
    """One way to change text.

    Attributes:
        name: as given on the command line.
        function: (document, noise, severity) -> Edits.
        family: "character", "unicode" or "word".
        severity_unit: what a severity of 1 edits; severity s edits each eligible unit with probability s.
        scripts: where it has something to edit; "all" or names.
        languages: those it can be asked for.
        reversible: whether the clean text can be had back (but for coincidence) by a fixed rule.
        readable: whether a human reads the result without effort at a severity of 0.1.
        nested: whether the edits at a severity are among those at any higher one.
        whole_clusters: whether no grapheme cluster of the clean text is cut.
        reference: where it comes from.
        version: raised whenever the output changes for some text.
    """

    name: str
    function: Callable[[Document, Noise, float], Edits]
    family: str
    severity_unit: str
    reference: str
    scripts: str = "all"
    languages: frozenset[str] = LANGUAGES
    reversible: bool = False
    readable: bool = True
    nested: bool = True
    whole_clusters: bool = True
    version: int = 1

    @property
    def summary(self) -> str:
        """One line: what it does."""
        return self.function.__doc__.splitlines()[0]


IN_WORDS = "grapheme clusters that begin with a letter, mark or number"
PRUTHI = "Pruthi et al. 2019, Combating Adversarial Misspellings (arXiv 1905.11268)"
DEEPWORDBUG = "Gao et al. 2018, DeepWordBug (arXiv 1801.04354)"
BAD_CHARACTERS = "Boucher et al. 2022, Bad Characters (arXiv 2106.09898)"
EDA = "Wei and Zou 2019, EDA (arXiv 1901.11196)"
ZEROE = "Eger and Benz 2020, From Hero to Zeroe (arXiv 2010.05648)"
LETTER_SCRIPTS = ", ".join(tables.unicode_table()["script_names"])

OPERATORS = (
    Operator(
        "swap",
        characters.swap,
        "character",
        "grapheme edits (two per swap) per cluster of the pairs of unlike neighbours; a draw cuts words into pairs",
        PRUTHI,
    ),
    Operator("delete", characters.delete, "character", f"edits per cluster; eligible: {IN_WORDS}", PRUTHI),
    Operator(
        "insert",
        characters.insert,
        "character",
        "edits per cluster; eligible: letters of the scripts named, digits 0-9",
        DEEPWORDBUG,
        scripts=LETTER_SCRIPTS,
    ),
    Operator(
        "substitute",
        characters.substitute,
        "character",
        "edits per cluster; eligible: letters of the scripts named, digits 0-9",
        DEEPWORDBUG,
        scripts=LETTER_SCRIPTS,
    ),
    Operator("repeat", characters.repeat, "character", f"edits per cluster; eligible: {IN_WORDS}", ZEROE),
    Operator(
        "keyboard",
        characters.keyboard,
        "character",
        "edits per cluster; eligible: letters and digits with a neighbour on the language's keyboard",
        "Belinkov and Bisk 2018 (arXiv 1711.02173); layouts of Debian's xkb-data",
        scripts="that of the language's keyboard",
        languages=frozenset(characters.keyboard_layouts()),
    ),
    Operator(
        "ocr",
        unicode.ocr,
        "character",
        "share of eligible clusters misread; eligible: letters and digits in the table ocr.json",
        "Ma 2019, nlpaug's OcrAug (the idea; the table is this project's)",
        scripts="Latin, Greek, Cyrillic, Arabic, Hebrew, Devanagari, Bengali, Thai, Hiragana, Katakana, Han",
    ),
    Operator(
        "homoglyph",
        unicode.homoglyph,
        "unicode",
        "edits per cluster; eligible: letters in the table homoglyphs.json",
        BAD_CHARACTERS + "; Unicode Technical Standard 39",
        scripts="Latin, Greek, Cyrillic, Armenian, Georgian",
        reversible=True,
    ),
    Operator(
        "invisible",
        unicode.invisible,
        "unicode",
        f"edits per cluster; eligible: {IN_WORDS}",
        BAD_CHARACTERS,
        reversible=True,
    ),
    Operator(
        "diacritics",
        unicode.diacritics,
        "unicode",
        "edits per cluster; eligible: letters with marks",
        "accent stripping of BERT (arXiv 1810.04805), in part",
        scripts=", ".join(unicode.DIACRITIC_SCRIPTS),
    ),
    Operator(
        "case",
        unicode.case,
        "unicode",
        "edits per cluster; eligible: letters with one capital or small form",
        "NL-Augmenter (arXiv 2112.02721), random upper case",
        scripts="Latin, Greek, Cyrillic, Armenian and other scripts with case",
    ),
    Operator("word_drop", words.word_drop, "word", "share of words dropped", EDA),
    Operator(
        "word_duplicate",
        words.word_duplicate,
        "word",
        "share of words written twice",
        "NL-Augmenter (arXiv 2112.02721), word repetition",
    ),
    Operator(
        "word_shuffle",
        words.word_shuffle,
        "word",
        "share of words moved; eligible: those in windows of two or three words",
        "EDA (arXiv 1901.11196), random swap; here within windows of three words",
        readable=False,
    ),
)
CATALOG: dict[str, Operator] = {operator.name: operator for operator in OPERATORS}
