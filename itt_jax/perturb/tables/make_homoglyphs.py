"""Writes homoglyphs.json: letters that look alike across scripts, from Unicode's confusables.

    pip install confusable_homoglyphs==3.3.1
    python -m itt_jax.perturb.tables.make_homoglyphs

The package (MIT) contains confusables.txt of Unicode Technical Standard 39 (Unicode License v3). The table keeps pairs
of single letters from different scripts but of the same case, in the Basic Multilingual Plane, that NFKC does not
change, so that compatibility normalization cannot undo the replacement.
"""

import importlib.metadata
import importlib.resources
import json
import pathlib
import unicodedata

SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "HEBREW", "ARABIC")


def script(character: str) -> str:
    """The script, taken from the first word of the character's name."""
    return unicodedata.name(character, "").split(" ")[0]


def alike(one: str, other: str) -> bool:
    """Whether the pair meets the conditions above."""
    pair = one + other
    return (
        len(pair) == 2
        and all(unicodedata.category(c)[0] == "L" and ord(c) < 0x10000 and script(c) in SCRIPTS for c in pair)
        and unicodedata.normalize("NFKC", pair) == pair
        and unicodedata.category(one) == unicodedata.category(other)
        and script(one) != script(other)
    )


def main() -> None:
    """Write the table."""
    source = importlib.resources.files("confusable_homoglyphs") / "confusables.json"
    found: dict[str, set[str]] = {}
    for character, entries in json.loads(source.read_text(encoding="utf-8")).items():
        for entry in entries:
            if alike(character, entry["c"]):
                found.setdefault(character, set()).add(entry["c"])
                found.setdefault(entry["c"], set()).add(character)
    version = importlib.metadata.version("confusable_homoglyphs")
    table = {
        "provenance": "Unicode Technical Standard 39, confusables.txt (Unicode License v3, "
        f"https://www.unicode.org/license.txt), through confusable_homoglyphs {version} (MIT); see make_homoglyphs.py",
        "alike": {character: "".join(sorted(found[character])) for character in sorted(found)},
    }
    path = pathlib.Path(__file__).with_name("homoglyphs.json")
    path.write_text(json.dumps(table, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
