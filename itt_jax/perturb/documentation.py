"""Examples of the operators, and docs/perturbations.md, where each has three, in scripts that differ.

python -m itt_jax.perturb.documentation > docs/perturbations.md
"""

import collections
import dataclasses
import itertools
import re
import sys
from collections.abc import Iterator, Sequence

from itt_jax.perturb.catalog import CATALOG
from itt_jax.perturb.engine import variants
from itt_jax.perturb.lexicon import Lexicon
from itt_jax.perturb.operator import FAMILIES, LANGUAGES, Operator
from itt_jax.perturb.text import to_strings

SEVERITIES = (0.1, 0.3, 0.6, 1.0)  # an example is made at the lowest that changes its text
SEED = 0
SCRIPTS = 3  # shown of each operator
# Language -> script and text; the first in which an operator finds something to edit are shown, one of each script.
SAMPLES = {
    "en": ("Latin", "The doctor met Anna in London. She is well and drinks tea at 10 o'clock."),
    "ru": ("Cyrillic", "Врач встретил Анну в Лондоне. Она была здорова и пила чай в 10 часов."),
    "hi": ("Devanagari", "डॉक्टर लंदन में अन्ना से मिला। वह 10 बजे चाय पीकर अब ठीक है।"),
    "ar": ("Arabic", "التقى الطبيب بآنا في لندن. كانت بخير وشربت الشاي في الساعة 10."),
    "zh": ("Han", "医生在伦敦见到了安娜。她是老师，10点喝茶。"),
    "el": ("Greek", "Ο γιατρός συνάντησε την Άννα στο Λονδίνο. Είναι καλά και πίνει τσάι στις 10."),
    "ja": ("Kana", "医者はロンドンでアンナに会いました。彼女は元気で、10時にコーヒーを飲みます。"),
    "ko": ("Hangul", "의사는 런던에서 안나를 만났다. 그녀는 10시에 차를 마실 수 있다."),
    "th": ("Thai", "หมอพบแอนนาที่ลอนดอน เธอสบายดีและดื่มชาตอน 10 โมง"),
    "he": ("Hebrew", "הרופא פגש את אנה בלונדון. היא הייתה בריאה ושתתה תה בשעה 10."),
    "de": ("Latin", "Die Ärztin traf Anna in London. Sie ist gesund und trinkt um 10 Uhr Tee."),
    "fr": ("Latin", "Le médecin a rencontré Anna à Londres. Elle est guérie et boit du thé à 10 heures."),
    "vi": ("Latin", "Bác sĩ gặp Anna ở London. Cô ấy có thể uống trà lúc 10 giờ."),
    "tr": ("Latin", "Doktor Londra'da Anna ile görüştü. O iyi ve saat 10'da çay içiyor."),
}
# For operators that find nothing there: letters with their marks apart, compatibility characters, half-width ones.
UNUSUAL = {
    "en": ("Latin", "The first officer lives in a flat."),
    "fr": ("Latin", "L'e\u0301le\u0300ve a vu Anna a\u0300 ﬁn mai, № ②."),
    "ru": ("Cyrillic", "Мои\u0306 е\u0308ж съел ¼ яблока."),
    "ja": ("Kana", "ｱﾝﾅはか\u3099くせいて\u3099す。㈱"),
    "ko": ("Hangul", "\u110e\u1161를 마신다."),
    "hi": ("Devanagari", "र\u093cन\u093c वह ठीक है। चाँद बड़ा है।"),
    "zh": ("Han", "醫生在倫敦見到了安娜。"),
    "fa": ("Arabic", "پزشک آنا را در لندن دید."),
    "sr": ("Cyrillic", "Лекар је срео Ану и њену кћер."),
    "da": ("Latin", "Lægen mødte Anna på en ø."),
    "ro": ("Latin", "Medicul și Ana își beau ceaiul în oraș."),
}
# For operators that have no table of their own for a language.
LEXICON = Lexicon(
    {
        "doctor": ["physician"], "met": ["saw"], "tea": ["chai"], "врач": ["доктор"], "чай": ["напиток"],
        "डॉक्टर": ["चिकित्सक"], "चाय": ["पेय"], "الطبيب": ["الحكيم"], "الشاي": ["القهوة"], "医生": ["大夫"], "茶": ["水"],
    }
)  # fmt: skip
# Controls, marks of direction, joiners, fillers, tags, variation selectors, and every space but the usual one.
UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
PROMISES = {
    "reversible": "the clean text can be had back by a rule",
    "readable": "read without effort at 0.1",
    "nested": "edits at a severity are among those at a higher one",
    "whole_clusters": "no grapheme cluster is cut",
}
HEAD = """# Perturbations

Made by `python -m itt_jax.perturb.documentation > docs/perturbations.md`; do not edit. `list perturbations` says the
same in brief. An example is made with noise seed {seed}, at the lowest of the severities {severities} that changes its
text. ⟨U+200B⟩ stands for a character that cannot be seen, by its code point; `new` lists the code points that there
are more of, where they may look like what stood there. Operators that read a lexicon and have no table for a language
use the one at the end here.

Perturbations should keep the label of a text; **controls** (family `control`) change it, or may. Operators are composed
with `+`: `swap+homoglyph` is the first, then the second on what it made.
"""


