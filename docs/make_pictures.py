"""Makes docs/pictures from the page of a results folder, in a headless Chromium: python docs/make_pictures.py OUT.

OUT/report is as `report --out OUT` writes it; examples are pictured where it has them.
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.report.browser import browser  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
FIRST = (("report_first_screen", 1280, 900, False), ("report_dark", 1280, 900, True), ("report_390", 390, 844, False))
"""Name, width, height and whether the theme is dark."""


def main(out: str) -> None:
    """Take the pictures."""
    page = pathlib.Path(out) / "report" / "index.html"
    with browser() as tab:
        for name, width, height, dark in FIRST:
            tab.resize(width, height, dark)
            tab.open(page)
            tab.picture(PICTURES / f"{name}.png")
        tab.resize(1280, 900, dark=True)
        tab.open(page)
        if tab.run("return Boolean(document.querySelector('#choice'))"):
            tab.run("document.querySelector('#examples').scrollIntoView()")
            tab.wait("document.querySelector('.card del, .card ins')")
            tab.run("document.querySelector('#examples').scrollIntoView()")
            tab.picture(PICTURES / "report_examples_dark.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
