"""Writes chinese.json: unambiguous pairs of simplified and traditional characters, from OpenCC's tables.

    pip download opencc-python-reimplemented --no-deps && unzip opencc_python_reimplemented-*.whl
    python -m itt_jax.perturb.tables.make_chinese opencc/dictionary

Characters with several counterparts (发 for 發 and 髮) are omitted, because the right one depends on the word.
"""

import json
import pathlib
import sys


def counterparts(path: pathlib.Path) -> dict[str, list[str]]:
    """Character -> its counterparts in the other script."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {
        row[0]: row[1].split() for row in (line.split("\t") for line in lines) if len(row) == 2 and len(row[0]) == 1
    }


def main() -> None:
    """Write the table from the folder of OpenCC files given on the command line."""
    folder = pathlib.Path(sys.argv[1])
    to_traditional = counterparts(folder / "STCharacters.txt")
    to_simplified = counterparts(folder / "TSCharacters.txt")
    one_to_one = {
        simplified: found[0]
        for simplified, found in sorted(to_traditional.items())
        if len(found) == 1 and found[0] != simplified and to_simplified.get(found[0]) == [simplified]
    }
    simplified = {c: found[0] for c, found in sorted(to_simplified.items()) if len(found) == 1 and found[0] != c}
    table = {
        "provenance": "OpenCC's STCharacters.txt and TSCharacters.txt (Apache License 2.0, "
        "https://github.com/BYVoid/OpenCC), from opencc-python-reimplemented 0.1.7 (Apache License 2.0); "
        "see make_chinese.py",
        "traditional": ["".join(one_to_one), "".join(one_to_one.values())],
        "simplified": ["".join(simplified), "".join(simplified.values())],
    }
    path = pathlib.Path(__file__).with_name("chinese.json")
    path.write_text(json.dumps(table, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