@dataclasses.dataclass(frozen=True)
class Example:
    """What an operator makes of a text; `new` are the code points that it has more of."""

    language: str
    script: str
    severity: float
    clean: str
    perturbed: str
    new: tuple[str, ...]


def examples(operator: Operator) -> Iterator[Example]:
    """One for each language in which the operator changes the text of SAMPLES, in their order; else of UNUSUAL."""
    for samples in (SAMPLES, UNUSUAL):
        found = False
        for language, sample in samples.items():
            if one := example(operator, language, *sample):
                found = True
                yield one
        if found:
            return


def example(operator: Operator, language: str, script: str, text: str) -> Example | None:
    """The operator on the text, at the lowest of SEVERITIES that changes it; None where none does."""
    if language not in operator.languages and not operator.lexicon:
        return None
    lexicon = None if language in operator.languages else LEXICON
    found = variants([text], operator.name, SEVERITIES, language, SEED, lexicon=lexicon)
    for one in found:
        if one.changed[0]:
            (result,) = one.texts
            more = collections.Counter(result) - collections.Counter(text)
            codes = tuple(f"U+{ord(character):04X}" for character in dict.fromkeys(result) if character in more)
            return Example(language, script, one.severity, text, result, codes)
    return None


def shown(operator: Operator) -> list[Example]:
    """Examples of different scripts; of fewer scripts than SCRIPTS, further languages."""
    found = list(examples(operator))
    first = {one.script: one for one in reversed(found)}.values()
    chosen = [one for one in found if one in first][:SCRIPTS]
    return chosen + [one for one in found if one not in chosen][: SCRIPTS - len(chosen)]


def visible(text: str) -> str:
    """The text with characters that cannot be seen written as ⟨U+200B⟩."""
    return UNSEEN.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text)


def languages_of(operator: Operator) -> str:
    """In words."""
    if operator.languages == LANGUAGES:
        return "all"
    missing = LANGUAGES - operator.languages
    if len(missing) < len(operator.languages):
        return "all but " + " ".join(sorted(missing))
    named = " ".join(sorted(operator.languages))
    if not operator.lexicon:
        return named
    return f"{named}; with a lexicon, any" if named else "any, with a lexicon"


def section(operator: Operator) -> list[str]:
    """The lines on one operator."""
    kept = [meaning for name, meaning in PROMISES.items() if getattr(operator, name)]
    lost = [f"not: {meaning}" for name, meaning in PROMISES.items() if not getattr(operator, name)]
    lines = [
        f"### {operator.name}",
        "",
        operator.summary,
        "",
        f"- severity: {operator.severity_unit}",
        f"- languages: {languages_of(operator)}",
        f"- scripts: {operator.scripts}",
    ]
    if operator.lexicon:
        lines.append(f"- lexicon: {operator.lexicon}")
    lines += [f"- promises: {'; '.join(kept + lost)}", f"- reference: {operator.reference}", "", "~~~text"]
    for one in shown(operator):
        lines += [f"{one.language} clean  {visible(one.clean)}"]
        lines += [f"{one.language} {one.severity:<5g}  {visible(one.perturbed)}"]
        if operator.family in ("unicode", "script") and one.new:
            lines.append(f"{one.language} new    {' '.join(one.new[:12])}{' ...' * (len(one.new) > 12)}")
    return [*lines, "~~~", ""]


def page(operators: Sequence[Operator] | None = None) -> str:
    """The whole page, of all operators by default."""
    operators = list(CATALOG.values()) if operators is None else operators
    lines = [HEAD.format(seed=SEED, severities=", ".join(f"{severity:g}" for severity in SEVERITIES))]
    for family in FAMILIES:
        own = [operator for operator in operators if operator.family == family]
        if own:
            lines += [f"## {family}", ""]
        if any(operator.changes_label for operator in own):
            lines += ["**These change the label, or may: a score on them is not robustness.**", ""]
        lines += itertools.chain.from_iterable(section(operator) for operator in own)
    keys = to_strings(LEXICON.keys)
    pairs = ", ".join(f"{key} → {options[0]}" for key, options in zip(keys, LEXICON.options, strict=True))
    return "\n".join([*lines, "## The lexicon of the examples", "", pairs, ""])


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.write(page())
