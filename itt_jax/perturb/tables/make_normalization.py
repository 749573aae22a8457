"""Writes normalization.json: decompositions, compositions, widths and directions, from Debian's `unicode-data`.

    apt-get install unicode-data
    python -m itt_jax.perturb.tables.make_normalization

Python's unicodedata is not used, because its version differs between Python versions; the normal forms of an assigned
codepoint never change. Everything except DRAWN_APART is selected by properties.
"""

import itertools
import json
import pathlib
import re
import subprocess

FOLDER = pathlib.Path("/usr/share/unicode")
# Blocks with the precomposed letters of current orthographies, which `diacritics_add` may write.
ACCENT_BLOCKS = ((0x00C0, 0x017F), (0x0370, 0x03FF), (0x0400, 0x045F))
# Scripts whose letters look the same when stored in reverse order, as they neither join nor form conjuncts.
DRAWN_APART = (
    "Latin Greek Cyrillic Armenian Hebrew Georgian Ethiopic Han Hiragana Katakana Hangul Bopomofo Thai Lao".split()
)
CODEPOINTS = 0x110000
TATWEEL = 0x0640  # joins on both sides; its script property is Common


def fields(name: str) -> list[list[str]]:
    """The fields of each line of a Unicode database file, without comments."""
    lines = (line.split("#")[0].strip() for line in (FOLDER / name).read_text(encoding="utf-8").splitlines())
    return [[field.strip() for field in line.split(";")] for line in lines if line]


def members(name: str) -> dict[str, set[int]]:
    """Value -> codepoints, from a file with lines "range ; value"."""
    found: dict[str, set[int]] = {}
    for where, value, *_ in fields(name):
        first, _, last = where.partition("..")
        found.setdefault(value, set()).update(range(int(first, 16), int(last or first, 16) + 1))
    return found


def fully(character: str, once: dict[str, str]) -> str:
    """The full decomposition of a character, given single-step decompositions."""
    return "".join(fully(part, once) for part in once[character]) if character in once else character


def run_lengths(values: list[int]) -> str:
    """The values of all codepoints as run lengths "length:value ..."."""
    bounds = [i for i, value in enumerate(values) if i == 0 or values[i - 1] != value] + [len(values)]
    return " ".join(f"{stop - start}:{values[start]}" for start, stop in itertools.pairwise(bounds))


def directions() -> str:
    """Directions by codepoint: 0 none, 1 left to right, 2 right to left, +2 for letters of DRAWN_APART, 5 other."""
    classes, scripts = members("extracted/DerivedBidiClass.txt"), members("Scripts.txt")
    general = members("extracted/DerivedGeneralCategory.txt")
    joining = {int(code, 16) for code, _, kind, *_ in fields("ArabicShaping.txt") if kind in "RLDC"}
    letters = set().union(*(general[kind] for kind in ("Lu", "Ll", "Lt", "Lm", "Lo")))
    apart = letters & set().union(*(scripts[name] for name in DRAWN_APART)) - joining
    values = [0] * CODEPOINTS
    for code in classes["L"] | classes["R"]:
        values[code] = 1 + (code in classes["R"]) + 2 * (code in apart)
    for kind in ("AL", "AN", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "B"):
        for code in classes[kind]:
            values[code] = 5
    return run_lengths(values)


def joining_letters() -> dict[str, str]:
    """Arabic letters that join on both sides ("both"), and those that join the previous letter ("before")."""
    arabic = members("Scripts.txt")["Arabic"]
    rows = [(int(code, 16), kind) for code, _, kind, *_ in fields("ArabicShaping.txt")]
    return {
        "both": "".join(chr(code) for code, kind in rows if (kind == "D" and code in arabic) or code == TATWEEL),
        "before": "".join(chr(code) for code, kind in rows if (kind in "DR" and code in arabic) or code == TATWEEL),
    }


def main() -> None:
    """Write the table."""
    canonical: dict[str, str] = {}
    tagged: dict[str, tuple[str, str]] = {}
    classes: dict[int, str] = {}
    for row in fields("UnicodeData.txt"):
        character = chr(int(row[0], 16))
        tag, codes = re.findall(r"^(?:<(\w+)> )?(.*)$", row[5])[0]
        target = "".join(chr(int(code, 16)) for code in codes.split())
        if tag:
            tagged[character] = (tag, target)
        elif target:
            canonical[character] = target
        if int(row[3]):
            classes[int(row[3])] = classes.get(int(row[3]), "") + character
    excluded = {chr(code) for code in members("DerivedNormalizationProps.txt")["Full_Composition_Exclusion"]}
    pairs = {c: pair for c, pair in canonical.items() if len(pair) == 2 and c not in excluded}
    either = canonical | {c: target for c, (_, target) in tagged.items()}
    accents: dict[str, str] = {}
    for first, last in ACCENT_BLOCKS:
        for c in (chr(code) for code in range(first, last + 1)):
            if c in pairs and pairs[c][0] not in canonical and pairs[c][0].isalpha():
                accents[pairs[c][0]] = accents.get(pairs[c][0], "") + c
    composing = {pair[1] for pair in canonical.values() if len(pair) == 2}
    half = {target: c for c, (tag, target) in tagged.items() if tag == "narrow" and "\uff61" <= c <= "\uff9f"}
    half_forms = {
        c: "".join(half.get(part, "") for part in canonical.get(c, c)) for c in map(chr, range(0x30A1, 0x30FD))
    }
    query = ["dpkg-query", "-W", "-f", "${Version}", "unicode-data"]
    version = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    table = {
        "provenance": f"Unicode Character Database (Unicode License, https://www.unicode.org/license.txt), from Debian "
        f"unicode-data {version}; see make_normalization.py",
        "canonical": {c: fully(c, canonical) for c in sorted(canonical)},
        "compatibility": {c: fully(c, either) for c in sorted(either) if fully(c, either) != fully(c, canonical)},
        "classes": {str(number): classes[number] for number in sorted(classes)},
        "compositions": ["".join(pairs.values()), "".join(pairs)],
        "accents": dict(sorted(accents.items())),
        "lone_marks": "".join(
            c for c in map(chr, range(0x0300, 0x0363))
            if c not in composing and c not in canonical and c in classes[220] + classes[230]
        ),
        "full_width": {
            target: c for c, (tag, target) in tagged.items() if tag == "wide" and target.isascii() and target.isalnum()
        },
        "half_width": {
            c: narrow for c, narrow in half_forms.items() if len(narrow) == len(canonical.get(c, c)) and c != narrow
        },
        "forms": {
            kind: "".join(part for c, (tag, target) in tagged.items() if tag == kind and len(target) == 1
                          for part in (target, c))
            for kind in ("isolated", "final", "initial", "medial")
        },
        "ligatures": {target: c for c, (_, target) in tagged.items() if re.fullmatch("ff?[il]|ff", target)},
        "directions": directions(),
        "joining": joining_letters(),
    }  # fmt: skip
    path = pathlib.Path(__file__).with_name("normalization.json")
    rows = (f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in table.items())
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
